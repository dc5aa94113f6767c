//! What happens, as an application hears of it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::ReusableBoxFuture;

use crate::api::types::NodeEvent;

/// What happens at a node, from the moment on at which it was asked for: a stream that ends with the node.
///
/// It holds nobody up. Up to 1,024 events wait for whoever listens; who is further behind loses the oldest, and gets [`NodeEvent::Missed`] with their number
/// in their place, after which the stream goes on with those that are still there. Whoever keeps books of friends, links or messages reads them anew then
/// ([`Node::friends`](crate::Node::friends), [`Node::unread`](crate::Node::unread), …): an event says that something changed, and never is the only place
/// where it stands. Dropping the future of [`next`](Self::next) loses nothing.
///
/// ```no_run
/// use wayside_node::api::types::NodeEvent;
///
/// # async fn example(node: wayside_node::Node) {
/// let mut events = node.events();
/// while let Some(event) = events.next().await {
///     match event {
///         NodeEvent::LinkUp { friend, .. } => println!("{friend} is here"),
///         NodeEvent::MessageReceived { from, .. } => println!("{from} has written"),
///         NodeEvent::Missed { count } => println!("{count} events were too fast"),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// As a [`Stream`] it goes with what `futures` has for streams: `node.events().filter_map(…)`, `select`.
pub struct Events(ReusableBoxFuture<'static, Received>);

/// An event, or why there is none, and where the next one comes from.
type Received = (Result<NodeEvent, RecvError>, Receiver<NodeEvent>);

impl Events {
    pub(crate) fn new(events: Receiver<NodeEvent>) -> Self {
        Self(ReusableBoxFuture::new(receive(events)))
    }

    /// The next event, or `None` once the node has ended. Cancelling loses none.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        StreamExt::next(self).await
    }
}

async fn receive(mut events: Receiver<NodeEvent>) -> Received {
    let event = events.recv().await;
    (event, events)
}

impl Stream for Events {
    type Item = NodeEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<NodeEvent>> {
        let (event, events) = ready!(self.0.poll(context));
        self.0.set(receive(events));
        Poll::Ready(match event {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(NodeEvent::Missed { count }),
            Err(RecvError::Closed) => None,
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::sync::broadcast;

    use super::Events;
    use crate::api::types::NodeEvent;

    #[tokio::test]
    async fn who_is_slow_is_told_how_many_were_missed_and_goes_on() {
        let (sender, receiver) = broadcast::channel(4);
        let mut events = Events::new(receiver);
        let warning = |number: u32| NodeEvent::Warning { what: number.to_string() };
        assert!(
            futures::poll!(Box::pin(events.next())).is_pending(),
            "a look that was dropped loses nothing"
        );
        for number in 0..10 {
            sender.send(warning(number)).unwrap();
        }
        drop(sender);
        let all: Vec<_> = events.collect().await;
        let left = (6..10).map(warning);
        assert_eq!(all, [NodeEvent::Missed { count: 6 }].into_iter().chain(left).collect::<Vec<_>>());
    }
}
