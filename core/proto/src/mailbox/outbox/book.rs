//! What is written down of messages on their way, and how it changes: a recipient's numbers and counts, a message, the head of each of its items.
//!
//! The counts are kept as things change, so that to say how much waits for somebody is to read one record, however much it is.

use minicbor::{Decode, Encode};

use super::{GRACE, MOST_REMEMBERED, State};
use crate::crypto::keys::AccountId;
use crate::mailbox::item::{MessageId, Receipt};
use crate::mailbox::records::{PAGE, item_key, load, mark, read, remove, save, scan, seq_of};
use crate::mailbox::wire::BlobHash;
use crate::mailbox::{Age, MailError, Read, Table, Tables};
use crate::time::UnixMillis;

/// What is known of an item without its blob.
#[derive(Clone, Debug, Encode, Decode)]
pub(in crate::mailbox) struct Head {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(in crate::mailbox) message: MessageId,
    #[n(1)]
    pub(in crate::mailbox) hash: BlobHash,
    /// Of what is kept, in bytes; none once it is not sent any more.
    #[n(2)]
    pub(in crate::mailbox) size: u64,
    #[n(3)]
    pub(in crate::mailbox) previous: u64,
    #[n(4)]
    pub(in crate::mailbox) born: Age,
    #[n(5)]
    pub(in crate::mailbox) ends: Age,
    #[n(6)]
    pub(in crate::mailbox) sent: UnixMillis,
    /// Whether it is sealed for ourselves alone.
    #[n(7)]
    pub(in crate::mailbox) locked: bool,
    /// How many keepers have a copy of it.
    #[n(8)]
    pub(in crate::mailbox) stored: u32,
}

/// A message: of which items it consists, and what became of it.
#[derive(Clone, Debug, Encode, Decode)]
pub(in crate::mailbox) struct Message {
    #[n(0)]
    pub(in crate::mailbox) to: AccountId,
    #[n(1)]
    pub(in crate::mailbox) first: u64,
    #[n(2)]
    pub(in crate::mailbox) last: u64,
    /// Items that were not acknowledged.
    #[n(3)]
    pub(in crate::mailbox) waiting: u64,
    /// Of these, without a copy anywhere.
    #[n(4)]
    pub(in crate::mailbox) bare: u64,
    /// When something is to be done about it: its lifetime has passed, or the time after that.
    #[n(5)]
    pub(in crate::mailbox) turns: Age,
    /// Whether its lifetime has passed, so that nobody is given a copy any more, and it is only waited for whether one arrived.
    #[n(6)]
    pub(in crate::mailbox) silent: bool,
    #[n(7)]
    pub(in crate::mailbox) over: Option<State>,
}

impl Message {
    pub(in crate::mailbox) fn state(&self) -> State {
        self.over.unwrap_or(if self.bare == 0 { State::Held } else { State::Queued })
    }

    pub(super) fn has(&self, to: &AccountId, seq: u64) -> bool {
        self.over.is_none() && self.to == *to && (self.first..=self.last).contains(&seq)
    }

    pub(super) fn turns_key(&self, id: &MessageId) -> Vec<u8> {
        timed_key(self.turns, id)
    }
}

/// A recipient.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(in crate::mailbox) struct Peer {
    /// The last number used; outlives the friendship, so that no number is used twice.
    #[n(0)]
    pub(in crate::mailbox) last: u64,
    /// Messages that are not over.
    #[n(1)]
    pub(in crate::mailbox) messages: u64,
    /// Of these, how many are held.
    #[n(2)]
    pub(in crate::mailbox) held: u64,
    /// Of their blobs.
    #[n(3)]
    pub(in crate::mailbox) bytes: u64,
    /// Up to which number it said to have everything.
    #[n(4)]
    pub(in crate::mailbox) settled: u64,
    /// Whether it said to have something beyond.
    #[n(5)]
    pub(in crate::mailbox) gap: bool,
}

