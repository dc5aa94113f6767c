//! Which copy goes where: at least so many, at hosts that the recipient's card names, and with couriers of our own where it names too few.
//!
//! What is small goes to every host that the card names ([`EVERYWHERE`]). Of what is not a copy counts while its keeper is known to be about: it was seen, or took the copy, within [`Policy::doubt`]. Where too few count, everybody who may have one more is named, and
//! whoever is there first gets it. So two copies of three hosts that are gone for good become one at the third, and a host that stays away is made up for until it is back.

use minicbor::{Decode, Encode};

use super::item::MessageId;
use super::outbox::book::{self, Book, Head, Message};
use super::records::{PAGE, item_key, load, read, remove, save, scan, seq_of};
use super::wire::BlobHash;
use super::{Age, MailError, Read, Table, Tables};
use crate::crypto::keys::AccountId;

#[cfg(test)]
mod tests;

/// After how many seconds a keeper that would not take something is asked again: the recipient may have registered the queue since.
pub const DENIED: u64 = 900;

/// An item of at most so many bytes, sealed, goes to every host that the card names, as each is met: which of them the recipient meets first nobody knows, and where hosts are up three tenths
/// of the time, two copies of three possible make one message of thirteen late by more than a tenth (`core/proto/tests/mailbox.rs`). Beyond it room counts for more.
pub const EVERYWHERE: u64 = 8 * 1024;

/// The most copies of an item that are known of, made or refused; beyond it the oldest is forgotten. A recipient names four hosts at a time, but may name others every day.
pub const MOST_COPIES: usize = 32;

/// Where a copy may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keeper {
    /// A host of the recipient's, by its guest key.
    Host([u8; 32]),
    /// A friend of ours who carries it to one.
    Courier(AccountId),
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Copies.
    pub copies: usize,
    /// After how many seconds without a receipt a copy at a host that was not there any more counts no longer: another one is made elsewhere.
    pub doubt: u64,
}

/// How a copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Copy {
    /// It is kept there, since then.
    #[n(0)]
    Stored(#[n(0)] Age),
    /// There was no room; not to be tried before then.
    #[n(1)]
    Full(#[n(0)] Age),
    /// It is not taken there; since then.
    #[n(2)]
    Denied(#[n(0)] Age),
    /// Whoever was to carry it is the host itself, and has it as that, since then: it counts there.
    #[n(3)]
    AtHost(#[n(0)] Age),
}

/// What is known of a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub keeper: Keeper,
    /// When it was there last, as far as is known.
    pub seen: Option<Age>,
}

/// A copy to make, as soon as its keeper is there. Several keepers may be named for one item: whoever is there first gets it, until there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which item.
    pub seq: u64,
    /// Of its blob.
    pub hash: BlobHash,
    /// With whom.
    pub keeper: Keeper,
}

/// Copies that are wanted of what waits for a recipient after a number, the oldest item first, at most `most` of them; to be asked again after the last number named until there are
/// none. All that is named of an item is in one answer, the preferred keeper first, unless that alone is more than `most`.
///
/// `keepers` are the hosts that the recipient's card names now, and our couriers: a copy with anybody else does not count, since the recipient does not look there.
pub fn due<R: Read>(
    tables: &R,
    now: Age,
    policy: &Policy,
    to: &AccountId,
    keepers: &[Known],
    after: u64,
    most: usize,
) -> Result<Vec<Due>, MailError<R::Error>> {
    let choice = Choice::of(now, policy, keepers);
    let mut due = Vec::new();
    let mut from = after.saturating_add(1);
    loop {
        let heads = book::heads(tables, to, from..u64::MAX, PAGE)?;
        let Some((last, _)) = heads.last() else { return Ok(due) };
        let behind = last.saturating_add(1);
        let mut copies = copies(tables, to, from..behind)?.into_iter().peekable();
        from = behind;
        for (seq, head) in heads {
            let mut of_this = Vec::new();
            while let Some((_, keeper, copy)) = copies.next_if(|(number, ..)| *number <= seq) {
                of_this.push((keeper, copy));
            }
            if head.locked || head.size == 0 || now >= head.ends {
                continue;
            }
            let wanted = choice.wanted(&head, &of_this);
            if !due.is_empty() && due.len().saturating_add(wanted.len()) > most {
                return Ok(due);
            }
            due.extend(wanted.into_iter().map(|keeper| Due { seq, hash: head.hash, keeper }));
            if due.len() >= most {
                due.truncate(most);
                return Ok(due);
            }
        }
    }
}

/// What is the same for all items of one recipient.
struct Choice<'a> {
    now: Age,
    policy: &'a Policy,
    /// In order of preference.
    hosts: Vec<Known>,
    couriers: Vec<Known>,
}

impl<'a> Choice<'a> {
    fn of(now: Age, policy: &'a Policy, keepers: &[Known]) -> Self {
        let mut known = keepers.to_vec();
        // Stable, so that among those of whom the same is known the card's own order holds.
        known.sort_by_key(|known| std::cmp::Reverse(known.seen));
        let (hosts, couriers) = known.into_iter().partition(|known| matches!(known.keeper, Keeper::Host(_)));
        Self { now, policy, hosts, couriers }
    }

