//! People talking: what plugins offer where a bot can introduce members to one another.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::BridgeError;

/// A place where people talk (a Matrix room, a mailing list): messages in and out, and nothing about what they mean.
///
/// A plugin offers it beside [`Bridge`](crate::Bridge) for the same account and place.
#[async_trait]
pub trait Room: Send + Sync + fmt::Debug {
    /// What the room is called and who we are in it.
    fn info(&self) -> RoomInfo;

    /// Messages as they come, from now on, without our own. Ends with an error when the service is lost.
    async fn messages(&self) -> Result<MessageStream, BridgeError>;

    /// Says something, to everybody or to one member. Not idempotent.
    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError>;

    /// Whether this sender is a member right now, as the service tells it.
    async fn is_member(&self, sender: &Sender) -> Result<bool, BridgeError>;
}

/// What a room is called and who we are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// What people call the room.
    pub title: String,
    /// Ourselves, as others see us.
    pub own: Sender,
}

/// Somebody in a room, in the service's notation; as trustworthy as the service is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender(pub String);

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
    /// The service's own id of the message, to answer to.
    pub id: String,
}

impl Incoming {
    /// The longest text handed on, in bytes.
    pub const MAX_TEXT: usize = 8192;

    /// A message of its parts.
    pub fn new(from: Sender, text: String, private: bool, id: String) -> Self {
        Self { from, text, private, id }
    }
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom; `None` is everybody.
    pub to: Option<Sender>,
    /// Plain text.
    pub text: String,
    /// The id of the message it answers.
    pub answers: Option<String>,
}

/// Messages as they come.
pub type MessageStream = BoxStream<'static, Result<Incoming, BridgeError>>;
