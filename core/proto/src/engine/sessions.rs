//! Sessions: the links that meetings are to become. Which of several survives.

mod standing;
mod updates;

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::io::{Event, Output, Session, SessionId};
use super::relays::Relays;
use super::watch::Owner;
use super::{Engine, StepKind, store};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::{Secret, derive};
use crate::place::{Candidates, PlaceTag};
use crate::reach::{NatReport, Reach};
use crate::time::{Epoch, UnixMillis};

/// A session from the moment its secrets exist. Persisted until its link is up or it is over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Live {
    #[n(0)]
    pub(super) account: AccountId,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) peer: [u8; 32],
    /// `M`.
    #[n(2)]
    meeting: Secret,
    /// `K_e` of the epoch that the meeting was in.
    #[n(3)]
    pair_secret: Secret,
    /// Which of the friend's pair secrets that is from.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(super) pair: [u8; 32],
    #[n(5)]
    pub(super) epoch: Epoch,
    /// Whether we dial: we offered or joined.
    #[n(6)]
    pub(super) client: bool,
    /// The offer's number; zero for a first contact.
    #[n(7)]
    pub(super) no: u64,
    /// The peer's.
    #[n(8)]
    candidates: Candidates,
    #[n(9)]
    pub(super) expires: UnixMillis,
    /// Where an update would be left, and looked for.
    #[n(10)]
    pub(super) via: Option<Via>,
    /// What we told the peer; an update is made when it has changed, once.
    #[n(11)]
    told: Candidates,
    #[n(12)]
    updated: bool,
    /// What the peer said of its NAT.
    #[n(13)]
    nat: NatReport,
    /// What we said of ours.
    #[n(14)]
    told_nat: NatReport,
    /// Over what else the meeting went: where the peer may have read our word, and so leave its update.
    #[n(15)]
    elsewhere: Option<Vec<Via>>,
    /// `None` in a session of an earlier version.
    #[n(16)]
    pub(super) relays: Option<Relays>,
    /// Both sides have its secrets long before both are there: it is tried again and again.
    #[n(17)]
    #[cbor(default)]
    pub(super) standing: bool,
    /// One that stands and goes on after its link, as long as the two find each other in no other way.
    #[n(18)]
    #[cbor(default)]
    again: bool,
    /// By the monotonic clock, as the next ones.
    #[cbor(skip)]
    pub(super) deadline: Duration,
    /// When its secrets came to be, here.
    #[cbor(skip)]
    begun: Duration,
    /// When this run took it up again: the other side may have seen its link come and go before.
    #[cbor(skip)]
    pub(super) resumed: Option<Duration>,
    /// An update waits so long, since better is about to be known.
    #[cbor(skip)]
    update_from: Duration,
    /// Until when a try of one that stands is under way.
    #[cbor(skip)]
    tried: Duration,
    /// Since when its link is up.
    #[cbor(skip)]
    pub(super) up: Option<Duration>,
    /// Whether anything came over its link yet.
    #[cbor(skip)]
    used: bool,
    #[cbor(skip)]
    shown: Option<Session>,
}

/// Over what a meeting went.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Via {
    #[n(0)]
    pub(super) bridge: super::io::BridgeName,
    #[n(1)]
    pub(super) tag: PlaceTag,
    /// In whose space the peer's records are found; `None`: our bridge's own place.
    #[n(2)]
    pub(super) theirs: Option<crate::place::Locator>,
}

/// What a finished handshake gives.
pub(super) struct Met {
    pub(super) account: AccountId,
    pub(super) peer: [u8; 32],
    pub(super) meeting: Secret,
    pub(super) pair_secret: Secret,
    pub(super) pair: [u8; 32],
    pub(super) epoch: Epoch,
    pub(super) client: bool,
    pub(super) no: u64,
    /// What the peer said of how it is reached.
    pub(super) reach: Reach,
    /// What we said of ourselves.
    pub(super) told: Reach,
    /// Relays that we and the peer named.
    pub(super) relays: Relays,
    pub(super) lifetime: Duration,
    pub(super) via: Option<Via>,
}