/// Of all recipients together.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(in crate::mailbox) struct Totals {
    /// Of all blobs.
    #[n(0)]
    pub(in crate::mailbox) bytes: u64,
    /// Messages that are over and whose ids are remembered.
    #[n(1)]
    pub(in crate::mailbox) remembered: u64,
}

const TOTALS: &[u8] = b"totals";

/// A recipient's records while they are changed; to be [closed](Book::close).
pub(in crate::mailbox) struct Book {
    pub(in crate::mailbox) to: AccountId,
    pub(in crate::mailbox) peer: Peer,
    pub(in crate::mailbox) totals: Totals,
}

impl Book {
    pub(in crate::mailbox) fn open<R: Read>(tables: &R, to: &AccountId) -> Result<Self, MailError<R::Error>> {
        let peer = load(tables, Table::OutboxPeers, &to.0)?.unwrap_or_default();
        Ok(Self { to: *to, peer, totals: totals(tables)? })
    }

    pub(in crate::mailbox) fn close<T: Tables>(self, tables: &mut T) -> Result<(), MailError<T::Error>> {
        save(tables, Table::OutboxPeers, &self.to.0, &self.peer)?;
        save(tables, Table::OutboxState, TOTALS, &self.totals)
    }

    /// Writes a message down that was accepted.
    pub(super) fn enter<T: Tables>(
        &mut self,
        tables: &mut T,
        id: &MessageId,
        message: &Message,
    ) -> Result<(), MailError<T::Error>> {
        self.peer.messages = self.peer.messages.saturating_add(1);
        mark(tables, Table::OutboxEnds, &message.turns_key(id))?;
        save(tables, Table::OutboxIds, id, message)
    }

    /// The recipient says how far it is; whether that is new. At one number what lies beyond only grows, in whatever order receipts come.
    pub(super) fn told(&mut self, receipt: &Receipt) -> bool {
        let (settled, gap) = (receipt.upto.min(self.peer.last), !receipt.beyond.is_empty());
        let new = settled > self.peer.settled || (settled == self.peer.settled && gap && !self.peer.gap);
        if new {
            (self.peer.settled, self.peer.gap) = (settled, gap);
        }
        new
    }

    /// A blob of so many bytes lies here now.
    pub(super) fn weigh(&mut self, size: u64) {
        self.peer.bytes = self.peer.bytes.saturating_add(size);
        self.totals.bytes = self.totals.bytes.saturating_add(size);
    }

    /// Takes a blob out, and leaves the head.
    fn lighten<T: Tables>(
        &mut self,
        tables: &mut T,
        seq: u64,
        head: &mut Head,
    ) -> Result<(), MailError<T::Error>> {
        let key = item_key(&self.to, seq);
        remove(tables, Table::Outbox, &key)?;
        if head.locked {
            remove(tables, Table::OutboxLocked, &key)?;
        }
        self.unweigh(head.size);
        head.size = 0;
        Ok(())
    }

    /// A blob of so many bytes lies here no more.
    pub(super) fn unweigh(&mut self, size: u64) {
        self.peer.bytes = self.peer.bytes.saturating_sub(size);
        self.totals.bytes = self.totals.bytes.saturating_sub(size);
    }

    /// Takes an item out with all that is known of it.
    fn drop_item<T: Tables>(
        &mut self,
        tables: &mut T,
        seq: u64,
        mut head: Head,
    ) -> Result<(), MailError<T::Error>> {
        self.lighten(tables, seq, &mut head)?;
        let (from, to) = (item_key(&self.to, seq), item_key(&self.to, seq.saturating_add(1)));
        remove(tables, Table::OutboxHeads, &from)?;
        for (key, _) in scan(tables, Table::OutboxCopies, &from, &to, usize::MAX)? {
            remove(tables, Table::OutboxCopies, &key)?;
        }
        Ok(())
    }

