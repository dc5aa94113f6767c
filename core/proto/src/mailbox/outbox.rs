//! The sender's side: messages that were accepted, sealed, until their recipient says that it has them or they are over.
//!
//! A message is a row of items: the parts of its files, and itself behind them. Items have numbers that grow, each names the one before, and a recipient takes them in by that order.
//! The *floor* is the lowest number that is not over: nothing below it comes any more, and who misses something there waits no longer.
//!
//! ```text
//!  accepted ──> queued <──> held ──────────> delivered     by a receipt, at any time before it is given up
//!                  └──────────┴─ lifetime ─> no copy is given to anybody any more
//!                                   └─ GRACE ─> expired    the floor goes on
//!                  └── cannot be read ────────> expired    at once, where its recipient says so
//! ```
//!
//! An item that is over moves the floor only when it was *reported* so. Therefore a receipt that passes an item that waits here does say that it arrived.

use super::item::{Content, FileRef, MessageId, Ordered, Receipt};
use super::placement::{self, Keeper};
use super::records::{PAGE, item_key, load, mark, remove, save, scan, seq_of};
use super::wire::BlobHash;
use super::{Age, MailError, Read, Table, Tables};
use crate::crypto::keys::AccountId;
use crate::crypto::sha256;
use crate::time::UnixMillis;

pub(super) mod book;
#[cfg(test)]
mod tests;

use book::{Book, Head, Message};

/// How long a message is waited for after its lifetime has passed, in seconds, before it is reported as expired: its last copy may have been fetched in the last moment, and the receipt
/// may take its time.
pub const GRACE: u64 = 2 * 86_400;

/// What a clock may contribute to a number, at most: the year 2248. Recipients refuse numbers from twice as much on.
pub const GREATEST_CLOCK: u64 = 1 << 43;

/// How long the id of a message that is over is remembered, in seconds: whoever asks again does so within seconds.
pub const REMEMBERED: u64 = 86_400;

/// The most ids of messages that are over; beyond it the oldest is forgotten.
pub const MOST_REMEMBERED: u64 = 100_000;

/// The most numbers beyond the first gap that a receipt may name, and that are looked at.
pub const MOST_BEYOND: usize = 64;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Messages for one recipient.
    pub messages: u64,
    /// Bytes for one recipient, sealed.
    pub bytes: u64,
    /// Bytes for all recipients together, sealed.
    pub total: u64,
}

/// What an item is kept as: a blob, or, where nothing is known yet to seal it to, bytes under a key of this machine's.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Sealed {
    /// For its recipient.
    #[n(0)]
    Blob(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// For ourselves, until the recipient's keys are known.
    #[n(1)]
    Locked(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// Makes blobs of items; what it has to be has to do with keys, and is the caller's.
pub trait Sealer {
    /// Seals an item for its recipient, or for ourselves.
    fn seal(&mut self, item: &Ordered) -> Sealed;
    /// Opens what was sealed for ourselves, to be sealed anew; `None` where that cannot be.
    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered>;
}

/// A message to accept.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its name, from the asker: asked for twice it is sent once.
    pub id: MessageId,
    /// To whom.
    pub to: AccountId,
    /// What it says.
    pub text: String,
    /// What is attached, with all of its bytes in parts of at most [`CHUNK`](super::item::CHUNK): a recipient drops a message whose parts do not add up to its files' sizes.
    pub files: Vec<(FileRef, Vec<Vec<u8>>)>,
    /// When, by our clock: what it is numbered by.
    pub sent: UnixMillis,
    /// After how many seconds no copy of it is given to anybody any more; [`GRACE`] later it is given up.
    pub lifetime: u64,
}

/// What became of a message that was to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is here, once the transaction is on disk.
    Now,
    /// It was accepted under this id before; how it stands.
    Before(State),
    /// Too much waits for this recipient already, or in all. Nothing was written.
    Full,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum State {
    /// Here alone.
    #[n(0)]
    Queued,
    /// At least one copy of every part of it is with somebody who keeps it.
    #[n(1)]
    Held,
    /// Its recipient has it on disk.
    #[n(2)]
    Delivered,
    /// Given up.
    #[n(3)]
    Expired,
}

/// An item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub seq: u64,
    /// Which message it is of.
    pub message: MessageId,
    /// As it is kept.
    pub sealed: Sealed,
    /// Of the blob.
    pub hash: BlobHash,
    /// When it was accepted.
    pub born: Age,
    /// When its lifetime has passed: what hosts are told.
    pub ends: Age,
}

