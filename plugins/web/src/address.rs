//! Where a space is on the web, and which addresses are not followed.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;
use wayside_bridge::Locator;

use crate::error::WebError;

/// Where a space is read.
///
/// One that ends in `/` is a folder of files; any other is a *drop*, a program that answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(Url);

impl Address {
    /// The address of its `https://…`, or `http://…` on this machine alone.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let address = Self::parse_any(text)?;
        if address.is_plain() {
            return Err("records go over https; http is for this machine alone".to_owned());
        }
        Ok(address)
    }

    /// The same of a drop, where `http://…` may be anywhere: there need be no password that somebody on the way could read.
    pub(crate) fn open_drop(text: &str) -> Result<Self, String> {
        let address = Self::parse_any(text)?;
        match address.is_drop() {
            true => Ok(address),
            false => Err("a drop's address ends in a name, as in drop+http://HOST:PORT/NAME".to_owned()),
        }
    }

    fn parse_any(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("this is no address of the web ({error})"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err("this is to begin with https://".to_owned());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("there is no host in it".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a name and a password do not belong into it: use --user and --password-file".to_owned()
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("nothing may follow after a `?` or `#`".to_owned());
        }
        Ok(Self(url))
    }

    /// The same, of a folder.
    pub(crate) fn folder(text: &str) -> Result<Self, String> {
        let mut address = Self::parse(text)?;
        if address.is_drop() {
            let path = format!("{}/", address.0.path());
            address.0.set_path(&path);
        }
        Ok(address)
    }

    /// The space that somebody else's locator names. Where our own space is on this machine, as in a laboratory, theirs may be too.
    pub(crate) fn of_locator(locator: &Locator, own: Option<&Self>) -> Result<Self, WebError> {
        if locator.kind() != crate::KIND {
            return Err(WebError::NoSpace(locator.to_string()));
        }
        let local = own.filter(|own| is_this_machine(&own.0));
        let scheme = local.map_or("https", |own| own.0.scheme());
        let address = Self::parse(&format!("{scheme}://{}", locator.address()))
            .map_err(|_| WebError::NoSpace(locator.to_string()))?;
        if is_private_literal(&address.0) && local.is_none() {
            return Err(WebError::Private { at: locator.to_string() });
        }
        Ok(address)
    }

    /// What an invite calls it: the host and the path.
    pub(crate) fn locator(&self) -> Option<Locator> {
        let host = self.0.host_str()?;
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        Locator::new(crate::KIND, &format!("{host}{port}{}", self.0.path()))
    }

    /// Whether what goes there can be read on the way.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http" && !is_this_machine(&self.0)
    }

    /// Whether a program answers there, which is asked for everything at once.
    pub(crate) fn is_drop(&self) -> bool {
        !self.0.path().ends_with('/')
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{name}", self.0.path()));
        url
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    pub(crate) fn is_private(&self) -> bool {
        is_private_literal(&self.0)
    }

    /// For people: the host, and the path where there is one.
    pub(crate) fn title(&self) -> String {
        let shown = self.0.as_str().split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        shown.trim_end_matches('/').to_owned()
    }
}

/// The host and port of an address, for messages.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether an address names this machine itself.
fn is_this_machine(url: &Url) -> bool {
    match ip_of(url) {
        Some(ip) => ip.is_loopback(),
        None => url.host_str() == Some("localhost"),
    }
}

/// Whether an address names a machine that only somebody inside its network reaches.
fn is_private_literal(url: &Url) -> bool {
    match ip_of(url) {
        Some(ip) => !is_public(ip),
        None => url
            .host_str()
            .is_none_or(|host| host == "localhost" || host.ends_with(".localhost") || !host.contains('.')),
    }
}

fn ip_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address can be anybody's on the Internet (after IANA's registries of special-purpose addresses).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a, b, c) == (192, 0, 0))
        }
        IpAddr::V6(ip) => {
            let inner = ip.to_ipv4_mapped().or_else(|| behind_nat64(ip));
            match inner {
                Some(inner) => is_public(IpAddr::V4(inner)),
                None => ip.segments().first().is_some_and(|first| (0x2000..0x4000).contains(first)),
            }
        }
    }
}

/// The IPv4 address in one of 64:ff9b::/96 (RFC 6052).
fn behind_nat64(ip: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let octets = ip.octets();
    let rest = octets.strip_prefix(&[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Some(std::net::Ipv4Addr::from(<[u8; 4]>::try_from(rest).ok()?))
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
