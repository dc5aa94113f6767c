//! The address of the API.

use std::net::IpAddr;

use http::Uri;

/// Where the API of github.com is.
const GITHUB: &str = "https://api.github.com";

/// The address of an API: scheme, host, port and path, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiUrl {
    text: String,
    host: String,
}

impl ApiUrl {
    /// That of github.com.
    pub(crate) fn github() -> Self {
        Self { text: GITHUB.to_owned(), host: "api.github.com".to_owned() }
    }

    /// What the user gave, or why it is not to be used: a token goes over TLS, or does not leave this machine.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| format!("{text:?} is no URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("{text:?} is no URL; it is to be like https://github.example.org/api/v3"));
        };
        if authority.as_str().contains('@') {
            return Err("it holds a user or password, which belong into the token file".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("it is to end with its path, like https://github.example.org/api/v3".to_owned());
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(authority.host()) => {}
            "http" => {
                return Err(
                    "the token would be sent in the clear: use https (http is for this machine alone)"
                        .to_owned(),
                );
            }
            _ => return Err(format!("{scheme} is no scheme of an API; use https")),
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let name = authority.host().to_ascii_lowercase();
        let host = match authority.port_u16() {
            Some(port) if port != usual => format!("{name}:{port}"),
            _ => name,
        };
        let path = uri.path().trim_end_matches('/');
        Ok(Self { text: format!("{scheme}://{host}{path}"), host })
    }

    /// Whether it is that of github.com.
    pub(crate) fn is_github(&self) -> bool {
        self.text == GITHUB
    }

    /// Host, and port where it is not the scheme's own.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// All of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_here() {
        for (good, as_is) in [
            ("https://api.github.com/", "https://api.github.com"),
            ("https://GitHub.Example.org:443/api/v3/", "https://github.example.org/api/v3"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
            ("http://localhost:4000/x", "http://localhost:4000/x"),
            ("http://[::1]:4000", "http://[::1]:4000"),
        ] {
            assert_eq!(ApiUrl::parse(good).unwrap().as_str(), as_is);
        }
        for bad in [
            "",
            "api.github.com",
            "http://api.github.com",
            "http://127.0.0.1.evil.org",
            "https://me:pw@host",
            "ftp://host",
            "https://host/?a=b",
            "https://host/#x",
            "https://",
            "http://10.0.0.1",
            "https://ho st",
        ] {
            assert!(ApiUrl::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ApiUrl::parse("https://api.github.com/").unwrap().is_github());
    }
}
