//! What is looked for at bridges; what was found there is in [`found`].
//!
//! One table maps a slot to what it is for. Friends' offer slots are derived once a friend and epoch; everything else (joins, welcomes, answers,
//! updates) is registered by its owner. A bridge is told what to watch when that has changed, at the end of a call.

mod found;
mod knocks;

use std::collections::{BTreeMap, BTreeSet};

use super::io::{BridgeName, Output, SessionId, Space};
use super::{Engine, index};
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, DeviceId};
use crate::meet::slot::{self, SlotId};
use crate::place::{Locator, PlaceTag};
use crate::time::Epoch;

/// Whose a registered slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// Answers to our offer, by its number.
    Offer(AccountId, DeviceId, u64),
    /// A session's update.
    Session(SessionId),
    /// Welcomes to our join.
    Contact([u8; 32]),
    /// Joins for an invite of ours, knocks by a pointer.
    Opening([u8; 32]),
    /// Answers to our knock at a host's door, by its number.
    Knock([u8; 32], u64),
    /// Responses to the call of a code of ours.
    Code([u8; 32]),
    /// Calls by a code that was said to us, and what is said of our responses.
    Followed(u64),
}

/// A slot that was registered.
#[derive(Clone, Debug)]
pub(super) struct Special {
    pub(super) bridge: BridgeName,
    pub(super) space: Space,
    pub(super) siv: Secret,
    /// The place's tag, or what stands for it in a first contact.
    pub(super) tag: PlaceTag,
}

/// A slot in which a friend may leave an offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfferSlot {
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) tag: PlaceTag,
    pub(super) epoch: Epoch,
    index: u8,
    /// The position among the friend's pair secrets.
    pub(super) pair: [u8; 4],
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) bridge: BridgeName,
    pub(super) space: Space,
    pub(super) tag: PlaceTag,
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) epoch: Option<Epoch>,
    offers: BTreeMap<SlotId, OfferSlot>,
    of_friend: BTreeMap<(AccountId, Epoch), Vec<SlotId>>,
    by_tag: BTreeMap<PlaceTag, BTreeSet<SlotId>>,
    specials: BTreeMap<SlotId, (Owner, Special)>,
    of_owner: BTreeMap<Owner, Vec<SlotId>>,
    trays: BTreeMap<SlotId, PlaceTag>,
    knocks: knocks::KnockSlots,
    /// The shared places of ours that slots are derived for, and the kinds of one-writer space that we read. They only grow, so that a bridge that
    /// goes down and up again costs nothing.
    pub(super) tags: BTreeSet<PlaceTag>,
    kinds: BTreeSet<String>,
    pub(super) opened: BTreeMap<SlotId, Vec<[u8; 32]>>,
    pub(super) indexes: index::Indexes,
    sent: BTreeMap<BridgeName, BTreeMap<Space, BTreeSet<SlotId>>>,
    dirty: BTreeSet<BridgeName>,
    /// Where the next window begins, for bridges that watch few keys at once.
    rotation: usize,
}

impl Watch {
    pub(super) fn forget_bridge(&mut self, bridge: &BridgeName) {
        self.sent.remove(bridge);
        self.dirty.remove(bridge);
    }

    pub(super) fn is_cut(&self, bridge: &BridgeName, most: usize) -> bool {
        self.sent.get(bridge).is_some_and(|spaces| spaces.values().map(BTreeSet::len).sum::<usize>() >= most)
    }
}

impl Engine {
    /// Registers all slots of an owner, in place of those before.
    pub(super) fn expect_records(&mut self, owner: Owner, slots: Vec<(SlotId, Special)>) {
        self.unexpect_records(&owner);
        let mut ids = Vec::with_capacity(slots.len());
        for (id, special) in slots {
            self.watch.dirty.insert(special.bridge.clone());
            self.watch.specials.insert(id, (owner, special));
            ids.push(id);
        }
        self.watch.of_owner.insert(owner, ids);
    }

    pub(super) fn unexpect_records(&mut self, owner: &Owner) {
        for id in self.watch.of_owner.remove(owner).unwrap_or_default() {
            self.watch.opened.remove(&id);
            if let Some((_, special)) = self.watch.specials.remove(&id) {
                self.watch.dirty.insert(special.bridge);
            }
        }
    }

    /// The places changed: everything is derived anew.
    pub(super) fn rewatch_all(&mut self) {
        let epoch = self.epoch();
        self.watch.epoch = Some(epoch);
        self.watch.offers.clear();
        self.watch.of_friend.clear();
        self.watch.by_tag.clear();
        let accounts: Vec<_> = self.book.iter().map(super::Friend::account).collect();
        for account in accounts {
            for epoch in watched(epoch) {
                self.watch_friend(&account, epoch);
            }
        }
        self.rewatch_trays();
        self.rewatch_mail();
        self.rewatch_doors();
        self.all_dirty();
    }

