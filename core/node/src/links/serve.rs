//! A protocol that is a closure.

use std::fmt::{self, Display};
use std::sync::Arc;

use async_trait::async_trait;
use wayside_noise::Stream;

use super::{Peer, Protocol};

/// What serving a stream comes to: nothing, or a `Result` whose error goes to the log at the level `debug`, since a peer can cause as many as it likes.
pub trait Served: Send {
    /// What went wrong, if anything did.
    fn error(self) -> Option<String>;
}

impl Served for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Display + Send> Served for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// The protocol that this closure speaks.
pub(crate) fn serving<F, Fut>(serve: F) -> Arc<dyn Protocol>
where
    F: Fn(Peer, Stream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Served> + Send + 'static,
{
    Arc::new(Closure(serve))
}

struct Closure<F>(F);

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a closure")
    }
}

#[async_trait]
impl<F, Fut> Protocol for Closure<F>
where
    F: Fn(Peer, Stream) -> Fut + Send + Sync,
    Fut: Future<Output: Served> + Send,
{
    async fn accept(&self, peer: Peer, stream: Stream) {
        if let Some(error) = (self.0)(peer, stream).await.error() {
            tracing::debug!(error, "a stream ended");
        }
    }
}
