//! What goes into the engine and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::crypto::keys::{AccountId, DeviceId, NoiseKey};
use crate::crypto::{Secret, derive};
use crate::meet::slot::SlotId;
use crate::message::Refusal;
use crate::place::Locator;
use crate::reach::{Reach, Reflector};
use crate::time::UnixMillis;

/// What the user calls a configured bridge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BridgeName(#[n(0)] pub String);

/// What the engine needs to know of a bridge that works right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeProfile {
    /// The places that it reaches, the preferred first.
    pub locators: Vec<Locator>,
    /// Whether records are found by listing the place; otherwise one must know the slot.
    pub lists: bool,
    /// Whether only its owner writes in the place.
    pub one_writer: bool,
    /// Whether a later record under a slot replaces the earlier.
    pub overwrites: bool,
    /// Whether what was published can be taken back.
    pub retracts: bool,
    /// The largest record for a meeting, in bytes.
    pub max_record: usize,
    /// The most slots that can be watched at once, where that is bounded.
    pub max_keys: Option<usize>,
    /// About how long a record takes from one side to the other.
    pub latency: Duration,
    /// The largest record of mail, in bytes, where its user lets mail lie there, and it is found by listing, stands beside others and can be taken back.
    pub custody: Option<usize>,
    /// Whether a record is there only while its writer's machine is, on a network that both share: friends who may be there are greeted when it comes up.
    pub present: bool,
}

/// Whose place is meant: the one the bridge was configured for, or a friend's one-writer space that it can read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The place that the bridge was configured for.
    Own,
    /// A friend's one-writer space of the same kind.
    Of(Locator),
}

/// A record as a bridge found it; hostile until proved otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Under which slot.
    pub slot: SlotId,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// Names a publication, across restarts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicationId(#[n(0)] pub u64);

/// Names a session: one gate, one psk, one peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A bridge works (again), or its profile changed.
    BridgeUp {
        /// Which.
        bridge: BridgeName,
        /// What it can do.
        profile: BridgeProfile,
    },
    /// A bridge stopped working or was removed.
    BridgeDown {
        /// Which.
        bridge: BridgeName,
    },
    /// Records were found.
    Records {
        /// By which bridge.
        bridge: BridgeName,
        /// In whose place.
        space: Space,
        /// In any order, any number of times.
        records: Vec<Found>,
    },
    /// A publication is there.
    Published {
        /// Which.
        id: PublicationId,
        /// What takes it back.
        receipt: Vec<u8>,
    },
    /// A publication did not happen, after the bridge's own retries.
    PublishFailed {
        /// Which.
        id: PublicationId,
        /// One sentence.
        why: String,
    },
    /// These publications are gone.
    Retracted {
        /// Which.
        ids: Vec<PublicationId>,
    },
    /// Taking back failed; the engine tries again later.
    RetractFailed {
        /// Which.
        ids: Vec<PublicationId>,
    },
    /// A service told its clock.
    ServiceTime {
        /// Which bridge's.
        bridge: BridgeName,
        /// What it said.
        time: UnixMillis,
    },
    /// How we are reached, all that holds now.
    Reach(Reach),
    /// Which relays we can use, all that hold now, the best first: the first eight are kept, and three of them named to whomever we meet. To be said at
    /// every start before [`Input::Reach`], also where there are none: what is told anew of the one may have to be told of the other.
    Relays(Vec<DeviceId>),
    /// Who may be named to newcomers in our welcomes, so that they learn how they are seen from outside: the best first; a welcome has room for
    /// [`Reflector::MOST`] at most.
    Reflectors(Vec<Reflector>),
    /// Whoever a welcome named ([`Output::Reflectors`]) was asked, and what came of it was said before ([`Input::Reach`]), if anything.
    Measured {
        /// Whose welcome it was.
        session: SessionId,
    },
    /// A link of this session is up and both sides have proved their keys.
    LinkUp {
        /// Which session.
        session: SessionId,
    },
    /// The link that was up for this session is gone.
    LinkDown {
        /// Which session.
        session: SessionId,
    },
    /// Dialling came to nothing.
    DialFailed {
        /// Which session.
        session: SessionId,
        /// One sentence.
        why: String,
    },
    /// A friend's card came over the live link with it.
    Card {
        /// Whose link it came over.
        account: AccountId,
        /// The card's bytes.
        bytes: Vec<u8>,
    },
}

