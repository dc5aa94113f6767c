//! HTTP/1.1, sent as bytes, so that nothing is put right on the way.

use std::path::PathBuf;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines};

/// Where a node is asked.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Socket(PathBuf),
    Port(u16),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The code of an error; nothing where it is none.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

async fn send(at: &At, head: &str, headers: &[(&str, &str)], body: &str) -> Box<dyn Stream> {
    let (mut stream, host): (Box<dyn Stream>, String) = match at {
        At::Socket(path) => {
            (Box::new(tokio::net::UnixStream::connect(path).await.unwrap()), "wayside".into())
        }
        At::Port(port) => {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
            (Box::new(stream), format!("127.0.0.1:{port}"))
        }
    };
    let mut request = format!("{head} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    // Who is turned away may have been so already.
    let _ = stream.write_all(request.as_bytes()).await;
    stream
}

/// Asks, and reads as much of the answer as comes within five seconds: some go on for ever.
pub(crate) async fn ask(at: &At, head: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = send(at, head, headers, body).await;
    let mut answer = Vec::new();
    let endless = head.contains("/v1/events") || head.contains("/v1/doctor");
    let patience = std::time::Duration::from_millis(if endless { 300 } else { 20_000 });
    let _ = tokio::time::timeout(patience, stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("{head}: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// An answer that comes bit by bit.
pub(crate) struct Following(Lines<BufReader<Box<dyn Stream>>>);

/// Asks for one.
pub(crate) async fn follow(at: &At, path: &str, headers: &[(&str, &str)]) -> Following {
    let stream = send(at, &format!("GET {path}"), headers, "").await;
    Following(BufReader::new(stream).lines())
}

/// A server-sent event (WHATWG HTML, section 9.2), as a browser would see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) data: Value,
}

impl Following {
    /// The next object, a line each.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        while let Some(line) = self.0.next_line().await.ok()? {
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) {
                return Some(value);
            }
        }
        None
    }

    /// The next event.
    #[allow(dead_code, reason = "another test program reads events")]
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let (mut event, mut data) = (Event::default(), String::new());
        while let Some(line) = self.0.next_line().await.ok()? {
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if !data.is_empty() => {
                    event.data = serde_json::from_str(&data).unwrap_or_else(|_| panic!("{data}"));
                    return Some(event);
                }
                "event" => event.name = value.to_owned(),
                "id" => event.id = Some(value.to_owned()),
                "retry" => event.retry = value.parse().ok(),
                "data" => data.push_str(value),
                _ => {}
            }
        }
        None
    }
}
