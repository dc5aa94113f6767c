//! What the local API says, as JSON. The command prints these same objects with `--json`.
//!
//! Times are RFC 3339 in UTC with milliseconds; durations carry their unit in the field's name.

mod mailbox;
mod messages;
mod pointers;
mod reach;
mod relay;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::doctor::{
    BridgeFigure, ExaminationLine, Examine, Family, Figures, FilteringKind, Finding, FriendFigure, Ipv6Kind,
    Known, PeerNetwork, Reachable, Report, Topic, Verdict, Way,
};

pub use mailbox::{ChangeMailbox, KeptView, MailboxHostView, MailboxLimits, MailboxView};
pub use messages::{InboxFileView, InboxView, MarkRead, MessageState, OutgoingView, Send, SendFile, Sent};
pub use pointers::{
    Comparison, FetchPointer, FoundPointer, PlacePointers, PlacedPointer, PointView, PointerView,
    PublishPointer, SourceView, WithdrawnPointer,
};
pub use reach::{AddressKind, AddressView, AnswersKind, MappingKind, PortmapState, PortmapView, ReachView};
pub use relay::{ChangeRelay, RelayLimits, RelayOfferView, RelayState, RelayView, RelayedView};

/// A moment, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub jiff::Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// `GET /v1/id`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The account's public key, 52 characters of base32.
    pub account: String,
    /// The device's name, 26 characters of base32.
    pub device: String,
    /// What the account calls itself.
    pub name: String,
}

/// `POST /v1/bridges`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddBridge {
    /// The kind (`dir`, `exec`).
    pub kind: String,
    /// What to call it; the kind, numbered where that is taken, if not given.
    pub name: Option<String>,
    /// The kind's options by name.
    pub options: BTreeMap<String, String>,
    /// Whether mail for friends may lie there.
    #[serde(default)]
    pub mail: bool,
}

impl fmt::Debug for AddBridge {
    /// Options may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddBridge")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A configured bridge: an element of `GET /v1/bridges`, the answer of `POST /v1/bridges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeView {
    /// What the user calls it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What the place is called.
    pub title: String,
    /// The places that it reaches.
    pub locators: Vec<String>,
    /// Whether it works right now.
    pub healthy: bool,
    /// The last error, one sentence, where it does not work.
    pub error: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// What its probe had to say.
    pub note: Option<String>,
    /// What the service's operator sees.
    pub service_sees: Vec<String>,
    /// What others who can read the place see.
    pub readers_see: Vec<String>,
    /// Records of ours that lie there now.
    pub published: u64,
    /// Whether mail for friends may lie there.
    #[serde(default)]
    pub mail: bool,
}

/// A line of `bridge test`, which needs no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The case's name.
    pub case: String,
    /// `passed`, `failed`, `skipped` or `deviates`.
    pub outcome: String,
    /// Why it failed, was skipped or may deviate.
    pub reason: Option<String>,
}

/// `POST /v1/invites`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewInvite {
    /// Over which bridges; up to three that work, if empty.
    pub bridges: Vec<String>,
    /// How many accounts may use it: 1–127.
    pub uses: u8,
    /// How long it lasts.
    pub expires_in_secs: u64,
}

/// The answer to [`NewInvite`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteView {
    /// The link: a secret for whom it is meant.
    pub invite: String,
    /// When it ends.
    pub expires: Time,
}

impl fmt::Debug for InviteView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteView").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// `POST /v1/accept`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// The link, or somebody's card, by which one knocks. For a preview also where a card is to be fetched from, as in [`FetchPointer::source`].
    pub invite: String,
    /// What to call the friend.
    pub name: Option<String>,
    /// How long to wait for the answer.
    pub wait_ms: u64,
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("name", &self.name)
            .field("wait_ms", &self.wait_ms)
            .finish_non_exhaustive()
    }
}

/// `POST /v1/accept/preview`: what an invite or a card says, before anything is done with it. Nobody is contacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitePreview {
    /// The places it names.
    pub places: Vec<String>,
    /// Those of one's own bridges that reach one of them.
    pub bridges: Vec<String>,
    /// When it ends; not known of a source.
    pub expires: Option<Time>,
    /// What it says, where it is a card.
    pub pointer: Option<FoundPointer>,
    /// Where a card is to be fetched from, where it is that: `POST /v1/pointers/fetch` does.
    pub source: Option<SourceView>,
}

/// The answer to [`Accept`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `done` or `pending`.
    pub state: AcceptState,
    /// What the friend is called here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub friend: Option<String>,
    /// The friend's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// How far accepting an invite has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptState {
    /// We are friends.
    Done,
    /// The inviter, or the owner of the card, has not answered yet.
    Pending,
}

