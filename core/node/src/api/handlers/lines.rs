//! Answers that come line by line, for as long as somebody reads them.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::types::ApiError;

/// Lines that may wait for their reader.
const QUEUE: usize = 64;
/// How often an answer with nothing to say sends an empty line, so that a reader who has gone is noticed.
const STILL_HERE: Duration = Duration::from_secs(15);

/// Where an answer's lines go.
pub(super) struct Writer(mpsc::Sender<Bytes>);

/// Nobody reads any more.
pub(super) struct Gone;

impl Writer {
    /// One line.
    pub(super) async fn line<T: Serialize>(&self, value: &T) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(value).map_err(|_| Gone)?;
        line.push(b'\n');
        self.0.send(line.into()).await.map_err(|_| Gone)
    }

    /// The last line, where it went wrong.
    pub(super) async fn error(&self, error: ApiError) -> Result<(), Gone> {
        self.line(&serde_json::json!({ "error": error })).await
    }
}

/// An answer whose lines `work` writes, until it returns, its reader goes or the node ends.
pub(super) fn answer<F>(stop: CancellationToken, work: impl FnOnce(Writer) -> F) -> Response
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (lines, read) = mpsc::channel::<Bytes>(QUEUE);
    let work = work(Writer(lines.clone()));
    tokio::spawn(async move {
        let mut still_here = tokio::time::interval(STILL_HERE);
        still_here.tick().await;
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                _ = &mut work => return,
                () = stop.cancelled() => return,
                () = lines.closed() => return,
                _ = still_here.tick() => {
                    // A full queue says as much.
                    let _ = lines.try_send(Bytes::from_static(b"\n"));
                }
            }
        }
    });
    let body = stream::unfold(read, async |mut read| {
        let line = read.recv().await?;
        Some((Ok::<_, Infallible>(line), read))
    });
    let mut response = Response::new(Body::from_stream(body));
    let kind = axum::http::HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, kind);
    response
}
