//! First contact: an invite or a pointer of ours is answered for ([`inviter`]), or one of somebody's is followed ([`joiner`]).

mod inviter;
mod joiner;
mod opening;
mod requests;
mod room;
mod terms;

pub(super) use inviter::Elsewhere;
pub use inviter::ReplyState;
pub(super) use joiner::StoredContact;
pub(super) use opening::{InviteRow, Opening, PointerRow};
pub(super) use requests::Requests;

use super::book::{Pair, StoredFriend};
use super::io::Event;
use super::{Engine, Friend, store};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::identity::{Card, CardError};
use crate::message::CardBytes;
use crate::place::PlaceTag;
use crate::time::{Epoch, UnixMillis};

/// For how long after its end those who come with an invite are told so, and those whom a pointer let in are still answered.
const AFTERWARDS: std::time::Duration = Epoch::LENGTH;

/// Accounts that are bound and have not linked yet; refusals sent.
const MOST_PENDING: usize = 64;

/// How long somebody knocks by a pointer, and waits for an answer.
const KNOCKED_FOR: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// Days after which a pair secret that no link used is destroyed.
const PAIRS_KEPT: u32 = 2;

/// Whether a knock may still be somebody's who waits: whoever wrote it, by its clock, has not given up. What is older is somebody's repetition.
fn is_recent(sent: UnixMillis, time: UnixMillis) -> bool {
    sent <= time.after(Epoch::LENGTH * 2) && time <= sent.after(KNOCKED_FOR).after(Epoch::LENGTH)
}

/// How a friendship came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// They came with our invite.
    Invited,
    /// They knocked by a pointer of ours.
    Knocked,
    /// We came to them.
    Came,
    /// We read their invite file, and they do not know of it yet.
    Carried,
}

impl Engine {
    /// Somebody is a friend from now on, or one again with a new secret. `false` where the book is full or the card is a fork.
    fn befriend(&mut self, card: &Card, alias: Option<String>, pair: Pair, origin: Origin) -> bool {
        let account = card.account();
        if self.book.friend(&account).is_some() {
            match self.merge_card(card) {
                Ok(_) => {}
                Err(CardError::Fork) => {
                    let what = "two different rosters with one number; the first one stays".to_owned();
                    self.out.event(Event::Suspicious { account: Some(account), what });
                }
                Err(_) => return false,
            }
            let Some(friend) = self.book.friend_mut(&account) else { return false };
            friend.stored.pairs.retain(|known| known.id != pair.id);
            // A knock may be somebody's repetition of an old one, whose maker has the secret of before and no other; and whoever made a file has this one when
            // our reply is there, if ever.
            let behind = matches!(origin, Origin::Knocked | Origin::Carried);
            let at = usize::from(behind).min(friend.stored.pairs.len());
            friend.stored.pairs.insert(at, pair);
            friend.stored.pairs.truncate(StoredFriend::MOST_PAIRS);
            if let Some(alias) = alias {
                // Taken by somebody else: then it keeps the name that it has.
                let _ = self.book.rename(&account, Some(alias));
            }
        } else {
            if self.book.len() >= self.config.max_friends {
                return false;
            }
            let wanted = alias.clone().unwrap_or_else(|| card.roster().name.clone());
            let name = self.book.free_name(&wanted, &account);
            self.book.insert(StoredFriend {
                card: CardBytes(card.clone()),
                name: name.clone(),
                alias: alias.is_some(),
                pairs: vec![pair],
                seen: std::collections::BTreeMap::new(),
                blocked: false,
                allows: std::collections::BTreeSet::new(),
                granted: std::collections::BTreeSet::new(),
                verified: false,
            });
            self.out.event(Event::FriendAdded {
                account,
                name,
                invited: !matches!(origin, Origin::Came | Origin::Carried),
            });
        }
        self.request_settled(&account);
        self.keep_friend(&account);
        self.rewatch_friend(&account);
        true
    }

    /// The friend, authenticated, used a pair secret in an epoch: the device was seen, the secret is the one that holds, and what lies before is destroyed.
    pub(super) fn proven(
        &mut self,
        account: &AccountId,
        device: &DeviceId,
        pair: &[u8; 32],
        epoch: Epoch,
        linked: bool,
    ) {
        let (time, today) = (self.time_now(), self.epoch());
        let Some(friend) = self.book.friend_mut(account) else { return };
        friend.stored.seen.insert(*device, time);
        let before = friend.stored.pairs.clone();
        if let Some(at) = friend.stored.pairs.iter().position(|known| known.id == *pair) {
            friend.stored.pairs.swap(0, at);
        }
        if linked && friend.stored.pairs.first().is_some_and(|first| first.id == *pair) {
            // Not at once: of two links that raced the other one may survive, under another secret.
            friend.stored.pairs.retain(|known| known.id == *pair || known.born.plus(PAIRS_KEPT) > today);
        }
        // Yesterday's is still needed by a friend whose clock is behind; and our own clock alone is no evidence.
        if let Some(first) = friend.stored.pairs.first_mut().filter(|first| first.id == *pair) {
            first.secret.forget_before(epoch.min(today).minus(1));
        }
        let changed = friend.stored.pairs != before;
        self.keep_friend(account);
        if changed {
            self.rewatch_friend(account);
            self.resume_meetings();
        }
        self.opening_used(account);
    }

    /// The first link with somebody is up.
    pub(super) fn contact_linked(&mut self, account: &AccountId) {
        self.opening_used(account);
        self.join_used(account);
        self.end_contact_want(account);
    }

    pub(super) fn keep_friend(&mut self, account: &AccountId) {
        if let Some(friend) = self.book.friend(account) {
            self.out.put(store::friend(account), store::encode(&friend.stored));
        }
    }

    pub(super) fn blocked(&self, account: &AccountId) -> bool {
        self.book.friend(account).is_some_and(Friend::blocked)
    }

    /// A card that fits with what else is to be said, with as many of the places as fit, the preferred first.
    fn fitting_card(&mut self, places: &[PlaceTag], fits: impl Fn(&Card) -> bool) -> Option<Card> {
        (1..=places.len()).rev().find_map(|count| {
            let card = self.contact_card(places.get(..count)?)?;
            fits(&card).then_some(card)
        })
    }

    pub(super) fn run_contacts(&mut self) {
        self.run_openings();
        self.run_requests();
        self.run_joins();
    }
}

/// The monotonic time of a moment by the wall clock.
fn monotonic(engine: &Engine, moment: UnixMillis) -> std::time::Duration {
    engine.now.mono.saturating_add(moment.since(engine.time_now()))
}
