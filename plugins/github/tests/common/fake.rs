//! A server that says what a test wants it to: for what the real one lacks.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub after: Duration,
}

impl Answer {
    pub fn new(status: u16, body: &Value) -> Self {
        let headers = vec![("date", "Thu, 26 Nov 2026 07:00:00 GMT".to_owned())];
        Self { status, headers, body: body.to_string().into(), after: Duration::ZERO }
    }

    pub fn ok(body: &Value) -> Self {
        Self::new(200, body)
    }

    pub fn says(status: u16, message: &str) -> Self {
        Self::new(status, &json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
    }

    pub fn not_found() -> Self {
        Self::says(404, "Not Found")
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Only after so long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    /// With a tag; 304 to who has it already.
    #[must_use]
    pub fn tagged(self, request: &Request, tag: &str) -> Self {
        if request.header("if-none-match") == Some(tag) {
            return Self { status: 304, body: Bytes::new(), ..self };
        }
        self.with("etag", tag)
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// The server.
pub struct Fake {
    pub api: String,
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
        let api = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(script)));
        let (log, say) = (Arc::clone(&seen), Arc::clone(&script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, say) = (Arc::clone(&log), Arc::clone(&say));
                let service = service_fn(move |request| answer(request, Arc::clone(&log), Arc::clone(&say)));
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(serve.await) });
            }
        });
        Self { api, seen, script, task }
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

async fn answer(
    request: http::Request<Incoming>,
    log: Arc<Mutex<Vec<Request>>>,
    say: Arc<Mutex<Arc<Script>>>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    log.lock().unwrap().push(request.clone());
    let script = Arc::clone(&say.lock().unwrap());
    let answer = script(&request);
    tokio::time::sleep(answer.after).await;
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.body)).unwrap())
}
