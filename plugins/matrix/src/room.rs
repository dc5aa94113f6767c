//! The room as a place where people talk.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::mpsc;
use serde_json::json;
use wayside_bridge::{BridgeError, Outgoing, Room, RoomEvents, RoomInfo, Sender, Standing};

use crate::chat::Heard;
use crate::direct::parse;
use crate::error::MatrixError;
use crate::place::Place;
use crate::write;

/// The longest text, in bytes: encrypted, and with what its marking takes, it fits into an event.
const LONGEST: usize = 16 * 1024;

/// A Matrix room in which people talk.
pub(crate) struct MatrixRoom {
    place: Arc<Place>,
}

impl MatrixRoom {
    pub(crate) const fn new(place: Arc<Place>) -> Self {
        Self { place }
    }
}

#[async_trait]
impl Room for MatrixRoom {
    fn info(&self) -> RoomInfo {
        RoomInfo {
            title: format!("Matrix room {}", self.place.called()),
            own: Sender(self.place.account.own.to_string()),
            longest: LONGEST,
        }
    }

    async fn events(&self) -> Result<RoomEvents, BridgeError> {
        let place = Arc::clone(&self.place);
        let live = place.chat.listen();
        place.chat.adopt(&place).await?;
        let main = place.room_id();
        let mut missed = VecDeque::new();
        for room in place.chat.rooms(&main) {
            let private = room != main;
            match place.chat.missed(&place, &room, private).await {
                Ok(heard) => missed.extend(heard),
                // We may have been removed from a direct room while nobody listened.
                Err(MatrixError::Forbidden { .. } | MatrixError::NoRoom { .. }) if private => {
                    place.chat.drop_direct(&room);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let caught_up = missed.iter().map(|heard| heard.id.clone()).collect();
        let news = place.news.subscribe();
        let listening = Listening { place, missed, caught_up, live, news, last: None };
        let stream = futures::stream::unfold(Some(listening), |listening| async move {
            let mut listening = listening?;
            match listening.next().await {
                Ok(heard) => {
                    listening.last = Some(heard.clone());
                    Some((Ok(heard.event), Some(listening)))
                }
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(stream.boxed())
    }

    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError> {
        if message.text.len() > LONGEST {
            let said = format!("a text of {} bytes is longer than {LONGEST}", message.text.len());
            return Err(MatrixError::Invalid { said }.into());
        }
        let place = &self.place;
        let room = match &message.to {
            None => place.room()?,
            Some(Sender(user)) => place.chat.direct(place, &parse(user)?).await?,
        };
        let kind = if message.automatic { "m.notice" } else { "m.text" };
        let mut content = json!({ "msgtype": kind, "body": message.text, "m.mentions": {} });
        if let (Some(answered), Some(fields)) = (&message.answers, content.as_object_mut()) {
            fields.insert("m.relates_to".to_owned(), json!({ "m.in_reply_to": { "event_id": answered } }));
        }
        Ok(write::send(place, &room, content).await.map(drop)?)
    }

    async fn standing(&self, sender: &Sender) -> Result<Standing, BridgeError> {
        match parse(&sender.0) {
            Ok(user) => Ok(self.place.standing(&user).await?),
            Err(_) => Ok(Standing::Stranger),
        }
    }
}

impl fmt::Debug for MatrixRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixRoom").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Somebody who listens: first what was missed, then what comes.
struct Listening {
    place: Arc<Place>,
    missed: VecDeque<Heard>,
    caught_up: HashSet<String>,
    live: mpsc::Receiver<Heard>,
    news: tokio::sync::watch::Receiver<Option<MatrixError>>,
    last: Option<Heard>,
}

impl Listening {
    async fn next(&mut self) -> Result<Heard, MatrixError> {
        if let Some(last) = self.last.take() {
            self.place.chat.handed(&last)?;
        }
        if let Some(heard) = self.missed.pop_front() {
            return Ok(heard);
        }
        loop {
            if let Some(error) = self.news.borrow_and_update().clone() {
                return Err(error);
            }
            tokio::select! {
                heard = self.live.next() => match heard {
                    Some(heard) if self.caught_up.remove(&heard.id) => {}
                    Some(heard) => return Ok(heard),
                    None => return Err(MatrixError::Lagged),
                },
                changed = self.news.changed() => changed.map_err(|_| MatrixError::Lost)?,
            }
        }
    }
}