    /// Its recipient has this item. Returns the message where it is delivered by that.
    pub(super) fn acknowledge<T: Tables>(
        &mut self,
        tables: &mut T,
        now: Age,
        seq: u64,
        head: Head,
    ) -> Result<Option<MessageId>, MailError<T::Error>> {
        let id = head.message;
        let mut message = self.message_of(tables, &id, seq)?;
        let was = message.state();
        message.waiting = message.waiting.saturating_sub(1);
        if head.stored == 0 {
            message.bare = message.bare.saturating_sub(1);
        }
        self.drop_item(tables, seq, head)?;
        if message.waiting == 0 {
            // What it counted as before is what is counted down.
            message.bare = u64::from(was == State::Queued);
            self.over(tables, now, &id, message, State::Delivered)?;
            return Ok(Some(id));
        }
        self.restated(was, message.state());
        save(tables, Table::OutboxIds, &id, &message)?;
        Ok(None)
    }

    /// So many keepers more, or fewer, have a copy of an item.
    pub(in crate::mailbox) fn stored<T: Tables>(
        &mut self,
        tables: &mut T,
        seq: u64,
        mut head: Head,
        change: i32,
    ) -> Result<(), MailError<T::Error>> {
        let id = head.message;
        let mut message = self.message_of(tables, &id, seq)?;
        let (was, before) = (message.state(), head.stored);
        head.stored = before.saturating_add_signed(change);
        match (before, head.stored) {
            (0, 1..) => message.bare = message.bare.saturating_sub(1),
            (1.., 0) => message.bare = message.bare.saturating_add(1),
            _ => {}
        }
        self.restated(was, message.state());
        save(tables, Table::OutboxHeads, &item_key(&self.to, seq), &head)?;
        save(tables, Table::OutboxIds, &id, &message)
    }

    /// Nobody is given a copy of it any more. The grace counts from now on, and not from the end of its lifetime, since this machine may have been off in between, and a receipt lies
    /// with a host.
    pub(super) fn silence<T: Tables>(
        &mut self,
        tables: &mut T,
        now: Age,
        id: &MessageId,
        mut message: Message,
    ) -> Result<(), MailError<T::Error>> {
        for (seq, mut head) in items(tables, id, &message)? {
            self.lighten(tables, seq, &mut head)?;
            head.locked = false;
            save(tables, Table::OutboxHeads, &item_key(&self.to, seq), &head)?;
        }
        remove(tables, Table::OutboxEnds, &message.turns_key(id))?;
        (message.silent, message.turns) = (true, now.after(GRACE));
        mark(tables, Table::OutboxEnds, &message.turns_key(id))?;
        save(tables, Table::OutboxIds, id, &message)
    }

    /// Gives a message up, with all of its items.
    pub(super) fn give_up<T: Tables>(
        &mut self,
        tables: &mut T,
        now: Age,
        id: &MessageId,
        message: Message,
    ) -> Result<(), MailError<T::Error>> {
        for (seq, head) in items(tables, id, &message)? {
            self.drop_item(tables, seq, head)?;
        }
        self.over(tables, now, id, message, State::Expired)
    }

    /// It waits no longer: its id alone is remembered.
    fn over<T: Tables>(
        &mut self,
        tables: &mut T,
        now: Age,
        id: &MessageId,
        mut message: Message,
        state: State,
    ) -> Result<(), MailError<T::Error>> {
        self.restated(message.state(), State::Queued);
        self.peer.messages = self.peer.messages.saturating_sub(1);
        remove(tables, Table::OutboxEnds, &message.turns_key(id))?;
        message.over = Some(state);
        save(tables, Table::OutboxIds, id, &message)?;
        mark(tables, Table::OutboxOver, &timed_key(now, id))?;
        self.totals.remembered = self.totals.remembered.saturating_add(1);
        if self.totals.remembered > MOST_REMEMBERED {
            let oldest = scan(tables, Table::OutboxOver, &[], &BEHIND_TIMES, 1)?;
            for (key, _) in oldest {
                forget(tables, &mut self.totals, &key)?;
            }
        }
        Ok(())
    }