    /// The day changed: what has left the window goes, what came into it is derived.
    pub(super) fn rewatch_epoch(&mut self) {
        let epoch = self.epoch();
        self.watch.epoch = Some(epoch);
        let window = watched(epoch);
        let old: Vec<_> =
            self.watch.of_friend.keys().filter(|(_, epoch)| !window.contains(epoch)).copied().collect();
        for key in old {
            self.unwatch_friend_epoch(key);
        }
        let accounts: Vec<_> = self.book.iter().map(super::Friend::account).collect();
        for account in accounts {
            for epoch in window
                .iter()
                .filter(|epoch| !self.watch.of_friend.contains_key(&(account, **epoch)))
                .copied()
                .collect::<Vec<_>>()
            {
                self.watch_friend(&account, epoch);
            }
        }
        self.rewatch_trays();
        self.rewatch_mail();
        self.rewatch_doors();
        self.rewatch_openings();
        self.rewatch_codes();
        self.watch.indexes.forget_but(&window);
        self.all_dirty();
    }

    /// A friend came, went or changed.
    pub(super) fn rewatch_friend(&mut self, account: &AccountId) {
        let known: Vec<_> = self.watch.of_friend.keys().filter(|(of, _)| of == account).copied().collect();
        for key in known {
            self.unwatch_friend_epoch(key);
        }
        for epoch in watched(self.epoch()) {
            self.watch_friend(account, epoch);
        }
        self.watch_mail_of(account);
        self.all_dirty();
    }

    fn watch_friend(&mut self, account: &AccountId, epoch: Epoch) {
        let Some(friend) = self.book.friend(account).filter(|friend| !friend.blocked()) else { return };
        let mut ids = Vec::new();
        for pair in &friend.stored.pairs {
            let Some(secret) = pair.secret.at(epoch) else { continue };
            for entry in &friend.card().roster().devices {
                let device = entry.keys.id();
                let theirs = self.one_writer_tags(friend, &device);
                for tag in self.watch.tags.iter().chain(&theirs) {
                    for index in 0..slot::OFFERS {
                        let id = slot::offer(&secret, *tag, &device, &self.device_id, index).id;
                        let found = OfferSlot {
                            account: *account,
                            device,
                            tag: *tag,
                            epoch,
                            index,
                            pair: short(&pair.id),
                        };
                        self.watch.offers.insert(id, found);
                        self.watch.by_tag.entry(*tag).or_default().insert(id);
                        ids.push(id);
                    }
                }
            }
        }
        self.watch.of_friend.insert((*account, epoch), ids);
    }

    fn unwatch_friend_epoch(&mut self, key: (AccountId, Epoch)) {
        for id in self.watch.of_friend.remove(&key).unwrap_or_default() {
            self.watch.opened.remove(&id);
            if let Some(found) = self.watch.offers.remove(&id)
                && let Some(of_tag) = self.watch.by_tag.get_mut(&found.tag)
            {
                of_tag.remove(&id);
            }
        }
    }

    fn rewatch_trays(&mut self) {
        self.watch.trays.clear();
        let window = watched(self.epoch());
        for bridge in
            self.bridges.values().filter(|bridge| !bridge.profile.lists && !bridge.profile.one_writer)
        {
            let Some(place) = bridge.place.and_then(|tag| self.places.get(&tag)) else { continue };
            for epoch in &window {
                for lane in 0..slot::LANES {
                    self.watch.trays.insert(slot::tray(&place.tray, place.tag, *epoch, lane), place.tag);
                }
            }
        }
    }

    /// The tags of a friend's one-writer spaces that a bridge of ours can read.
    fn one_writer_tags(&self, friend: &super::Friend, device: &DeviceId) -> BTreeSet<PlaceTag> {
        let points = friend.card().status(device).map(|status| status.points.as_slice()).unwrap_or_default();
        points
            .iter()
            .filter(|point| point.one_writer && self.watch.kinds.contains(point.locator.kind()))
            .map(|point| point.tag)
            .collect()
    }

    /// A bridge came up: what it is to watch is derived, if it was not before.
    pub(super) fn watch_bridge(&mut self, name: &BridgeName) {
        let Some(bridge) = self.bridges.get(name) else { return };
        let mut new = false;
        if bridge.profile.one_writer {
            for locator in &bridge.profile.locators {
                new |= self.watch.kinds.insert(locator.kind().to_owned());
            }
        } else if let Some(tag) = bridge.place {
            new = self.watch.tags.insert(tag);
        }
        if new {
            self.rewatch_all();
        } else {
            self.rewatch_trays();
        }
        self.dirty(name);
    }

    pub(super) fn all_dirty(&mut self) {
        self.watch.dirty.extend(self.bridges.keys().cloned());
    }

    pub(super) fn dirty(&mut self, bridge: &BridgeName) {
        self.watch.dirty.insert(bridge.clone());
    }

    /// Shows bridges that watch few keys the next part of what there is.
    pub(super) fn rotate(&mut self) {
        self.watch.rotation = self.watch.rotation.wrapping_add(1);
        let cut = |(name, bridge): &(&BridgeName, &super::places::Bridge)| {
            bridge.profile.max_keys.is_some_and(|most| self.watch.is_cut(name, most))
        };
        let names: Vec<_> = self.bridges.iter().filter(cut).map(|(name, _)| name.clone()).collect();
        self.watch.dirty.extend(names);
    }

