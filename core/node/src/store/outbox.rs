//! Messages on their way.

use std::collections::BTreeSet;
use std::time::Duration;

use minicbor::{Decode, Encode};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;

use super::{Store, StoreError, age};

type Account = [u8; 32];

/// By recipient and number.
const OUTBOX: TableDefinition<'_, (Account, u64), &[u8]> = TableDefinition::new("outbox");
/// The last number used for a recipient; outlives the friendship, so that no number is used twice.
const NUMBERS: TableDefinition<'_, Account, u64> = TableDefinition::new("outbox-numbers");

/// What a clock may contribute to a number, at most: the year 2248. Recipients refuse numbers from twice as much on.
const GREATEST_CLOCK: u64 = 1 << 43;

/// What was accepted in the last [`REMEMBERED`], by id, with the store's age then in seconds: so that asking twice sends once.
const ACCEPTED: TableDefinition<'_, [u8; 16], u64> = TableDefinition::new("outbox-accepted");

/// How long the id of an accepted message is remembered: whoever asks again does so within seconds.
const REMEMBERED: Duration = Duration::from_secs(86_400);

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(OUTBOX)?;
    transaction.open_table(ACCEPTED)?;
    transaction.open_table(NUMBERS)?;
    Ok(())
}

/// A message that its recipient has not acknowledged.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OutboxEntry {
    /// Names it everywhere.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 16],
    /// Greater than that of every earlier message to this recipient.
    #[n(1)]
    pub(crate) number: u64,
    /// When it was accepted.
    #[n(2)]
    pub(crate) sent: UnixMillis,
    /// What it says.
    #[n(3)]
    pub(crate) text: String,
    /// The store's age when it was accepted, in seconds.
    #[n(4)]
    born: u64,
}

/// What became of a message that was to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is on disk.
    Now {
        /// Under this number.
        number: u64,
    },
    /// It was accepted under this id before.
    Before {
        /// Whether its recipient has not acknowledged it yet.
        waits: bool,
    },
}

/// How much waits for one recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueSize {
    /// Messages.
    pub(crate) count: u64,
    /// The oldest one's time.
    pub(crate) oldest: Option<UnixMillis>,
}

impl Store {
    /// Accepts a message: on disk when this returns.
    pub(crate) fn enqueue(
        &self,
        to: &AccountId,
        id: [u8; 16],
        text: String,
        now: UnixMillis,
        most: u32,
    ) -> Result<Accepted, StoreError> {
        self.write(|transaction| {
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut accepted = transaction.open_table(ACCEPTED)?;
            let lived = age::lived(transaction)?;
            if accepted.insert(id, lived)?.is_some() {
                for entry in outbox.range(all(to))? {
                    if decode(entry?.1.value())?.id == id {
                        return Ok(Accepted::Before { waits: true });
                    }
                }
                return Ok(Accepted::Before { waits: false });
            }
            if outbox.range(all(to))?.count() >= usize::try_from(most).unwrap_or(usize::MAX) {
                return Err(StoreError::Limit("too many messages wait for this friend already"));
            }
            let mut numbers = transaction.open_table(NUMBERS)?;
            let last = numbers.get(to.0)?.map_or(0, |value| value.value());
            let number = last.saturating_add(1).max(now.0.min(GREATEST_CLOCK));
            numbers.insert(to.0, number)?;
            let entry = OutboxEntry { id, number, sent: now, text, born: lived };
            outbox.insert((to.0, number), encode(&entry)?.as_slice())?;
            Ok(Accepted::Now { number })
        })
    }

    /// The oldest messages for a recipient after a number.
    pub(crate) fn queued_after(
        &self,
        to: &AccountId,
        number: u64,
        most: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(|transaction| {
            let outbox = transaction.open_table(OUTBOX)?;
            let after = (to.0, number.saturating_add(1))..=(to.0, u64::MAX);
            outbox.range(after)?.take(most).map(|entry| decode(entry?.1.value())).collect()
        })
    }

    /// Takes out what the recipient has on disk. Returns the messages that were still there.
    pub(crate) fn acknowledged(
        &self,
        to: &AccountId,
        numbers: &[u64],
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.write(|transaction| {
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut gone = Vec::new();
            for number in numbers {
                if let Some(entry) = outbox.remove((to.0, *number))? {
                    gone.push(decode(entry.value())?);
                }
            }
            Ok(gone)
        })
    }

    /// Takes out what is older than `age`. Returns what was given up.
    pub(crate) fn expire(&self, age: Duration) -> Result<Vec<(AccountId, OutboxEntry)>, StoreError> {
        self.write(|transaction| {
            let lived = age::lived(transaction)?;
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut expired = Vec::new();
            for entry in outbox.iter()? {
                let (key, value) = entry?;
                let entry: OutboxEntry = decode(value.value())?;
                if lived.saturating_sub(entry.born) > age.as_secs() {
                    expired.push((AccountId(key.value().0), entry));
                }
            }
            for (to, entry) in &expired {
                outbox.remove((to.0, entry.number))?;
            }
            let mut accepted = transaction.open_table(ACCEPTED)?;
            accepted.retain(|_, born| lived.saturating_sub(born) <= REMEMBERED.as_secs())?;
            Ok(expired)
        })
    }

    /// Takes out everything for recipients who are no friends any more. Returns what was given up.
    pub(crate) fn keep_queues_of(
        &self,
        friends: &BTreeSet<AccountId>,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.write(|transaction| {
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut given_up = Vec::new();
            for entry in outbox.extract_if(|(to, _), _| !friends.contains(&AccountId(to)))? {
                given_up.push(decode(entry?.1.value())?);
            }
            Ok(given_up)
        })
    }

    /// How much waits for whom.
    pub(crate) fn queues(&self) -> Result<Vec<(AccountId, QueueSize)>, StoreError> {
        self.read(|transaction| {
            let outbox = transaction.open_table(OUTBOX)?;
            let mut queues: Vec<(AccountId, QueueSize)> = Vec::new();
            for entry in outbox.iter()? {
                let (key, value) = entry?;
                let to = AccountId(key.value().0);
                if queues.last().is_none_or(|(last, _)| *last != to) {
                    let oldest = decode(value.value())?.sent;
                    queues.push((to, QueueSize { count: 0, oldest: Some(oldest) }));
                }
                if let Some((_, size)) = queues.last_mut() {
                    size.count += 1;
                }
            }
            Ok(queues)
        })
    }
}

fn all(to: &AccountId) -> std::ops::RangeInclusive<(Account, u64)> {
    (to.0, 0)..=(to.0, u64::MAX)
}

fn encode(entry: &OutboxEntry) -> Result<Vec<u8>, StoreError> {
    minicbor::to_vec(entry).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn decode(bytes: &[u8]) -> Result<OutboxEntry, StoreError> {
    minicbor::decode(bytes).map_err(|_| StoreError::Damaged("a queued message cannot be read".into()))
}
