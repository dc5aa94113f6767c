//! HTTP with the gateway: small answers, soon, from one address.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request,
    client::conn::http1,
    header::{CONNECTION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpSocket, time::timeout};

use crate::error::Cause;

/// One request and its answer. Home gateways are slow, and near.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest description or answer that is read, in bytes. Descriptions have some 5,000.
const LARGEST: usize = 64 * 1024;
/// The longest path that is asked for, in bytes.
const LONGEST_PATH: usize = 512;

/// Something at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) address: SocketAddrV4,
    /// With the query, if there is one; begins with a slash.
    pub(super) path: String,
}

impl Location {
    /// Reads `http://ADDRESS[:PORT][/PATH]`; `None` for anything else, and for every address but the gateway's.
    pub(super) fn parse(url: &str, gateway: Ipv4Addr) -> Option<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("HTTP://"))?;
        let (authority, path) =
            rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
        let address: SocketAddrV4 =
            authority.parse().ok().or_else(|| Some(SocketAddrV4::new(authority.parse().ok()?, 80)))?;
        let usable = *address.ip() == gateway && address.port() != 0 && is_path(path);
        usable.then(|| Self { address, path: path.to_owned() })
    }

    /// What `url` means in a document that is here.
    pub(super) fn join(&self, url: &str) -> Option<Self> {
        if url.contains("://") {
            return Self::parse(url, *self.address.ip());
        }
        let path = if url.starts_with('/') { url.to_owned() } else { format!("/{url}") };
        is_path(&path).then_some(Self { address: self.address, path })
    }
}

/// Whether it can stand in the first line of a request.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= LONGEST_PATH && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A document.
pub(super) async fn get(local: Ipv4Addr, location: &Location) -> Result<String, Cause> {
    let request = request(Method::GET, location).body(Full::default());
    match exchange(local, location, request).await? {
        (true, text) => Ok(text),
        (false, _) => Err(Cause::Nonsense("a description that is not there")),
    }
}

/// A call, and whether it went well; else the text says why not.
pub(super) async fn post(
    local: Ipv4Addr,
    location: &Location,
    action: &str,
    body: String,
) -> Result<(bool, String), Cause> {
    let request = request(Method::POST, location)
        .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
        .header("SOAPACTION", action)
        .body(Full::from(body));
    exchange(local, location, request).await
}

fn request(method: Method, location: &Location) -> hyper::http::request::Builder {
    let Location { address, path } = location;
    Request::builder().method(method).uri(path).header(HOST, address.to_string()).header(CONNECTION, "close")
}

async fn exchange(
    local: Ipv4Addr,
    location: &Location,
    request: hyper::http::Result<Request<Full<Bytes>>>,
) -> Result<(bool, String), Cause> {
    let request = request.map_err(|_| Cause::Nonsense("an address that cannot be asked"))?;
    let answered = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(local, 0).into())?;
        let stream = socket.connect(location.address.into()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let asked = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let good = response.status().is_success();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| Cause::Io(error.to_string()))?.to_bytes();
            Ok((good, String::from_utf8_lossy(&body).into_owned()))
        };
        // The connection moves what is asked; it ends when the answer is complete or broken, which `asked` is told.
        let moved = async {
            let _ = connection.await;
            std::future::pending().await
        };
        tokio::select! {
            answer = asked => answer,
            never = moved => never,
        }
    };
    timeout(PATIENCE, answered).await.unwrap_or(Err(Cause::NoAnswer))
}

fn broken(error: hyper::Error) -> Cause {
    Cause::Io(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

    #[test]
    fn only_the_gateway_is_asked() {
        let parse = |url| Location::parse(url, GATEWAY);
        assert_eq!(parse("http://10.77.0.1").unwrap().path, "/");
        assert_eq!(parse("http://10.77.0.1/a").unwrap().address.port(), 80);
        assert_eq!(parse("http://10.77.0.1:5000/a?b#c").unwrap().address.port(), 5000);
        for url in [
            "",
            "http://",
            "http:///a",
            "https://10.77.0.1/",
            "http://10.77.0.2/",
            "http://gateway/",
            "http://10.77.0.1:0/",
            "http://10.77.0.1:99999/",
            "http://a@10.77.0.1/",
            "http://10.77.0.1/a b",
            "http://10.77.0.1/a\r\nX: y",
            "http://10.77.0.1/\u{e9}",
            "ftp://10.77.0.1/",
        ] {
            assert_eq!(parse(url), None, "{url:?}");
        }
        assert_eq!(parse(&format!("http://10.77.0.1/{}", "x".repeat(LONGEST_PATH))), None);
    }

    #[test]
    fn relative_addresses_stay_where_they_are() {
        let here = Location::parse("http://10.77.0.1:5000/rootDesc.xml", GATEWAY).unwrap();
        assert_eq!(here.join("/ctl").unwrap(), Location { path: "/ctl".into(), ..here.clone() });
        assert_eq!(here.join("ctl").unwrap(), Location { path: "/ctl".into(), ..here.clone() });
        assert_eq!(here.join("http://10.77.0.2/ctl"), None);
        assert_eq!(here.join("a b"), None);
    }
}
