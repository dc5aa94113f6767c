//! A bot in a room: [`RoomIntroducer`] at work, without a node and without a home.
//!
//! It uses a [`Room`](wayside_bridge::Room) and a folder of its own, of which one bot at a time has hold. What has changed is on disk before anything is said
//! that follows from it; what was not known to be said when the process ended is said once more. Contents of messages are not logged.

mod folder;
mod listening;
mod patience;

use std::time::Duration;

use tokio::time::{sleep, timeout};
use wayside_bridge::{BridgeError, Outgoing, RoomEvent, Sender, SharedRoom, Standing};
use wayside_proto::Now;
pub use wayside_proto::introducer::Settings;
use wayside_proto::introducer::{self, Output, Person, RestoreRoomError, RoomIntroducer, Said, Spoken};

pub use folder::BotFolder;
use listening::Listening;
use patience::Patience;

use crate::NodeClock;
use crate::home::HomeError;

/// Why a bot ends by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BotError {
    /// Its folder, or something in it.
    #[error(transparent)]
    Folder(#[from] HomeError),
    /// What it remembered.
    #[error("the bot's state is of no use: {0}")]
    State(#[from] RestoreRoomError),
    /// Messages of this room hold too little.
    #[error("a message of this room holds {0} bytes, and a bot needs {least}", least = RoomIntroducer::LEAST_MESSAGE)]
    Small(usize),
    /// The room calls us what nobody can be called.
    #[error("the room gives the bot a name that is none")]
    Name,
    /// The room does not have us, or cannot be used as things are.
    #[error(transparent)]
    Room(#[from] BridgeError),
}

/// Introduces a room's members to one another until `stop` resolves.
pub async fn run(
    room: SharedRoom,
    folder: &BotFolder,
    settings: Settings,
    clock: NodeClock,
    stop: impl Future<Output = ()>,
) -> Result<(), BotError> {
    let info = room.info();
    let own = Person::new(&info.own.0).ok_or(BotError::Name)?;
    if info.longest < RoomIntroducer::LEAST_MESSAGE {
        return Err(BotError::Small(info.longest));
    }
    let stored = folder.read()?;
    let mind = RoomIntroducer::restore(own, info.longest, settings, stored.as_deref())?;
    let bot = Bot { room, folder, clock, mind, patience: Patience::default() };
    tokio::select! {
        outcome = bot.work() => outcome,
        () = stop => Ok(()),
    }
}

/// A service that has not answered in this time does not.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is tried to find out who somebody is, and to write to a disk that takes nothing.
const STANDING_TRIES: u32 = 3;
const DISK_AGAIN: Duration = Duration::from_secs(2);
/// The wall clock may be set, and machines sleep.
const LOOK_UP: Duration = Duration::from_secs(60);

struct Bot<'a> {
    room: SharedRoom,
    folder: &'a BotFolder,
    clock: NodeClock,
    mind: RoomIntroducer,
    patience: Patience,
}

impl Bot<'_> {
    async fn work(mut self) -> Result<(), BotError> {
        let mut listening = Listening::start(self.room.clone());
        self.mind.handle_timeout(self.now());
        loop {
            while let Some(output) = self.mind.poll_output() {
                self.perform(output).await;
            }
            let due = self.mind.poll_timeout(self.now()).min(LOOK_UP);
            tokio::select! {
                event = listening.next() => self.take(event?),
                () = sleep(due) => self.mind.handle_timeout(self.now()),
            }
        }
    }

    fn now(&self) -> Now {
        self.clock.now_both()
    }

    fn take(&mut self, event: RoomEvent) {
        let now = self.now();
        match event {
            RoomEvent::Said(message) => {
                let Some(from) = Person::new(&message.from.0) else { return };
                let (text, id) = (message.text.as_str(), message.id.as_str());
                let (private, automatic) = (message.private, message.automatic);
                tracing::debug!(private, automatic, bytes = text.len(), "somebody said something");
                self.mind.said(now, Said { from: &from, text, private, automatic, id });
            }
            RoomEvent::Left(who) => {
                tracing::debug!("somebody left");
                if let Some(who) = Person::new(&who.0) {
                    self.mind.left(now, &who);
                }
            }
            _ => {}
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Persist(bytes) => self.persist(bytes).await,
            Output::AskStanding(who) => {
                let standing = self.standing(&who).await;
                self.mind.standing(self.now(), &who, standing);
            }
            Output::Say { to, text, answers } => {
                let to = Some(Sender(to.as_str().to_owned()));
                let spoken = self.say(&Outgoing { to, text, automatic: true, answers }).await;
                self.mind.spoken(self.now(), spoken);
            }
            _ => {}
        }
    }

    /// Nothing goes on before it is on disk.
    async fn persist(&self, bytes: Vec<u8>) {
        while let Err(error) = self.folder.write(bytes.clone()).await {
            tracing::warn!(%error, "what the bot remembers cannot be written: it waits");
            sleep(DISK_AGAIN).await;
        }
        tracing::debug!(members = self.mind.members(), bytes = bytes.len(), "remembered");
    }

    async fn say(&mut self, message: &Outgoing) -> Spoken {
        let error = match timeout(PATIENCE, self.room.say(message)).await {
            Ok(Ok(())) => {
                self.patience.reset();
                tracing::debug!(bytes = message.text.len(), "said something to somebody");
                return Spoken::Said;
            }
            Ok(Err(error)) => error,
            Err(_) => silent(),
        };
        tracing::warn!(%error, "something could not be said");
        match self.patience.after(&error) {
            Some(after) => Spoken::Later(after),
            None => Spoken::Never,
        }
    }

    async fn standing(&self, who: &Person) -> Option<introducer::Standing> {
        let who = Sender(who.as_str().to_owned());
        let mut patience = Patience::default();
        for _ in 0..STANDING_TRIES {
            let asked = timeout(PATIENCE, self.room.standing(&who)).await;
            let error = match asked {
                Ok(Ok(standing)) => return Some(translated(standing)),
                Ok(Err(error)) => error,
                Err(_) => silent(),
            };
            tracing::warn!(%error, "the room does not say who is in it");
            sleep(patience.after(&error)?.min(PATIENCE)).await;
        }
        None
    }
}

fn silent() -> BridgeError {
    BridgeError::new(wayside_bridge::ErrorKind::Unreachable, "the service does not answer")
}

const fn translated(standing: Standing) -> introducer::Standing {
    match standing {
        Standing::Banned => introducer::Standing::Banned,
        Standing::Stranger => introducer::Standing::Stranger,
        Standing::Member => introducer::Standing::Member,
        Standing::Moderator => introducer::Standing::Moderator,
    }
}