/// Accepts a message: all of its items, or nothing.
pub fn accept<T: Tables>(
    tables: &mut T,
    now: Age,
    message: Outgoing,
    bounds: &Bounds,
    sealer: &mut impl Sealer,
) -> Result<Accepted, MailError<T::Error>> {
    if let Some(known) = book::message(tables, &message.id)? {
        return Ok(Accepted::Before(known.state()));
    }
    let mut book = Book::open(tables, &message.to)?;
    if book.peer.messages >= bounds.messages {
        return Ok(Accepted::Full);
    }
    let Outgoing { id, to, sent, lifetime, .. } = message;
    let first = book.peer.last.saturating_add(1).max(sent.0.min(GREATEST_CLOCK));
    let floor = lowest(tables, &to)?.map_or(first, |(seq, _)| seq);

    let mut previous = book.peer.last;
    let mut seq = first;
    let mut items = Vec::new();
    let mut size = 0u64;
    for content in contents(message) {
        let sealed = sealer.seal(&Ordered { seq, previous, floor, sent, content });
        size = size.saturating_add(sealed.size());
        items.push((seq, previous, sealed));
        (previous, seq) = (seq, seq.saturating_add(1));
    }
    let exceeds = |there: u64, most: u64| there.saturating_add(size) > most;
    if exceeds(book.peer.bytes, bounds.bytes) || exceeds(book.totals.bytes, bounds.total) {
        return Ok(Accepted::Full);
    }

    let parts = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let (ends, last) = (now.after(lifetime), previous);
    for (seq, previous, sealed) in items {
        let head = Head {
            message: id,
            hash: sealed.hash(),
            size: sealed.size(),
            previous,
            born: now,
            ends,
            sent,
            locked: sealed.locked(),
            stored: 0,
        };
        keep(tables, &mut book, seq, &head, &sealed)?;
    }
    let entry =
        Message { to, first, last, waiting: parts, bare: parts, turns: ends, silent: false, over: None };
    book.enter(tables, &id, &entry)?;
    book.peer.last = last;
    book.close(tables)?;
    Ok(Accepted::Now)
}

/// What goes into a message's items, in their order.
fn contents(message: Outgoing) -> impl Iterator<Item = Content> {
    let Outgoing { id, text, files, .. } = message;
    let mut refs = Vec::new();
    let mut contents = Vec::new();
    for (file, parts) in files {
        let mut from = 0u64;
        for part in parts {
            let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
            contents.push(Content::Chunk(file.id, from, part));
            from = from.saturating_add(size);
        }
        refs.push(file);
    }
    contents.push(Content::Message(id, text, refs));
    contents.into_iter()
}

fn keep<T: Tables>(
    tables: &mut T,
    book: &mut Book,
    seq: u64,
    head: &Head,
    sealed: &Sealed,
) -> Result<(), MailError<T::Error>> {
    let key = item_key(&book.to, seq);
    save(tables, Table::Outbox, &key, sealed)?;
    save(tables, Table::OutboxHeads, &key, head)?;
    if head.locked {
        mark(tables, Table::OutboxLocked, &key)?;
    }
    book.weigh(head.size);
    Ok(())
}

impl Sealed {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Blob(bytes) | Self::Locked(bytes) => bytes,
        }
    }

    fn size(&self) -> u64 {
        u64::try_from(self.bytes().len()).unwrap_or(u64::MAX)
    }

    fn hash(&self) -> BlobHash {
        BlobHash(sha256(&[self.bytes()]))
    }

    const fn locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