    /// With whom a copy of an item is wanted.
    fn wanted(&self, head: &Head, copies: &[(Keeper, Copy)]) -> Vec<Keeper> {
        let live = copies.iter().filter(|(keeper, copy)| self.counts(keeper, *copy)).count();
        let enough = live >= self.policy.copies;
        if enough && head.size > EVERYWHERE {
            return Vec::new();
        }
        let couriers: &[Known] = if !enough && self.needs_couriers(head) { &self.couriers } else { &[] };
        let may_have = |keeper: &Keeper| {
            let copy = copies.iter().find(|(of, _)| of == keeper);
            copy.is_none_or(|(_, copy)| self.may_be_tried(*copy))
        };
        self.hosts.iter().chain(couriers).map(|known| known.keeper).filter(may_have).collect()
    }

    fn counts(&self, keeper: &Keeper, copy: Copy) -> bool {
        let Copy::Stored(since) = copy else { return false };
        let mut named = self.hosts.iter().chain(&self.couriers);
        let named = named.find(|known| known.keeper == *keeper);
        named.is_some_and(|known| self.recent(known.seen.map_or(since, |seen| seen.max(since))))
    }

    const fn may_be_tried(&self, copy: Copy) -> bool {
        match copy {
            Copy::Stored(_) => false,
            Copy::Full(until) => self.now.0 >= until.0,
            Copy::Denied(since) => self.now.since(since) >= DENIED,
            // By then the card may name others.
            Copy::AtHost(since) => !self.recent(since),
        }
    }

    /// Whether the recipient's hosts are too few, or were all out of reach for so long that others may have more luck.
    fn needs_couriers(&self, head: &Head) -> bool {
        let reached = self.hosts.iter().any(|known| known.seen.is_some_and(|seen| self.recent(seen)));
        self.hosts.len() < self.policy.copies || !(reached || self.recent(head.born))
    }

    const fn recent(&self, moment: Age) -> bool {
        self.now.since(moment) < self.policy.doubt
    }
}

/// What became of a copy. Of an item that is gone already nothing is kept.
pub fn placed<T: Tables>(
    tables: &mut T,
    to: &AccountId,
    seq: u64,
    keeper: &Keeper,
    copy: Copy,
) -> Result<(), MailError<T::Error>> {
    let Some(head) = book::head(tables, to, seq)? else { return Ok(()) };
    let key = copy_key(to, seq, keeper);
    let before: Option<Copy> = load(tables, Table::OutboxCopies, &key)?;
    let mut change = counted(Some(copy)).saturating_sub(counted(before));
    if before.is_none() {
        let known = copies(tables, to, seq..seq.saturating_add(1))?;
        if known.len() >= MOST_COPIES
            && let Some((_, oldest, copy)) = known.iter().min_by_key(|(_, _, copy)| copy.age())
        {
            remove(tables, Table::OutboxCopies, &copy_key(to, seq, oldest))?;
            change = change.saturating_sub(counted(Some(*copy)));
        }
    }
    save(tables, Table::OutboxCopies, &key, &copy)?;
    if change == 0 {
        return Ok(());
    }
    let mut book = Book::open(tables, to)?;
    book.stored(tables, seq, head, change)?;
    book.close(tables)
}

impl Copy {
    const fn age(self) -> Age {
        match self {
            Self::Stored(age) | Self::Full(age) | Self::Denied(age) | Self::AtHost(age) => age,
        }
    }
}

const fn counted(copy: Option<Copy>) -> i32 {
    matches!(copy, Some(Copy::Stored(_))) as i32
}

/// Keepers who have all parts of a message that wait.
pub(super) fn holders<R: Read>(
    tables: &R,
    id: &MessageId,
    message: &Message,
) -> Result<Vec<Keeper>, MailError<R::Error>> {
    let mut holders: Option<Vec<Keeper>> = None;
    for (seq, _) in book::items(tables, id, message)? {
        let copies = copies(tables, &message.to, seq..seq.saturating_add(1))?;
        let stored = copies.into_iter().filter(|(_, _, copy)| matches!(copy, Copy::Stored(_)));
        let here: Vec<Keeper> = stored.map(|(_, keeper, _)| keeper).collect();
        match &mut holders {
            Some(holders) => holders.retain(|keeper| here.contains(keeper)),
            None => holders = Some(here),
        }
    }
    Ok(holders.unwrap_or_default())
}

/// Of which item, with whom, how it stands.
type Placed = (u64, Keeper, Copy);

/// Copies of the items with these numbers, in order.
fn copies<R: Read>(
    tables: &R,
    to: &AccountId,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<Placed>, MailError<R::Error>> {
    let (from, end) = (item_key(to, numbers.start), item_key(to, numbers.end));
    let found = scan(tables, Table::OutboxCopies, &from, &end, usize::MAX)?;
    found.iter().map(|(key, value)| copy_of(key, value)).collect()
}

const HOST: u8 = 0;
const COURIER: u8 = 1;

fn copy_key(to: &AccountId, seq: u64, keeper: &Keeper) -> Vec<u8> {
    let (kind, who) = match keeper {
        Keeper::Host(guest) => (HOST, guest),
        Keeper::Courier(account) => (COURIER, &account.0),
    };
    [item_key(to, seq).as_slice(), &[kind], who].concat()
}

fn copy_of<E>(key: &[u8], value: &[u8]) -> Result<Placed, MailError<E>> {
    const DAMAGED: &str = "a key of a copy is not one";
    let (item, who) = key.split_last_chunk().ok_or(MailError::Damaged(DAMAGED))?;
    let (kind, item) = item.split_last().ok_or(MailError::Damaged(DAMAGED))?;
    let keeper = match *kind {
        HOST => Keeper::Host(*who),
        COURIER => Keeper::Courier(AccountId(*who)),
        _ => return Err(MailError::Damaged(DAMAGED)),
    };
    Ok((seq_of(item)?, keeper, read(value)?))
}
