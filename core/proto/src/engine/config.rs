//! What the engine is told once, and what its commands take and refuse.

use std::time::Duration;

use super::io::BridgeName;
use crate::crypto::keys::{AccountId, AccountKey, DeviceKeys};
use crate::message::Refusal;
use crate::place::Locator;
use crate::pointer::PointerError;

/// Who we are, on this device.
#[derive(Debug)]
pub struct Identity {
    /// Signs rosters.
    pub account: AccountKey,
    /// This device's keys.
    pub device: DeviceKeys,
    /// What we call ourselves on our card; cut to what a roster allows.
    pub name: String,
}

/// Limits and patience. Everything has a default that suits a desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The most friends.
    pub max_friends: usize,
    /// The most invites open at once.
    pub max_invites: usize,
    /// The most accepted invites that nobody answered yet.
    pub max_contacts: usize,
    /// The most publications that are out or being taken back.
    pub max_publications: usize,
    /// Over how many bridges an offer is raced at once.
    pub race: usize,
    /// After how long an unanswered offer is first made again; doubles up to `backoff_most`.
    pub backoff_least: Duration,
    /// The longest time between two offers.
    pub backoff_most: Duration,
    /// How long a dial is tried.
    pub dial_patience: Duration,
    /// How long an answer waits for the link.
    pub answer_lifetime: Duration,
    /// How long after a link came up what was published for it is taken back, all in one batch a bridge.
    pub retract_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_friends: 10_000,
            max_invites: 256,
            max_contacts: 64,
            max_publications: 4096,
            race: 3,
            backoff_least: Duration::from_secs(60),
            backoff_most: Duration::from_secs(6 * 3600),
            dial_patience: Duration::from_secs(60),
            answer_lifetime: Duration::from_secs(600),
            retract_after: Duration::from_secs(2),
        }
    }
}

/// What an invite is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteOptions {
    /// Where answers are looked for, the preferred first, at most three; empty: up to three of the bridges that are up.
    pub bridges: Vec<BridgeName>,
    /// How many accounts may use it: 1–127.
    pub uses: u8,
    /// For how long: a minute to thirty days, cut to that.
    pub lifetime: Duration,
    /// Whom it is for, where that is known: anybody else who comes with it is refused.
    pub only: Option<AccountId>,
}

impl Default for InviteOptions {
    fn default() -> Self {
        Self { bridges: Vec::new(), uses: 1, lifetime: Duration::from_secs(24 * 3600), only: None }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No bridge that is up reaches any of the places (or none is up at all, where `wanted` is empty).
    #[error("no bridge of ours reaches any of its places")]
    NoBridge {
        /// Where the other side looks.
        wanted: Vec<Locator>,
    },
    /// A reply line that leads to nothing.
    #[error("{0}")]
    Reply(ReplyFault),
    /// A bridge was named that is not up or cannot serve for this.
    #[error("the bridge {} is not up or cannot carry this", .0.0)]
    Bridge(BridgeName),
    /// The invite has ended.
    #[error("the invite has ended: ask for a new one")]
    Expired,
    /// The invite is our own.
    #[error("this is our own invite: give it to somebody else")]
    OwnInvite,
    /// The card in an invite file has ended, or is not valid yet.
    #[error(
        "the card in this invite file is not valid now: set this machine's clock right, or ask for a new file"
    )]
    NotInForce,
    /// The pointer is our own.
    #[error("this is our own card: others knock by it")]
    OwnPointer,
    /// The pointer is of somebody who is a friend already, called so.
    #[error("it is the card of {0:?}, who is a friend already")]
    AlreadyFriend(String),
    /// The pointer does not hold.
    #[error("the card cannot be used: {0}")]
    Pointer(#[from] PointerError),
    /// Nobody is called that, or the invite is unknown.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A limit is reached.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// The name is empty, longer than 64 bytes, holds control characters, or belongs to another friend.
    #[error("the name {0:?} is taken or not one")]
    Name(String),
    /// An option is out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// Our card does not fit into a record: too many devices, too long a name.
    #[error("our card does not fit into a record")]
    CardTooLarge,
}

/// Why a reply to an invite of ours leads to nothing, each with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// It is to none of our invites that are remembered.
    #[error(
        "this reply is to no invite of this account, or to one that ended more than a day ago: make a new invite"
    )]
    Unknown,
    /// The invite is over, used up, or for somebody else.
    #[error("{}", refused(*.0))]
    Refused(Refusal),
    /// The invite's secret fits, and what is in the reply makes no sense.
    #[error(
        "the join in this reply cannot be read: have whoever sent it accept the invite again, with the right time on the clock"
    )]
    Unreadable,
}

const fn refused(why: Refusal) -> &'static str {
    match why {
        Refusal::Used => "the invite that this replies to was used already: make a new one",
        Refusal::Expired => "the invite that this replies to has ended: make a new one",
        Refusal::Unwelcome => "whoever replied is blocked, or the invite is for somebody else",
    }
}

/// Why no friend was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nobody is called that.
    #[error("no friend is called {0:?}")]
    Unknown(String),
    /// Several are, in other letters.
    #[error("several friends are called that: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
}

/// What was stored cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored value {key:?} is damaged: {why}")]
pub struct RestoreError {
    /// Which.
    pub key: String,
    /// What is wrong with it.
    pub why: &'static str,
}
