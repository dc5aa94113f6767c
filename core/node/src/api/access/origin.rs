//! Web pages: which of them may ask over TCP, and under which name they have to find the node.
//!
//! A browser sends what a page asks to any address, loopback too. A page of somebody's own is told from others by its `Origin`, and one that has its
//! name lead here by `Host` (DNS rebinding).

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::types::{ApiError, ErrorCode};
use crate::home::Origin;

/// What a browser asks before it lets a page of another origin reach a private address, and what it is to be told.
const ASKS_FOR_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Which pages may ask.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    listening: SocketAddr,
    origins: std::sync::Arc<[Origin]>,
}

impl Pages {
    /// Those of these origins, at a node that listens there.
    pub(crate) fn new(listening: SocketAddr, origins: Vec<Origin>) -> Self {
        Self { listening, origins: origins.into() }
    }

    /// Whether a request is meant for this node: `localhost` or its address, with the port.
    fn is_host(&self, host: &str) -> bool {
        let port = self.listening.port();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let own = match self.listening {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        names.iter().chain([&own]).any(|name| {
            let rest = host.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name));
            let rest = rest.and_then(|_| host.get(name.len()..));
            rest.is_some_and(|rest| {
                rest.strip_prefix(':').is_some_and(|given| given == port.to_string())
                    || (rest.is_empty() && port == 80)
            })
        })
    }

    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed.as_str().as_bytes() == origin.as_bytes())
    }
}

/// Turns away what is not meant for this node, or comes from a page that may not ask; answers what browsers ask before they ask.
pub(crate) async fn guard(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !one(headers, &HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| pages.is_host(host)) {
        return forbidden("this is not the host that was asked for: ask for localhost, with the port");
    }
    if !headers.contains_key(ORIGIN) {
        return next.run(request).await;
    }
    let Some(origin) = one(headers, &ORIGIN).filter(|origin| pages.is_allowed(origin)).cloned() else {
        return forbidden(
            "pages of this origin may not ask: name it in config.toml, under `[api]`, in `origins`",
        );
    };
    let asks_before =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_before { allowance(headers) } else { next.run(request).await };
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    response
}

/// A header that stands there once.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// What a page may ask, by which methods and with which headers.
fn allowance(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, PATCH, DELETE");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names = HeaderValue::from_static("Authorization, Content-Type, Last-Event-ID");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if asked.contains_key(ASKS_FOR_PRIVATE) {
        headers.insert(ALLOWS_PRIVATE, HeaderValue::from_static("true"));
    }
    response
}

fn forbidden(sentence: &str) -> Response {
    ApiError::new(ErrorCode::Forbidden, sentence).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_loopback_with_the_port_and_nothing_else() {
        let pages = |address: &str| Pages::new(address.parse().unwrap(), Vec::new());
        let at = pages("127.0.0.1:4650");
        for host in ["localhost:4650", "LOCALHOST:4650", "127.0.0.1:4650", "[::1]:4650"] {
            assert!(at.is_host(host), "{host}");
        }
        for host in [
            "localhost",
            "localhost:",
            "localhost:4651",
            "localhost:04650",
            "localhost.evil.example:4650",
            "evil.example:4650",
            "127.0.0.1.nip.io:4650",
            "127.0.0.1",
            "127.0.0.2:4650",
            "",
        ] {
            assert!(!at.is_host(host), "{host}");
        }
        assert!(pages("127.0.0.2:4650").is_host("127.0.0.2:4650"));
        assert!(pages("[::1]:80").is_host("localhost") && pages("[::1]:80").is_host("[::1]:80"));
    }
}
