//! What happens, as an application hears of it.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::api::types::NodeEvent;

/// What happens at a node, from the moment on at which it was asked for.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<NodeEvent>);

impl Events {
    pub(crate) fn new(events: broadcast::Receiver<NodeEvent>) -> Self {
        Self(events)
    }

    /// The next event, or `None` once the node has ended. Whoever is more than 1,024 behind loses the oldest, and is told how many
    /// ([`NodeEvent::Missed`]). Cancelling loses none.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(NodeEvent::Missed { count }),
            Err(RecvError::Closed) => None,
        }
    }
}
