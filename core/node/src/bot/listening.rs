//! What happens in the room, over losses of the service.

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use wayside_bridge::{BridgeError, RoomEvent, SharedRoom};

use super::patience::Patience;
use super::silent;

/// Listens until it is dropped, or there is no use in it any more.
#[derive(Debug)]
pub(super) struct Listening {
    events: mpsc::Receiver<Result<RoomEvent, BridgeError>>,
    _task: JoinSet<()>,
}

impl Listening {
    pub(super) fn start(room: SharedRoom) -> Self {
        // What was handed on and not acted on is lost when the process dies: no more than one.
        let (sender, events) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(listen(room, sender));
        Self { events, _task: task }
    }

    /// What happens next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<RoomEvent, BridgeError> {
        self.events.recv().await.unwrap_or_else(|| Err(silent()))
    }
}

async fn listen(room: SharedRoom, sender: mpsc::Sender<Result<RoomEvent, BridgeError>>) {
    let mut patience = Patience::default();
    loop {
        let error = match room.events().await {
            Ok(mut events) => loop {
                match events.next().await {
                    Some(Ok(event)) => {
                        patience.reset();
                        if sender.send(Ok(event)).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(error)) => break error,
                    None => break silent(),
                }
            },
            Err(error) => error,
        };
        let Some(after) = patience.after(&error) else {
            // Nobody is left to hear of it where this fails.
            let _ = sender.send(Err(error)).await;
            return;
        };
        tracing::warn!(%error, "the room is lost: it is tried again");
        sleep(after).await;
    }
}