    pub(super) fn watches_are_cut(&self) -> bool {
        self.bridges
            .iter()
            .any(|(name, bridge)| bridge.profile.max_keys.is_some_and(|most| self.watch.is_cut(name, most)))
    }

    /// Tells every bridge whose slots have changed.
    pub(super) fn tell_watches(&mut self) {
        for name in std::mem::take(&mut self.watch.dirty) {
            let Some(slots) = self.watched_at(&name) else { continue };
            let before = self.watch.sent.get(&name);
            if before.map_or(slots.is_empty(), |before| *before == slots) {
                continue;
            }
            self.watch.sent.insert(name.clone(), slots.clone());
            self.out.act(Output::Watch { bridge: name, slots });
        }
    }

    fn watched_at(&self, name: &BridgeName) -> Option<BTreeMap<Space, BTreeSet<SlotId>>> {
        let bridge = self.bridges.get(name)?;
        // What is awaited comes first, then what anybody may leave at any time.
        let mut first: BTreeSet<(Space, SlotId)> = BTreeSet::new();
        let mut then: BTreeSet<(Space, SlotId)> = BTreeSet::new();
        let here = self.watch.specials.iter().filter(|(_, (_, special))| special.bridge == *name);
        for (id, (owner, special)) in here {
            if self.watch.indexes.shows(name, &special.space, id) {
                // What a reply told of is there; what anybody may leave for an invite comes some day.
                let urgent = !matches!(owner, Owner::Opening(_)) || special.space != Space::Own;
                if urgent { &mut first } else { &mut then }.insert((special.space.clone(), *id));
            }
        }
        if bridge.profile.one_writer {
            let contacts = self.contact_indexes(name).into_iter();
            then.extend(contacts.map(|(locator, _, slot)| (Space::Of(locator), slot.id)));
            for (locator, tags) in self.friends_spaces(name) {
                let space = Space::Of(locator.clone());
                for (tag, tray) in tags {
                    let indexes =
                        watched(self.epoch()).into_iter().map(|epoch| slot::index(&tray, tag, epoch).id);
                    then.extend(indexes.map(|id| (space.clone(), id)));
                    let offers = self.watch.by_tag.get(&tag).into_iter().flatten();
                    first.extend(
                        offers
                            .filter(|id| self.watch.indexes.shows(name, &space, id))
                            .map(|id| (space.clone(), *id)),
                    );
                }
            }
        } else if let Some(place) = bridge.place.and_then(|tag| self.places.get(&tag)) {
            if bridge.profile.lists {
                let offers = self.watch.by_tag.get(&place.tag).into_iter().flatten();
                then.extend(offers.chain(self.mail.watched_at(place.tag)).map(|id| (Space::Own, *id)));
            } else {
                let trays = self.watch.trays.iter().filter(|(_, tag)| **tag == place.tag);
                first.extend(trays.map(|(id, _)| (Space::Own, *id)));
            }
            then.extend(self.watch.knocks.at(place.tag).map(|id| (Space::Own, id)));
        }
        let most = bridge.profile.max_keys.unwrap_or(usize::MAX);
        let room = most.saturating_sub(first.len());
        let begin = if then.len() > room {
            self.watch.rotation.wrapping_mul(room.max(1)) % then.len().max(1)
        } else {
            0
        };
        let mut slots: BTreeMap<Space, BTreeSet<SlotId>> = BTreeMap::new();
        let count = then.len().min(room);
        let chosen = first.into_iter().take(most).chain(then.iter().cycle().skip(begin).take(count).cloned());
        for (space, id) in chosen {
            slots.entry(space).or_default().insert(id);
        }
        Some(slots)
    }

    /// Friends' one-writer spaces that this bridge reads, with the tags and tray keys of those who say that they are met there.
    pub(super) fn friends_spaces(&self, name: &BridgeName) -> BTreeMap<Locator, BTreeMap<PlaceTag, Secret>> {
        let mut spaces: BTreeMap<Locator, BTreeMap<PlaceTag, Secret>> = BTreeMap::new();
        let Some(bridge) = self.bridges.get(name).filter(|bridge| bridge.profile.one_writer) else {
            return spaces;
        };
        for friend in self.book.iter().filter(|friend| !friend.blocked()) {
            for entry in &friend.card().roster().devices {
                let status = friend.card().status(&entry.keys.id());
                for point in status.into_iter().flat_map(|status| &status.points) {
                    let readable = point.one_writer
                        && bridge.profile.locators.iter().any(|own| own.kind() == point.locator.kind());
                    if readable {
                        spaces
                            .entry(point.locator.clone())
                            .or_default()
                            .insert(point.tag, point.tray.clone());
                    }
                }
            }
        }
        spaces
    }
}

/// Yesterday, today and tomorrow, each once.
fn watched(epoch: Epoch) -> BTreeSet<Epoch> {
    epoch.watched().into_iter().collect()
}

/// Enough of a pair secret's name to tell a friend's few apart.
fn short(id: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = *id;
    [a, b, c, d]
}

#[cfg(test)]
mod cost_tests;
