//! Mail that friends left for us: where it is looked for, and what opens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::Engine;
use super::super::io::{BridgeName, Found, Output, Space};
use super::{DAYS, MOST_MAIL, MailRoots};
use crate::crypto::keys::AccountId;
use crate::crypto::{envelope, sha256};
use crate::meet::slot::{self, SlotId};
use crate::place::PlaceTag;
use crate::time::Epoch;

/// The most records that are taken from one slot in one run, counted after they opened: a friend who floods is bounded, and junk does not count.
const MOST_OF_SLOT: usize = 256;

/// Of how many blobs it is remembered that they came: one that lies at two places comes once.
const REMEMBERED: usize = 4096;

/// Whom mail comes from, and where it is looked for.
#[derive(Debug, Default)]
pub(in crate::engine) struct Mail {
    pub(super) roots: BTreeMap<AccountId, MailRoots>,
    slots: BTreeMap<SlotId, MailSlot>,
    of_friend: BTreeMap<AccountId, Vec<SlotId>>,
    by_tag: BTreeMap<PlaceTag, BTreeSet<SlotId>>,
    came: BTreeSet<[u8; 32]>,
    /// The same, the oldest first.
    order: VecDeque<[u8; 32]>,
}

/// A slot in which a friend may leave mail.
#[derive(Clone, Copy, Debug)]
struct MailSlot {
    account: AccountId,
    tag: PlaceTag,
    epoch: Epoch,
    lane: u8,
}

impl Mail {
    /// Whether mail is looked for in this slot.
    pub(in crate::engine) fn is_watched(&self, id: &SlotId) -> bool {
        self.slots.contains_key(id)
    }

    /// All slots that are watched at a place.
    pub(in crate::engine) fn watched_at(&self, tag: PlaceTag) -> impl Iterator<Item = &SlotId> {
        self.by_tag.get(&tag).into_iter().flatten()
    }

    fn insert(&mut self, id: SlotId, of: MailSlot) {
        self.slots.insert(id, of);
        self.by_tag.entry(of.tag).or_default().insert(id);
    }

    fn remove(&mut self, id: &SlotId) {
        if let Some(of) = self.slots.remove(id)
            && let Some(at) = self.by_tag.get_mut(&of.tag)
        {
            at.remove(id);
        }
    }

    /// Whether a blob came for the first time in this run, as far as that is remembered.
    fn is_news(&mut self, blob: &[u8]) -> bool {
        let hash = sha256(&[blob]);
        if !self.came.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.came.remove(&oldest);
        }
        true
    }
}

impl Engine {
    /// The day or the places changed.
    pub(in crate::engine) fn rewatch_mail(&mut self) {
        let accounts: BTreeSet<_> =
            self.mail.roots.keys().chain(self.mail.of_friend.keys()).copied().collect();
        for account in accounts {
            self.watch_mail_of(&account);
        }
    }

    /// A friend came, went or changed, or its root did. What was opened in slots that stay is still known.
    pub(in crate::engine) fn watch_mail_of(&mut self, account: &AccountId) {
        let before = self.mail.of_friend.remove(account).unwrap_or_default();
        let ids = self.derive_mail_of(account);
        for id in before {
            if !ids.iter().any(|(kept, _)| *kept == id) {
                self.mail.remove(&id);
                self.watch.opened.remove(&id);
            }
        }
        if ids.is_empty() {
            return;
        }
        self.mail.of_friend.insert(*account, ids.iter().map(|(id, _)| *id).collect());
        for (id, of) in ids {
            self.mail.insert(id, of);
        }
    }

    fn derive_mail_of(&self, account: &AccountId) -> Vec<(SlotId, MailSlot)> {
        let known = self.book.friend(account).is_some_and(|friend| !friend.blocked());
        let Some(roots) = self.mail.roots.get(account).filter(|_| known) else { return Vec::new() };
        let today = self.epoch();
        let mut ids = Vec::new();
        for tag in &self.watch.tags {
            for epoch in (today.minus(DAYS).0..=today.plus(1).0).map(Epoch) {
                for lane in 0..slot::MAIL_LANES {
                    let of = MailSlot { account: *account, tag: *tag, epoch, lane };
                    ids.push((slot::mail(&roots.from, *tag, epoch, lane).id, of));
                }
            }
        }
        ids
    }

    /// Something lies in a slot for mail.
    pub(in crate::engine) fn found_mail(&mut self, bridge: &BridgeName, space: &Space, record: &Found) {
        let Some(of) = self.mail.slots.get(&record.slot).copied() else { return };
        if *space != Space::Own || !self.is_place(bridge, of.tag) {
            return;
        }
        let Some(roots) = self.mail.roots.get(&of.account) else { return };
        let siv = slot::mail(&roots.from, of.tag, of.epoch, of.lane).siv;
        let open = |bytes: &[u8]| envelope::open_blob(&siv, bytes, MOST_MAIL);
        let Some(blob) = self.open_once(record.slot, &record.bytes, MOST_OF_SLOT, open) else { return };
        if self.mail.is_news(&blob) {
            self.out.act(Output::Mail { account: of.account, blob });
        }
    }
}
