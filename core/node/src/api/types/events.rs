//! What happens at a node.

use serde::{Deserialize, Serialize};

use super::{BridgeView, EncounterState, IntroductionState, PathKind, Time, Transport};

/// What happens at a node: [`Node::events`](crate::Node::events), a line of `GET /v1/events`. `up` prints these. Friends are called what they are called
/// here, which may change, and where more is done with one its account stands beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum NodeEvent {
    /// It listens and every bridge was tried.
    Ready {
        /// The account.
        account: String,
        /// Where it listens.
        listen: Vec<String>,
        /// The bridges, as they are.
        bridges: Vec<BridgeView>,
    },
    /// A bridge works again.
    BridgeUp {
        /// Which.
        bridge: String,
    },
    /// A bridge does not work.
    BridgeDown {
        /// Which.
        bridge: String,
        /// Why, one sentence.
        error: String,
        /// When it is tried again.
        retry_at: Option<Time>,
    },
    /// A friendship was made.
    FriendAdded {
        /// What the friend is called here.
        friend: String,
        /// The account.
        account: String,
    },
    /// An invite that we accepted does not work.
    InviteRefused {
        /// One sentence.
        why: String,
    },
    /// Somebody who is too late came with one of our invites.
    JoinRefused {
        /// One sentence.
        why: String,
    },
    /// Somebody tried a code of ours with wrong words.
    CodeGuessed {
        /// How many guesses are left; with none it is burnt.
        left: u8,
    },
    /// A link is up.
    LinkUp {
        /// With whom.
        friend: String,
        /// The friend's account.
        account: String,
        /// By which path.
        path: PathKind,
        /// In what, where the path is direct.
        transport: Option<Transport>,
        /// The other end's address, where the path is direct.
        remote: Option<String>,
        /// Through which friend, where it is relayed.
        relay: Option<String>,
    },
    /// A link that is up travels otherwise than before.
    LinkMoved {
        /// With whom.
        friend: String,
        /// The friend's account.
        account: String,
        /// By which path from now on.
        path: PathKind,
        /// In what, where the path is direct.
        transport: Option<Transport>,
        /// The other end's address, where the path is direct.
        remote: Option<String>,
        /// Through which friend, where it is relayed.
        relay: Option<String>,
    },
    /// A link is gone.
    LinkDown {
        /// With whom.
        friend: String,
        /// The friend's account.
        account: String,
    },
    /// A meeting came to nothing for now.
    MeetingFailed {
        /// With whom.
        friend: String,
        /// One sentence.
        why: String,
    },
    /// Both sides of a meeting have told each other where they are, and no way leads from one to the other so far. It is tried on.
    NoWay {
        /// With whom.
        friend: String,
        /// Why, and what would help, in one or two sentences.
        why: String,
    },
    /// A message came.
    MessageReceived {
        /// Its id.
        id: String,
        /// From whom.
        from: String,
        /// The sender's account.
        account: String,
    },
    /// A message of ours arrived.
    MessageDelivered {
        /// Its id.
        id: String,
        /// To whom.
        to: String,
    },
    /// A message of ours was given up: nobody fetched it for too long, or its recipient cannot read it.
    MessageExpired {
        /// Its id.
        id: String,
        /// To whom.
        to: String,
    },
    /// Somebody asks something: it is listed by `GET /v1/requests`.
    Request {
        /// Its name.
        id: String,
        /// What it is: `introduction`, `knock` or `community`.
        kind: String,
        /// What is asked, in a sentence.
        text: String,
    },
    /// An introduction of ours has got further.
    Introduction {
        /// Its name.
        id: String,
        /// The two.
        friends: Vec<String>,
        /// How far.
        state: IntroductionState,
    },
    /// A meeting that we asked a community's bot for has got further.
    Encounter {
        /// With whom, as the room names them.
        person: String,
        /// The bridge to the room.
        bridge: String,
        /// How far.
        state: EncounterState,
        /// The same in a sentence.
        text: String,
    },
    /// The clock is wrong, or something else that a person should know.
    Warning {
        /// One sentence.
        what: String,
    },
    /// So many events came and went before whoever listens got to them.
    Missed {
        /// How many.
        count: u64,
    },
    /// It ends.
    Stopping,
}
