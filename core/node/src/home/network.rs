//! `[network]`: where to listen, and whom to ask how one is reached. Nothing is asked of anybody unless it stands here.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

/// Where and how to listen, and how to find out how one is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Network {
    /// `udp://ADDRESS:PORT` or `tcp://ADDRESS:PORT`, port 0 for any free one. Without any of the one kind nothing is listened to in it.
    pub listen: Vec<String>,
    /// Who is told, when asking, how this machine sees them.
    pub stun: Stun,
    /// STUN servers to ask how this machine is seen; none is known but those.
    pub stun_servers: Vec<StunServer>,
    /// In which ways to ask the router for a port.
    pub portmap: Vec<Portmap>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            listen: vec!["udp://0.0.0.0:0".into(), "udp://[::]:0".into()],
            stun: Stun::Off,
            stun_servers: Vec::new(),
            portmap: Vec::new(),
        }
    }
}

/// Whose STUN requests are answered (RFC 8489).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stun {
    /// Nobody's.
    #[default]
    Off,
    /// Those of friends whom `friend allow reflect NAME` lets, and of newcomers whom they invite.
    Friends,
    /// Everybody's.
    Anyone,
}

/// A way to ask a router for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Portmap {
    /// The Port Control Protocol (RFC 6887).
    Pcp,
    /// NAT-PMP (RFC 6886).
    NatPmp,
    /// UPnP's Internet Gateway Device.
    Upnp,
}

/// Where a STUN server is: `stun:HOST:PORT` (RFC 7064) or `HOST:PORT`. The port is 3478 unless given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub struct StunServer {
    host: String,
    port: u16,
}

impl StunServer {
    /// STUN's port (RFC 8489, section 8.1).
    const PORT: u16 = 3478;
    /// No name of a host is longer, in bytes (RFC 1035, section 2.3.4).
    const MAX_HOST: usize = 253;

    /// A name, or an IP address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for StunServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no STUN server: write stun:stun.example.org:3478, 192.0.2.1:3478 or [2001:db8::1]:3478"
            )
        };
        let rest = text.strip_prefix("stun:").unwrap_or(text);
        if let Ok(address) = rest.parse::<SocketAddr>() {
            let (host, port) = (address.ip().to_string(), address.port());
            return if port == 0 { Err(wrong()) } else { Ok(Self { host, port }) };
        }
        let bracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(ip) = bracketed.and_then(|ip| ip.parse::<std::net::Ipv6Addr>().ok()) {
            return Ok(Self { host: ip.to_string(), port: Self::PORT });
        }
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (rest, Self::PORT),
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let host_ok = (1..=Self::MAX_HOST).contains(&host.len())
            && host.bytes().all(allowed)
            && !host.starts_with(['-', '.']);
        if host_ok && port != 0 { Ok(Self { host: host.to_ascii_lowercase(), port }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for StunServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for StunServer {
    /// `HOST:PORT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Addresses to listen at, or listened at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
}

impl Listen {
    /// The addresses of these URLs.
    pub(crate) fn parse(urls: &[String]) -> Result<Self, String> {
        let mut listen = Self::default();
        for url in urls {
            let parsed = url.split_once("://").and_then(|(scheme, address)| match scheme {
                "udp" => Some((&mut listen.udp, address.parse().ok()?)),
                "tcp" => Some((&mut listen.tcp, address.parse().ok()?)),
                _ => None,
            });
            let (addresses, address) = parsed.ok_or_else(|| {
                format!("`{url}` is no address to listen at: write udp://0.0.0.0:4040, udp://[::]:0 or tcp://0.0.0.0:443")
            })?;
            addresses.push(address);
        }
        Ok(listen)
    }

    /// As URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        let udp = self.udp.iter().map(|address| format!("udp://{address}"));
        udp.chain(self.tcp.iter().map(|address| format!("tcp://{address}"))).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_in_every_form_and_nonsense_is_refused() {
        for (text, expected) in [
            ("stun:stun.example.org:3478", "stun.example.org:3478"),
            ("Stun.example.org", "stun.example.org:3478"),
            ("stun:192.0.2.1", "192.0.2.1:3478"),
            ("192.0.2.1:19302", "192.0.2.1:19302"),
            ("[2001:db8::1]:5349", "[2001:db8::1]:5349"),
            ("stun:[2001:db8::1]", "[2001:db8::1]:3478"),
        ] {
            assert_eq!(text.parse::<StunServer>().unwrap().to_string(), expected);
        }
        for nonsense in
            ["", "stun:", ":3478", "a:0", "a:b", "a:70000", "-x:1", "a b:1", "http://a:1", "2001:db8::1"]
        {
            let error = nonsense.parse::<StunServer>().unwrap_err();
            assert!(error.contains("is no STUN server"), "{nonsense}: {error}");
        }
    }

    #[test]
    fn nothing_is_asked_by_default_and_wrong_words_are_named() {
        let read = |text: &str| toml_edit::de::from_str::<Network>(text);
        assert_eq!(read("").unwrap(), Network::default());
        let network =
            read("stun = 'friends'\nstun_servers = ['a:1']\nportmap = ['pcp', 'nat-pmp', 'upnp']").unwrap();
        assert_eq!(network.stun, Stun::Friends);
        assert_eq!(network.portmap, [Portmap::Pcp, Portmap::NatPmp, Portmap::Upnp]);
        for (wrong, named) in [
            ("stun = 'everybody'", "`off`, `friends`, `anyone`"),
            ("portmap = ['natpmp']", "`pcp`, `nat-pmp`, `upnp`"),
            ("stun_servers = ['a b']", "write stun:"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
