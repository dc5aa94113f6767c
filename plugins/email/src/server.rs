//! Where a mail server is, and how it is reached.

use std::fmt;
use std::net::IpAddr;

use crate::error::EmailError;

/// What is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// To send.
    Smtp,
    /// To read.
    Imap,
}

/// A server's name, port, and whether TLS comes first or is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its name or IP address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS from the first byte (RFC 8314, section 3); else `STARTTLS`, which must be there.
    pub(crate) implicit: bool,
    pub(crate) speaks: Speaks,
}

impl Server {
    /// The server that `--smtp` or `--imap` names: `smtps://host[:port]` or `smtp://host[:port]`.
    pub(crate) fn parse(speaks: Speaks, text: &str) -> Result<Self, EmailError> {
        let (option, clear, tls, clear_port, tls_port) = match speaks {
            Speaks::Smtp => ("smtp", "smtp", "smtps", 587, 465),
            Speaks::Imap => ("imap", "imap", "imaps", 143, 993),
        };
        let wrong = |reason: &str| {
            let text = format!("--{option} is to be like {tls}://mail.example.org:{tls_port}: {reason}");
            EmailError::Configuration(text)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("there is no scheme"))?;
        let implicit = match scheme {
            _ if scheme == tls => true,
            _ if scheme == clear => false,
            _ => return Err(wrong("this is another scheme")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(wrong("a user goes into --user, a password into a file"));
        }
        let usual = if implicit { tls_port } else { clear_port };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some("?")))
            }
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None => usual,
            Some(port) => {
                port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("this is no port"))?
            }
        };
        let named = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && !host.starts_with(['-', '.']);
        if host.is_empty() || host.len() > 253 || !(named || host.parse::<IpAddr>().is_ok()) {
            return Err(wrong("this is no name of a host"));
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, implicit, speaks })
    }

    /// Whether what is sent there stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What to say where it offers no encryption.
    pub(crate) fn in_the_clear(&self) -> EmailError {
        let scheme = match self.speaks {
            Speaks::Smtp => "smtps",
            Speaks::Imap => "imaps",
        };
        EmailError::Clear { host: self.to_string(), scheme }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn servers_are_named_by_scheme_host_and_port() {
        for (speaks, text, host, port, implicit) in [
            (Speaks::Smtp, "smtps://mail.example.org", "mail.example.org", 465, true),
            (Speaks::Smtp, "smtp://Mail.example.org:2525/", "mail.example.org", 2525, false),
            (Speaks::Imap, "imaps://127.0.0.1", "127.0.0.1", 993, true),
            (Speaks::Imap, "imap://[::1]:1143", "::1", 1143, false),
            (Speaks::Imap, "imap://localhost", "localhost", 143, false),
        ] {
            let server = Server::parse(speaks, text).unwrap();
            assert_eq!((server.host.as_str(), server.port, server.implicit), (host, port, implicit));
        }
        for bad in [
            "",
            "mail.example.org",
            "imap://x",
            "https://x",
            "smtp://",
            "smtp://a@b",
            "smtp://a:pw@b",
            "smtp://x:0",
            "smtp://x:99999",
            "smtp://-x",
            "smtp://a b",
            "smtp://[::1",
            "smtp://[::1]x",
            "smtp://x/y",
        ] {
            assert!(Server::parse(Speaks::Smtp, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for (text, loopback) in [
            ("smtp://localhost", true),
            ("smtp://127.9.9.9", true),
            ("smtp://[::1]", true),
            ("smtp://localhost.example.org", false),
            ("smtp://10.0.0.1", false),
            ("smtp://127.0.0.1.example.org", false),
        ] {
            assert_eq!(Server::parse(Speaks::Smtp, text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
