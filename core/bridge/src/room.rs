//! People talking: what plugins offer where a bot can introduce members to one another.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::BridgeError;

/// A room that several tasks hold.
pub type SharedRoom = Arc<dyn Room>;

/// A place where people talk (a Matrix room, a mailing list): messages in and out, and nothing about what they mean.
///
/// A plugin offers it beside [`Bridge`](crate::Bridge) for the same account and place.
#[async_trait]
pub trait Room: Send + Sync + fmt::Debug {
    /// What the room is called and who we are in it.
    fn info(&self) -> RoomInfo;

    /// What happens there, without what we said ourselves: from where an earlier stream ended, over restarts where the bridge has a folder of its own,
    /// else from now on. What was handed out last may come again, with the same id. Ends with an error when the service is lost.
    async fn events(&self) -> Result<RoomEvents, BridgeError>;

    /// Says something, to everybody or to one member. Not idempotent.
    ///
    /// *Errors*: [`Refused`](crate::ErrorKind::Refused) where it is longer than [`RoomInfo::longest`],
    /// [`RateLimited`](crate::ErrorKind::RateLimited), [`Denied`](crate::ErrorKind::Denied), [`Unreachable`](crate::ErrorKind::Unreachable).
    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError>;

    /// What this sender is in the room right now, as the service tells it.
    async fn standing(&self, sender: &Sender) -> Result<Standing, BridgeError>;
}

/// What a room is called and who we are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// What people call the room.
    pub title: String,
    /// Ourselves, as others see us.
    pub own: Sender,
    /// The longest text that can be said, in bytes.
    pub longest: usize,
}

/// Somebody in a room, in the service's notation; as trustworthy as the service is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender(pub String);

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Shut out of it.
    Banned,
    /// Not in it.
    Stranger,
    /// In it.
    Member,
    /// In it, and may remove others.
    Moderator,
}

impl Standing {
    /// Whether they are in the room.
    pub fn is_member(self) -> bool {
        self >= Self::Member
    }
}

/// What happens in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// Somebody said something.
    Said(Incoming),
    /// Somebody left, was removed or banned.
    Left(Sender),
}

/// A message somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incoming {
    /// Who.
    pub from: Sender,
    /// Plain text, at most [`Incoming::MAX_TEXT`] bytes; longer ones are cut at a character.
    pub text: String,
    /// Whether it was said to us alone.
    pub private: bool,
    /// Whether a program says that it wrote it (`m.notice`, RFC 3834's `Auto-Submitted`): a bot does not answer it.
    pub automatic: bool,
    /// The service's own id of the message, to answer to.
    pub id: String,
}

impl Incoming {
    /// The longest text handed on, in bytes.
    pub const MAX_TEXT: usize = 8192;

    /// What a person wrote, to everybody.
    pub fn new(from: Sender, text: String, id: String) -> Self {
        Self { from, text, private: false, automatic: false, id }
    }
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom; `None` is everybody.
    pub to: Option<Sender>,
    /// Plain text.
    pub text: String,
    /// Whether it is marked as a program's, so that bots do not answer it. What a bot says is; what is said to one is not.
    pub automatic: bool,
    /// The id of the message it answers.
    pub answers: Option<String>,
}

/// What happens, as it does.
pub type RoomEvents = BoxStream<'static, Result<RoomEvent, BridgeError>>;
