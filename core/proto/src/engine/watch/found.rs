//! What was found at bridges: whom it is for, and whether it opens.

use super::super::io::{BridgeName, Found, Space};
use super::super::meeting::Arrived;
use super::{Arrival, Engine, Owner, short};
use crate::crypto::{envelope, sha256};
use crate::meet::slot::{self, SlotId};
use crate::place::PlaceTag;

/// The most records that are taken from one slot, counted after they opened: junk does not count and evicts nothing.
const MOST_OF_SLOT: usize = 8;

/// The same for a join slot, which many may use: with its lanes and days that bounds what somebody who holds the link, or knows the pointer, can make us
/// compute.
const MOST_OF_JOIN_SLOT: usize = 64;

/// The same in the last of a day's slots for offers, which is used again and again by somebody who starts anew very often.
const MOST_OF_LAST_SLOT: usize = 1024;

impl Engine {
    /// Records came from a bridge.
    pub(in crate::engine) fn found(&mut self, bridge: &BridgeName, space: &Space, records: Vec<Found>) {
        if !self.bridges.contains_key(bridge) {
            return;
        }
        for record in records {
            if self.found_index(bridge, space, &record) {
                continue;
            }
            match self.watch.trays.get(&record.slot).copied() {
                Some(tag) if *space == Space::Own && self.is_place(bridge, tag) => {
                    if let Some((inner, sealed)) = envelope::split_tray(&record.bytes) {
                        self.found_offer(bridge, space, SlotId(inner), sealed, true);
                    }
                }
                Some(_) => {}
                None if self.watch.specials.contains_key(&record.slot) => {
                    self.found_special(bridge, space, &record);
                }
                None if self.mail.is_watched(&record.slot) => self.found_mail(bridge, space, &record),
                None if self.found_knock(bridge, space, &record) => {}
                None => self.found_offer(bridge, space, record.slot, &record.bytes, false),
            }
        }
    }

    fn found_special(&mut self, bridge: &BridgeName, space: &Space, record: &Found) {
        let Some((owner, special)) = self.watch.specials.get(&record.slot) else { return };
        if special.bridge != *bridge || special.space != *space {
            return;
        }
        let (owner, special) = (*owner, special.clone());
        let most = if matches!(owner, Owner::Opening(_)) { MOST_OF_JOIN_SLOT } else { MOST_OF_SLOT };
        let Some(message) =
            self.open_once(record.slot, &record.bytes, most, |bytes| envelope::open(&special.siv, bytes))
        else {
            return;
        };
        let arrival = Arrival { bridge: bridge.clone(), space: space.clone(), tag: special.tag };
        match owner {
            Owner::Opening(id) => self.found_join(&id, &arrival, record.slot, &message),
            Owner::Contact(key) => self.found_welcome(&key, &arrival, &message),
            Owner::Offer(account, device, no) => self.found_answer(&account, &device, no, &arrival, &message),
            Owner::Session(id) => self.found_update(id, &message),
            Owner::Code(id) => self.found_response(&id, &arrival, record.slot, &message),
            Owner::Followed(id) => self.found_for_code(id, &arrival, record.slot, &message),
            Owner::Knock(guest, no) => self.found_opened(&guest, no, &arrival, &message),
        }
    }

    fn found_offer(&mut self, bridge: &BridgeName, space: &Space, id: SlotId, sealed: &[u8], in_tray: bool) {
        let Some(found) = self.watch.offers.get(&id).copied() else { return };
        let right_place = match space {
            Space::Own => self.is_place(bridge, found.tag),
            Space::Of(locator) => {
                self.friends_spaces(bridge).get(locator).is_some_and(|tags| tags.contains_key(&found.tag))
            }
        };
        let pair = self
            .book
            .friend(&found.account)
            .and_then(|friend| friend.stored.pairs.iter().find(|pair| short(&pair.id) == found.pair));
        let secret =
            pair.filter(|_| right_place).and_then(|pair| Some((pair.id, pair.secret.at(found.epoch)?)));
        let Some((pair, secret)) = secret else { return };
        let siv = slot::offer(&secret, found.tag, &found.device, &self.device_id, found.index).siv;
        let open = |bytes: &[u8]| {
            if in_tray { envelope::open_from_tray(&siv, bytes) } else { envelope::open(&siv, bytes) }
        };
        let most = if found.index + 1 == slot::OFFERS { MOST_OF_LAST_SLOT } else { MOST_OF_SLOT };
        if let Some(message) = self.open_once(id, sealed, most, open) {
            let arrival = Arrival { bridge: bridge.clone(), space: space.clone(), tag: found.tag };
            self.offer_arrived(Arrived {
                account: found.account,
                device: found.device,
                epoch: found.epoch,
                pair,
                secret,
                arrival,
                message,
            });
        }
    }

    /// The message of a record that was not seen in this slot before.
    pub(in crate::engine) fn open_once(
        &mut self,
        id: SlotId,
        bytes: &[u8],
        most: usize,
        open: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let hash = sha256(&[bytes]);
        let seen = self.watch.opened.get(&id);
        if seen.is_some_and(|seen| seen.contains(&hash) || seen.len() >= most) {
            return None;
        }
        let message = open(bytes)?;
        self.watch.opened.entry(id).or_default().push(hash);
        Some(message)
    }

    pub(in crate::engine) fn is_place(&self, bridge: &BridgeName, tag: PlaceTag) -> bool {
        self.bridges.get(bridge).is_some_and(|bridge| !bridge.profile.one_writer && bridge.place == Some(tag))
    }
}