/// What is to be done outside, **in this order**: nothing after a [`Output::Persist`] may be done before it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be made durable (fsync), all or nothing, before anything that comes after it.
    Persist(Vec<Change>),
    /// To be published; answered by [`Input::Published`] or [`Input::PublishFailed`].
    Publish {
        /// Its name.
        id: PublicationId,
        /// Over which bridge, in its own place.
        bridge: BridgeName,
        /// Under which slot.
        slot: SlotId,
        /// When anybody may delete it, rounded up to a day.
        not_after: UnixMillis,
        /// Sealed.
        bytes: Vec<u8>,
        /// Whether it is mail, which is larger and is kept for days, and not for a meeting of this moment.
        custody: bool,
    },
    /// Mail from a friend, left at a place that both share: the same content once a run at most. Its sender takes it back when it is told that it came.
    Mail {
        /// The friend, as whoever knows the secret that it was given for this.
        account: AccountId,
        /// As it was handed to [`Engine::leave_mail`](super::Engine::leave_mail).
        blob: Vec<u8>,
    },
    /// To be taken back in one go; answered by [`Input::Retracted`] or [`Input::RetractFailed`].
    Retract {
        /// Over which bridge.
        bridge: BridgeName,
        /// Which, with what takes them back.
        receipts: Vec<(PublicationId, Vec<u8>)>,
    },
    /// All that is to be watched at a bridge from now on; replaces what was said before. Empty: nothing.
    Watch {
        /// Which bridge.
        bridge: BridgeName,
        /// Slots by space.
        slots: BTreeMap<Space, BTreeSet<SlotId>>,
    },
    /// To be let in when it knocks, until [`Output::Forget`]; and probes are to be sent to it, so that its packets come through. It dials; it is not
    /// dialled.
    Expect {
        /// Whom, under which secrets.
        session: Session,
        /// How it is reached, as it said.
        reach: Reach,
        /// Relays that both can use, the best first; the other side has the same in the same order as soon as it knows what we said.
        relays: Vec<DeviceId>,
        /// About how long our word takes to it: it does not begin before.
        latency: Duration,
    },
    /// To be dialled.
    Dial {
        /// Whom, under which secrets.
        session: Session,
        /// How it is reached, as it said.
        reach: Reach,
        /// Relays that both can use, as in [`Output::Expect`].
        relays: Vec<DeviceId>,
        /// About how long word takes between the two: it began so long ago, and hears of a change so much later.
        latency: Duration,
        /// For how long at most.
        patience: Duration,
    },
    /// A guest of ours knocked and was answered: it is to be let in, until [`Output::Forget`], and probes are to be sent to it. It dials.
    ExpectGuest {
        /// At which door, under which secrets.
        session: DoorSession,
        /// How the guest is reached, as it said: nobody knows who that is, so that its ports are not guessed at.
        reach: Reach,
        /// About how long our word takes to it.
        latency: Duration,
    },
    /// A host answered our knock: it is to be dialled as its guest.
    DialHost {
        /// Whose door, under which secrets.
        session: DoorSession,
        /// How the host is reached, as it said.
        reach: Reach,
        /// About how long word takes between the two.
        latency: Duration,
        /// For how long at most.
        patience: Duration,
    },
    /// The peer of a session that is under way said anew how it is reached; what it said before holds no more. Or we did, and other relays are in common
    /// now; then the rest is as it was.
    MoreCandidates {
        /// Which session.
        session: SessionId,
        /// How it is reached.
        reach: Reach,
        /// Relays that both can use now, as in [`Output::Expect`].
        relays: Vec<DeviceId>,
        /// About how long its word was under way.
        latency: Duration,
    },
    /// A welcome named these: they are to be asked how we are seen from outside, and then [`Input::Measured`] is due, after [`Input::Reach`] if that
    /// has changed. Comes after the session's [`Output::Dial`].
    Reflectors {
        /// The session that the welcome began.
        session: SessionId,
        /// Whom to ask, the best first.
        reflectors: Vec<Reflector>,
    },
    /// A session is over: its gate is to be closed and its dials given up. A link that is up stays up, unless another output closes it.
    Forget(SessionId),
    /// The link of this session is to be closed, and only it: another one with the same account survives. Not followed by [`Input::LinkDown`].
    CloseLink {
        /// Which.
        session: SessionId,
        /// Said to the peer.
        reason: &'static str,
    },
    /// It is to be found out now whether the other end of this link still answers; if not, the link is to be closed, and [`Input::LinkDown`] follows.
    CheckLink {
        /// Whose link.
        session: SessionId,
    },
    /// Every link with this account is to be closed (blocked, removed). Not followed by [`Input::LinkDown`].
    Close {
        /// Whose.
        account: AccountId,
        /// Said to the peer.
        reason: &'static str,
    },
    /// Something a person or an application may want to know.
    Event(Event),
}

