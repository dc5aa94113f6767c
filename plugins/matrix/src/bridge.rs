//! The bridge: a record is an event of the room.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::oneshot;
use matrix_sdk::ruma::api::client::state::get_state_event_for_key;
use matrix_sdk::ruma::events::StateEventType;
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision, Delivery, Fetch,
    Probe, Receipt, Record, RecordStream, RingTarget, Visibility, Wake, Watch,
};

use crate::error::MatrixError;
use crate::place::Place;
use crate::sdk;
use crate::walk::REACH;
use crate::write;

/// The largest record. An event has at most 65,536 bytes; base64 twice, as in an encrypted room, makes 16 bytes of 9, and some are for the rest.
const MAX_RECORD: usize = 32 * 1024;
/// How soon who listens hears of an event, on a homeserver that is up; a federated one may take seconds.
const LATENCY: Duration = Duration::from_secs(2);
/// For so long records are found; a day of what we look back is left for clocks that differ.
const RETENTION: Duration = REACH.saturating_sub(Duration::from_secs(2 * 24 * 60 * 60));

/// A Matrix room.
pub(crate) struct MatrixBridge {
    place: Arc<Place>,
    capability: Capability,
}

impl MatrixBridge {
    pub(crate) fn new(place: Arc<Place>) -> Self {
        Self { place, capability: capability() }
    }
}

#[async_trait]
impl Bridge for MatrixBridge {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new(crate::KIND, format!("Matrix room {}", self.place.called()), self.place.locators())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let (place, record) = (Arc::clone(&self.place), record.clone());
        let (told, answer) = oneshot::channel();
        // On its own, so that who stops waiting for it does not leave an event that nobody knows of.
        self.place.context.spawner.spawn(Box::pin(async move {
            let left = write::publish(&place, &record).await;
            let _ = told.send(left.map_err(|error| place.explained(error)));
        }));
        let left = answer.await.map_err(|_| MatrixError::Lost)??;
        Ok(left.receipt().ok_or(MatrixError::Lost)?)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.place.locators())?;
        let goes_on = {
            let log = self.place.log();
            let position = log.position(request.cursor.as_ref());
            position > 0 && log.has_more(position, &request.keys)
        };
        if !goes_on {
            self.place.look().await.map_err(|error| self.place.explained(error))?;
        }
        let log = self.place.log();
        let (batch, _) = log.page(log.position(request.cursor.as_ref()), &request);
        Ok(batch)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.place.locators())?;
        let place = Arc::clone(&self.place);
        let position = place.log().position(request.cursor.as_ref());
        let mut news = place.news.subscribe();
        place.look().await.map_err(|error| place.explained(error))?;
        news.mark_changed();
        let fetch = Fetch::new(request.place, request.keys);
        let watching = Watching { place, news, fetch, position };
        let stream = futures::stream::unfold(Some(watching), |watching| async move {
            let mut watching = watching?;
            match watching.next().await {
                Ok(batch) => Some((Ok(batch), Some(watching))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(stream.boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        Ok(write::retract(&self.place, receipts).await?)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)?;
        Ok(self.place.chat.ring(&self.place, &target.0).await?)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let place = &self.place;
        let began = place.context.clock.monotonic();
        let own = &place.account.own;
        let request = get_state_event_for_key::v3::Request::new(
            place.room_id(),
            StateEventType::RoomMember,
            own.to_string(),
        );
        let answer = place.account.read(place.account.client.send(request).await, &place.called());
        let answer = answer.map_err(|error| place.explained(error))?;
        let latency = place.context.clock.monotonic().since(began);
        // Who was removed may still ask what they were then.
        let content: serde_json::Value =
            serde_json::from_str(answer.into_content().json().get()).unwrap_or_default();
        let (room, said) = (place.called(), "we are not in it".to_owned());
        match content.get("membership").and_then(serde_json::Value::as_str) {
            Some("join") => {}
            Some("ban") => return Err(place.explained(MatrixError::Banned { room, said }).into()),
            _ => return Err(place.explained(MatrixError::Removed { room, said }).into()),
        }
        let room = place.room()?;
        if let Ok(levels) = sdk::power_levels(&room).await
            && !levels.user_can_send_message(own, matrix_sdk::ruma::events::MessageLikeEventType::RoomMessage)
        {
            let said = "we may read and not write".to_owned();
            return Err(MatrixError::Forbidden { room: place.called(), said }.into());
        }
        let note = place.settings.login.exposed().then(|| {
            let (option, path) = place.settings.login.file();
            format!(
                "others on this machine can read the --{option}; `chmod 600 {}` changes that",
                path.display()
            )
        });
        Ok(Probe::new(latency).with_note(note))
    }
}

impl fmt::Debug for MatrixBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixBridge").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Somebody who watches: a position in what was found. Who does not read holds nothing up and takes no memory.
struct Watching {
    place: Arc<Place>,
    news: tokio::sync::watch::Receiver<Option<MatrixError>>,
    fetch: Fetch,
    position: u64,
}

impl Watching {
    async fn next(&mut self) -> Result<Batch, MatrixError> {
        loop {
            let health = self.news.borrow_and_update().clone();
            let (batch, reached) = self.place.log().page(self.position, &self.fetch);
            self.position = reached;
            if !batch.records.is_empty() {
                return Ok(batch);
            }
            if let Some(error) = health {
                return Err(error);
            }
            self.news.changed().await.map_err(|_| MatrixError::Lost)?;
        }
    }
}

fn capability() -> Capability {
    let class = ClassCapability::new(MAX_RECORD, RETENTION, Collision::Append, true);
    let visible = visibility();
    Capability::new(Class::ALL.map(|name| (name, class)), Delivery::Push { latency: LATENCY }, visible)
        .with_wake(Wake::Rings)
}

fn visibility() -> Visibility {
    let list = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    Visibility {
        service: list(&[
            "your Matrix account and your IP address",
            "a session called \"wayside\" in your account's list of devices",
            "when you are listening, and when you leave and take back a record",
            "what the members see, unless the room is encrypted; records are sealed in any case",
            "the homeservers of other members see when you write, and not your address",
        ]),
        readers: list(&[
            "your Matrix account, and that you use wayside",
            "when you leave a record, how large it is, and when you take it back",
            "under which random-looking name it lies, and until which day it is of use",
        ]),
    }
}
