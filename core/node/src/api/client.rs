//! The other end of the local API: what the command talks through.

use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::socket;
use super::types::{ApiError, ErrorCode};

/// Talks to the node of a home.
#[derive(Clone, Debug)]
pub struct ApiClient {
    socket: PathBuf,
}

impl ApiClient {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// A client of the node behind this socket, if one listens there.
    pub async fn connect(socket: &Path) -> Option<Self> {
        socket::connect(socket).await.ok().map(|_| Self { socket: socket.to_owned() })
    }

    /// `GET path`
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        read(&self.call(Method::GET, path, Vec::new()).await?)
    }

    /// `POST path` with a body.
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        read(&self.call(Method::POST, path, written(body)?).await?)
    }

    /// `PATCH path` with a body.
    pub async fn patch<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        read(&self.call(Method::PATCH, path, written(body)?).await?)
    }

    /// `DELETE path`
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        read(&self.call(Method::DELETE, path, Vec::new()).await?)
    }

    /// `GET path`, answered by lines that come one by one.
    pub async fn get_lines(&self, path: &str) -> Result<Lines, ApiError> {
        Ok(Lines::new(self.send(Method::GET, path, Vec::new()).await?))
    }

    /// `POST path`, answered by lines that come one by one.
    pub async fn post_lines<B: Serialize + Sync>(&self, path: &str, body: &B) -> Result<Lines, ApiError> {
        Ok(Lines::new(self.send(Method::POST, path, written(body)?).await?))
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, ApiError> {
        let response = self.send(method, path, body).await?;
        Ok(response.into_body().collect().await.map_err(broken)?.to_bytes())
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, ApiError> {
        let stream = socket::connect(&self.socket).await.map_err(broken)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends by itself once the answer was read or dropped.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "wayside")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            ApiError::new(ErrorCode::Internal, "the node answered what this command does not understand")
        }))
    }
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(body).map_err(broken)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(broken)
}

/// JSON objects, a line each, as they come.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    buffer: BytesMut,
}

impl Lines {
    fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), buffer: BytesMut::new() }
    }

    /// The next one, or `None` at the end. An [`ApiError`] in a line is an error and the last line.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                if line.is_empty() {
                    continue; // keeps an idle connection alive
                }
                return match serde_json::from_slice::<Line<T>>(&line).map_err(broken)? {
                    Line::Error { error } => Err(error),
                    Line::Value(value) => Ok(Some(value)),
                };
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame.map_err(broken)?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line<T> {
    Error { error: ApiError },
    Value(T),
}

fn broken(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Away, format!("the node went away while it was asked: {error}"))
}