/// One key of the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name: UTF-8, `area/…`.
    pub key: String,
    /// Its new value; nothing deletes it. May hold secrets.
    pub value: Option<Vec<u8>>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("key", &self.key)
            .field("len", &self.value.as_ref().map(Vec::len))
            .finish()
    }
}

/// Whom to link with, and under which secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name, the same on both sides: derived from the meeting's secret.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// The device's X25519 key.
    pub peer: [u8; 32],
    /// `γ`: what a first packet is recognised by.
    pub gate: Secret,
    /// The link handshake's psk.
    pub psk: Secret,
}

/// What a knock at a door has come to: under which secrets guest and host link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorSession {
    /// Its name, the same on both sides: derived from the handshake's secret.
    pub id: SessionId,
    /// The door's public key.
    pub guest: [u8; 32],
    /// `γ`: what a first packet is recognised by.
    pub gate: Secret,
    /// The link handshake's psk.
    pub psk: Secret,
}

/// A door of ours: friends of one friend, whom we need not know, knock there.
#[derive(Clone, Debug)]
pub struct Door {
    /// What guests know it by; for the guests of this one friend alone.
    pub key: NoiseKey,
    /// What else they know of it.
    pub secret: Secret,
}

impl Session {
    /// The name under which both sides ask this relay for a circuit to each other: the relay pairs the two who name the same. It tells the relay nothing, and
    /// at another relay, or in another meeting, it is another.
    pub fn circuit(&self, relay: &DeviceId) -> [u8; 16] {
        *derive(self.gate.expose(), "circuit", &[&relay.0]).expose()
    }
}

/// Something a person or an application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A friendship was made.
    FriendAdded {
        /// With whom.
        account: AccountId,
        /// What the friend is called here.
        name: String,
        /// Whether we invited.
        invited: bool,
    },
    /// Somebody knocked by a pointer of ours: see [`Engine::waiting_knocks`](super::Engine::waiting_knocks).
    Knocked {
        /// How it is named.
        id: super::KnockId,
    },
    /// An invite that we accepted does not work, or nobody answered a knock of ours by a pointer.
    InviteRefused {
        /// What its [`ContactId`](super::ContactId) holds.
        invite: [u8; 32],
        /// Why.
        why: Refusal,
    },
    /// Somebody came with an invite that another used already, or that has ended.
    JoinRefused {
        /// The invite's one-time key.
        invite: [u8; 32],
        /// Why.
        why: Refusal,
    },
    /// Somebody tried a code of ours with wrong words.
    CodeGuessed {
        /// Which.
        code: [u8; 32],
        /// How many guesses are left; with none it is burnt.
        left: u8,
    },
    /// Somebody said the right words of a code of ours.
    CodeAnswered {
        /// Which.
        code: [u8; 32],
    },
    /// Something was said of a code that was said to us: see [`Engine::heard`](super::Engine::heard).
    CodeRefused,
    /// A friend came to meet us or we it: a link is being made.
    Meeting {
        /// Whom.
        account: AccountId,
    },
    /// A meeting came to nothing for now; it is tried again then.
    MeetingFailed {
        /// With whom.
        account: AccountId,
        /// One sentence.
        why: String,
        /// When it is tried again, if anybody still wants it.
        retry: Option<Duration>,
    },
    /// The link with a friend is up.
    LinkUp {
        /// Whose.
        account: AccountId,
        /// Which session.
        session: SessionId,
    },
    /// The first data came over the link with a friend.
    LinkUsed {
        /// Whose.
        account: AccountId,
    },
    /// The link with a friend is gone.
    LinkDown {
        /// Whose.
        account: AccountId,
    },
    /// What a friend allows us, or its card, changed.
    FriendChanged {
        /// Whose.
        account: AccountId,
    },
    /// The local clock is wrong by this much, as services and friends tell it.
    ClockWrong {
        /// How far it is off.
        by: Duration,
        /// Whether it is ahead.
        ahead: bool,
    },
    /// Something happened that should not, and no harm was done: a fork of a roster, a replay, a forged welcome.
    Suspicious {
        /// With whom, where it is known.
        account: Option<AccountId>,
        /// One sentence.
        what: String,
    },
}
