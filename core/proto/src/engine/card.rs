//! Our own card.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::places::Place;
use super::{Engine, store};
use crate::identity::{Card, CardError, DeviceEntry, Roster, Signed, Status};
use crate::place::{MeetingPoint, PlaceTag};
use crate::time::UnixMillis;

/// The roster and the status as they were last signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredCard {
    #[n(0)]
    pub(super) roster: Signed<Roster>,
    #[n(1)]
    pub(super) status: Option<Signed<Status>>,
}

/// With less than this left a roster is renewed: a friend that is away for a fortnight and a half still holds a valid one.
const RENEW: Duration = Duration::from_secs(10 * 86_400);

/// A place whose bridge has not been up for this long is not named any more.
const KEEP_PLACE: Duration = Duration::from_secs(7 * 86_400);

impl Engine {
    /// The card for friends, over the link.
    pub(super) fn full_card(&mut self) -> Option<Card> {
        let roster = self.current_roster();
        let status = self.current_status();
        Card::new(roster, vec![status]).ok()
    }

    /// The card for a first contact: it names these places and no others, so that it fits into a record. Its status has number 0, and the full one that
    /// comes over the link replaces it.
    pub(super) fn contact_card(&mut self, places: &[PlaceTag]) -> Option<Card> {
        let roster = self.current_roster();
        if places.is_empty() {
            return Card::new(roster, Vec::new()).ok()?.brief(&self.device_id);
        }
        let points = places.iter().filter_map(|tag| self.places.get(tag)?.points().next()).collect();
        let status = self.status(0, points).sign(&self.identity.device);
        Card::new(roster, vec![status]).ok()?.brief(&self.device_id)
    }

    /// The card for a file that is carried, which may take until then: this device's, with all its places.
    pub(super) fn carried_card(&mut self, until: UnixMillis) -> Option<Card> {
        let roster = self.roster_until(until);
        let status = self.current_status();
        Card::new(roster, vec![status]).ok()?.brief(&self.device_id)
    }

    /// The numbers of our roster and status, for friends to see whether their copy is old.
    pub(super) fn card_seqs(&mut self) -> (u64, u64) {
        self.full_card().map_or((0, 0), |card| {
            (card.roster().seq, card.status(&self.device_id).map_or(0, |status| status.seq))
        })
    }

    fn current_roster(&mut self) -> Signed<Roster> {
        self.roster_until(self.time_now())
    }

    /// One that is in force until then, as far as any can be.
    fn roster_until(&mut self, until: UnixMillis) -> Signed<Roster> {
        let time = self.time_now();
        let until = until.min(time.after(Roster::LIFETIME));
        let name = self.own_name();
        let before = self.card.as_ref().and_then(|card| {
            let roster = card.roster.verify().ok().filter(|roster| roster.account == self.me)?;
            Some((card.roster.clone(), roster))
        });
        if let Some((signed, roster)) = &before {
            // One that was signed in the future is from a clock that was wrong: friends would believe it to be in force for too long.
            let sound = roster.issued <= time.after(crate::time::Epoch::LENGTH)
                && roster.expires > time.after(RENEW)
                && roster.expires >= until
                && roster.name == name
                && roster.devices.iter().any(|entry| entry.keys == self.identity.device.public());
            if sound {
                return signed.clone();
            }
        }
        let own = DeviceEntry::new(&self.identity.device, &self.me);
        let mut devices: Vec<_> = before.iter().flat_map(|(_, roster)| roster.devices.clone()).collect();
        devices.retain(|entry| entry.keys != own.keys);
        devices.truncate(Roster::MOST - 1);
        devices.insert(0, own);
        let roster = Roster {
            account: self.me,
            seq: next_seq(before.as_ref().map(|(_, roster)| roster.seq), time),
            previous: before.as_ref().map(|(signed, _)| signed.hash()),
            issued: time,
            expires: time.after(Roster::LIFETIME),
            name,
            devices,
        }
        .sign(&self.identity.account);
        let status = self.card.take().and_then(|card| card.status);
        self.keep_card(StoredCard { roster: roster.clone(), status });
        roster
    }

    fn current_status(&mut self) -> Signed<Status> {
        let points = self.current_points();
        let before = self.card.as_ref().and_then(|card| card.status.clone());
        let keys = self.identity.device.public();
        let last = before.as_ref().and_then(|signed| signed.verify(&keys).ok());
        let seq = next_seq(last.as_ref().map(|status| status.seq), self.time_now());
        let wanted = self.status(seq, points);
        if let (Some(signed), Some(status)) = (&before, &last)
            && status.points == wanted.points
            && status.mailbox == wanted.mailbox
        {
            return signed.clone();
        }
        let signed = wanted.sign(&self.identity.device);
        if let Some(card) = self.card.take() {
            self.keep_card(StoredCard { roster: card.roster, status: Some(signed.clone()) });
        }
        signed
    }

    fn status(&self, seq: u64, points: Vec<MeetingPoint>) -> Status {
        let mailbox = if seq == 0 { None } else { self.mailbox.clone() };
        Status { device: self.device_id, seq, issued: self.time_now(), points, mailbox }.fitted()
    }

    fn current_points(&self) -> Vec<MeetingPoint> {
        let used = self.places.values().filter(|place| self.is_place_used(place));
        used.flat_map(|place| place.points().collect::<Vec<_>>()).take(Status::MOST).collect()
    }

    /// Whether a place is worth naming: its bridge is up, or was lately.
    pub(super) fn is_place_used(&self, place: &Place) -> bool {
        let mut up = self.bridges.values().filter_map(|bridge| bridge.place);
        up.any(|tag| tag == place.tag) || place.last_up.distance(self.time_now()) <= KEEP_PLACE
    }

    /// What we call ourselves, cut to what a roster allows.
    fn own_name(&self) -> String {
        let mut name: String =
            self.identity.name.chars().filter(|c| Roster::is_name(&c.to_string())).collect();
        while name.len() > Roster::MAX_NAME {
            name.pop();
        }
        if name.is_empty() { "nameless".to_owned() } else { name }
    }

    fn keep_card(&mut self, card: StoredCard) {
        self.out.put(store::CARD.to_owned(), store::encode(&card));
        self.card = Some(card);
    }

    /// Takes over what is newer in a friend's card.
    pub(super) fn merge_card(&mut self, card: &Card) -> Result<bool, CardError> {
        let account = card.account();
        let Some(friend) = self.book.friend_mut(&account) else { return Ok(false) };
        let changed = friend.stored.card.0.merge(card)?;
        if changed {
            let devices =
                friend.card().roster().devices.iter().map(|entry| entry.keys.id()).collect::<Vec<_>>();
            friend.stored.seen.retain(|device, _| devices.contains(device));
            self.keep_friend(&account);
            self.end_revoked_devices(&account, &devices);
            self.rewatch_friend(&account);
        }
        Ok(changed)
    }
}

/// The number of a new roster, status or pointer: the time in seconds, and in any case greater than the last. Somebody who lost what was stored still gets a
/// number that friends take for newer, and not one that they know already.
pub(super) fn next_seq(last: Option<u64>, time: UnixMillis) -> u64 {
    last.map_or(1, |last| last.saturating_add(1)).max(time.as_secs())
}
