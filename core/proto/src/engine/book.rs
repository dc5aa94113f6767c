//! The friend book.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::config::{CommandError, FindError};
use super::io::SessionId;
use crate::crypto::keys::{AccountId, DeviceId};
use crate::identity::{Card, Roster};
use crate::meet::pair::PairSecret;
use crate::message::CardBytes;
use crate::time::{Epoch, UnixMillis};

/// What one friend may ask of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Grant {
    /// To pass datagrams on to friends.
    #[n(0)]
    Relay,
    /// To keep sealed messages.
    #[n(1)]
    Mailbox,
    /// To be told how it is seen, and to name us to newcomers for the same.
    #[n(2)]
    Reflect,
    /// To leave records here for friends of ours.
    #[n(3)]
    Meet,
}

/// Somebody whom we have met and can meet again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    pub(super) stored: StoredFriend,
    pub(super) link: Option<SessionId>,
}

impl Friend {
    /// Who it is.
    pub const fn account(&self) -> AccountId {
        self.stored.card.0.account()
    }

    /// What it is called here: the alias, else its card's name; unique, with a number behind where two are alike.
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// Its card, as far as we know.
    pub const fn card(&self) -> &Card {
        &self.stored.card.0
    }

    /// When each of its devices was last heard of, by our estimate of the time.
    pub const fn last_seen(&self) -> &BTreeMap<DeviceId, UnixMillis> {
        &self.stored.seen
    }

    /// Whether we want nothing to do with it.
    pub const fn blocked(&self) -> bool {
        self.stored.blocked
    }

    /// What we allow it.
    pub fn allows(&self, grant: Grant) -> bool {
        self.stored.allows.contains(&grant)
    }

    /// What it allows us.
    pub fn granted(&self, grant: Grant) -> bool {
        self.stored.granted.contains(&grant)
    }

    /// Whether our person compared its account with its own word ([`comparison`](crate::identity::comparison)) and said so.
    pub const fn verified(&self) -> bool {
        self.stored.verified
    }

    /// The session of the link that is up.
    pub const fn link(&self) -> Option<SessionId> {
        self.link
    }
}

/// What is kept of a friend across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredFriend {
    #[n(0)]
    pub(super) card: CardBytes,
    #[n(1)]
    pub(super) name: String,
    #[n(2)]
    pub(super) alias: bool,
    /// The pair secrets that may hold, the likeliest first: more than one only for some days after an invite was used twice, or one each way.
    #[n(3)]
    pub(super) pairs: Vec<Pair>,
    #[n(4)]
    pub(super) seen: BTreeMap<DeviceId, UnixMillis>,
    #[n(5)]
    pub(super) blocked: bool,
    #[cbor(n(6), with = "grants")]
    pub(super) allows: BTreeSet<Grant>,
    #[cbor(n(7), with = "grants")]
    pub(super) granted: BTreeSet<Grant>,
    /// `false` in a book of an earlier version.
    #[n(8)]
    #[cbor(default)]
    pub(super) verified: bool,
}

/// A pair secret and the handshake that made it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Pair {
    /// The `h2` of the first contact that it is from.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: [u8; 32],
    #[n(1)]
    pub(super) secret: PairSecret,
    /// When it was made.
    #[n(2)]
    pub(super) born: Epoch,
}

impl StoredFriend {
    /// The most pair secrets that may hold at once.
    pub(super) const MOST_PAIRS: usize = 4;
}

/// A set of grants, of which those that a later version knows are skipped.
mod grants {
    use std::collections::BTreeSet;

    use minicbor::decode::Error;
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encode, Encoder};

    use super::Grant;

    pub(super) fn encode<C, W: Write>(
        grants: &BTreeSet<Grant>,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        grants.encode(e, ctx)
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<BTreeSet<Grant>, Error> {
        let count = d.array()?.ok_or_else(|| Error::message("not a set of grants"))?;
        let mut grants = BTreeSet::new();
        for _ in 0..count {
            let here = d.position();
            match d.decode() {
                Ok(grant) => drop(grants.insert(grant)),
                Err(error) if error.is_unknown_variant() => {
                    d.set_position(here);
                    d.skip()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(grants)
    }
}

/// All friends.
#[derive(Debug, Default)]
pub(super) struct Book {
    friends: BTreeMap<AccountId, Friend>,
    names: BTreeMap<String, AccountId>,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.friends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Friend> {
        self.friends.values()
    }

    pub(super) fn friend(&self, account: &AccountId) -> Option<&Friend> {
        self.friends.get(account)
    }

    pub(super) fn friend_mut(&mut self, account: &AccountId) -> Option<&mut Friend> {
        self.friends.get_mut(account)
    }

    pub(super) fn insert(&mut self, stored: StoredFriend) {
        let account = stored.card.0.account();
        self.names.insert(stored.name.clone(), account);
        self.friends.insert(account, Friend { stored, link: None });
    }

    pub(super) fn remove(&mut self, account: &AccountId) -> Option<Friend> {
        let friend = self.friends.remove(account)?;
        self.names.remove(&friend.stored.name);
        Some(friend)
    }

    /// Whom a person means by this: a friend's name as it is written here, or in other letters where that is clear, or an account.
    pub(super) fn find(&self, text: &str) -> Result<AccountId, FindError> {
        if let Some(account) = self.names.get(text) {
            return Ok(*account);
        }
        if let Some(account) = AccountId::parse(text).filter(|account| self.friends.contains_key(account)) {
            return Ok(account);
        }
        let lower = text.to_lowercase();
        let alike: Vec<_> = self.names.iter().filter(|(name, _)| name.to_lowercase() == lower).collect();
        match alike.as_slice() {
            [] => Err(FindError::Unknown(text.to_owned())),
            [(_, account)] => Ok(**account),
            several => Err(FindError::Ambiguous(several.iter().map(|(name, _)| (*name).clone()).collect())),
        }
    }

    /// `wanted` if nobody is called that, else with the lowest number behind it that is free.
    pub(super) fn free_name(&self, wanted: &str, account: &AccountId) -> String {
        let free = |name: &String| self.names.get(name).is_none_or(|holder| holder == account);
        let numbered = (2..).map(|number: u32| format!("{wanted}-{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(free).unwrap_or_else(|| account.to_string())
    }

    /// Gives a friend another name.
    pub(super) fn rename(&mut self, account: &AccountId, alias: Option<String>) -> Result<(), CommandError> {
        let Some(friend) = self.friends.get(account) else { return Err(CommandError::Unknown("friend")) };
        let name = match &alias {
            Some(alias) if !name_ok(alias) => return Err(CommandError::Name(alias.clone())),
            Some(alias) => alias.clone(),
            None => friend.card().roster().name.clone(),
        };
        let free = self.free_name(&name, account);
        if alias.is_some() && free != name {
            return Err(CommandError::Name(name));
        }
        if let Some(friend) = self.friends.get_mut(account) {
            self.names.remove(&friend.stored.name);
            friend.stored.name.clone_from(&free);
            friend.stored.alias = alias.is_some();
            self.names.insert(free, *account);
        }
        Ok(())
    }
}

/// Whether a friend may be called this.
pub(super) fn name_ok(name: &str) -> bool {
    (1..=Roster::MAX_NAME).contains(&name.len()) && !name.contains(char::is_control)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
