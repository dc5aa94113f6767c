//! Whom to ask: resolvers as people write them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig};

/// Who resolves names, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolverAddr {
    at: SocketAddr,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// UDP, and TCP for what does not fit.
    Plain,
    /// DNS over TLS (RFC 7858), with the name in its certificate.
    Tls(Arc<str>),
    /// DNS over HTTPS (RFC 8484), with the name in its certificate and the path.
    Https(Arc<str>, Arc<str>),
}

/// What a resolver is to look like.
const FORM: &str = "is to be ADDR[:PORT], tls://ADDR[:PORT][#NAME] or https://ADDR[:PORT]/PATH[#NAME], where ADDR is an IP address and NAME the name in \
                    its certificate, as in https://9.9.9.9/dns-query#dns.quad9.net";

impl ResolverAddr {
    /// A resolver as somebody wrote it. Its address is given, not a name: whoever resolves names cannot be found by one.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix("tls://") {
            let (at, name) = named(rest.trim_end_matches('/'));
            let at = address(at, 853).ok_or(FORM)?;
            return Ok(Self { at, how: How::Tls(server_name(name, at.ip())?) });
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let (url, name) = named(rest);
            let (at, path) = url.split_once('/').unwrap_or((url, "dns-query"));
            let at = address(at, 443).ok_or(FORM)?;
            if !path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'{' | b'}')) {
                return Err(FORM);
            }
            return Ok(Self { at, how: How::Https(server_name(name, at.ip())?, format!("/{path}").into()) });
        }
        Ok(Self { at: address(text, 53).ok_or(FORM)?, how: How::Plain })
    }

    /// A server that is asked in plain.
    pub(crate) const fn plain(at: SocketAddr) -> Self {
        Self { at, how: How::Plain }
    }

    /// Whether nobody on the way sees or changes what is asked.
    pub(crate) const fn is_private(&self) -> bool {
        !matches!(self.how, How::Plain)
    }

    /// The same for the resolver library.
    pub(crate) fn config(&self) -> NameServerConfig {
        let connection = |protocol: ProtocolConfig| {
            let mut connection = ConnectionConfig::new(protocol);
            connection.port = self.at.port();
            connection
        };
        let connections = match &self.how {
            How::Plain => vec![connection(ProtocolConfig::Udp), connection(ProtocolConfig::Tcp)],
            How::Tls(name) => vec![connection(ProtocolConfig::Tls { server_name: Arc::clone(name) })],
            How::Https(name, path) => vec![connection(ProtocolConfig::Https {
                server_name: Arc::clone(name),
                path: Arc::clone(path),
            })],
        };
        NameServerConfig::new(self.at.ip(), true, connections)
    }
}

impl fmt::Display for ResolverAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Plain => write!(f, "{}", self.at),
            How::Tls(_) => write!(f, "tls://{}", self.at),
            How::Https(_, path) => write!(f, "https://{}{path}", self.at),
        }
    }
}

/// An address with its port, or with the usual one.
pub(crate) fn address(text: &str, usual: u16) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let at = text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, usual)))?;
    let usable = |at: &SocketAddr| at.port() != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast();
    Some(at).filter(usable)
}

fn named(text: &str) -> (&str, Option<&str>) {
    text.split_once('#').map_or((text, None), |(at, name)| (at, Some(name)))
}

/// The name that its certificate is for: the address, where no other is given.
fn server_name(name: Option<&str>, ip: IpAddr) -> Result<Arc<str>, &'static str> {
    let name = name.map_or_else(|| ip.to_string(), str::to_owned);
    match rustls::pki_types::ServerName::try_from(name.as_str()) {
        Ok(_) => Ok(name.into()),
        Err(_) => Err("the name behind # is no name of a server"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn resolvers_as_people_write_them() {
        for (text, shown, private) in [
            ("192.0.2.1", "192.0.2.1:53", false),
            ("192.0.2.1:5353", "192.0.2.1:5353", false),
            ("2001:db8::1", "[2001:db8::1]:53", false),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353", false),
            ("[2001:db8::1]", "[2001:db8::1]:53", false),
            ("tls://192.0.2.1", "tls://192.0.2.1:853", true),
            ("tls://192.0.2.1:8853#dns.example", "tls://192.0.2.1:8853", true),
            ("https://192.0.2.1/dns-query", "https://192.0.2.1:443/dns-query", true),
            ("https://192.0.2.1:444/q#dns.example", "https://192.0.2.1:444/q", true),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:443/dns-query", true),
        ] {
            let parsed = ResolverAddr::parse(text).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.is_private()), (shown, private), "{text}");
        }
    }

    #[test]
    fn what_is_no_resolver_is_refused() {
        for text in [
            "",
            "dns.example",
            "192.0.2.1:0",
            "0.0.0.0",
            "224.0.0.251",
            "https://dns.example/dns-query",
            "tls://192.0.2.1#",
            "tls://192.0.2.1#not a name",
            "http://192.0.2.1",
            "https://192.0.2.1/{?dns}",
            "192.0.2.1 ",
            "-v",
        ] {
            assert!(ResolverAddr::parse(text).is_err(), "{text}");
        }
    }
}