/// The most sessions of one account at once: both sides' offers, and a first contact.
const MOST_OF_ACCOUNT: usize = 4;

/// How long a session that would be preferred may still come up after another one has.
const GRACE: Duration = Duration::from_secs(10);

/// How long after our answer was read the link should be there, where it comes at all: a handful of round trips.
const DIALLED: Duration = Duration::from_secs(5);

/// How long it may take to ask those whom a welcome named how we are seen from outside. There is one update a side: it waits for the answer, and no longer.
const MEASURED: Duration = Duration::from_secs(5);

/// How long it takes two sides that know of each other to get through, guessing included.
const TRAVERSED: Duration = Duration::from_secs(30);

/// Places beyond the first that one meeting went over.
const MOST_ELSEWHERE: usize = 4;

impl Live {
    pub(super) fn id(&self) -> SessionId {
        SessionId(*derive(self.meeting.expose(), "session", &[]).expose())
    }

    fn session(&self) -> Session {
        let both = [&self.pair_secret.expose()[..], &self.meeting.expose()[..]].concat();
        Session {
            id: self.id(),
            account: self.account,
            peer: self.peer,
            gate: derive(self.meeting.expose(), "gate", &[]),
            psk: derive(zeroize::Zeroizing::new(both).as_slice(), "link psk", &[]),
        }
    }

    pub(super) const fn shown(&self) -> Option<&Session> {
        self.shown.as_ref()
    }

    /// How the peer is reached.
    fn reach(&self) -> Reach {
        Reach { candidates: self.candidates.clone(), nat: self.nat.clone() }
    }

    fn told(&self, reach: &Reach) -> bool {
        self.told == reach.candidates && self.told_nat == reach.nat
    }

    /// Everything that the meeting went over.
    fn ways(&self) -> impl Iterator<Item = &Via> {
        self.via.iter().chain(self.elsewhere.iter().flatten())
    }
}

impl Engine {
    /// A handshake is finished: the link is dialled or expected.
    pub(super) fn begin_session(&mut self, met: Met) -> SessionId {
        self.begin_one(met, false)
    }

    fn begin_one(&mut self, met: Met, standing: bool) -> SessionId {
        let live = Live {
            account: met.account,
            peer: met.peer,
            meeting: met.meeting,
            pair_secret: met.pair_secret,
            pair: met.pair,
            epoch: met.epoch,
            client: met.client,
            no: met.no,
            candidates: met.reach.candidates,
            expires: self.time_now().after(met.lifetime),
            via: met.via,
            told: met.told.candidates,
            updated: false,
            nat: met.reach.nat,
            told_nat: met.told.nat,
            elsewhere: None,
            relays: Some(met.relays),
            standing,
            again: false,
            deadline: self.now.mono.saturating_add(met.lifetime),
            begun: self.now.mono,
            resumed: None,
            update_from: self.now.mono,
            tried: Duration::ZERO,
            up: None,
            used: false,
            shown: None,
        };
        let id = live.id();
        if self.sessions.contains_key(&id) {
            return id;
        }
        // The oldest attempt gives way, and one that stands before one that is under way.
        let of_account = |live: &&Live| live.account == met.account && live.up.is_none() && !live.again;
        if self.sessions.values().filter(of_account).count() >= MOST_OF_ACCOUNT {
            let oldest = self
                .sessions
                .values()
                .filter(of_account)
                .min_by_key(|live| (!live.standing, live.deadline))
                .map(Live::id);
            if let Some(oldest) = oldest {
                self.end_session(oldest);
            }
        }
        self.out.put(store::session(&id.0), store::encode(&live));
        self.launch(live);
        self.out.event(Event::Meeting { account: met.account });
        id
    }

