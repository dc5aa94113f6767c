//! The side of those who are introduced: what friends have asked, and how far it has got.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::message::without_places;
use super::{IntroductionId, LIFETIME, Message, Note, Places, inviter};
use crate::codec::{self, Malformed};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::sha256;
use crate::identity::Card;
use crate::message::CardBytes;
use crate::time::UnixMillis;

/// Everybody who was introduced to us lately.
#[derive(Clone, Debug)]
pub struct Introduced {
    me: AccountId,
    /// Which places our bridges reach, once that is known.
    places: Option<Places>,
    strangers: BTreeMap<RequestId, Stranger>,
    changed: BTreeSet<RequestId>,
}

/// Names what somebody asks of us. Made here of who asks and for whom, so that nobody else chooses it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    fn of(by: &AccountId, account: &AccountId) -> Self {
        let hash = sha256(&[b"wayside/1 request", &by.0, &account.0]);
        Self(std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default()))
    }
}

impl std::fmt::Display for RequestId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Somebody whom a friend introduced to us.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Stranger {
    #[n(0)]
    by: AccountId,
    #[n(1)]
    id: IntroductionId,
    #[n(2)]
    card: CardBytes,
    #[n(3)]
    note: Option<Note>,
    #[n(4)]
    came: UnixMillis,
    #[n(5)]
    expires: UnixMillis,
    #[n(6)]
    answer: Answer,
    /// What to call it once it is a friend.
    #[n(7)]
    alias: Option<String>,
    /// The places that the introducer was told with our consent.
    #[n(8)]
    told: Option<Places>,
    /// The other's consent.
    #[n(9)]
    theirs: Option<Theirs>,
    /// What we made for the other, or the other for us, with the device that made it.
    #[n(10)]
    invite: Option<Sealed>,
    /// Whether ours is with the introducer, or theirs accepted.
    #[n(11)]
    used: bool,
    /// Nothing more comes of it: it is kept until it expires, so that the same is not asked again.
    #[n(12)]
    over: bool,
    /// The one-time key of the invite that we accepted.
    #[cbor(n(13), with = "minicbor::bytes")]
    contact: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
enum Answer {
    #[n(0)]
    None,
    #[n(1)]
    Yes,
    #[n(2)]
    No,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Theirs {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    places: Places,
    #[n(2)]
    hosted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Sealed {
    #[n(0)]
    device: DeviceId,
    #[cbor(n(1), with = "minicbor::bytes")]
    bytes: Vec<u8>,
}

/// How far it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Our person has not answered.
    Asked,
    /// We consented, and have not heard of the other.
    Consented,
    /// Both consented, and none of our bridges reaches a place of the other's: an invite is made once one does.
    Apart,
    /// Both consented: the first contact is under way.
    Meeting,
    /// Our person refused, or nothing more comes of it.
    Over,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is to be acknowledged, and needs nothing else.
    Quietly,
    /// A person is to be asked this.
    Asks(RequestId),
    /// Both have consented, or it came further after that.
    Further(RequestId),
    /// There is no room now.
    NoRoom,
}

impl Introduced {
    /// The most of one friend that wait for an answer.
    pub const MOST_ASKED_BY: usize = 8;
    /// The most that wait for an answer.
    pub const MOST_ASKED: usize = 64;
    /// The most of one friend that are known at once, answered or not: so many times can it make us ask in [`LIFETIME`].
    pub const MOST_BY: usize = 64;
    /// The most that are known at once.
    pub const MOST: usize = 512;

    /// The book of this account, that goes on where it was.
    pub fn restore(me: AccountId, stored: impl IntoIterator<Item = Stranger>) -> Self {
        let strangers = stored.into_iter().map(|it| (RequestId::of(&it.by, &it.account()), it)).collect();
        Self { me, places: None, strangers, changed: BTreeSet::new() }
    }

    /// Which have changed or gone since this was asked last; to be stored.
    pub fn take_changed(&mut self) -> BTreeSet<RequestId> {
        std::mem::take(&mut self.changed)
    }