/// A friend: an element of `GET /v1/friends`, the answer of `GET /v1/friends/{friend}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FriendView {
    /// What the friend is called here.
    pub name: String,
    /// The account.
    pub account: String,
    /// The devices.
    pub devices: Vec<String>,
    /// Whether a link is up.
    pub link: LinkState,
    /// By which path, where a link is up.
    pub path: Option<PathKind>,
    /// In what, where the path is direct.
    pub transport: Option<Transport>,
    /// The other end's address, where the path is direct.
    pub remote: Option<String>,
    /// Through which friend, where it is relayed.
    pub relay: Option<String>,
    /// The link's smoothed round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// What I grant: `relay`, `mailbox`, `reflect`, `meet`.
    pub allows: Vec<String>,
    /// What they grant me.
    pub granted: Vec<String>,
    /// Whether I blocked them.
    pub blocked: bool,
    /// Who keeps mail for them while they are away, by what they call them, as far as we know.
    #[serde(default)]
    pub mailboxes: Vec<String>,
    /// Whether it was said that both read the same: [`Comparison`].
    #[serde(default)]
    pub verified: bool,
    /// Whether the friendship was made by a card that lay somewhere: whoever could write there may have put it there.
    #[serde(default)]
    pub by_card: bool,
}

/// Whether a link is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// It is.
    Up,
    /// It is not.
    Down,
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Straight from machine to machine.
    Direct,
    /// Through a friend.
    Relay,
}

/// What carries packets that travel straight from machine to machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    Udp,
    /// A TCP connection, where UDP does not get through.
    Tcp,
}

/// `PATCH /v1/friends/{friend}`: what is given is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeFriend {
    /// A new name.
    pub rename: Option<String>,
    /// Blocks or unblocks.
    pub blocked: Option<bool>,
    /// Grants to add: `relay`, `mailbox`, `reflect`, `meet`.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Grants to take back.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Says that both read the same, or takes that back: [`Comparison`].
    #[serde(default)]
    pub verified: Option<bool>,
}

/// `POST /v1/friends/{friend}/ping`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// How many.
    pub count: u32,
    /// How long to wait for the link.
    pub wait_ms: u64,
}

/// A line of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// Round trip in milliseconds.
    pub rtt_ms: f64,
    /// By which path.
    pub path: PathKind,
    /// In what, where the path is direct.
    pub transport: Option<Transport>,
    /// The other end's address, where the path is direct.
    pub remote: Option<String>,
    /// Through which friend, where it is relayed.
    pub relay: Option<String>,
}

/// `POST /v1/introductions`: a friend is introduced to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduce {
    /// The one.
    pub friend: String,
    /// The other.
    pub to: String,
    /// A few words for both: 1 to [`Introduce::MAX_NOTE`] bytes, line ends but no other characters that are not seen.
    pub note: Option<String>,
}

impl Introduce {
    /// The longest note, in bytes.
    pub const MAX_NOTE: usize = wayside_proto::introduction::Note::MAX;
}

/// An introduction that we made: an element of `GET /v1/introductions`, the answer to [`Introduce`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroductionView {
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// The two, in the order in which they were named.
    pub friends: Vec<IntroducedView>,
    /// What was said of it.
    pub note: Option<String>,
    /// How far it has got.
    pub state: IntroductionState,
    /// When it was made.
    pub made: Time,
    /// When it ends, whatever has come of it.
    pub expires: Time,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroducedView {
    /// What the friend is called here.
    pub name: String,
    /// The account.
    pub account: String,
    /// What it has said.
    pub answer: IntroducedAnswer,
}

/// What somebody who is introduced has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntroducedAnswer {
    /// It was not reached yet.
    Unasked,
    /// It has the request and has not consented. Nobody is told of a refusal.
    Asked,
    /// It consents.
    Consented,
}

/// How far an introduction has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntroductionState {
    /// Not both have consented.
    Open,
    /// Both have, and an invite from one to the other is awaited.
    Agreed,
    /// The invite was passed on: what follows is between the two.
    Passed,
}

/// Something that is asked of us: an element of `GET /v1/requests`, the answer of `POST /v1/requests/{id}/accept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// Its name: hexadecimal digits, 32 of an introduction's, 16 of a knock's.
    pub id: String,
    /// What is asked, in a sentence, and on whose word.
    pub text: String,
    /// How far it has got.
    pub state: RequestState,
    /// What is to be done about it, or why it does not go on, where there is something to say.
    pub hint: Option<String>,
    /// When it came.
    pub received: Time,
    /// When it ends by itself.
    pub expires: Time,
    /// What it is.
    #[serde(flatten)]
    pub what: RequestKind,
}