    /// Dials or expects; after a restart too.
    pub(super) fn launch(&mut self, mut live: Live) {
        let session = live.session();
        let id = session.id;
        live.shown = Some(session.clone());
        let (reach, relays, latency) = (live.reach(), self.relays_of(&live), self.leg_of(&live));
        let patience = self.patience_of_try(&live);
        live.tried = self.now.mono.saturating_add(patience);
        self.out.act(if live.client {
            Output::Dial { session, reach, relays, latency, patience }
        } else {
            Output::Expect { session, reach, relays, latency }
        });
        self.sessions.insert(id, live);
        self.expect_update(id);
    }

    /// For how long a link is dialled after a meeting over this bridge: there is time for what we say anew to get there, and for what that leads to.
    pub(super) fn dial_patience(&self, bridge: &super::BridgeName) -> Duration {
        let updated = MEASURED + self.latency(bridge).saturating_mul(2) + TRAVERSED;
        self.config.dial_patience.max(updated)
    }

    /// About how long word takes between the two sides of a session, for whoever asks for the other.
    fn leg_of(&self, live: &Live) -> Duration {
        live.ways().map(|via| self.leg(&via.bridge)).max().unwrap_or_default()
    }

    /// The same, for what is given up after it: a second at least.
    fn latency_of(&self, live: &Live) -> Duration {
        live.ways().map(|via| self.latency(&via.bridge)).max().unwrap_or_default()
    }

    /// Our answer to the offer of this number (0: our welcome) goes over something else too: that is where its update may come.
    pub(super) fn meets_elsewhere(&mut self, account: &AccountId, no: u64, via: Via) {
        let of_meeting =
            |live: &&mut Live| live.account == *account && live.no == no && !live.client && live.up.is_none();
        let mut ids = Vec::new();
        for live in self.sessions.values_mut().filter(of_meeting) {
            let known = live.ways().any(|known| (&known.bridge, known.tag) == (&via.bridge, via.tag));
            let elsewhere = live.elsewhere.get_or_insert_default();
            if !known && elsewhere.len() < MOST_ELSEWHERE {
                elsewhere.push(via.clone());
                self.out.put(store::session(&live.id().0), store::encode(live));
                ids.push(live.id());
            }
        }
        for id in ids {
            self.expect_update(id);
        }
    }

    pub(super) fn link_up(&mut self, id: SessionId) {
        if self.door_linked(id) {
            return;
        }
        let Some(live) = self.sessions.get_mut(&id) else {
            // It was given up here while the other side's last packet was under way; the other side must not go on believing in it.
            return self.out.act(Output::CloseLink { session: id, reason: "given up" });
        };
        let (account, peer, epoch, pair, via) =
            (live.account, live.peer, live.epoch, live.pair, live.via.clone());
        let first = live.up.is_none();
        live.up = Some(self.now.mono);
        if !live.again {
            self.out.delete(store::session(&id.0));
        }
        self.unexpect_records(&Owner::Session(id));
        let device = self
            .book
            .friend(&account)
            .and_then(|friend| friend.card().roster().device_by_noise(&peer).map(|entry| entry.keys.id()));
        let Some(device) = device.filter(|_| !self.blocked(&account)) else {
            self.out.act(Output::CloseLink { session: id, reason: "not a friend" });
            return self.forget_session(id);
        };
        if !first {
            return;
        }
        if let Some(old) = self.book.friend(&account).and_then(super::Friend::link).filter(|old| *old != id) {
            if self.outlives(&old, &id) {
                self.out.act(Output::CloseLink { session: id, reason: "another link survives" });
                return self.leave_session(id);
            }
            self.out.act(Output::CloseLink { session: old, reason: "another link survives" });
            self.leave_session(old);
        }
        if let Some(friend) = self.book.friend_mut(&account) {
            friend.link = Some(id);
        }
        self.out.event(Event::LinkUp { account, session: id });
        let over = via.map_or(String::new(), |via| format!(" by way of {}", via.bridge.0));
        self.note(account, StepKind::Linked, format!("linked{over}"));
        self.proven(&account, &device, &pair, epoch, true);
        self.supersede_sessions(&account, id);
        self.stand_on(&account, id);
        self.contact_linked(&account);
        self.meeting_over(&account);
    }

