//! Messages that came.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::item::FileId;

use super::{Store, StoreError};

/// By order of arrival.
const INBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("inbox");
/// What of it was not shown yet.
const UNREAD: TableDefinition<'_, u64, ()> = TableDefinition::new("inbox-unread");
/// How much of it was not shown yet, by sender.
const UNREAD_FROM: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("inbox-unread-from");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(INBOX)?;
    transaction.open_table(UNREAD)?;
    transaction.open_table(UNREAD_FROM)?;
    Ok(())
}

/// A message that came.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct InboxEntry {
    /// Names it everywhere.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 16],
    /// Who sent it.
    #[n(1)]
    pub(crate) from: AccountId,
    /// What it says.
    #[n(2)]
    pub(crate) text: String,
    /// When it was sent, by the sender's clock.
    #[n(3)]
    pub(crate) sent: UnixMillis,
    /// When it came.
    #[n(4)]
    pub(crate) received: UnixMillis,
    /// What is attached.
    #[n(5)]
    pub(crate) files: Option<Vec<InboxFile>>,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct InboxFile {
    /// Names it, for its sender and us.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: FileId,
    /// What it is called.
    #[n(1)]
    pub(crate) name: String,
    /// In bytes.
    #[n(2)]
    pub(crate) size: u64,
    /// Where it lies, below the home; `None` where it did not come as it should have.
    #[n(3)]
    pub(crate) path: Option<String>,
}

/// What is read of an [`InboxEntry`] to find it: the text is left where it is.
#[derive(Decode)]
struct Head {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; 16],
    #[n(1)]
    from: AccountId,
}

/// Puts a message last.
pub(super) fn show(transaction: &WriteTransaction, entry: &InboxEntry) -> Result<(), StoreError> {
    let mut unread = transaction.open_table(UNREAD)?;
    let mut unread_from = transaction.open_table(UNREAD_FROM)?;
    let waiting = unread_from.get(entry.from.0)?.map_or(0, |count| count.value());
    unread_from.insert(entry.from.0, waiting.saturating_add(1))?;
    let mut inbox = transaction.open_table(INBOX)?;
    let order = inbox.last()?.map_or(0, |(order, _)| order.value().saturating_add(1));
    let bytes = minicbor::to_vec(entry).map_err(|error| StoreError::Damaged(error.to_string()))?;
    inbox.insert(order, bytes.as_slice())?;
    unread.insert(order, ())?;
    Ok(())
}

/// How many messages of a sender were not shown yet.
pub(super) fn unread_from(transaction: &WriteTransaction, sender: &AccountId) -> Result<u64, StoreError> {
    let table = transaction.open_table(UNREAD_FROM)?;
    Ok(table.get(sender.0)?.map_or(0, |count| count.value()))
}

impl Store {
    /// Messages from an order on, with the order to go on from: all of them, or what was not shown yet.
    pub(crate) fn inbox(
        &self,
        from: u64,
        all: bool,
        most: usize,
    ) -> Result<Vec<(u64, InboxEntry)>, StoreError> {
        self.read(|transaction| {
            let inbox = transaction.open_table(INBOX)?;
            let read = |order: u64, bytes: &[u8]| {
                let entry = minicbor::decode(bytes);
                let entry =
                    entry.map_err(|_| StoreError::Damaged("a received message cannot be read".into()))?;
                Ok((order, entry))
            };
            if all {
                let entries = inbox.range(from..)?.take(most);
                return entries
                    .map(|entry| entry.map(|(order, bytes)| read(order.value(), bytes.value()))?)
                    .collect();
            }
            let unread = transaction.open_table(UNREAD)?;
            let mut entries = Vec::new();
            for order in unread.range(from..)?.take(most) {
                let order = order?.0.value();
                if let Some(bytes) = inbox.get(order)? {
                    entries.push(read(order, bytes.value())?);
                }
            }
            Ok(entries)
        })
    }

    /// The message of this name.
    #[cfg(feature = "api")]
    pub(crate) fn inbox_entry(&self, id: &[u8; 16]) -> Result<Option<InboxEntry>, StoreError> {
        self.read(|transaction| {
            for entry in transaction.open_table(INBOX)?.iter()?.rev() {
                let (_, bytes) = entry?;
                let is_meant = minicbor::decode::<Head>(bytes.value()).is_ok_and(|head| head.id == *id);
                if is_meant {
                    let entry = minicbor::decode(bytes.value());
                    return entry
                        .map(Some)
                        .map_err(|_| StoreError::Damaged("a received message cannot be read".into()));
                }
            }
            Ok(None)
        })
    }

    /// These were shown. They are looked for from the oldest on, until all of them were found.
    pub(crate) fn mark_read(&self, ids: &[[u8; 16]]) -> Result<(), StoreError> {
        let mut ids: BTreeSet<[u8; 16]> = ids.iter().copied().collect();
        self.write(|transaction| {
            let inbox = transaction.open_table(INBOX)?;
            let mut unread = transaction.open_table(UNREAD)?;
            let mut unread_from = transaction.open_table(UNREAD_FROM)?;
            let mut shown = Vec::new();
            for order in unread.iter()? {
                if ids.is_empty() {
                    break;
                }
                let order = order?.0.value();
                let Some(bytes) = inbox.get(order)? else { continue };
                let Ok(Head { id, from }) = minicbor::decode(bytes.value()) else { continue };
                if ids.remove(&id) {
                    shown.push((order, from));
                }
            }
            for (order, from) in shown {
                unread.remove(order)?;
                let left = unread_from.get(from.0)?.map_or(0, |count| count.value().saturating_sub(1));
                match left {
                    0 => unread_from.remove(from.0)?,
                    left => unread_from.insert(from.0, left)?,
                };
            }
            Ok(())
        })
    }

    /// How many were not shown yet.
    pub(crate) fn unread(&self) -> Result<u64, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(UNREAD)?.len()?))
    }
}