/// Seals what waits locked, at most so many items; how many were looked at. To be called until there are none, and again when something new is known of the recipient: what the sealer
/// can only lock again ends it, and what cannot be unlocked is looked at once and expires.
pub fn seal_waiting<T: Tables>(
    tables: &mut T,
    to: &AccountId,
    most: usize,
    sealer: &mut impl Sealer,
) -> Result<usize, MailError<T::Error>> {
    let locked = scan(tables, Table::OutboxLocked, &item_key(to, 0), &item_key(to, u64::MAX), most)?;
    if locked.is_empty() {
        return Ok(0);
    }
    let mut book = Book::open(tables, to)?;
    let floor = floor(tables, to)?;
    let mut count = 0usize;
    for (key, _) in locked {
        let seq = seq_of(&key)?;
        let mut head =
            book::head(tables, to, seq)?.ok_or(MailError::Damaged("a locked item without head"))?;
        let kept =
            load(tables, Table::Outbox, &key)?.ok_or(MailError::Damaged("an item without its blob"))?;
        let item = match &kept {
            Sealed::Locked(bytes) => sealer.unlock(bytes),
            Sealed::Blob(_) => None,
        };
        if let Some(item) = item {
            let sealed = sealer.seal(&Ordered { floor: floor.min(seq), ..item });
            if sealed.locked() {
                break;
            }
            book.unweigh(head.size);
            (head.hash, head.size, head.locked) = (sealed.hash(), sealed.size(), false);
            keep(tables, &mut book, seq, &head, &sealed)?;
        }
        remove(tables, Table::OutboxLocked, &key)?;
        count = count.saturating_add(1);
    }
    book.close(tables)?;
    Ok(count)
}

/// Items for a recipient after a number, in order, that it has not said to have and whose lifetime has not passed at the last [`expire`].
pub fn waiting<R: Read>(
    tables: &R,
    to: &AccountId,
    after: u64,
    most: usize,
) -> Result<Vec<Waiting>, MailError<R::Error>> {
    let mut found = Vec::new();
    let mut from = after.saturating_add(1);
    while found.len() < most {
        let page = most.saturating_sub(found.len()).min(PAGE);
        let heads = book::heads(tables, to, from..u64::MAX, page)?;
        let Some((last, _)) = heads.last() else { break };
        from = last.saturating_add(1);
        for (seq, head) in heads {
            let Some(sealed) = load(tables, Table::Outbox, &item_key(to, seq))? else { continue };
            let Head { message, hash, born, ends, .. } = head;
            found.push(Waiting { seq, message, sealed, hash, born, ends });
        }
    }
    Ok(found)
}

/// One item, as [`waiting`] gives it.
pub fn item<R: Read>(tables: &R, to: &AccountId, seq: u64) -> Result<Option<Waiting>, MailError<R::Error>> {
    let found = waiting(tables, to, seq.saturating_sub(1), 1)?;
    Ok(found.into_iter().next().filter(|item| item.seq == seq))
}

/// The recipient says what it has. Returns the messages that are delivered by it. Where it has more than was ever sent, as far as is known here, what is sent from now on is numbered
/// above that.
pub fn receipt<T: Tables>(
    tables: &mut T,
    now: Age,
    from: &AccountId,
    receipt: &Receipt,
) -> Result<Vec<MessageId>, MailError<T::Error>> {
    let mut book = Book::open(tables, from)?;
    if book.peer.last == 0 {
        return Ok(Vec::new());
    }
    let mut delivered = Vec::new();
    // We are a backup that was restored: what is numbered no higher than what was sent after it was made would be taken for known. Whoever lies moves its own numbers only, and not beyond
    // what a clock may.
    let greatest = receipt.beyond.iter().take(MOST_BEYOND).fold(receipt.upto, |most, seq| most.max(*seq));
    let mut changed = greatest > book.peer.last && greatest <= GREATEST_CLOCK;
    if changed {
        book.peer.last = greatest;
    }
    changed |= book.told(receipt);
    let end = receipt.upto.min(book.peer.last).saturating_add(1);
    loop {
        let heads = book::heads(tables, from, 0..end, PAGE)?;
        if heads.is_empty() {
            break;
        }
        for (seq, head) in heads {
            delivered.extend(book.acknowledge(tables, now, seq, head)?);
            changed = true;
        }
    }
    for seq in receipt.beyond.iter().take(MOST_BEYOND) {
        if let Some(head) = book::head(tables, from, *seq)? {
            delivered.extend(book.acknowledge(tables, now, *seq, head)?);
            changed = true;
        }
    }
    if changed {
        book.close(tables)?;
    }
    Ok(delivered)
}