    /// Something came over the link with this account.
    pub(super) fn link_used(&mut self, account: AccountId) {
        let link = self.book.friend(&account).and_then(super::Friend::link);
        let Some(live) = link.and_then(|id| self.sessions.get_mut(&id)) else { return };
        if !std::mem::replace(&mut live.used, true) {
            self.note(
                account,
                StepKind::FirstData,
                "the first data came over the link: the friend's card".to_owned(),
            );
            self.out.event(Event::LinkUsed { account });
        }
    }

    pub(super) fn link_down(&mut self, id: SessionId) {
        let Some(account) = self.sessions.get(&id).map(|live| live.account) else { return };
        self.leave_session(id);
        self.unexpect_records(&Owner::Session(id));
        let current = self.book.friend(&account).and_then(super::Friend::link) == Some(id);
        if !current {
            return;
        }
        if let Some(friend) = self.book.friend_mut(&account) {
            friend.link = None;
        }
        self.note(account, StepKind::LinkGone, "the link is gone".to_owned());
        self.out.event(Event::LinkDown { account });
        self.want_again(&account);
        self.stand_again(&account);
        self.hail(&account);
    }

    pub(super) fn dial_failed(&mut self, id: SessionId, why: &str) {
        if self.knock_failed(id) {
            return;
        }
        let Some(live) = self.sessions.get(&id).filter(|live| live.up.is_none()) else { return };
        let account = live.account;
        if !live.standing {
            self.end_session(id);
        }
        self.note(account, StepKind::DialFailed, format!("dialling came to nothing: {why}"));
        self.meeting_failed(&account, why);
    }

    /// Gives a session up that never came up.
    pub(super) fn end_session(&mut self, id: SessionId) {
        if self.sessions.contains_key(&id) {
            self.forget_session(id);
            self.out.delete(store::session(&id.0));
            self.unexpect_records(&Owner::Session(id));
        }
    }

    /// A session is over, whether its link was up or not. Its gate stays open until then, so that a peer that crashed before it had written down that
    /// the link was up can still dial; no longer, since an endpoint has only so many.
    fn forget_session(&mut self, id: SessionId) {
        if let Some(live) = self.sessions.remove(&id) {
            self.out.act(Output::Forget(id));
            if live.again {
                self.out.delete(store::session(&id.0));
            }
        }
    }

    /// The link of a session is gone, or is given up for another one.
    fn leave_session(&mut self, id: SessionId) {
        match self.sessions.get_mut(&id).filter(|live| live.again) {
            Some(live) => {
                live.rest();
                self.out.act(Output::Forget(id));
            }
            None => self.forget_session(id),
        }
    }

    /// Ends all sessions of an account without closing links.
    pub(super) fn end_pending_sessions(&mut self, account: &AccountId, which: impl Fn(&Live) -> bool) {
        let of_account = |live: &&Live| live.account == *account && live.up.is_none() && which(live);
        let ids: Vec<_> = self.sessions.values().filter(of_account).map(Live::id).collect();
        for id in ids {
            self.end_session(id);
        }
    }

    /// Ends all that has to do with an account, its links too.
    pub(super) fn cut(&mut self, account: &AccountId, reason: &'static str) {
        self.end_pending_sessions(account, |_| true);
        let up = self.sessions.values().filter(|live| live.account == *account).map(Live::id);
        for id in up.collect::<Vec<_>>() {
            self.forget_session(id);
        }
        if let Some(friend) = self.book.friend_mut(account) {
            friend.link = None;
        }
        self.out.act(Output::Close { account: *account, reason });
    }