    fn message_of<R: Read>(
        &self,
        tables: &R,
        id: &MessageId,
        seq: u64,
    ) -> Result<Message, MailError<R::Error>> {
        let found = message(tables, id)?.filter(|message| message.has(&self.to, seq));
        found.ok_or(MailError::Damaged("an item without its message"))
    }

    /// A message stood so, and stands so now.
    fn restated(&mut self, was: State, is: State) {
        self.peer.held = self.peer.held.saturating_sub(u64::from(was == State::Held));
        self.peer.held = self.peer.held.saturating_add(u64::from(is == State::Held));
    }
}

/// Of all recipients together.
pub(super) fn totals<R: Read>(tables: &R) -> Result<Totals, MailError<R::Error>> {
    Ok(load(tables, Table::OutboxState, TOTALS)?.unwrap_or_default())
}

/// Forgets ids of messages that were over before then.
pub(super) fn forget_before<T: Tables>(tables: &mut T, before: Age) -> Result<(), MailError<T::Error>> {
    let end = before.0.to_be_bytes();
    let mut totals = totals(tables)?;
    loop {
        let old = scan(tables, Table::OutboxOver, &[], &end, PAGE)?;
        if old.is_empty() {
            return save(tables, Table::OutboxState, TOTALS, &totals);
        }
        for (key, _) in old {
            forget(tables, &mut totals, &key)?;
        }
    }
}

fn forget<T: Tables>(tables: &mut T, totals: &mut Totals, key: &[u8]) -> Result<(), MailError<T::Error>> {
    remove(tables, Table::OutboxOver, key)?;
    remove(tables, Table::OutboxIds, &timed_id(key)?)?;
    totals.remembered = totals.remembered.saturating_sub(1);
    Ok(())
}

/// A message by its id.
pub(in crate::mailbox) fn message<R: Read>(
    tables: &R,
    id: &MessageId,
) -> Result<Option<Message>, MailError<R::Error>> {
    load(tables, Table::OutboxIds, id)
}

/// The head of an item.
pub(in crate::mailbox) fn head<R: Read>(
    tables: &R,
    to: &AccountId,
    seq: u64,
) -> Result<Option<Head>, MailError<R::Error>> {
    load(tables, Table::OutboxHeads, &item_key(to, seq))
}

/// Heads with `from ≤ seq < to`, in order, at most so many.
pub(in crate::mailbox) fn heads<R: Read>(
    tables: &R,
    to: &AccountId,
    numbers: std::ops::Range<u64>,
    most: usize,
) -> Result<Vec<(u64, Head)>, MailError<R::Error>> {
    let (from, end) = (item_key(to, numbers.start), item_key(to, numbers.end));
    let found = scan(tables, Table::OutboxHeads, &from, &end, most)?;
    found.iter().map(|(key, value)| Ok((seq_of(key)?, read(value)?))).collect()
}

/// The items of a message that were not acknowledged.
pub(in crate::mailbox) fn items<R: Read>(
    tables: &R,
    id: &MessageId,
    message: &Message,
) -> Result<Vec<(u64, Head)>, MailError<R::Error>> {
    let numbers = message.first..message.last.saturating_add(1);
    let mut items = heads(tables, &message.to, numbers, usize::MAX)?;
    items.retain(|(_, head)| head.message == *id);
    Ok(items)
}

/// Behind all recipients.
pub(super) const BEHIND_PEERS: [u8; 33] = [0xff; 33];
/// Behind all keys that begin with a time.
pub(super) const BEHIND_TIMES: [u8; 32] = [0xff; 32];

fn timed_key(at: Age, id: &MessageId) -> Vec<u8> {
    [at.0.to_be_bytes().as_slice(), id].concat()
}

/// The message of a key that begins with a time.
pub(super) fn timed_id<E>(key: &[u8]) -> Result<MessageId, MailError<E>> {
    let (_, id) = key.split_last_chunk().ok_or(MailError::Damaged("a key of the mail is too short"))?;
    Ok(*id)
}
