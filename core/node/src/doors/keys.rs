//! The doors' keys: one pair and one secret a friend, drawn once and kept as long as the friend has a door, since cards name them for weeks.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use wayside_noise::{Expectation, SessionId, StaticKey, Whom};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::mailbox::wire::HostEntry;

use crate::guests::entrance::{Entrances, nameless};
use crate::store::{SecretBytes, Store, StoreError};

/// What a door is made of.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Keys {
    /// X25519, for the guests of one friend alone: by it nobody can tell which device they are with, or that two friends have the same host.
    #[n(0)]
    pub(super) guest: Secret,
    /// What gate, psk and slots of its guests are derived from.
    #[n(1)]
    pub(super) secret: Secret,
}

impl Keys {
    /// The public key.
    pub(super) fn public(&self) -> [u8; 32] {
        StaticKey::from_bytes(*self.guest.expose()).public()
    }
}

/// What a first packet is recognised by, and what opens it, at a door with this secret.
fn standing(secret: &Secret) -> (Secret, Secret) {
    (derive(secret.expose(), "gate", &[]), derive(secret.expose(), "link psk", &[]))
}

/// How to dial there, once: each link has a session of its own.
pub(super) fn dialled(host: &HostEntry, session: [u8; 16]) -> Expectation {
    let (gate, psk) = standing(&host.secret);
    nameless(SessionId(session), Whom::Host(host.guest), &gate, &psk)
}

/// Doors that there are, by the friend whose guests come in.
#[derive(Default)]
pub(super) struct Doors {
    doors: BTreeMap<AccountId, Door>,
    /// Numbers them, so that who came in by an earlier door of a friend does not pass for a guest of the present one.
    last: u64,
    /// Guests that knocked and were answered, by the names of their sessions.
    awaited: BTreeMap<SessionId, AccountId>,
}

struct Door {
    number: u64,
    /// The public key of `keys`.
    guest: [u8; 32],
    keys: Keys,
}

impl Doors {
    /// The most doors.
    pub(super) const MOST: usize = 1_000;

    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let mut doors = Self::default();
        for (owner, bytes) in store.doors()? {
            // What cannot be read is made anew.
            if let Ok(keys) = minicbor::decode(&bytes) {
                doors.insert(owner, keys);
            }
        }
        Ok(doors)
    }

    pub(super) fn insert(&mut self, owner: AccountId, keys: Keys) {
        self.last += 1;
        self.doors.insert(owner, Door { number: self.last, guest: keys.public(), keys });
    }

    /// The name that links through it had.
    pub(super) fn remove(&mut self, owner: &AccountId) -> Option<SessionId> {
        self.awaited.retain(|_, of| of != owner);
        self.doors.remove(owner).map(|door| ENTRANCES.session(door.number))
    }

    /// What is to be drawn and what to be thrown away, so that these have a door and nobody else.
    pub(super) fn change(
        &self,
        owners: &BTreeSet<AccountId>,
        mut draw: impl FnMut() -> Secret,
    ) -> (Vec<(AccountId, Keys)>, Vec<AccountId>) {
        let gone: Vec<_> = self.doors.keys().filter(|owner| !owners.contains(owner)).copied().collect();
        let room = Self::MOST.saturating_sub(self.doors.len() - gone.len());
        let new = owners.iter().filter(|owner| !self.doors.contains_key(owner)).take(room);
        let fresh = new.map(|owner| (*owner, Keys { guest: draw(), secret: draw() }));
        (fresh.collect(), gone)
    }

    pub(super) fn of(&self, owner: &AccountId) -> Option<&Keys> {
        Some(&self.doors.get(owner)?.keys)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (AccountId, &Keys)> {
        self.doors.iter().map(|(owner, door)| (*owner, &door.keys))
    }

    /// Whose door has this public key.
    pub(super) fn owner_of_key(&self, guest: &[u8; 32]) -> Option<AccountId> {
        self.doors.iter().find_map(|(owner, door)| (door.guest == *guest).then_some(*owner))
    }

    /// By whose door a link came in.
    pub(super) fn owner_of(&self, name: SessionId) -> Option<AccountId> {
        let stands = || self.doors.iter().find(|(_, door)| ENTRANCES.session(door.number) == name);
        self.awaited.get(&name).copied().or_else(|| stands().map(|(owner, _)| *owner))
    }

    /// A guest knocked at the door with this public key: it is the friend's, and opens with this key. `None`: there is none any more.
    pub(super) fn awaits(&mut self, guest: &[u8; 32], name: SessionId) -> Option<StaticKey> {
        let owner = self.owner_of_key(guest)?;
        self.awaited.insert(name, owner);
        Some(StaticKey::from_bytes(*self.of(&owner)?.guest.expose()))
    }

    pub(super) fn awaits_no_longer(&mut self, name: SessionId) {
        self.awaited.remove(&name);
    }

    /// What the endpoint lets in at a friend's door, without a meeting.
    pub(super) fn expectation(&self, owner: &AccountId) -> Option<Expectation> {
        let door = self.doors.get(owner)?;
        let (gate, psk) = standing(&door.keys.secret);
        let whom = Whom::Guests(StaticKey::from_bytes(*door.keys.guest.expose()));
        Some(nameless(ENTRANCES.session(door.number), whom, &gate, &psk))
    }
}

