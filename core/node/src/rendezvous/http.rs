//! The drop protocol (docs/bridges/web.md) over HTTP/1.1: one connection, one request.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    RETRY_AFTER,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::ask::{self, Ask, Space, Wrong};
use super::host::Host;
use super::shelf::{Full, Writer};
use super::source::Source;

/// The largest head of a request, in bytes: a hundred checks take 3,300.
const MOST_OF_A_HEAD: usize = 16 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may take in all.
const CONNECTION: Duration = Duration::from_secs(60);
/// How long its body may take.
const BODY: Duration = Duration::from_secs(30);
/// How long a request waits for room in memory.
const ROOM: Duration = Duration::from_secs(5);
/// The most of a refused body that is read, in bytes: what a client sends at once.
const MOST_DISCARDED: usize = 1 << 21;
/// How long that may take.
const DISCARDING: Duration = Duration::from_secs(5);
/// What a request costs of the budgets at least: looking costs time and headers.
const LEAST: u64 = 4096;
/// Where the caller is seen from.
const WAYSIDE_ADDRESS: HeaderName = HeaderName::from_static("wayside-address");

/// Serves what comes over a connection, which takes no longer than it may.
pub(super) async fn serve(host: Arc<Host>, stream: TcpStream, from: IpAddr) {
    let service = hyper::service::service_fn(move |request| {
        let host = Arc::clone(&host);
        async move { Ok::<_, Infallible>(answer(&host, from, request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD)
        .max_headers(MOST_HEADERS)
        .max_header_size(MOST_OF_A_HEAD)
        .max_buf_size(2 * MOST_OF_A_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a stranger's connection ended"),
        Err(_) => tracing::debug!("a stranger's connection took too long"),
    }
}

async fn answer(host: &Arc<Host>, from: IpAddr, request: Request<Incoming>) -> Response<Pieces> {
    let source = Source::of(from);
    let (head, mut body) = request.into_parts();
    let asked = ask::ask(head.method.as_str(), head.uri.path(), head.uri.query());
    let result = match (asked, host.may(source)) {
        (_, Err(wait)) => Err(Refusal::Slow(wait)),
        (Err(wrong), Ok(())) => {
            host.spend(source, LEAST);
            Err(Refusal::Wrong(wrong))
        }
        (Ok(Ask::Look(space)), Ok(())) => look(host, source, &space, &head.method, &head.headers).await,
        (Ok(Ask::Write(space, remove)), Ok(())) => match read(host, source, &head.headers, &mut body).await {
            Ok((sent, _room)) => {
                let shown = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                let writer = Writer { owner: host.owner(source, shown), source };
                match host.write(writer, &space, &remove, &sent) {
                    Ok(()) => Ok(reply(StatusCode::NO_CONTENT, Pieces::default())),
                    Err(full) => Err(Refusal::Full(full)),
                }
            }
            Err(refusal) => Err(refusal),
        },
    };
    if result.is_err() {
        discard(body).await;
    }
    let mut response = result.unwrap_or_else(Refusal::into_response);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(from) = HeaderValue::from_str(&from.to_canonical().to_string()) {
        headers.insert(WAYSIDE_ADDRESS, from);
    }
    response
}

async fn look(
    host: &Arc<Host>,
    source: Source,
    space: &Space,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response<Pieces>, Refusal> {
    let seen = host.look(space);
    let tag = HeaderValue::from_str(&host.tag(seen.version)).map_err(|_| Refusal::Broken)?;
    let same = headers.get(IF_NONE_MATCH) == Some(&tag);
    let moved = if same || method == Method::HEAD { 0 } else { seen.bytes };
    host.spend(source, LEAST.saturating_add(moved));
    let mut response = if same {
        reply(StatusCode::NOT_MODIFIED, Pieces::default())
    } else if method == Method::HEAD {
        let mut response = reply(StatusCode::OK, Pieces::default());
        response.headers_mut().insert(CONTENT_LENGTH, seen.bytes.into());
        response
    } else {
        let room = room(host, seen.bytes).await?;
        reply(StatusCode::OK, Pieces { files: seen.files.into_iter(), left: seen.bytes, _room: Some(room) })
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// The records in a body, and the room that it takes.
async fn read(
    host: &Arc<Host>,
    source: Source,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<(Vec<ask::Sent>, OwnedSemaphorePermit), Refusal> {
    let told = headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    // Clients that have nothing to say may leave the length out.
    let told = told.or_else(|| body.is_end_stream().then_some(0));
    let Some(len) = told else { return Err(Refusal::NoLength) };
    host.spend(source, LEAST.saturating_add(len.min(host.most_of_a_body())));
    if len > host.most_of_a_body() {
        return Err(Refusal::TooLarge);
    }
    let room = room(host, len).await?;
    let limit = usize::try_from(len).map_err(|_| Refusal::TooLarge)?;
    let collected = timeout(BODY, Limited::new(body, limit).collect()).await.map_err(|_| Refusal::Late)?;
    let body = collected.map_err(|_| Refusal::Late)?.to_bytes();
    ask::records(&body).map(|sent| (sent, room)).ok_or(Refusal::NoRecords)
}

/// Reads on to the end of what is refused, within bounds: whoever is cut off while it sends may never see why.
async fn discard(mut body: Incoming) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST_DISCARDED {
                return;
            }
        }
    };
    let _ = timeout(DISCARDING, reading).await;
}

async fn room(host: &Arc<Host>, bytes: u64) -> Result<OwnedSemaphorePermit, Refusal> {
    timeout(ROOM, host.room(bytes)).await.ok().flatten().ok_or(Refusal::Crowded)
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Wrong(Wrong),
    Full(Full),
    Slow(Duration),
    NoLength,
    TooLarge,
    Late,
    NoRecords,
    Crowded,
    Broken,
}

impl Refusal {
    fn into_response(self) -> Response<Pieces> {
        let (status, text) = match self {
            Self::Wrong(Wrong::NoSpace) => (
                StatusCode::NOT_FOUND,
                "A drop of wayside's. Its addresses are http://HOST:PORT/NAME, where you and your friends choose the name.\n",
            ),
            Self::Wrong(Wrong::Method) => (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD and POST\n"),
            Self::Wrong(Wrong::Remove) => {
                (StatusCode::BAD_REQUEST, "remove=CHECK,CHECK, each of 32 lower-case hexadecimal digits\n")
            }
            Self::Full(Full::Source) => (StatusCode::INSUFFICIENT_STORAGE, "your share is full\n"),
            Self::Full(Full::Space) => (StatusCode::INSUFFICIENT_STORAGE, "this space is full\n"),
            Self::Full(Full::All) => (StatusCode::INSUFFICIENT_STORAGE, "everything is full\n"),
            Self::Slow(_) => (StatusCode::TOO_MANY_REQUESTS, "too much at once\n"),
            Self::NoLength => (StatusCode::LENGTH_REQUIRED, "say how long it is\n"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "send less at once\n"),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, "that did not come whole, and in time\n"),
            Self::NoRecords => {
                (StatusCode::UNPROCESSABLE_ENTITY, "not records of 16 KiB at most, one after another\n")
            }
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "too many at once\n"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, ""),
        };
        let mut response = reply(status, Pieces::of(Bytes::from_static(text.as_bytes())));
        let wait = match self {
            Self::Slow(wait) => Some(wait.as_secs().saturating_add(1)),
            Self::Crowded => Some(ROOM.as_secs()),
            _ => None,
        };
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, wait.into());
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

fn reply(status: StatusCode, body: Pieces) -> Response<Pieces> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// The tag of a version: `boot` tells the versions of one run from those of the next.
pub(super) fn tag(boot: [u8; 8], version: u64) -> String {
    format!("\"{}-{version}\"", HEXLOWER.encode(&boot))
}

/// An answer's body in pieces that lie in memory once, whoever is given them.
#[derive(Debug, Default)]
struct Pieces {
    files: std::vec::IntoIter<Bytes>,
    left: u64,
    /// Held until it is sent: what was removed meanwhile is in memory for so long.
    _room: Option<OwnedSemaphorePermit>,
}

impl Pieces {
    fn of(text: Bytes) -> Self {
        Self { left: text.len() as u64, files: vec![text].into_iter(), _room: None }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.files.next();
        self.left = self.left.saturating_sub(next.as_ref().map_or(0, |file| file.len() as u64));
        Poll::Ready(next.map(|file| Ok(Frame::data(file))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
