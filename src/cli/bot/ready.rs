//! A room that tells when it is first listened to: a bot is ready once nothing that is said is missed.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use wayside::bridge::{BridgeError, Outgoing, Room, RoomEvents, RoomInfo, Sender, SharedRoom, Standing};

/// The room, and whom it tells, once.
#[derive(Debug)]
pub(super) struct Telling {
    room: SharedRoom,
    ready: Mutex<Option<oneshot::Sender<()>>>,
}

impl Telling {
    pub(super) fn new(room: SharedRoom) -> (Self, oneshot::Receiver<()>) {
        let (ready, listened) = oneshot::channel();
        (Self { room, ready: Mutex::new(Some(ready)) }, listened)
    }
}

#[async_trait]
impl Room for Telling {
    fn info(&self) -> RoomInfo {
        self.room.info()
    }

    async fn events(&self) -> Result<RoomEvents, BridgeError> {
        let events = self.room.events().await?;
        if let Some(ready) = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Who wanted to know may have gone.
            let _ = ready.send(());
        }
        Ok(events)
    }

    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError> {
        self.room.say(message).await
    }

    async fn standing(&self, sender: &Sender) -> Result<Standing, BridgeError> {
        self.room.standing(sender).await
    }
}