/// What is asked. Later versions may know of more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RequestKind {
    /// A friend introduces somebody.
    Introduction {
        /// Who introduces: what the friend is called here.
        by: String,
        /// Its account.
        by_account: String,
        /// What the card of the one who is introduced says.
        name: String,
        /// Its account.
        account: String,
        /// What the friend says of it.
        note: Option<String>,
    },
    /// Somebody came by a pointer of ours and would like to become a friend.
    Knock {
        /// What they call themselves: nobody says that it is so.
        name: String,
        /// Their account: proven.
        account: String,
        /// The pointer's name.
        pointer: String,
        /// The bridge over which it came.
        over: String,
    },
}

/// How far a request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// It waits for an answer.
    Asked,
    /// It was accepted here, and the other side has not said anything.
    Accepted,
    /// Both sides have accepted: they are meeting.
    Meeting,
    /// It was refused here: it is not listed any more.
    Refused,
}

/// `POST /v1/requests/{id}/accept`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptRequest {
    /// What to call the new friend.
    pub name: Option<String>,
}

/// `GET /v1/status`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Who this is.
    pub id: Id,
    /// Whether a long-running node answers, or one for this command alone.
    pub node: NodeKind,
    /// Where it listens.
    pub listen: Vec<String>,
    /// The bridges.
    pub bridges: Vec<BridgeView>,
    /// The links that are up.
    pub links: Vec<LinkView>,
    /// How this machine is reached, as far as it knows.
    pub reach: ReachView,
    /// Messages on their way, by recipient.
    pub queues: Vec<QueueView>,
    /// Messages here that were not shown yet.
    pub unread: u64,
    /// Invites that we accepted and that nobody answered yet.
    pub pending_accepts: u64,
    /// Our pointers.
    #[serde(default)]
    pub pointers: Vec<PointerView>,
    /// Something about the clock, where it is wrong.
    pub clock: Option<String>,
}

/// What kind of node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// `wayside up`.
    Up,
    /// One that a command runs for as long as it needs.
    Brief,
}

/// A link that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkView {
    /// With whom.
    pub friend: String,
    /// By which path.
    pub path: PathKind,
    /// In what, where the path is direct.
    pub transport: Option<Transport>,
    /// The other end's address, where the path is direct.
    pub remote: Option<String>,
    /// The smoothed round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Through which friend, where it is relayed.
    pub relay: Option<String>,
    /// Since when.
    pub since: Time,
}

/// Messages on their way to one friend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// To whom.
    pub friend: String,
    /// How many are on our disk alone.
    pub queued: u64,
    /// How many others hold.
    pub held: u64,
    /// The oldest one's time.
    pub oldest: Option<Time>,
}

/// `GET /v1/friends/{friend}/explain`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whom it is about.
    pub friend: String,
    /// By which path we are linked, if we are.
    pub path: Option<PathKind>,
    /// Through which friend, where it is relayed.
    pub relay: Option<String>,
    /// Why the path is what it is, in one or two sentences.
    pub because: String,
    /// The steps of the last meeting.
    pub steps: Vec<StepView>,
}

/// A step of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// When, as the node estimates the time; the estimate may change by seconds from one step to the next.
    pub at: Time,
    /// Milliseconds by the clock of the run that it happened in, which only goes forward: how long it took from one step to another.
    pub ms: u64,
    /// What sort of thing, in a word that stays: [`StepKind::word`](wayside_proto::engine::StepKind::word).
    pub kind: String,
    /// What, in plain words.
    pub what: String,
}

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
        /// What it is: `introduction` or `knock`.
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

/// The body of every answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind it is; exit codes follow from it.
    pub code: ErrorCode,
    /// One sentence, with what to do about it.
    pub message: String,
}

impl ApiError {
    /// An error of its parts.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The request makes no sense.
    Usage,
    /// It took longer than one wanted to wait; it goes on.
    Pending,
    /// No such friend, bridge, message.
    NotFound,
    /// It is there already.
    Exists,
    /// The invite does not work: expired, used, damaged.
    Invite,
    /// No bridge of ours reaches the place.
    NoBridge,
    /// A bridge does not work.
    Bridge,
    /// The home is damaged, full, not writable, or another's.
    Home,
    /// Another node of the same home is just starting, running or ending.
    Busy,
    /// The node went away before it answered.
    Away,
    /// Something in the node itself.
    Internal,
}
