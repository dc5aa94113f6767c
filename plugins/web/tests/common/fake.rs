//! A server that says what a test wants it to: for what no real one does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The body comes again and again, without end.
    pub endless: bool,
    /// Between any two bytes of it.
    pub drip: Option<Duration>,
}

impl Answer {
    pub fn new(status: u16, body: &[u8]) -> Self {
        let headers = vec![("date", "Thu, 26 Nov 2026 07:00:00 GMT".to_owned())];
        Self { status, headers, body: body.to_vec(), endless: false, drip: None }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// The server.
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    script: Arc<Mutex<Arc<Script>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub async fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(script)));
        let (log, say) = (Arc::clone(&seen), Arc::clone(&script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, say) = (Arc::clone(&log), Arc::clone(&say));
                tokio::spawn(async move { drop(serve(stream, log, say).await) });
            }
        });
        Self { url, seen, script, task }
    }

    /// From now on it says this.
    pub fn now(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// The requests since the last time that this was asked.
    pub fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// One request a connection.
async fn serve(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<Request>>>,
    say: Arc<Mutex<Arc<Script>>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let request = Request {
        method: first.next().unwrap_or_default(),
        path: first.next().unwrap_or_default(),
        headers,
        body: bytes[end..].to_vec(),
    };
    log.lock().unwrap().push(request.clone());
    let script = Arc::clone(&say.lock().unwrap());
    let answer = script(&request);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !answer.endless {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    loop {
        match answer.drip {
            None => stream.write_all(&answer.body).await?,
            Some(pause) => {
                for byte in &answer.body {
                    tokio::time::sleep(pause).await;
                    stream.write_all(&[*byte]).await?;
                }
            }
        }
        if !answer.endless {
            return stream.shutdown().await;
        }
    }
}