    /// One of them.
    pub fn get(&self, id: &RequestId) -> Option<&Stranger> {
        self.strangers.get(id)
    }

    /// All of them that are not over.
    pub fn iter(&self) -> impl Iterator<Item = (RequestId, &Stranger)> {
        self.strangers.iter().filter(|(_, it)| !it.over).map(|(id, it)| (*id, it))
    }

    /// Which places our bridges reach now. Before this was said nobody is told of a consent. Returns whether it is news, so that other things are due.
    pub fn set_places(&mut self, places: Places) -> bool {
        let news = self.places.as_ref() != Some(&places);
        self.places = Some(places);
        news
    }

    /// A friend who may introduce others said this. `knows` says whether an account needs no introduction: a friend, blocked or not.
    pub fn heard(
        &mut self,
        now: UnixMillis,
        by: &AccountId,
        message: Message,
        knows: impl Fn(&AccountId) -> bool,
    ) -> Taken {
        match message {
            Message::Proposal { id, card, note, lifetime } => {
                let lifetime = LIFETIME.min(std::time::Duration::from_secs(u64::from(lifetime)));
                self.proposed(now, by, id, &card.0, note, now.after(lifetime), knows)
            }
            Message::Agreed { id, device, places, hosted } => self.further(now, by, &id, |it, _| {
                let theirs = Some(Theirs { device, places, hosted });
                if it.used || it.theirs == theirs || it.card.0.roster().device(&device).is_none() {
                    return false;
                }
                if it.theirs.as_ref().is_some_and(|before| before.device != device) {
                    // What is sealed for another device cannot be opened.
                    it.invite = None;
                }
                it.theirs = theirs;
                true
            }),
            Message::Invite { id, device, sealed } => self.further(now, by, &id, |it, me| {
                let other = it.account();
                let fits =
                    sealed.len() <= Message::MAX_SEALED && it.card.0.roster().device(&device).is_some();
                if it.used || !fits || inviter(me, &other) != other {
                    return false;
                }
                it.invite = Some(Sealed { device, bytes: sealed });
                true
            }),
            Message::Consent { .. } => Taken::Quietly,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one message")]
    fn proposed(
        &mut self,
        now: UnixMillis,
        by: &AccountId,
        id: IntroductionId,
        card: &Card,
        note: Option<Note>,
        expires: UnixMillis,
        knows: impl Fn(&AccountId) -> bool,
    ) -> Taken {
        let account = card.account();
        // Whoever introduces friends to each other learns no more by it than of two who do not answer.
        if account == self.me || account == *by || knows(&account) || expires <= now {
            return Taken::Quietly;
        }
        let request = RequestId::of(by, &account);
        if let Some(known) = self.strangers.get_mut(&request).filter(|it| now < it.expires) {
            // Who refused is not asked again; of who consented the introducer may have lost what it knew.
            if known.id != id && !known.over && known.answer != Answer::No {
                (known.id, known.told, known.theirs) = (id, None, None);
                (known.invite, known.used, known.contact) = (None, false, None);
                self.changed.insert(request);
            }
            return Taken::Quietly;
        }
        let known = self.strangers.values().filter(|it| it.by == *by).count();
        let asked = self.strangers.values().filter(|it| it.answer == Answer::None);
        let (asked_by, asked) = asked.fold((0, 0), |(of, all), it| (of + usize::from(it.by == *by), all + 1));
        let full = known >= Self::MOST_BY
            || self.strangers.len() >= Self::MOST
            || asked_by >= Self::MOST_ASKED_BY
            || asked >= Self::MOST_ASKED;
        let card = without_places(card).ok().filter(|card| card.roster().in_force(now));
        let Some(card) = card.filter(|_| !full) else { return Taken::NoRoom };
        let stranger = Stranger {
            by: *by,
            id,
            card: CardBytes(card),
            note,
            came: now,
            expires,
            answer: Answer::None,
            alias: None,
            told: None,
            theirs: None,
            invite: None,
            used: false,
            over: false,
            contact: None,
        };
        self.strangers.insert(request, stranger);
        self.changed.insert(request);
        Taken::Asks(request)
    }

    /// Something that only matters where our person has consented.
    fn further(
        &mut self,
        now: UnixMillis,
        by: &AccountId,
        id: &IntroductionId,
        change: impl FnOnce(&mut Stranger, &AccountId) -> bool,
    ) -> Taken {
        let found = self.strangers.iter_mut().find(|(_, it)| it.by == *by && it.id == *id);
        let open = found.filter(|(_, it)| it.answer == Answer::Yes && !it.over && now < it.expires);
        let Some((request, it)) = open else { return Taken::Quietly };
        if !change(it, &self.me) {
            return Taken::Quietly;
        }
        self.changed.insert(*request);
        Taken::Further(*request)
    }

    /// What is to be said to somebody who introduced others to us, at most one thing of each: until it is [acknowledged](Self::acknowledged).
    pub fn due(&self, now: UnixMillis, by: &AccountId) -> impl Iterator<Item = Message> {
        let of =
            move |it: &&Stranger| it.by == *by && it.answer == Answer::Yes && !it.over && now < it.expires;
        self.strangers.values().filter(of).filter_map(|it| self.due_of(it))
    }

    fn due_of(&self, it: &Stranger) -> Option<Message> {
        let id = it.id;
        if it.used {
            return None;
        }
        if let Some(places) = self.places.as_ref().filter(|places| it.told.as_ref() != Some(places)) {
            return Some(Message::Consent { id, places: places.clone() });
        }
        let invite = it.invite.as_ref().filter(|_| it.told.is_some() && self.invites(it))?;
        Some(Message::Invite { id, device: invite.device, sealed: invite.bytes.clone() })
    }

    /// The introducer has taken this.
    pub fn acknowledged(&mut self, by: &AccountId, message: Message) {
        let id = message.id();
        let Some((request, it)) = self.strangers.iter_mut().find(|(_, it)| it.by == *by && it.id == id)
        else {
            return;
        };
        match message {
            Message::Consent { places, .. } => it.told = Some(places),
            Message::Invite { sealed, .. } if it.invite.as_ref().is_some_and(|own| own.bytes == sealed) => {
                it.used = true;
            }
            _ => return,
        }
        self.changed.insert(*request);
    }

    /// Our person wants to meet it, and to call it this.
    pub fn accept(&mut self, id: &RequestId, alias: Option<String>) -> Option<&Stranger> {
        let it = self.strangers.get_mut(id).filter(|it| !it.over)?;
        (it.answer, it.alias) = (Answer::Yes, alias.or_else(|| it.alias.take()));
        self.changed.insert(*id);
        self.strangers.get(id)
    }

    /// Our person does not. Nobody is told, and the same friend does not ask it again until the request expires.
    pub fn refuse(&mut self, id: &RequestId) -> Option<&Stranger> {
        let it = self.strangers.get_mut(id).filter(|it| !it.over)?;
        (it.answer, it.over, it.invite) = (Answer::No, true, None);
        self.changed.insert(*id);
        self.strangers.get(id)
    }

    /// Those for whom an invite is to be made and [sealed](super::seal): both consented, we are the inviter, and there is none yet.
    pub fn to_invite(&self) -> impl Iterator<Item = (RequestId, &Stranger)> {
        self.iter().filter(|(_, it)| {
            it.answer == Answer::Yes && it.theirs.is_some() && it.invite.is_none() && self.invites(it)
        })
    }

    /// An invite was made for it by this device of ours.
    pub fn invited(&mut self, id: &RequestId, device: DeviceId, bytes: Vec<u8>) {
        if let Some(it) = self.strangers.get_mut(id) {
            it.invite = Some(Sealed { device, bytes });
            self.changed.insert(*id);
        }
    }

    /// Those whose invite came and is to be [opened](super::open) and accepted, with the device that made it, and the invite.
    pub fn to_accept(&self) -> impl Iterator<Item = (RequestId, &Stranger, DeviceId, &[u8])> {
        self.iter().filter_map(|(id, it)| {
            let invite = it.invite.as_ref().filter(|_| !it.used && !self.invites(it))?;
            Some((id, it, invite.device, invite.bytes.as_slice()))
        })
    }

    /// Its invite, of this one-time key, was accepted.
    pub fn accepted(&mut self, id: &RequestId, contact: [u8; 32]) {
        if let Some(it) = self.strangers.get_mut(id) {
            (it.used, it.contact) = (true, Some(contact));
            self.changed.insert(*id);
        }
    }

    /// Its invite is none: another one may come.
    pub fn discard(&mut self, id: &RequestId) {
        if let Some(it) = self.strangers.get_mut(id) {
            it.invite = None;
            self.changed.insert(*id);
        }
    }

    /// It has come to its end: they are friends, or cannot become it.
    pub fn end(&mut self, id: &RequestId) {
        if let Some(it) = self.strangers.get_mut(id).filter(|it| !it.over) {
            (it.over, it.invite) = (true, None);
            self.changed.insert(*id);
        }
    }

    /// Forgets those that have expired.
    pub fn expire(&mut self, now: UnixMillis) {
        self.keep(|it| now < it.expires);
    }

    /// Forgets what somebody asked for whom this does not hold: who is no friend any more, or is blocked.
    pub fn keep_those_of(&mut self, known: impl Fn(&AccountId) -> bool) {
        self.keep(|it| known(&it.by));
    }

    fn keep(&mut self, keep: impl Fn(&Stranger) -> bool) {
        let gone: Vec<_> = self.strangers.iter().filter(|(_, it)| !keep(it)).map(|(id, _)| *id).collect();
        for id in gone {
            self.strangers.remove(&id);
            self.changed.insert(id);
        }
    }

    /// How far it has got.
    pub fn standing(&self, it: &Stranger) -> Standing {
        match (&it.theirs, it.answer) {
            _ if it.over => Standing::Over,
            (_, Answer::None) => Standing::Asked,
            (_, Answer::No) => Standing::Over,
            (None, Answer::Yes) => Standing::Consented,
            (Some(theirs), Answer::Yes) => {
                let common = self.places.iter().flat_map(Places::iter).any(|it| theirs.places.contains(it));
                if common || it.invite.is_some() { Standing::Meeting } else { Standing::Apart }
            }
        }
    }

    /// Whether the invite is ours to make.
    fn invites(&self, it: &Stranger) -> bool {
        inviter(&self.me, &it.account()) == self.me
    }
}

impl Stranger {
    /// The longest encoding, in bytes.
    const MAX: usize = 3 * Message::MAX;

    /// Who introduced it.
    pub const fn by(&self) -> AccountId {
        self.by
    }

    /// What its introducer calls the introduction.
    pub const fn introduction(&self) -> IntroductionId {
        self.id
    }

    /// Who it is said to be.
    pub const fn account(&self) -> AccountId {
        self.card.0.account()
    }

    /// Its card, without places.
    pub const fn card(&self) -> &Card {
        &self.card.0
    }

    /// What its introducer says of it.
    pub const fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// When we were asked.
    pub const fn came(&self) -> UnixMillis {
        self.came
    }

    /// When it ends.
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }

    /// What our person wants to call it.
    pub fn alias(&self) -> Option<&str> {
        self.alias.as_deref()
    }

    /// The one-time key of the invite of its that we accepted.
    pub const fn contact(&self) -> Option<[u8; 32]> {
        self.contact
    }

    /// The device on which the other consented, and the places that it reaches, as the introducer says.
    pub fn theirs(&self) -> Option<(DeviceId, &Places)> {
        self.theirs.as_ref().map(|theirs| (theirs.device, &theirs.places))
    }

    /// Whether the introducer says that it lets both leave records at its place.
    pub fn hosted(&self) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| theirs.hosted)
    }

    /// Its bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode("a request", bytes, Self::MAX)
    }
}
