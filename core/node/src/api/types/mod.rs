//! What the local API says, as JSON. The command prints these same objects with `--json`.
//!
//! Times are RFC 3339 in UTC with milliseconds; durations carry their unit in the field's name.

mod bridges;
mod codes;
mod community;
mod config;
mod errors;
mod events;
mod introductions;
mod invites;
mod mailbox;
mod messages;
mod pointers;
mod reach;
mod relay;
mod rendezvous;
mod tokens;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::doctor::{
    BridgeFigure, ExaminationLine, Examine, Family, Figures, FilteringKind, Finding, FriendFigure, Ipv6Kind,
    Known, PeerNetwork, Reachable, Report, Topic, Verdict, Way,
};

pub use bridges::{AddBridge, BridgeView, CaseView, KindOption, KindView, SentenceView};
pub use codes::{AcceptCode, CodeState, CodeView, NewCode};
pub use community::{
    AskToMeet, ChangeCommunity, CommunityView, EncounterState, EncounterView, ListState, RoomBot,
};
pub use config::{ConfigOption, ConfigSource};
pub use errors::{ApiError, ErrorCode};
pub use events::NodeEvent;
pub use introductions::{
    AcceptRequest, Introduce, IntroducedAnswer, IntroducedView, IntroductionState, IntroductionView,
    RequestKind, RequestState, RequestView,
};
pub use invites::OpenInvite;
pub use mailbox::{ChangeMailbox, KeptView, MailboxHostView, MailboxLimits, MailboxView};
pub use messages::{InboxFileView, InboxView, MarkRead, MessageState, OutgoingView, Send, SendFile, Sent};
pub use pointers::{
    Comparison, FetchPointer, FoundPointer, PlacePointers, PlacedPointer, PointView, PointerView,
    PublishPointer, SourceView, WithdrawnPointer,
};
pub use reach::{AddressKind, AddressView, AnswersKind, MappingKind, PortmapState, PortmapView, ReachView};
pub use relay::{ChangeRelay, RelayLimits, RelayOfferView, RelayState, RelayView, RelayedView};
pub use rendezvous::RendezvousView;
pub use tokens::{MadeToken, NewToken, Scope, TokenView};

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

/// `POST /v1/invites`, and `POST /v1/invites/file` for one that goes in a file
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
    /// The link, or what is to stand in the file: a secret for whom it is meant.
    pub invite: String,
    /// When it ends.
    pub expires: Time,
    /// Whether whoever accepts it has a line to send back: we alone write in the places that it names, or it names none.
    #[serde(default)]
    pub replies: bool,
}

impl fmt::Debug for InviteView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteView").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// `POST /v1/accept`, and `POST /v1/accept/reply` for an invite file that is to be answered by a reply
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// The link, what stands in an invite file, or somebody's card, by which one knocks. For a preview also where a card is to be fetched from, as in [`FetchPointer::source`].
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
    /// Those of one's own bridges that reach one of them, or read it where the inviter alone writes there.
    pub bridges: Vec<String>,
    /// Whether a line has to be sent back: the inviter alone writes in the places that are reached.
    #[serde(default)]
    pub replies: bool,
    /// When it ends; not known of a source.
    pub expires: Option<Time>,
    /// What it says, where it is a card.
    pub pointer: Option<FoundPointer>,
    /// Where a card is to be fetched from, where it is that: `POST /v1/pointers/fetch` does.
    pub source: Option<SourceView>,
    /// Who made it, where it is an invite file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FileMaker>,
}

/// Who made an invite file, as the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMaker {
    /// What they call themselves.
    pub name: String,
    /// Their account.
    pub account: String,
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
    /// What the inviter has to be sent, for `POST /v1/complete`: until then nothing happens there. With `pending` where it alone writes in the invite's places; with
    /// `done` where an invite file was accepted by a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

/// `POST /v1/complete`: somebody accepted an invite of ours, in whose places we alone write or which went in a file, and sent this back. Answered as [`Accept`] is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// The line that begins with `wayside-reply:`. The space that it names, if it does, is read from then on.
    pub reply: String,
    /// How long to wait for whoever sent it.
    pub wait_ms: u64,
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
    /// The drop that this node serves to everybody, where it is configured and the node is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendezvous: Option<RendezvousView>,
    /// Where the local API is served over TCP, `ADDRESS:PORT`, where it is configured and the node is up.
    #[serde(default)]
    pub api: Option<String>,
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
