//! Answers that come bit by bit, for as long as somebody reads them: JSON a line, or server-sent events (WHATWG HTML, section 9.2) where they are asked for.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::access::Grant;
use crate::api::server::Context;
use crate::api::types::{ApiError, ErrorCode};

/// Objects that may wait for their reader.
const QUEUE: usize = 64;
/// How often an answer with nothing to say says that, so that a reader who has gone is noticed.
const STILL_HERE: Duration = Duration::from_secs(15);
/// When a reader of events whose connection breaks is to come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// Where a reader of events says how far it got.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What the last event is called, where it went wrong. `error` is what a browser calls a broken connection.
const FAILURE: &str = "failure";

/// Who reads, and how.
pub(super) struct Reader {
    events: bool,
    after: Option<String>,
    grant: Grant,
    stop: CancellationToken,
}

impl FromRequestParts<Context> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, ApiError> {
        // Every request has one: see `access::allow`.
        let grant = parts.extensions.get::<Grant>().cloned();
        let grant = grant.ok_or_else(|| ApiError::new(ErrorCode::Internal, "nobody said who asks"))?;
        let after = parts.headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        let (events, after) = (wants_events(&parts.headers), after.map(str::to_owned));
        Ok(Self { events, after, grant, stop: context.stop.clone() })
    }
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|accepted| accepted.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/event-stream")
    })
}

/// One object, on its way to whoever reads.
enum Told {
    Object { name: Option<String>, id: Option<String>, json: String },
    StillHere,
}

/// Where an answer's objects go.
pub(super) struct Writer(mpsc::Sender<Told>);

/// Nobody reads any more.
pub(super) struct Gone;

impl Writer {
    /// One object.
    pub(super) async fn line<T: Serialize>(&self, value: &T) -> Result<(), Gone> {
        self.tell(None, None, value).await
    }

    /// One object behind which a reader of events can go on, if it comes back with this `id`; and what an event of it is called.
    pub(super) async fn tell<T: Serialize>(
        &self,
        name: Option<String>,
        id: Option<String>,
        value: &T,
    ) -> Result<(), Gone> {
        let json = serde_json::to_string(value).map_err(|_| Gone)?;
        self.0.send(Told::Object { name, id, json }).await.map_err(|_| Gone)
    }

    /// The last object, where it went wrong.
    pub(super) async fn error(&self, error: ApiError) -> Result<(), Gone> {
        self.tell(Some(FAILURE.to_owned()), None, &serde_json::json!({ "error": error })).await
    }
}

impl Reader {
    /// Behind which event it wants to go on.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref().filter(|_| self.events)
    }

    /// An answer whose objects `work` writes, until it returns, its reader goes or may ask no more, or the node ends.
    pub(super) fn answer<F>(self, work: impl FnOnce(Writer) -> F) -> Response
    where
        F: Future<Output = Result<(), Gone>> + Send + 'static,
    {
        let Self { events, grant, stop, .. } = self;
        let (told, read) = mpsc::channel::<Told>(QUEUE);
        let work = work(Writer(told.clone()));
        tokio::spawn(async move {
            let mut still_here = tokio::time::interval(STILL_HERE);
            still_here.tick().await;
            let (mut work, mut over) = (std::pin::pin!(work), std::pin::pin!(grant.over()));
            loop {
                tokio::select! {
                    _ = &mut work => return,
                    () = stop.cancelled() => return,
                    () = &mut over => return,
                    () = told.closed() => return,
                    _ = still_here.tick(), if !events => {
                        // A full queue says as much.
                        let _ = told.try_send(Told::StillHere);
                    }
                }
            }
        });
        let told = stream::unfold(read, async |mut read| Some((read.recv().await?, read)));
        if events { as_events(told) } else { as_lines(told) }
    }
}

fn as_lines(told: impl stream::Stream<Item = Told> + Send + 'static) -> Response {
    let lines = told.map(|told| {
        Ok::<_, Infallible>(match told {
            Told::Object { json, .. } => Bytes::from(json + "\n"),
            Told::StillHere => Bytes::from_static(b"\n"),
        })
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn as_events(told: impl stream::Stream<Item = Told> + Send + 'static) -> Response {
    let first = stream::once(async { Event::default().retry(COME_BACK) });
    let events = told.map(|told| match told {
        Told::Object { name, id, json } => {
            let event = Event::default().data(json);
            let event = name.map_or(event.clone(), |name| event.event(name));
            id.map_or(event.clone(), |id| event.id(id))
        }
        Told::StillHere => Event::default().comment(""),
    });
    let events = first.chain(events).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::new().interval(STILL_HERE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_for_whoever_asks_for_them() {
        let wants = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            wants_events(&headers)
        };
        assert!(wants("text/event-stream"));
        assert!(wants("application/json, Text/Event-Stream;q=0.9"));
        assert!(!wants("*/*") && !wants("application/x-ndjson") && !wants("text/event-streams"));
        assert!(!wants_events(&HeaderMap::new()));
    }
}