    pub(super) fn end_revoked_devices(&mut self, account: &AccountId, devices: &[DeviceId]) {
        let Some(friend) = self.book.friend(account) else { return };
        let keys: Vec<_> = friend.card().roster().devices.iter().map(|entry| entry.keys.noise).collect();
        let linked = friend.link();
        self.end_pending_sessions(account, |live| !keys.contains(&live.peer));
        let revoked =
            linked.filter(|id| self.sessions.get(id).is_some_and(|live| !keys.contains(&live.peer)));
        if let Some(id) = revoked {
            self.out.act(Output::CloseLink { session: id, reason: "this device was revoked" });
            self.link_down(id);
        }
        self.drop_meetings(account, |device| !devices.contains(device));
    }

    /// Whether a session of this account is under way and not up yet.
    pub(super) fn pending_session(&self, account: &AccountId) -> Option<&Live> {
        let under_way = |live: &&Live| live.account == *account && live.up.is_none() && !live.standing;
        self.sessions.values().filter(under_way).max_by_key(|live| live.deadline)
    }

    /// Until when a link of this account may come out of what is under way. Where we dial, for as long as we do; where we answered, until the other side
    /// must have read the answer and dialled: its offer may be of somebody who has gone since, and then an offer of our own is what helps. So does it where
    /// somebody here waits, and we dial once more after a restart: the other side may have had the link of it.
    pub(super) fn patience_for_sessions(&self, account: &AccountId, asked: bool) -> Option<Duration> {
        let pending = self.sessions.values().filter(|live| live.account == *account && live.up.is_none());
        let patience = |live: &Live| {
            let resumed = live.resumed.filter(|_| asked);
            if live.client && !live.standing && resumed.is_none() {
                return live.deadline;
            }
            resumed
                .unwrap_or(live.begun)
                .saturating_add(self.latency_of(live).saturating_mul(2))
                .saturating_add(DIALLED)
                .min(live.deadline)
        };
        pending.map(patience).max()
    }

    pub(super) fn run_sessions(&mut self) {
        let now = self.now.mono;
        let over: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, live)| live.up.is_none() && live.deadline <= now)
            .map(|(id, live)| (*id, live.account, live.standing))
            .collect();
        for (id, account, standing) in over {
            self.end_session(id);
            // Nobody has waited for it.
            if standing {
                continue;
            }
            let linked = self.book.friend(&account).is_some_and(|friend| friend.link().is_some());
            if linked && self.pending_session(&account).is_none() {
                // What was said for it serves nobody any more.
                self.done(|purpose| purpose.account() == Some(account));
            } else if !linked {
                self.note(account, StepKind::NoLink, "no link came".to_owned());
                self.meeting_failed(&account, "no link came");
            }
        }
    }

    /// Whether `old`, which is up, survives `new`, which came up now. Two whose secrets were made before either was up are one meeting's, and both
    /// sides decide alike: the link whose client has the smaller key. One that was made later shows that the peer has lost the old link.
    fn outlives(&self, old: &SessionId, new: &SessionId) -> bool {
        let (Some(old), Some(new)) = (self.sessions.get(old), self.sessions.get(new)) else { return false };
        let raced = old.up.is_some_and(|since| new.begun < since);
        raced && self.preferred(old, new)
    }

    fn preferred(&self, first: &Live, second: &Live) -> bool {
        let own = self.identity.device.public().noise;
        let client = |live: &Live| if live.client { own } else { live.peer };
        match client(first).cmp(&client(second)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => first.no > second.no,
        }
    }

    /// With this session up, those that would lose against it are given up; those that would win get a moment.
    fn supersede_sessions(&mut self, account: &AccountId, id: SessionId) {
        let Some(up) = self.sessions.get(&id).cloned() else { return };
        let pending = |live: &&Live| live.account == *account && live.up.is_none() && !live.again;
        let (losing, winning): (Vec<_>, Vec<_>) = self
            .sessions
            .values()
            .filter(pending)
            .map(|live| (live.id(), self.preferred(&up, live)))
            .partition(|(_, loses)| *loses);
        for (id, _) in losing {
            self.end_session(id);
        }
        let until = self.now.mono.saturating_add(GRACE);
        for (id, _) in winning {
            if let Some(live) = self.sessions.get_mut(&id) {
                live.deadline = live.deadline.min(until);
            }
        }
    }
}
