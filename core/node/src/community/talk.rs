//! The conversation with one bot: what is due is said, and what it says is heard.

use std::time::Duration;

use futures::StreamExt;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout};
use wayside_bridge::{
    BridgeError, Entropy, ErrorKind, Incoming, Outgoing, Retry, Room, RoomEvent, Sender, SharedRoom,
};
use wayside_proto::introducer::{Notice, Request};

use super::book::Heard;
use super::{Communities, again};
use crate::api::types::{ApiError, NodeEvent};
use crate::bridges::caught;
use crate::clock::SystemEntropy;

/// Between two things that are said to one bot.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 2000 });
/// Between two things of one bot that are looked at: each may cost the disk.
const TURN: Duration = Duration::from_millis(if cfg!(test) { 2 } else { 100 });
/// How long a room may take to take something.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at where nothing says that something has changed: a card may have to be made anew.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 600 });
/// The longest that a service may ask us to wait.
const LONGEST: Duration = Duration::from_secs(3600);

impl Communities {
    /// Talks with a bridge's bot whenever the bridge works, until this is dropped.
    pub(super) async fn talk(self, bridge: String) {
        let (mut events, mut failures) = (self.0.driver.events(), 0_u32);
        loop {
            if let Some(room) = self.0.driver.room(&bridge).await {
                let began = Instant::now();
                let ended = tokio::select! {
                    ended = caught(self.converse(&bridge, &room)) => ended.err(),
                    () = went_down(&bridge, &mut events) => None,
                };
                // A room that is opened anew wants the one before gone.
                drop(room);
                if let Some(error) = ended {
                    tracing::debug!(%error, bridge, "the conversation with a bot ended");
                    failures = if began.elapsed() > LONGEST { 1 } else { failures.saturating_add(1) };
                    tokio::time::sleep(patience(&error, failures)).await;
                    continue;
                }
            }
            let _ = timeout(LOOK, came_up(&bridge, &mut events)).await;
        }
    }

    /// Says what is due and hears what comes, until the service is lost.
    async fn converse(&self, bridge: &str, room: &SharedRoom) -> Result<(), BridgeError> {
        let mut events = room.events().await?;
        let mut changes = self.changes();
        let (mut not_before, mut failures) = (Instant::now(), 0_u32);
        loop {
            changes.borrow_and_update();
            let mut wait = not_before.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                wait = match self.say(bridge, room).await {
                    Ok(Some(wait)) => wait,
                    Ok(None) => {
                        failures = 0;
                        not_before = Instant::now() + PAUSE;
                        PAUSE
                    }
                    Err(error) => {
                        tracing::debug!(%error, bridge, "a bot was not told something");
                        failures = failures.saturating_add(1);
                        let wait = patience(&error, failures);
                        not_before = Instant::now() + wait;
                        wait
                    }
                };
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(RoomEvent::Said(message))) => self.hear(bridge, &message).await,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Err(BridgeError::new(ErrorKind::Unreachable, "the room says nothing more")),
                },
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait.min(LOOK)) => {}
            }
        }
    }

    /// Says one thing that is due; else returns how long to wait for the next.
    async fn say(&self, bridge: &str, room: &SharedRoom) -> Result<Option<Duration>, BridgeError> {
        let failed = |error: ApiError| BridgeError::new(ErrorKind::Internal, error.message);
        let card = self.card(bridge).await.map_err(failed)?;
        let now = self.time().await.map_err(failed)?;
        let due = self.change(bridge, |book| (book.bot.clone(), book.due(now, card.as_ref()))).await;
        let Some((bot, due)) = due.map_err(failed)? else { return Ok(Some(LOOK)) };
        let request = match due {
            Ok(request) => request,
            Err(next) => return Ok(Some(next.map_or(LOOK, |next| next.since(now)))),
        };
        say_to(&**room, Sender(bot.as_str().to_owned()), &request).await?;
        self.change(bridge, |book| book.said(now, &request)).await.map_err(failed)?;
        if matches!(request, Request::Leave) {
            self.withdraw(bridge).await.map_err(failed)?;
        }
        Ok(None)
    }

    /// Somebody said something: if it was the bot, to us alone, it is heard.
    async fn hear(&self, bridge: &str, message: &Incoming) {
        let Some(bot) = self.bot(bridge) else { return };
        if !message.private || message.from.0 != bot.who.as_str() {
            return;
        }
        for notice in Notice::all(&message.text) {
            self.note(bridge, notice).await;
            tokio::time::sleep(TURN).await;
        }
    }

    /// What the disk does not take is heard once it does: the bot does not wait.
    async fn note(&self, bridge: &str, notice: Notice) {
        let mut id = [0; 16];
        SystemEntropy.fill(&mut id);
        loop {
            match self.take_in(bridge, notice.clone(), id).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, bridge, "what a bot said waits");
                    tokio::time::sleep(again(1).min(LOOK)).await;
                }
            }
        }
    }

    async fn take_in(&self, bridge: &str, notice: Notice, id: [u8; 16]) -> Result<(), ApiError> {
        let now = self.time().await?;
        match self.change(bridge, |book| book.heard(now, notice, id)).await? {
            None | Some(Heard::Nothing) => {}
            Some(Heard::Asked(id)) => self.tell_request(bridge, id).await,
            Some(Heard::Ask(who)) => self.tell_ask(bridge, &who).await,
            Some(Heard::Warning(what)) => self.0.driver.tell(NodeEvent::Warning { what }),
        }
        Ok(())
    }
}

/// Says something to the bot alone, as a person would.
pub(super) async fn say_to(room: &dyn Room, bot: Sender, request: &Request) -> Result<(), BridgeError> {
    let message = Outgoing { to: Some(bot), text: request.to_string(), automatic: false, answers: None };
    let slow = |_| BridgeError::new(ErrorKind::Unreachable, "the room did not take it in time");
    timeout(PATIENCE, room.say(&message)).await.map_err(slow)?
}

/// As long as the error asks for, and longer each time.
fn patience(error: &BridgeError, failures: u32) -> Duration {
    let asked = match error.retry() {
        Retry::After(wait) => wait.min(LONGEST),
        _ => Duration::ZERO,
    };
    let least = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });
    asked.max(least.saturating_mul(1 << failures.saturating_sub(1).min(12)).min(LONGEST))
}

async fn went_down(bridge: &str, events: &mut Receiver<NodeEvent>) {
    is_told(events, |event| matches!(event, NodeEvent::BridgeDown { bridge: which, .. } if which == bridge))
        .await;
}

async fn came_up(bridge: &str, events: &mut Receiver<NodeEvent>) {
    is_told(events, |event| matches!(event, NodeEvent::BridgeUp { bridge: which } if which == bridge)).await;
}

/// Waits for such an event, or until some were missed.
pub(super) async fn is_told(events: &mut Receiver<NodeEvent>, which: impl Fn(&NodeEvent) -> bool) {
    loop {
        match events.recv().await {
            Ok(event) if which(&event) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
