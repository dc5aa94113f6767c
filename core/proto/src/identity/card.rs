//! What a friend is given: a roster and the statuses of its devices.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::{Roster, Signed, Status};
use crate::codec::{self, Malformed, at_most};
use crate::crypto::keys::{AccountId, DeviceId};

/// A card as it travels and is stored.
///
/// Parsed once: whoever holds one holds a roster that its account and devices signed, and statuses that its devices signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    wire: Wire,
    roster: Roster,
    statuses: BTreeMap<DeviceId, Status>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Wire {
    #[n(0)]
    roster: Signed<Roster>,
    #[n(1)]
    statuses: Vec<Signed<Status>>,
}

impl Card {
    /// The longest encoding, in bytes.
    pub const MAX: usize = 40_000;

    /// Puts a card together; fails where the parts do not belong together.
    pub fn new(roster: Signed<Roster>, statuses: Vec<Signed<Status>>) -> Result<Self, CardError> {
        Self::verified(Wire { roster, statuses })
    }

    /// The card of its bytes, with every signature verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        Self::verified(codec::decode("a card", bytes, Self::MAX)?)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(&self.wire)
    }

    /// Whose it is.
    pub const fn account(&self) -> AccountId {
        self.roster.account
    }

    /// The roster in it.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The roster in it, as it was signed.
    pub const fn signed_roster(&self) -> &Signed<Roster> {
        &self.wire.roster
    }

    /// The status of a device, where the card has one.
    pub fn status(&self, device: &DeviceId) -> Option<&Status> {
        self.statuses.get(device)
    }

    /// The same card with nothing in it of other devices than this one, for first contact, where every byte counts; the whole one follows over
    /// the link. `None` where the card knows no such device.
    pub fn brief(&self, device: &DeviceId) -> Option<Self> {
        let entry = self.roster.devices.iter().find(|entry| entry.keys.id() == *device)?.clone();
        let status = self.signed_status(device).cloned();
        let roster = self.wire.roster.clone().with(vec![entry]);
        Self::verified(Wire { roster, statuses: status.into_iter().collect() }).ok()
    }

    /// Takes over what is newer in another card of the same account: a roster with a higher number, statuses with higher numbers. Returns
    /// whether there was anything.
    ///
    /// Two different rosters with one number, and a roster that follows upon another than the one we have of the number before, are an
    /// error, and what was here first stays. Of two statuses with one number the first stays without a word.
    pub fn merge(&mut self, other: &Self) -> Result<bool, CardError> {
        if self.account() != other.account() {
            return Err(CardError::OtherAccount);
        }
        if self.wire.roster.hash() != other.wire.roster.hash()
            && (self.roster.seq == other.roster.seq || self.belies(other) || other.belies(self))
        {
            return Err(CardError::Fork);
        }
        let ours = &*self;
        let leading = if other.roster.seq > ours.roster.seq { other } else { ours };
        // Of one roster the cards may show different devices.
        let mut entries = leading.roster.devices.clone();
        if ours.roster.seq == other.roster.seq {
            entries.extend(
                other
                    .roster
                    .devices
                    .iter()
                    .filter(|entry| !entries.contains(entry))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        let mut changed =
            leading.roster.seq > ours.roster.seq || entries.len() > leading.roster.devices.len();
        let mut statuses = Vec::new();
        for device in &entries {
            let id = device.keys.id();
            let seq = |card: &Self| card.statuses.get(&id).map(|status| status.seq);
            let newer = seq(other) > seq(ours);
            changed |= newer;
            statuses.extend((if newer { other } else { ours }).signed_status(&id).cloned());
        }
        if changed {
            let roster = leading.wire.roster.clone().with(entries);
            *self = Self::verified(Wire { roster, statuses })?;
        }
        Ok(changed)
    }

    /// Whether our roster says that it follows upon another than this, which has the number before. One that says nothing is let pass: this is
    /// to find restored backups, and a thief of the account key knows the hash.
    fn belies(&self, before: &Self) -> bool {
        self.roster.seq.checked_sub(1) == Some(before.roster.seq)
            && self.roster.previous.is_some_and(|previous| previous != before.wire.roster.hash())
    }

    fn signed_status(&self, device: &DeviceId) -> Option<&Signed<Status>> {
        self.wire
            .statuses
            .iter()
            .find(|status| status.claimed_device().is_ok_and(|claimed| claimed == *device))
    }

    fn verified(wire: Wire) -> Result<Self, CardError> {
        at_most("a card", wire.statuses.len(), Roster::MOST)?;
        let roster = wire.roster.verify()?;
        let mut statuses = BTreeMap::new();
        for signed in &wire.statuses {
            let device = signed.claimed_device()?;
            let entry =
                roster.devices.iter().find(|entry| entry.keys.id() == device).ok_or(CardError::Signature)?;
            if statuses.insert(device, signed.verify(&entry.keys)?).is_some() {
                return Err(Malformed::new("a card", "two statuses of one device").into());
            }
        }
        Ok(Self { wire, roster, statuses })
    }
}

/// Why a card, a roster or a status is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not signed by whom it claims.
    #[error("a signature in the card does not verify")]
    Signature,
    /// It claims to last longer than 30 days.
    #[error("the roster claims to last longer than 30 days")]
    TooLong,
    /// It is somebody else's.
    #[error("the card is of another account")]
    OtherAccount,
    /// The account signed two different rosters under one number: a restored backup, or theft.
    #[error("the account signed two different rosters under one number")]
    Fork,
}
