//! `[api]`: whether programs and web pages on this machine may ask the node over TCP. Off unless `listen` stands there; whoever asks there shows a token.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The local API over TCP, beside the home's socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// `ADDRESS:PORT` on loopback, port 0 for any free one; `None`: nothing is listened to.
    #[serde(deserialize_with = "listen")]
    pub listen: Option<SocketAddr>,
    /// The web pages that may ask, by where they come from.
    pub origins: Vec<Origin>,
}

/// Where a web page comes from (RFC 6454, section 6.2): `https://app.example`, with the port where it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(String);

impl Origin {
    /// As browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no origin of web pages: write https://app.example or http://localhost:5173, without a path"
            )
        };
        let lower = text.to_ascii_lowercase();
        let (scheme, host) = lower.split_once("://").ok_or_else(wrong)?;
        let in_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let in_host =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        let sound = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.bytes().all(in_scheme)
            && (1..=253).contains(&host.len())
            && host.bytes().all(in_host)
            && !host.starts_with(':')
            && !host.ends_with(':');
        if !sound {
            return Err(wrong());
        }
        let own = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let host = host.strip_suffix(own).unwrap_or(host);
        Ok(Self(format!("{scheme}://{host}")))
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    let address: SocketAddr = text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is no address to listen at: write \"127.0.0.1:4650\" or \"[::1]:4650\""
        ))
    })?;
    if !address.ip().is_loopback() {
        return Err(D::Error::custom(format!(
            "`{text}` can be reached by other machines, and what is said there is not encrypted: write \"127.0.0.1:{}\"",
            address.port()
        )));
    }
    Ok(Some(address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Api, String> {
        toml_edit::de::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_listened_to_by_default_and_nothing_but_loopback_ever() {
        assert_eq!(read("").unwrap(), Api::default());
        for loopback in ["127.0.0.1:4650", "[::1]:0", "127.3.2.1:80"] {
            let listen = read(&format!("listen = '{loopback}'")).unwrap().listen;
            assert_eq!(listen, Some(loopback.parse().unwrap()));
        }
        for open in
            ["0.0.0.0:4650", "[::]:4650", "192.168.1.2:4650", "[::ffff:127.0.0.1]:4650", "192.0.2.1:1"]
        {
            let error = read(&format!("listen = '{open}'")).unwrap_err();
            assert!(error.contains("can be reached by other machines"), "{error}");
        }
        for nonsense in ["localhost:4650", "4650", "", "127.0.0.1"] {
            let error = read(&format!("listen = '{nonsense}'")).unwrap_err();
            assert!(error.contains("is no address to listen at"), "{error}");
        }
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        for (text, expected) in [
            ("https://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
            ("moz-extension://0f3c", "moz-extension://0f3c"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), expected);
        }
        for wrong in [
            "*",
            "null",
            "",
            "app.example",
            "https://",
            "https://app.example/",
            "https://a b",
            "://a",
            "https://:80",
        ] {
            assert!(wrong.parse::<Origin>().unwrap_err().contains("is no origin"), "{wrong}");
        }
    }
}
