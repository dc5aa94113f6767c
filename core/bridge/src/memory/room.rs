//! A room in memory, for tests of what talks in rooms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedSender};

use crate::{
    BridgeError, ErrorKind, Incoming, Outgoing, Room, RoomEvent, RoomEvents, RoomInfo, Sender, SharedRoom,
    Standing,
};

/// A room whose members are in this process. Clones are the same room.
#[derive(Clone, Default, Debug)]
pub struct MemoryRoom(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    standings: BTreeMap<Sender, Standing>,
    listeners: Vec<(Sender, UnboundedSender<Result<RoomEvent, BridgeError>>)>,
    said: Vec<(Sender, Outgoing)>,
    fault: Option<ErrorKind>,
}

impl MemoryRoom {
    /// An empty room.
    pub fn new() -> Self {
        Self::default()
    }

    /// The room as this member has it, who is in it from now on.
    pub fn member(&self, name: &str) -> SharedRoom {
        let own = Sender(name.to_owned());
        self.state().standings.entry(own.clone()).or_insert(Standing::Member);
        Arc::new(Member { room: self.clone(), own })
    }

    /// Makes somebody something; who is no member any more has left.
    pub fn set(&self, name: &str, standing: Standing) {
        let who = Sender(name.to_owned());
        let mut state = self.state();
        state.standings.insert(who.clone(), standing);
        if !standing.is_member() {
            state.tell(&who, None, &RoomEvent::Left(who.clone()));
        }
    }

    /// All that was said, the latest last.
    pub fn said(&self) -> Vec<(Sender, Outgoing)> {
        self.state().said.clone()
    }

    /// Makes everything fail so until it is called with `None`, and ends the streams of events; what is said to somebody who does not listen is not told again.
    pub fn fail_with(&self, kind: Option<ErrorKind>) {
        let mut state = self.state();
        state.fault = kind;
        for (_, listener) in state.listeners.drain(..) {
            // Who has gone does not listen.
            let _ = listener.unbounded_send(Err(fault(kind.unwrap_or(ErrorKind::Unreachable))));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault(kind: ErrorKind) -> BridgeError {
    BridgeError::new(kind, "the service was made to fail")
}

impl State {
    fn up(&self) -> Result<(), BridgeError> {
        self.fault.map_or(Ok(()), |kind| Err(fault(kind)))
    }

    /// Tells all but the one it is from, or one alone.
    fn tell(&mut self, from: &Sender, to: Option<&Sender>, event: &RoomEvent) {
        self.listeners.retain(|(who, listener)| {
            let meant = who != from && to.is_none_or(|to| to == who);
            !meant || listener.unbounded_send(Ok(event.clone())).is_ok()
        });
    }
}

/// The room as one member has it.
#[derive(Debug)]
struct Member {
    room: MemoryRoom,
    own: Sender,
}

#[async_trait]
impl Room for Member {
    fn info(&self) -> RoomInfo {
        RoomInfo {
            title: "a room in memory".to_owned(),
            own: self.own.clone(),
            longest: 4 * Incoming::MAX_TEXT,
        }
    }

    async fn events(&self) -> Result<RoomEvents, BridgeError> {
        let (sender, receiver) = mpsc::unbounded();
        let mut state = self.room.state();
        state.up()?;
        state.listeners.push((self.own.clone(), sender));
        Ok(receiver.boxed())
    }

    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError> {
        let mut state = self.room.state();
        state.up()?;
        if !state.standings.get(&self.own).is_some_and(|standing| standing.is_member()) {
            return Err(BridgeError::new(ErrorKind::Denied, "you are not in the room any more"));
        }
        state.said.push((self.own.clone(), message.clone()));
        let id = format!("${}", state.said.len());
        let mut incoming = Incoming::new(self.own.clone(), message.text.clone(), id);
        (incoming.private, incoming.automatic) = (message.to.is_some(), message.automatic);
        state.tell(&self.own, message.to.as_ref(), &RoomEvent::Said(incoming));
        Ok(())
    }

    async fn standing(&self, sender: &Sender) -> Result<Standing, BridgeError> {
        let state = self.room.state();
        state.up()?;
        Ok(state.standings.get(sender).copied().unwrap_or(Standing::Stranger))
    }
}
