//! What lies at bridges because of us, so that it can be taken away again, after a crash too.
//!
//! A publication is persisted with its bytes before it is made. One whose receipt was lost in a crash is published again when it is still needed, and
//! also when it is to be taken back: publishing an equal record again is harmless, and only a receipt takes it away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use minicbor::{Decode, Encode};
use rand_core::RngCore;

use super::StepKind;
use super::index::IndexFor;
use super::io::{BridgeName, Output, PublicationId};
use super::{Engine, store};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::meet::slot::SlotId;
use crate::place::PlaceTag;
use crate::time::{Epoch, UnixMillis};

/// What a publication is for: what decides when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(super) enum Purpose {
    /// To an invite or by a pointer, by what names the contact.
    #[n(0)]
    Join(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// To whoever came with our invite, or knocked by our pointer, by what names that.
    #[n(1)]
    Welcome(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32], #[n(1)] AccountId),
    #[n(2)]
    Refusal(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// With its number.
    #[n(3)]
    Offer(#[n(0)] AccountId, #[n(1)] DeviceId, #[n(2)] u64),
    /// With the number of the offer.
    #[n(4)]
    Answer(#[n(0)] AccountId, #[n(1)] DeviceId, #[n(2)] u64),
    #[n(5)]
    Update(#[n(0)] AccountId),
    /// Of our own one-writer space.
    #[n(6)]
    Index(#[n(0)] PlaceTag),
    /// At a host's door, by the door's key, with the knock's number.
    #[n(7)]
    Knock(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32], #[n(1)] u64),
    /// To a guest's knock, by the name of the session that it led to.
    #[n(8)]
    Opened(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]),
    /// For a friend, with the blob's hash. It does not serve a meeting: it stays until it is taken back, or over.
    #[n(9)]
    Mail(#[n(0)] AccountId, #[cbor(n(1), with = "minicbor::bytes")] [u8; 32]),
    /// Of what lies in our own one-writer space for a first contact, by the invite's one-time key.
    #[n(10)]
    ContactIndex(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// The call of a code of ours, by the one-time key of the invite that it leads to.
    #[n(11)]
    Code(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// What is said of a wrong response to it, or that it is burnt.
    #[n(12)]
    CodeVerdict(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// Our response to somebody's call, by what names the contact that comes of it.
    #[n(13)]
    CodeResponse(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
}

impl Purpose {
    /// The friend whom it is to meet.
    pub(super) const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Welcome(_, account)
            | Self::Offer(account, ..)
            | Self::Answer(account, ..)
            | Self::Update(account) => Some(*account),
            Self::Join(_)
            | Self::Refusal(_)
            | Self::Index(_)
            | Self::ContactIndex(_)
            | Self::Code(_)
            | Self::CodeVerdict(_)
            | Self::CodeResponse(_)
            | Self::Knock(..)
            | Self::Opened(_)
            | Self::Mail(..) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Publication {
    #[n(0)]
    pub(super) bridge: BridgeName,
    #[cbor(n(1), with = "minicbor::bytes")]
    slot: [u8; 16],
    #[n(2)]
    not_after: UnixMillis,
    #[cbor(n(3), with = "minicbor::bytes")]
    bytes: Vec<u8>,
    #[n(4)]
    pub(super) purpose: Purpose,
    #[cbor(n(5), with = "minicbor::bytes")]
    receipt: Option<Vec<u8>>,
    /// It has served, and is to go.
    #[n(6)]
    pub(super) done: bool,
    /// The slot that readers look for, where that is not the one it lies under (a tray).
    #[cbor(n(7), with = "minicbor::bytes")]
    inner: Option<[u8; 16]>,
    #[cbor(skip)]
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Being published, or taken back: an answer is awaited.
    busy: bool,
    failures: u32,
    /// Whether it was made by this process: then a failure means that it is not there, and not only that it was not made again.
    fresh: bool,
    /// Whether it is known not to be there.
    absent: bool,
    /// Not to be tried again before this.
    not_before: Duration,
}

/// Everything of ours that lies somewhere.
#[derive(Debug, Default)]
pub(super) struct Publications {
    all: BTreeMap<PublicationId, Publication>,
    /// When what is done is taken back, in one batch a bridge.
    sweeps: BTreeMap<BridgeName, Duration>,
}

/// What is to be published.
pub(super) struct Draft {
    pub(super) bridge: BridgeName,
    /// Under which slot it lies.
    pub(super) slot: SlotId,
    /// Which slot it is for, where that is another.
    pub(super) inner: Option<SlotId>,
    pub(super) bytes: Vec<u8>,
    pub(super) purpose: Purpose,
}

/// How much mail is being published at one bridge at once: an offer does not wait for more than that.
const MAIL_AT_ONCE: usize = 2;

impl Publications {
    pub(super) fn restore(&mut self, id: PublicationId, publication: Publication) {
        self.all.insert(id, publication);
    }

    /// What lies at a bridge and has not served yet.
    pub(super) fn live<'a>(&'a self, bridge: &'a BridgeName) -> impl Iterator<Item = &'a Publication> {
        self.all.values().filter(move |publication| publication.bridge == *bridge && !publication.done)
    }

    /// Whether something of this purpose is there, as far as we know, with the index that shows it.
    pub(super) fn lies(&self, purpose: Purpose) -> bool {
        let Some(IndexFor::Contact(key)) = IndexFor::of(&purpose) else { return false };
        let mut there = self.all.values().filter(|it| !it.done);
        let of = |it: &Publication| it.purpose == purpose || it.purpose == Purpose::ContactIndex(key);
        there.clone().any(|it| it.purpose == purpose) && there.all(|it| !of(it) || it.receipt.is_some())
    }

    /// How many there are, of every sort.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What of the mail for a friend lies, or is to lie, where.
    pub(super) fn mail(&self) -> impl Iterator<Item = (&BridgeName, &AccountId, &[u8; 32])> {
        self.all.values().filter(|publication| !publication.done).filter_map(|publication| match &publication
            .purpose
        {
            Purpose::Mail(to, hash) => Some((&publication.bridge, to, hash)),
            _ => None,
        })
    }

    /// How much mail is being published at each bridge.
    fn mail_under_way(&self) -> BTreeMap<BridgeName, usize> {
        let mut counts = BTreeMap::new();
        for publication in self.all.values() {
            if publication.is_mail() && publication.state.busy && publication.receipt.is_none() {
                *counts.entry(publication.bridge.clone()).or_default() += 1;
            }
        }
        counts
    }

    pub(super) fn purposes(&self) -> impl Iterator<Item = Purpose> {
        self.all.values().filter(|publication| !publication.done).map(|publication| publication.purpose)
    }

    /// Where there is something that has served and is not gone yet.
    pub(super) fn being_taken_back(&self) -> impl Iterator<Item = &BridgeName> {
        self.all.values().filter(|publication| publication.done).map(|publication| &publication.bridge)
    }

    /// Where something of ours lies.
    pub(super) fn lying(&self) -> impl Iterator<Item = &BridgeName> {
        self.all
            .values()
            .filter(|publication| publication.receipt.is_some())
            .map(|publication| &publication.bridge)
    }

    /// Brings every batch forward.
    pub(super) fn sweep_now(&mut self, now: Duration) {
        self.sweeps.values_mut().for_each(|due| *due = now);
    }

    pub(super) fn next_due(&self, up: &impl Fn(&BridgeName) -> bool) -> Option<Duration> {
        let under_way = self.mail_under_way();
        let is_full = |bridge| under_way.get(bridge).is_some_and(|count| *count >= MAIL_AT_ONCE);
        let retries = self
            .all
            .values()
            .filter(|publication| {
                let needed = publication.receipt.is_none();
                let waits = publication.is_mail() && is_full(&publication.bridge);
                needed && !waits && !publication.state.busy && up(&publication.bridge)
            })
            .map(|publication| publication.state.not_before);
        let sweeps = self.sweeps.iter().filter(|(bridge, _)| up(bridge)).map(|(_, due)| *due);
        retries.chain(sweeps).min()
    }
}

impl Publication {
    /// The slot that readers look for.
    pub(super) fn looked_for(&self) -> SlotId {
        SlotId(self.inner.unwrap_or(self.slot))
    }

    const fn is_mail(&self) -> bool {
        matches!(self.purpose, Purpose::Mail(..))
    }
}

impl Engine {
    /// Publishes for a meeting of this moment, now or as soon as the bridge is up; persisted before.
    pub(super) fn publish(&mut self, draft: Draft) {
        self.publish_for(draft, Epoch::LENGTH);
    }

    /// The same for so long, rounded up to the end of a day.
    pub(super) fn publish_for(&mut self, draft: Draft, lifetime: Duration) {
        if self.publications.all.len() >= self.config.max_publications {
            return;
        }
        let one_writer = self.bridges.get(&draft.bridge).is_some_and(|bridge| bridge.profile.one_writer);
        let bridge = draft.bridge.clone();
        let readers = IndexFor::of(&draft.purpose);
        let id = PublicationId(self.rng.next_u64());
        let publication = Publication {
            bridge: draft.bridge,
            slot: draft.slot.0,
            not_after: end_of_day(self.time_now().after(lifetime)),
            bytes: draft.bytes,
            purpose: draft.purpose,
            receipt: None,
            done: false,
            inner: draft.inner.map(|slot| slot.0),
            state: State { fresh: true, ..State::default() },
        };
        self.out.put(store::publication(id), store::encode(&publication));
        let is_mail = publication.is_mail();
        self.publications.all.insert(id, publication);
        if is_mail {
            self.publish_waiting();
        } else {
            self.try_publication(id);
        }
        if let Some(readers) = readers.filter(|_| one_writer) {
            self.publish_index(&bridge, readers);
        }
    }

    /// Marks what has served; it goes with the next batch.
    pub(super) fn done(&mut self, which: impl Fn(&Purpose) -> bool) {
        self.done_where(|publication| which(&publication.purpose));
    }

    /// The same at one bridge alone.
    pub(super) fn done_at(&mut self, bridge: &BridgeName, which: impl Fn(&Purpose) -> bool) {
        self.done_where(|publication| publication.bridge == *bridge && which(&publication.purpose));
    }

    fn done_where(&mut self, which: impl Fn(&Publication) -> bool) {
        let now = self.now.mono;
        let mut indexes = BTreeSet::new();
        let mut absent = Vec::new();
        for (id, publication) in &mut self.publications.all {
            if publication.done || !which(publication) {
                continue;
            }
            publication.done = true;
            if publication.state.absent {
                absent.push(*id);
            }
            self.out.put(store::publication(*id), store::encode(publication));
            let due = now.saturating_add(self.config.retract_after);
            self.publications.sweeps.entry(publication.bridge.clone()).or_insert(due);
            let one_writer = |name| self.bridges.get(name).is_some_and(|bridge| bridge.profile.one_writer);
            if let Some(readers) =
                IndexFor::of(&publication.purpose).filter(|_| one_writer(&publication.bridge))
            {
                indexes.insert((publication.bridge.clone(), readers));
            }
        }
        for id in absent {
            self.drop_publication(id);
        }
        for (bridge, readers) in indexes {
            self.publish_index(&bridge, readers);
        }
    }

    pub(super) fn published(&mut self, id: PublicationId, receipt: Vec<u8>) {
        let Some(publication) = self.publications.all.get_mut(&id) else { return };
        publication.receipt = Some(receipt);
        publication.state = State::default();
        if publication.is_mail() {
            // The receipt takes it back; weeks of mail need not be held in memory.
            publication.bytes = Vec::new();
        }
        self.out.put(store::publication(id), store::encode(publication));
        if publication.done {
            let due = self.now.mono.saturating_add(self.config.retract_after);
            self.publications.sweeps.entry(publication.bridge.clone()).or_insert(due);
        }
        self.publish_waiting();
    }

    pub(super) fn publish_failed(&mut self, id: PublicationId, why: &str) {
        let now = self.now.mono;
        let Some(publication) = self.publications.all.get_mut(&id) else { return };
        publication.state.retry_later(now);
        publication.state.absent = publication.state.fresh;
        let gone = publication.done && publication.state.absent;
        let (purpose, bridge) = (publication.purpose, publication.bridge.clone());
        if let Some(account) = purpose.account() {
            self.note(account, StepKind::NotTaken, format!("{} did not take our record: {why}", bridge.0));
        }
        if gone {
            self.drop_publication(id);
        }
        self.publish_waiting();
    }

    pub(super) fn retracted(&mut self, ids: &[PublicationId]) {
        for id in ids {
            if self.publications.all.get(id).is_some_and(|publication| publication.done) {
                self.drop_publication(*id);
            }
        }
    }

    pub(super) fn retract_failed(&mut self, ids: &[PublicationId]) {
        let now = self.now.mono;
        for id in ids {
            let Some(publication) = self.publications.all.get_mut(id) else { continue };
            publication.state.retry_later(now);
            let due = publication.state.not_before;
            self.publications.sweeps.entry(publication.bridge.clone()).or_insert(due);
        }
    }

    /// A bridge came up: whatever waited for it goes on, and what was under way when it went down is done again.
    pub(super) fn publications_resume(&mut self, bridge: &BridgeName) {
        let of_bridge = |publication: &&mut Publication| publication.bridge == *bridge;
        let mut sweep = false;
        for publication in self.publications.all.values_mut().filter(of_bridge) {
            publication.state = State {
                not_before: self.now.mono,
                fresh: publication.state.fresh && !publication.state.busy,
                ..State::default()
            };
            sweep |= publication.done;
        }
        if sweep {
            let due = self.now.mono.saturating_add(self.config.retract_after);
            self.publications.sweeps.insert(bridge.clone(), due);
        }
    }

    /// Retries and sweeps whose time has come.
    pub(super) fn run_publications(&mut self) {
        let (now, time) = (self.now.mono, self.time_now());
        self.done_where(|publication| publication.is_mail() && publication.not_after <= time);
        self.publish_waiting();
        let due: Vec<_> = self
            .publications
            .sweeps
            .iter()
            .filter(|(bridge, due)| **due <= now && self.bridges.contains_key(*bridge))
            .map(|(bridge, _)| bridge.clone())
            .collect();
        for bridge in due {
            self.publications.sweeps.remove(&bridge);
            self.sweep(&bridge);
        }
    }

    /// Publishes what is due.
    fn publish_waiting(&mut self) {
        let now = self.now.mono;
        let pending: Vec<_> = self
            .publications
            .all
            .iter()
            .filter(|(_, publication)| {
                publication.receipt.is_none()
                    && !publication.state.busy
                    && publication.state.not_before <= now
            })
            .map(|(id, publication)| (*id, publication.is_mail().then(|| publication.bridge.clone())))
            .collect();
        let mut under_way = self.publications.mail_under_way();
        for (id, mail_at) in pending {
            if let Some(bridge) = mail_at {
                let count = under_way.entry(bridge).or_default();
                if *count >= MAIL_AT_ONCE {
                    continue;
                }
                *count += 1;
            }
            self.try_publication(id);
        }
    }

    fn try_publication(&mut self, id: PublicationId) {
        let time = self.time_now();
        let Some(publication) = self.publications.all.get_mut(&id) else { return };
        let Some(bridge) = self.bridges.get(&publication.bridge) else { return };
        let over = publication.not_after <= time;
        // Nothing to take back: it expires by itself, or the service cannot.
        if over || (publication.done && !bridge.profile.retracts) {
            return self.drop_publication(id);
        }
        // An offer that nobody asked for since the restart is not made again; it is cleaned up when its time is over.
        if let Purpose::Offer(account, ..) = publication.purpose
            && !publication.done
            && !self.wants.contains_key(&account)
            && !self.hails.hailed(&account)
        {
            publication.state.not_before = self.now.mono.saturating_add(Duration::from_secs(3600));
            return;
        }
        publication.state.busy = true;
        publication.state.absent = false;
        let output = Output::Publish {
            id,
            bridge: publication.bridge.clone(),
            slot: SlotId(publication.slot),
            not_after: publication.not_after,
            bytes: publication.bytes.clone(),
            custody: publication.is_mail(),
        };
        self.out.act(output);
    }

    fn sweep(&mut self, bridge: &BridgeName) {
        let retracts = self.bridges.get(bridge).is_some_and(|bridge| bridge.profile.retracts);
        let now = self.now.mono;
        let mut receipts = Vec::new();
        let mut gone = Vec::new();
        let mut later: Option<Duration> = None;
        for (id, publication) in &mut self.publications.all {
            if !publication.done || publication.bridge != *bridge || publication.state.busy {
                continue;
            }
            if publication.state.not_before > now {
                later = later.into_iter().chain([publication.state.not_before]).min();
                continue;
            }
            match &publication.receipt {
                Some(receipt) if retracts => {
                    receipts.push((*id, receipt.clone()));
                    publication.state.busy = true;
                }
                // Without a receipt it is published again first; see `try_publication`.
                None if retracts => {}
                _ => gone.push(*id),
            }
        }
        for id in gone {
            self.drop_publication(id);
        }
        if !receipts.is_empty() {
            self.out.act(Output::Retract { bridge: bridge.clone(), receipts });
        }
        if let Some(due) = later {
            self.publications.sweeps.entry(bridge.clone()).or_insert(due);
        }
    }

    /// Makes room for a new index of our own space: where it overwrites the old one, that one needs no taking back.
    pub(super) fn replace_index(&mut self, bridge: &BridgeName, index: Purpose, slot: SlotId) {
        let overwrites = self.bridges.get(bridge).is_some_and(|bridge| bridge.profile.overwrites);
        if !overwrites {
            return self.done_at(bridge, |purpose| *purpose == index);
        }
        let same = |publication: &Publication| {
            publication.bridge == *bridge && publication.purpose == index && publication.slot == slot.0
        };
        let old: Vec<_> = self
            .publications
            .all
            .iter()
            .filter(|(_, publication)| same(publication))
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            self.drop_publication(id);
        }
        self.done_at(bridge, |purpose| *purpose == index);
    }

    fn drop_publication(&mut self, id: PublicationId) {
        if self.publications.all.remove(&id).is_some() {
            self.out.delete(store::publication(id));
        }
    }
}

impl State {
    fn retry_later(&mut self, now: Duration) {
        self.busy = false;
        self.failures = self.failures.saturating_add(1);
        let wait = Duration::from_secs(30) * 2_u32.saturating_pow(self.failures.min(7));
        self.not_before = now.saturating_add(wait);
    }
}

/// The end of the day in which this moment lies: all that a record tells of its time.
fn end_of_day(moment: UnixMillis) -> UnixMillis {
    Epoch::of(moment).plus(1).begin()
}
