//! The address of a repository: what is accepted, and what the place behind it is called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wayside_bridge::Locator;

/// A repository's address, as git takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    url: String,
    /// `HOST/PATH`, without user info.
    place: String,
    scheme: Scheme,
    link: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Https,
    Ssh,
    File,
    Http,
    Git,
}

/// The longest address, in bytes.
const LONGEST: usize = 1024;

/// What marks an address as a link that somebody else may have sent.
pub(crate) const LINK: &str = "git+";

/// What tokens of well-known hosts begin with: they are passwords, wherever they stand.
const TOKENS: [&str; 6] = ["ghp_", "gho_", "ghu_", "ghs_", "github_pat_", "glpat-"];

impl Remote {
    /// The remote of an address that a person gave, or of a link (`git+https://…`), which is trusted less.
    ///
    /// # Errors
    ///
    /// Why not, for a person.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (text, link) = text.strip_prefix(LINK).map_or((text, false), |rest| (rest, true));
        if text.len() > LONGEST || text.contains(char::is_control) {
            return Err("is too long or holds control characters".to_owned());
        }
        if text.starts_with('-') {
            return Err("begins with `-`".to_owned());
        }
        let remote = match text.split_once("://") {
            Some((scheme, rest)) => Self::url(text, Scheme::parse(scheme)?, rest, link)?,
            None if link => return Err("is no address with a scheme".to_owned()),
            None if std::path::Path::new(text).is_absolute() => Self::path(text, text)?,
            None => Self::scp(text)?,
        };
        Ok(remote)
    }

    fn url(url: &str, scheme: Scheme, rest: &str, link: bool) -> Result<Self, String> {
        if link && matches!(scheme, Scheme::Http | Scheme::Git) {
            return Err(
                "is not protected on its way: of a link only https, ssh and file are followed".to_owned()
            );
        }
        if scheme == Scheme::File {
            if !rest.starts_with('/') {
                return Err("names a file on another host; write file:///PATH".to_owned());
            }
            return Ok(Self { link, ..Self::path(url, rest)? });
        }
        if rest.contains(['?', '#']) {
            return Err("holds `?` or `#`".to_owned());
        }
        let (authority, path) =
            rest.split_once('/').ok_or_else(|| "has no path after the host".to_owned())?;
        let (user, host_port) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if link && user.is_some() {
            return Err("holds a user name; a link names only the host".to_owned());
        }
        check_user(user, scheme)?;
        let (host, port) = host_and_port(host_port)?;
        if link && scheme == Scheme::Https && !is_public(&host) {
            return Err("names an address of a private network by number".to_owned());
        }
        let port = port.filter(|port| Some(*port) != scheme.port());
        let place = place(&host, port, path)?;
        Ok(Self { url: url.to_owned(), place, scheme, link })
    }

    fn path(url: &str, path: &str) -> Result<Self, String> {
        let place = place("file", None, path)?;
        Ok(Self { url: url.to_owned(), place, scheme: Scheme::File, link: false })
    }

    /// `[user@]host:path`, as ssh's own copying program writes it.
    fn scp(text: &str) -> Result<Self, String> {
        let (authority, path) = text
            .split_once(':')
            .filter(|(authority, path)| {
                !authority.is_empty() && !authority.contains('/') && !path.starts_with(':')
            })
            .ok_or_else(|| {
                "is neither an address (https://HOST/PATH, ssh://…, user@HOST:PATH) nor an absolute path"
                    .to_owned()
            })?;
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        check_user(user, Scheme::Ssh)?;
        let (host, _) = host_and_port(host)?;
        let place = place(&host, None, path)?;
        Ok(Self { url: text.to_owned(), place, scheme: Scheme::Ssh, link: false })
    }

    /// What git is given.
    pub(crate) fn url_text(&self) -> &str {
        &self.url
    }

    /// What a person calls it: `HOST/PATH`, without user info, or a path of this machine.
    pub(crate) fn place(&self) -> &str {
        match self.scheme {
            Scheme::File => self.place.strip_prefix("file").unwrap_or(&self.place),
            _ => &self.place,
        }
    }

    /// Whether it is a folder of this machine, or of one whose disk is mounted here.
    pub(crate) fn is_here(&self) -> bool {
        self.scheme == Scheme::File
    }

    /// Whether somebody else may have chosen it.
    pub(crate) const fn is_link(&self) -> bool {
        self.link
    }

    /// What git may open on the way, in the notation of `GIT_ALLOW_PROTOCOL`; `None` leaves what the user says.
    pub(crate) const fn protocols(&self, user_says: bool) -> Option<&'static str> {
        match (self.link, user_says) {
            (true, _) => Some("https:ssh:file"),
            (false, true) => None,
            (false, false) => Some("https:ssh:file:http:git"),
        }
    }

    /// The place's name for everybody, with the branch where that is not the usual one.
    pub(crate) fn locator(&self, branch: &str, named: Option<&str>) -> Option<Locator> {
        let place = named.unwrap_or(&self.place);
        match branch == USUAL_BRANCH || place.contains('#') {
            true => Locator::new(crate::KIND, place),
            false => Locator::new(crate::KIND, &format!("{place}#{branch}")),
        }
    }
}

