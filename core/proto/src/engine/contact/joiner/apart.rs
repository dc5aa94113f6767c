//! An invite whose maker alone writes in its places: the join lies in a space of our own, or is handed over, and a line tells the maker.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::super::super::Engine;
use super::super::super::io::{BridgeName, Space};
use super::super::super::publications::Purpose;
use super::super::super::sessions::Via;
use super::super::super::watch::Arrival;
use super::super::terms::Terms;
use super::{State, StoredContact};
use crate::crypto::Secret;
use crate::invite::Invite;
use crate::meet::slot::{self, Slot};
use crate::place::{Locator, PlaceTag};
use crate::reply::{Joined, Reply};

/// From where such an invite is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Apart {
    /// At which of its points the welcome is looked for.
    #[n(0)]
    point: u8,
    /// Our own space, in which the join lies; without one it goes from hand to hand.
    #[n(1)]
    space: Option<Locator>,
}

impl Engine {
    /// Which of the inviter's spaces we read, and from where we answer, with the tag of that space.
    pub(super) fn way_apart(&self, terms: &Terms) -> Option<(Apart, Option<PlaceTag>)> {
        let read = |(tag, locator): (PlaceTag, Locator)| {
            self.reader_of(&locator, &BridgeName(String::new())).map(|_| (tag.point(), locator))
        };
        let (point, locator) = terms.own_places().into_iter().find_map(read)?;
        let (place, space) = match self.own_space(locator.kind()) {
            Some((_, tag, space)) => (Some(tag), Some(space)),
            None => (None, None),
        };
        Some((Apart { point, space }, place))
    }

    /// The bridges that read an invite's places, where nothing of it is reached that several write in.
    pub(in crate::engine) fn readers_for(&self, invite: &Invite) -> Vec<BridgeName> {
        let terms = Terms::Invite(invite.clone());
        if terms.shared_places().iter().any(|(_, point)| self.bridge_at(point).is_some()) {
            return Vec::new();
        }
        let spaces = terms.own_places().into_iter();
        let nobody = BridgeName(String::new());
        let readers: BTreeSet<_> = spaces.filter_map(|(_, space)| self.reader_of(&space, &nobody)).collect();
        readers.into_iter().collect()
    }

    /// Where the join lies today.
    pub(super) fn own_place_of_join(
        &self,
        contact: &StoredContact,
        apart: &Apart,
    ) -> Option<(BridgeName, Slot)> {
        let space = apart.space.as_ref()?;
        let slot = slot::own_join(contact.terms.secret()?, PlaceTag::of_space(space), contact.day);
        Some((self.writer_of(space)?, slot))
    }

    /// Where the welcome is looked for.
    pub(super) fn space_of_welcome(
        &self,
        contact: &StoredContact,
        apart: &Apart,
    ) -> Option<(PlaceTag, BridgeName, Space)> {
        let mut places = contact.terms.own_places().into_iter();
        let (tag, locator) = places.find(|(tag, _)| tag.point() == apart.point)?;
        let rather = apart.space.as_ref().and_then(|space| self.writer_of(space));
        let reader = self.reader_of(&locator, &rather.unwrap_or(BridgeName(String::new())))?;
        Some((tag, reader, Space::Of(locator)))
    }

    /// Over what the two have met, once the welcome was read there.
    pub(super) fn via_of_welcome(&self, apart: &Option<Apart>, arrival: &Arrival) -> Via {
        let writer = apart.as_ref().and_then(|apart| self.writer_of(apart.space.as_ref()?));
        let theirs = match &arrival.space {
            Space::Own => None,
            Space::Of(locator) => Some(locator.clone()),
        };
        Via { bridge: writer.unwrap_or_else(|| arrival.bridge.clone()), tag: arrival.tag, theirs }
    }

    /// The others' spaces in which welcomes are awaited: by which bridge each is read, and what its index follows from.
    pub(in super::super) fn spaces_of_joins(&self) -> Vec<(BridgeName, Locator, Secret<16>)> {
        let pending = self.contacts.values().filter(|contact| contact.state == State::Pending);
        let awaited = pending.filter_map(|contact| {
            let (_, reader, space) = self.space_of_welcome(contact, contact.apart.as_ref()?)?;
            let Space::Of(locator) = space else { return None };
            Some((reader, locator, contact.terms.secret()?.clone()))
        });
        awaited.collect()
    }

    /// In which space of ours the join to somebody's invite lies, and what the index for it follows from.
    pub(in super::super) fn space_of_join(&self, key: &[u8; 32]) -> Option<(Secret<16>, Locator)> {
        let contact = self.contacts.get(key)?;
        Some((contact.terms.secret()?.clone(), contact.apart.as_ref()?.space.clone()?))
    }

    /// The line that tells the inviter where the join is.
    pub(in crate::engine) fn reply_of_contact(&self, key: &[u8; 32]) -> Option<Reply> {
        let contact = self.contacts.get(key).filter(|contact| contact.state == State::Pending)?;
        let apart = contact.apart.as_ref()?;
        let joined = match &apart.space {
            Some(space) => Joined::Space(space.clone()),
            None => Joined::Message(self.join_message(contact)?.1),
        };
        Some(Reply::new(contact.terms.secret()?, apart.point, joined))
    }

    /// Whether the join of an accepted invite lies somewhere, or need not.
    pub(in crate::engine) fn join_lies(&self, key: &[u8; 32]) -> bool {
        let Some(contact) = self.contacts.get(key) else { return false };
        let handed = contact.apart.as_ref().is_some_and(|apart| apart.space.is_none());
        handed || self.publications.lies(Purpose::Join(*key))
    }
}