/// Whether a recipient is known to wait for something that is over: it is to be told the [`floor`], now and then, until it says that it waits no longer. What came behind the gap may have
/// been dropped here already, so that nothing else would ever tell it.
pub fn behind<R: Read>(tables: &R, to: &AccountId) -> Result<bool, MailError<R::Error>> {
    let peer = Book::open(tables, to)?.peer;
    let over = lowest(tables, to)?.map_or(peer.last, |(_, head)| head.previous);
    Ok(peer.gap && peer.settled < over)
}

/// Stops sending what has lived its time, and [`GRACE`] later gives it up, with all parts of the same message. Returns the messages given up, by recipient. Ids of what is over long
/// enough are forgotten.
pub fn expire<T: Tables>(
    tables: &mut T,
    now: Age,
) -> Result<Vec<(AccountId, MessageId)>, MailError<T::Error>> {
    let end = now.0.saturating_add(1).to_be_bytes();
    let mut given_up = Vec::new();
    loop {
        let due = scan(tables, Table::OutboxEnds, &[], &end, PAGE)?;
        if due.is_empty() {
            break;
        }
        for (key, _) in due {
            let id = book::timed_id(&key)?;
            let message =
                book::message(tables, &id)?.ok_or(MailError::Damaged("an end without its message"))?;
            if message.over.is_some() || message.turns_key(&id) != key {
                return Err(MailError::Damaged("an end that is not its message's"));
            }
            let to = message.to;
            let mut book = Book::open(tables, &to)?;
            if message.silent {
                book.give_up(tables, now, &id, message)?;
                given_up.push((to, id));
            } else {
                book.silence(tables, now, &id, message)?;
            }
            book.close(tables)?;
        }
    }
    book::forget_before(tables, Age(now.0.saturating_sub(REMEMBERED)))?;
    Ok(given_up)
}

/// The lowest number to this recipient that is not over: what news tell of it.
pub fn floor<R: Read>(tables: &R, to: &AccountId) -> Result<u64, MailError<R::Error>> {
    match lowest(tables, to)? {
        Some((seq, _)) => Ok(seq),
        None => Ok(Book::open(tables, to)?.peer.last.saturating_add(1)),
    }
}

fn lowest<R: Read>(tables: &R, to: &AccountId) -> Result<Option<(u64, Head)>, MailError<R::Error>> {
    Ok(book::heads(tables, to, 0..u64::MAX, 1)?.into_iter().next())
}

/// To whom a message is, how it stands, and who has all of its parts that wait.
pub type Stands = (AccountId, State, Vec<Keeper>);

/// How a message stands; `None` where its id is not known, or not any more.
pub fn state<R: Read>(tables: &R, id: &MessageId) -> Result<Option<Stands>, MailError<R::Error>> {
    let Some(message) = book::message(tables, id)? else { return Ok(None) };
    let mut holders = Vec::new();
    if message.over.is_none() {
        holders = placement::holders(tables, id, &message)?;
    }
    Ok(Some((message.to, message.state(), holders)))
}