/// The branch that is meant where none is named.
pub(crate) const USUAL_BRANCH: &str = "wayside";

impl Scheme {
    fn parse(scheme: &str) -> Result<Self, String> {
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Ok(Self::Https),
            "ssh" => Ok(Self::Ssh),
            "file" => Ok(Self::File),
            "http" => Ok(Self::Http),
            "git" => Ok(Self::Git),
            _ => Err("is of none of the forms https, ssh, file, http, git, user@HOST:PATH".to_owned()),
        }
    }

    const fn port(self) -> Option<u16> {
        match self {
            Self::Https => Some(443),
            Self::Ssh => Some(22),
            Self::Http => Some(80),
            Self::Git => Some(9418),
            Self::File => None,
        }
    }
}

/// Whether the user info is a name and nothing secret.
fn check_user(user: Option<&str>, scheme: Scheme) -> Result<(), String> {
    let Some(user) = user else { return Ok(()) };
    let secret = user.contains(':') || TOKENS.iter().any(|token| user.starts_with(token));
    if secret {
        let instead = match scheme {
            Scheme::Ssh => "use a key",
            _ => "use a credential helper (git help credentials)",
        };
        return Err(format!(
            "holds a password or token, which would lie open in the configuration; {instead}"
        ));
    }
    match user.starts_with('-') || user.is_empty() {
        true => Err("has no proper user name".to_owned()),
        false => Ok(()),
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let wrong = || "has no proper host".to_owned();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
            let host: Ipv6Addr = host.parse().map_err(|_| wrong())?;
            (format!("[{host}]"), port.strip_prefix(':'))
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if host.is_empty() || host.starts_with('-') || !host.bytes().all(allowed) {
                return Err(wrong());
            }
            (host.to_ascii_lowercase(), port)
        }
    };
    let port = port.filter(|port| !port.is_empty()).map(str::parse).transpose().map_err(|_| wrong())?;
    Ok((host, port))
}

/// `HOST[:PORT]/PATH`, without `.git`, and without slashes where none is needed.
fn place(host: &str, port: Option<u16>, path: &str) -> Result<String, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path = parts.join("/");
    let path = path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/');
    if path.is_empty() || path.starts_with('-') || parts.contains(&"..") {
        return Err("has no proper path to a repository".to_owned());
    }
    // There the case of letters does not matter, and two people would write it differently.
    let path = if host == "github.com" { path.to_ascii_lowercase() } else { path.to_owned() };
    Ok(match port {
        Some(port) => format!("{host}:{port}/{path}"),
        None => format!("{host}/{path}"),
    })
}

/// Whether a host is a name, or the number of an address that anybody on the Internet has.
fn is_public(host: &str) -> bool {
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match literal {
        Ok(IpAddr::V4(ip)) => is_public_v4(ip),
        Ok(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => {
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local())
            }
        },
        // `2130706433` and `0x7f.1` are numbers too to those who resolve names.
        Err(_) => {
            let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
            !(last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()))
        }
    }
}

const fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && b >= 64 && b < 128;
    !(ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || shared
        || a == 0)
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
