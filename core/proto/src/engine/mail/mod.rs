//! Mail that rides a bridge: a small blob for a friend who is away, left where both look, for days rather than for a meeting of this moment.
//!
//! Slots are derived from the mail root that the recipient gave this friend alone, so that nobody else can tell which records are for whom, or fill
//! the slots with what would have to be opened. What is left is a publication as any other and survives a restart; it goes when its sender hears
//! that the blob came ([`Engine::take_back_mail`]), or when its days are over.

mod came;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_core::RngCore;

use super::Engine;
use super::io::BridgeName;
use super::publications::{Draft, Purpose};
use crate::crypto::keys::AccountId;
use crate::crypto::{Secret, envelope};
use crate::mailbox::wire::BlobHash;
use crate::meet::slot;
use crate::place::PlaceTag;
use crate::time::Now;

pub(super) use came::Mail;

/// The longest blob that rides a bridge, in bytes: a few pages of text, and what a room does not mind. Larger ones wait for a host or a link.
pub const MOST_MAIL: usize = 16 * 1024;

/// The longest that mail lies at a bridge. Its reader looks so many days back.
pub(super) const LIFETIME: Duration = Duration::from_secs(DAYS as u64 * 86_400);
const DAYS: u32 = 7;

/// At how many places one blob is left at most.
const PLACES: usize = 2;

/// The most records of mail that lie anywhere because of us, and of those for one friend: they are held in memory until a service has them, and a meeting must find room.
const MOST_OUT: usize = 1024;
const MOST_OUT_FOR_ONE: usize = 256;

/// What mail between us and a friend is left under, each way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRoots {
    /// What the friend gave us: for what we leave.
    pub to: Secret,
    /// What we gave the friend: for what it leaves.
    pub from: Secret,
}

impl Engine {
    /// The roots of all friends with whom both ways are known, from now on. To be said at every start, before bridges are up if possible: a place is then listed once.
    pub fn set_mail_roots(&mut self, now: Now, roots: BTreeMap<AccountId, MailRoots>) {
        self.begin(now);
        let before = std::mem::replace(&mut self.mail.roots, roots);
        let accounts: BTreeSet<_> = before.keys().chain(self.mail.roots.keys()).copied().collect();
        let changed = |account: &AccountId| before.get(account) != self.mail.roots.get(account);
        for account in accounts.into_iter().filter(changed).collect::<Vec<_>>() {
            self.watch_mail_of(&account);
            self.all_dirty();
        }
        self.finish();
    }

    /// Leaves a blob for a friend at up to two places in common whose bridges are up and may carry mail. `hash` names it for [`Engine::take_back_mail`]; `lifetime` is cut to
    /// seven days. The same again adds nothing where it lies.
    ///
    /// Returns whether it lies somewhere now, or will once the bridge has it. `false`: no such place, no root, a blob of more than [`MOST_MAIL`] bytes or than the bridge
    /// takes, or too much mail lies out already.
    pub fn leave_mail(
        &mut self,
        now: Now,
        to: &AccountId,
        hash: [u8; 32],
        blob: &[u8],
        lifetime: Duration,
    ) -> bool {
        self.begin(now);
        let left = self.leave_blob(to, hash, blob, lifetime.min(LIFETIME));
        self.finish();
        left
    }

    /// Takes a blob back wherever it lies: it came, or is not to come any more.
    pub fn take_back_mail(&mut self, now: Now, hash: &[u8; 32]) {
        self.begin(now);
        self.done(|purpose| matches!(purpose, Purpose::Mail(_, of) if of == hash));
        self.finish();
    }

    /// What lies at bridges, or is to lie there, for whom, and is not being taken back.
    pub fn mail_out(&self) -> BTreeSet<(AccountId, BlobHash)> {
        self.publications.mail().map(|(_, to, hash)| (*to, BlobHash(*hash))).collect()
    }

    fn leave_blob(&mut self, to: &AccountId, hash: [u8; 32], blob: &[u8], lifetime: Duration) -> bool {
        let Some(root) = self.mail.roots.get(to).map(|roots| roots.to.clone()) else { return false };
        if blob.is_empty() || blob.len() > MOST_MAIL {
            return false;
        }
        let lies: BTreeSet<BridgeName> = self
            .publications
            .mail()
            .filter(|(_, friend, of)| (*friend, *of) == (to, &hash))
            .map(|(bridge, ..)| bridge.clone())
            .collect();
        let (mut all, mut for_one) = (0, 0);
        for (_, friend, _) in self.publications.mail() {
            all += 1;
            for_one += usize::from(friend == to);
        }
        let room = PLACES.saturating_sub(lies.len()).min(MOST_OUT.saturating_sub(all));
        let room = room.min(MOST_OUT_FOR_ONE.saturating_sub(for_one));
        let room = room.min(self.config.max_publications.saturating_sub(self.publications.len()));
        let mut places = self.places_for_mail(to, envelope::blob_record(blob.len()));
        places.retain(|(bridge, _)| !lies.contains(bridge));
        places.truncate(room);
        let left = !lies.is_empty() || !places.is_empty();
        for (bridge, tag) in places {
            let lane = u8::try_from(self.rng.next_u32() % u32::from(slot::MAIL_LANES)).unwrap_or_default();
            let slot = slot::mail(&root, tag, self.epoch(), lane);
            let bytes = envelope::seal_blob(&slot.siv, blob);
            let purpose = Purpose::Mail(*to, hash);
            self.publish_for(Draft { bridge, slot: slot.id, inner: None, bytes, purpose }, lifetime);
        }
        left
    }

    /// Bridges that are up and take a record of mail of so many bytes to a place where this friend looks, with what the friend calls it; the quickest first.
    fn places_for_mail(&self, to: &AccountId, record: usize) -> Vec<(BridgeName, PlaceTag)> {
        let Some(friend) = self.book.friend(to).filter(|friend| !friend.blocked()) else { return Vec::new() };
        let card = friend.card();
        let statuses = card.roster().devices.iter().filter_map(|entry| card.status(&entry.keys.id()));
        let points: Vec<_> =
            statuses.flat_map(|status| &status.points).filter(|point| !point.one_writer).collect();
        let mut places: Vec<_> = self
            .bridges
            .iter()
            .filter(|(_, bridge)| bridge.profile.carries_mail(record))
            .filter_map(|(name, bridge)| {
                let point = points.iter().find(|point| bridge.profile.reaches(&point.locator))?;
                Some((bridge.profile.latency, name.clone(), point.tag))
            })
            .collect();
        places.sort();
        places.into_iter().map(|(_, name, tag)| (name, tag)).collect()
    }
}

impl super::io::BridgeProfile {
    /// Whether mail in a record of so many bytes may lie there.
    fn carries_mail(&self, record: usize) -> bool {
        self.lists && !self.one_writer && self.custody.is_some_and(|most| record <= most)
    }
}
