//! The side of whoever introduces two to each other.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::message::without_places;
use super::{IntroductionId, LIFETIME, Message, Note, Places, inviter};
use crate::codec::{self, Malformed};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::identity::Card;
use crate::message::CardBytes;
use crate::time::UnixMillis;

/// Everybody whom we introduce to each other at present.
#[derive(Clone, Debug, Default)]
pub struct Introducer {
    open: BTreeMap<IntroductionId, Introduction>,
    /// Whom we let leave records at our place.
    hosted: BTreeSet<AccountId>,
    changed: BTreeSet<IntroductionId>,
}

/// Two who are introduced to each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Introduction {
    #[n(0)]
    id: IntroductionId,
    #[n(1)]
    ends: [End; 2],
    #[n(2)]
    note: Option<Note>,
    #[n(3)]
    made: UnixMillis,
    #[n(4)]
    expires: UnixMillis,
    /// The inviter's device, and what it made for the other.
    #[n(5)]
    invite: Option<Sealed>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct End {
    #[n(0)]
    card: CardBytes,
    /// Whether it has the request on its disk.
    #[n(1)]
    asked: bool,
    #[n(2)]
    consent: Option<Consent>,
    /// What it has been told of the other's consent.
    #[n(3)]
    told: Option<Told>,
    /// Whether it has the invite.
    #[n(4)]
    passed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Consent {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    places: Places,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Told {
    #[n(0)]
    consent: Consent,
    #[n(1)]
    hosted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Sealed {
    #[n(0)]
    device: DeviceId,
    #[cbor(n(1), with = "minicbor::bytes")]
    bytes: Vec<u8>,
}

/// Why two are not introduced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntroduceError {
    /// They are one.
    #[error("two different people can be introduced to each other")]
    Same,
    /// They are being introduced already.
    #[error("they are being introduced already")]
    Already(IntroductionId),
    /// There are [`Introducer::MOST`] already that have come to nothing yet.
    #[error("there are too many introductions that nobody answered yet")]
    TooMany,
    /// A card is too old for whoever would be shown it.
    #[error("a card has expired")]
    Expired(AccountId),
}

impl Introducer {
    /// The most introductions that are known at once.
    pub const MOST: usize = 64;

    /// A book that goes on where it was.
    pub fn restore(stored: impl IntoIterator<Item = Introduction>) -> Self {
        let open = stored.into_iter().map(|introduction| (introduction.id, introduction)).collect();
        Self { open, ..Self::default() }
    }

    /// Which have changed or gone since this was asked last; to be stored.
    pub fn take_changed(&mut self) -> BTreeSet<IntroductionId> {
        std::mem::take(&mut self.changed)
    }

    /// One of them.
    pub fn get(&self, id: &IntroductionId) -> Option<&Introduction> {
        self.open.get(id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Introduction> {
        self.open.values()
    }

    /// Whom we let leave records at our place. Returns whether that is news, so that other things are due.
    pub fn set_hosted(&mut self, hosted: BTreeSet<AccountId>) -> bool {
        let news = self.hosted != hosted;
        self.hosted = hosted;
        news
    }

    /// Introduces two. `id` is random.
    ///
    /// # Errors
    /// See [`IntroduceError`]; nothing has changed then.
    pub fn introduce(
        &mut self,
        now: UnixMillis,
        id: IntroductionId,
        cards: [&Card; 2],
        note: Option<Note>,
    ) -> Result<(), IntroduceError> {
        let [one, other] = cards;
        if one.account() == other.account() {
            return Err(IntroduceError::Same);
        }
        let same =
            |it: &&Introduction| it.end(&one.account()).is_some() && it.end(&other.account()).is_some();
        if let Some(known) = self.open.values().find(|it| same(it) && !it.passed()) {
            return Err(IntroduceError::Already(known.id));
        }
        if let Some(old) = cards.iter().find(|card| !card.roster().in_force(now)) {
            return Err(IntroduceError::Expired(old.account()));
        }
        if self.open.len() >= Self::MOST {
            let over = self.open.values().filter(|it| it.passed()).min_by_key(|it| it.made);
            let over = over.map(|it| it.id).ok_or(IntroduceError::TooMany)?;
            self.open.remove(&over);
            self.changed.insert(over);
        }
        let end = |card: &Card| {
            let card = without_places(card).map_err(|_| IntroduceError::Expired(card.account()))?;
            Ok(End { card: CardBytes(card), asked: false, consent: None, told: None, passed: false })
        };
        let introduction = Introduction {
            id,
            ends: [end(one)?, end(other)?],
            note,
            made: now,
            expires: now.after(LIFETIME),
            invite: None,
        };
        self.open.insert(id, introduction);
        self.changed.insert(id);
        Ok(())
    }

    /// What is to be said to an account, at most one thing of each introduction: until it is [acknowledged](Self::acknowledged).
    pub fn due(&self, now: UnixMillis, account: &AccountId) -> impl Iterator<Item = Message> {
        let open = self.open.values().filter(move |it| now < it.expires);
        open.filter_map(move |it| it.due(now, account, &self.hosted))
    }

    /// An account has taken this.
    pub fn acknowledged(&mut self, now: UnixMillis, account: &AccountId, message: &Message) {
        let id = message.id();
        let Some(introduction) = self.open.get_mut(&id) else { return };
        // What holds by now may be another thing.
        let same = introduction.due(now, account, &self.hosted).is_some_and(|due| match (&due, message) {
            (Message::Proposal { .. }, Message::Proposal { .. }) => true,
            _ => due == *message,
        });
        let Some(end) = introduction.end_mut(account).filter(|_| same) else { return };
        match message {
            Message::Proposal { .. } => end.asked = true,
            Message::Agreed { device, places, hosted, .. } => {
                let consent = Consent { device: *device, places: places.clone() };
                end.told = Some(Told { consent, hosted: *hosted });
            }
            Message::Invite { .. } => end.passed = true,
            Message::Consent { .. } => return,
        }
        self.changed.insert(id);
    }

    /// A device of an account said this. What makes no sense, or none any more, changes nothing. Says which introduction has come further.
    pub fn heard(
        &mut self,
        now: UnixMillis,
        account: &AccountId,
        device: &DeviceId,
        message: Message,
    ) -> Option<IntroductionId> {
        let id = message.id();
        let introduction = self.open.get_mut(&id).filter(|it| now < it.expires && !it.passed())?;
        match message {
            Message::Consent { places, .. } => {
                let consent = Some(Consent { device: *device, places });
                let end = introduction.end_mut(account)?;
                if end.consent == consent {
                    return None;
                }
                end.consent = consent;
            }
            Message::Invite { device: sealed_by, sealed, .. } => {
                let entitled = introduction.agreed() && introduction.inviter() == *account;
                if !entitled || sealed_by != *device || sealed.len() > Message::MAX_SEALED {
                    return None;
                }
                let invite = Some(Sealed { device: *device, bytes: sealed });
                if introduction.invite == invite {
                    return None;
                }
                introduction.invite = invite;
            }
            Message::Proposal { .. } | Message::Agreed { .. } => return None,
        }
        self.changed.insert(id);
        Some(id)
    }

    /// Forgets those that are over.
    pub fn expire(&mut self, now: UnixMillis) {
        self.keep(|it| now < it.expires);
    }

    /// Forgets those with somebody for whom this does not hold: who is no friend any more, or is blocked.
    pub fn keep_those_of(&mut self, known: impl Fn(&AccountId) -> bool) {
        self.keep(|it| it.ends.iter().all(|end| known(&end.account())));
    }

    fn keep(&mut self, keep: impl Fn(&Introduction) -> bool) {
        let gone: Vec<_> = self.open.values().filter(|it| !keep(it)).map(|it| it.id).collect();
        for id in gone {
            self.open.remove(&id);
            self.changed.insert(id);
        }
    }
}

impl Introduction {
    /// The longest encoding, in bytes.
    const MAX: usize = 3 * Message::MAX;

    /// Its name.
    pub const fn id(&self) -> IntroductionId {
        self.id
    }

    /// The two, in the order they were named.
    pub const fn ends(&self) -> &[End; 2] {
        &self.ends
    }

    /// What was said of it.
    pub const fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// When it was made.
    pub const fn made(&self) -> UnixMillis {
        self.made
    }

    /// When it ends.
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }

    /// Whether both consented.
    pub fn agreed(&self) -> bool {
        self.ends.iter().all(|end| end.consent.is_some())
    }

    /// Whether the invite has arrived: what follows is between the two.
    pub fn passed(&self) -> bool {
        self.ends.iter().any(|end| end.passed)
    }

    /// Its bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode("an introduction", bytes, Self::MAX)
    }

    fn inviter(&self) -> AccountId {
        let [one, other] = &self.ends;
        inviter(&one.account(), &other.account())
    }

    fn end(&self, account: &AccountId) -> Option<&End> {
        self.ends.iter().find(|end| end.account() == *account)
    }

    fn end_mut(&mut self, account: &AccountId) -> Option<&mut End> {
        self.ends.iter_mut().find(|end| end.account() == *account)
    }

    fn due(&self, now: UnixMillis, account: &AccountId, hosted: &BTreeSet<AccountId>) -> Option<Message> {
        let id = self.id;
        let end = self.end(account)?;
        let other = self.ends.iter().find(|end| end.account() != *account)?;
        if !end.asked {
            let lifetime = u32::try_from(self.expires.since(now).as_secs()).unwrap_or(u32::MAX);
            let (card, note) = (other.card.clone(), self.note.clone());
            return Some(Message::Proposal { id, card, note, lifetime });
        }
        let theirs = other.consent.clone().filter(|_| end.consent.is_some())?;
        let hosted = self.ends.iter().all(|end| hosted.contains(&end.account()));
        let told = Told { consent: theirs, hosted };
        if end.told.as_ref() != Some(&told) && !self.passed() {
            let Consent { device, places } = told.consent;
            return Some(Message::Agreed { id, device, places, hosted });
        }
        let invite = self.invite.as_ref().filter(|_| !end.passed && self.inviter() != *account)?;
        Some(Message::Invite { id, device: invite.device, sealed: invite.bytes.clone() })
    }
}

impl End {
    /// Who it is.
    pub const fn account(&self) -> AccountId {
        self.card.0.account()
    }

    /// Its card, without places.
    pub const fn card(&self) -> &Card {
        &self.card.0
    }

    /// Whether it has the request.
    pub const fn asked(&self) -> bool {
        self.asked
    }

    /// Whether it consented. Whoever refused is not told apart from whoever has not looked yet.
    pub const fn consented(&self) -> bool {
        self.consent.is_some()
    }
}