/// How it is kept.
pub(super) fn bytes(keys: &Keys) -> SecretBytes {
    minicbor::to_vec(keys).unwrap_or_default().into()
}

/// What names the links that came in by a door.
const ENTRANCES: Entrances = Entrances(*b"door    ");

/// Whether this is the name that links have here which came in without a meeting, by whosever door that is or was.
pub(crate) fn stands_open(session: SessionId) -> bool {
    ENTRANCES.are_of(session)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::guests::entrance::draw;

    fn owners(numbers: &[u8]) -> BTreeSet<AccountId> {
        numbers.iter().map(|number| AccountId([*number; 32])).collect()
    }

    #[test]
    fn a_door_that_is_made_again_is_another_one() {
        let (mut doors, mut draw) = (Doors::default(), draw());
        let ann = AccountId([1; 32]);
        let (fresh, gone) = doors.change(&owners(&[1]), &mut draw);
        assert!(gone.is_empty());
        let first = fresh[0].1.clone();
        doors.insert(ann, first.clone());
        let name = doors.expectation(&ann).unwrap().session;
        assert_eq!(doors.owner_of(name), Some(ann));
        assert!(stands_open(name) && !stands_open(SessionId([7; 16])));
        let (fresh, gone) = doors.change(&owners(&[1]), &mut draw);
        assert!(fresh.is_empty() && gone.is_empty());
        let (fresh, gone) = doors.change(&owners(&[2]), &mut draw);
        assert_eq!((fresh[0].0, gone), (AccountId([2; 32]), vec![ann]));
        assert_eq!(doors.remove(&ann), Some(name));
        let (fresh, _) = doors.change(&owners(&[1]), &mut draw);
        assert!(fresh[0].1 != first);
        doors.insert(ann, fresh[0].1.clone());
        assert_eq!(doors.owner_of(name), None);
    }

    #[test]
    fn both_sides_derive_the_same() {
        let mut doors = Doors::default();
        let ann = AccountId([1; 32]);
        let keys = Keys { guest: Secret::new([1; 32]), secret: Secret::new([2; 32]) };
        let entry = HostEntry {
            guest: keys.public(),
            secret: keys.secret.clone(),
            name: String::new(),
            points: vec![],
            candidates: wayside_proto::place::Candidates::default(),
        };
        doors.insert(ann, keys);
        let (ours, theirs) = (doors.expectation(&ann).unwrap(), dialled(&entry, [3; 16]));
        assert_eq!(doors.owner_of_key(&entry.guest), Some(ann));
        assert_ne!(ours.session, theirs.session);
        assert!(
            matches!((ours.whom, theirs.whom), (Whom::Guests(key), Whom::Host(host)) if key.public() == host)
        );
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut doors = Doors::default();
        let many = (0..=u16::try_from(Doors::MOST).unwrap()).map(|number| {
            let mut name = [0; 32];
            name[..2].copy_from_slice(&number.to_be_bytes());
            AccountId(name)
        });
        let (fresh, _) = doors.change(&many.collect(), same());
        assert_eq!(fresh.len(), Doors::MOST);
        for (owner, keys) in fresh {
            doors.insert(owner, keys);
        }
        assert!(doors.change(&owners(&[255]), same()).0.len() == 1);
    }

    fn same() -> impl FnMut() -> Secret {
        || Secret::new([9; 32])
    }
}