/// A message that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underway {
    /// Its id.
    pub id: MessageId,
    /// To whom.
    pub to: AccountId,
    /// How it stands: queued or held.
    pub state: State,
    /// Who has all of its parts that wait.
    pub holders: Vec<Keeper>,
    /// When it was accepted, by our clock.
    pub sent: UnixMillis,
    /// Of what is kept here of it, sealed; 0 once no copy is given to anybody any more.
    pub bytes: u64,
}

/// Messages that are not over, to anybody, at most so many of those that turn next, and among these the oldest first. No blob is read.
pub fn underway<R: Read>(tables: &R, most: usize) -> Result<Vec<Underway>, MailError<R::Error>> {
    let mut found = Vec::new();
    for (key, _) in scan(tables, Table::OutboxEnds, &[], &book::BEHIND_TIMES, most)? {
        let id = book::timed_id(&key)?;
        let message = book::message(tables, &id)?.ok_or(MailError::Damaged("an end without its message"))?;
        let items = book::items(tables, &id, &message)?;
        let Some((_, first)) = items.first() else { continue };
        let (sent, bytes) = (first.sent, items.iter().map(|(_, head)| head.size).sum());
        let holders = placement::holders(tables, &id, &message)?;
        found.push(Underway { id, to: message.to, state: message.state(), holders, sent, bytes });
    }
    found.sort_by_key(|message| (message.sent, message.id));
    Ok(found)
}

/// Gives up now the message that an item is of, with all of its items: its recipient cannot read it, and what comes behind would wait for it. Which message that was; `None` where no such
/// item waits.
pub fn give_up<T: Tables>(
    tables: &mut T,
    now: Age,
    to: &AccountId,
    seq: u64,
) -> Result<Option<MessageId>, MailError<T::Error>> {
    let Some(head) = book::head(tables, to, seq)? else { return Ok(None) };
    let id = head.message;
    let message = book::message(tables, &id)?.filter(|message| message.has(to, seq));
    let message = message.ok_or(MailError::Damaged("an item without its message"))?;
    let mut book = Book::open(tables, to)?;
    book.give_up(tables, now, &id, message)?;
    book.close(tables)?;
    Ok(Some(id))
}

/// Takes out everything for recipients that `keep` does not want; the messages given up.
pub fn keep_only<T: Tables>(
    tables: &mut T,
    now: Age,
    keep: &mut dyn FnMut(&AccountId) -> bool,
) -> Result<Vec<MessageId>, MailError<T::Error>> {
    let mut given_up = Vec::new();
    for (to, _) in queues(tables)? {
        if keep(&to) {
            continue;
        }
        let mut book = Book::open(tables, &to)?;
        while let Some((seq, head)) = lowest(tables, &to)? {
            let id = head.message;
            let message = book::message(tables, &id)?.filter(|message| message.has(&to, seq));
            let message = message.ok_or(MailError::Damaged("an item without its message"))?;
            book.give_up(tables, now, &id, message)?;
            given_up.push(id);
        }
        book.close(tables)?;
    }
    Ok(given_up)
}

/// How much waits for whom: messages, and when the oldest was accepted.
pub fn queues<R: Read>(tables: &R) -> Result<Vec<(AccountId, Queue)>, MailError<R::Error>> {
    let mut queues = Vec::new();
    for (key, value) in scan(tables, Table::OutboxPeers, &[], &book::BEHIND_PEERS, usize::MAX)? {
        let (to, _) = super::records::account_of(&key)?;
        let peer: book::Peer = super::records::read(&value)?;
        if peer.messages == 0 {
            continue;
        }
        let oldest = lowest(tables, &to)?.map(|(_, head)| head.sent);
        let queued = peer.messages.saturating_sub(peer.held);
        queues.push((to, Queue { queued, held: peer.held, bytes: peer.bytes, oldest }));
    }
    Ok(queues)
}

/// How much waits for somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Messages that are here alone.
    pub queued: u64,
    /// Messages with a copy somewhere.
    pub held: u64,
    /// Of all that is kept here for it.
    pub bytes: u64,
    /// When the oldest was accepted, by our clock.
    pub oldest: Option<UnixMillis>,
}
