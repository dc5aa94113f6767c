//! The ends of mail: the tables of outbox and inbox in one transaction with what is shown of them, what it takes to seal for friends, and what came of files so far.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::item::{FileId, MessageId};
use wayside_proto::mailbox::outbox::{self, Queue};
use wayside_proto::mailbox::prekeys::Target;
use wayside_proto::mailbox::{Age, Table, inbox};

use super::tables::{self, Change, Look};
use super::{InboxEntry, Store, StoreError, age};

/// What this account's queues are derived from. A secret; it stays the same.
const ROOT: TableDefinition<'_, (), [u8; 32]> = TableDefinition::new("mail-root");
/// The number of the last news that were sealed for anybody.
const NEWS: TableDefinition<'_, (), u64> = TableDefinition::new("mail-news");
/// What it takes to seal for a friend's device, by account and device. Secrets.
const TARGETS: TableDefinition<'_, ([u8; 32], [u8; 16]), &[u8]> = TableDefinition::new("mail-targets");
/// Files of which parts came and their message did not yet, by sender and file.
const PARTS: TableDefinition<'_, ([u8; 32], [u8; 16]), &[u8]> = TableDefinition::new("mail-parts");

/// The tables of outbox and inbox.
const ENDS: [Table; 13] = [
    Table::Outbox,
    Table::OutboxHeads,
    Table::OutboxLocked,
    Table::OutboxIds,
    Table::OutboxCopies,
    Table::OutboxPeers,
    Table::OutboxEnds,
    Table::OutboxOver,
    Table::OutboxState,
    Table::InboxPeers,
    Table::InboxHeld,
    Table::InboxOwed,
    Table::InboxNews,
];

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(ROOT)?;
    transaction.open_table(NEWS)?;
    transaction.open_table(TARGETS)?;
    transaction.open_table(PARTS)?;
    tables::make(transaction, &ENDS)
}

/// A file of which parts came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Parts {
    /// As far as it reaches, in bytes.
    #[n(0)]
    pub(crate) reaches: u64,
    /// When the last part came.
    #[n(1)]
    pub(crate) came: Age,
}

/// One transaction on mail.
pub(crate) struct MailChange<'a> {
    transaction: &'a WriteTransaction,
    /// Outbox and inbox.
    pub(crate) tables: Change<'a>,
}

impl MailChange<'_> {
    /// How old this home is when the wall clock reads this.
    pub(crate) fn age(&self, now: UnixMillis) -> Result<Age, StoreError> {
        age::at(&self.transaction.open_table(age::AGE)?, now)
    }

    /// Shows a message, in the order of its arrival.
    pub(crate) fn show(&self, entry: &InboxEntry) -> Result<(), StoreError> {
        super::inbox::show(self.transaction, entry)
    }

    /// How many messages of a sender were not read yet.
    pub(crate) fn unread_from(&self, sender: &AccountId) -> Result<u64, StoreError> {
        super::inbox::unread_from(self.transaction, sender)
    }

    /// The number of the next news: greater than all before, also where a home was restored from a backup whose clock is right.
    pub(crate) fn next_news(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let mut table = self.transaction.open_table(NEWS)?;
        let last = table.get(())?.map_or(0, |value| value.value());
        let next = last.saturating_add(1).max(now.0);
        table.insert((), next)?;
        Ok(next)
    }

    /// What came of a sender's file so far.
    pub(crate) fn parts(&self, sender: &AccountId, file: &FileId) -> Result<Option<Parts>, StoreError> {
        let table = self.transaction.open_table(PARTS)?;
        let parts = table.get((sender.0, *file))?;
        parts.map(|value| decode(value.value())).transpose()
    }

    /// How many files of a sender there are parts of, and how many bytes they are together.
    pub(crate) fn parts_of(&self, sender: &AccountId) -> Result<(u64, u64), StoreError> {
        let table = self.transaction.open_table(PARTS)?;
        let mut sum = (0_u64, 0_u64);
        for entry in table.range((sender.0, [0; 16])..=(sender.0, [0xff; 16]))? {
            let parts: Parts = decode(entry?.1.value())?;
            sum = (sum.0.saturating_add(1), sum.1.saturating_add(parts.reaches));
        }
        Ok(sum)
    }

    /// Parts of a sender's file are here, or are not any more.
    pub(crate) fn keep_parts(
        &self,
        sender: &AccountId,
        file: &FileId,
        parts: Option<Parts>,
    ) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(PARTS)?;
        match parts {
            Some(parts) => table.insert((sender.0, *file), encode(&parts)?.as_slice())?,
            None => table.remove((sender.0, *file))?,
        };
        Ok(())
    }

    /// Takes out files whose last part came that long ago: their message will not come.
    pub(crate) fn forget_parts(&self, before: Age) -> Result<Vec<(AccountId, FileId)>, StoreError> {
        let mut table = self.transaction.open_table(PARTS)?;
        let mut over = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            if decode::<Parts>(value.value())?.came < before {
                over.push(key.value());
            }
        }
        for key in &over {
            table.remove(*key)?;
        }
        Ok(over.into_iter().map(|(sender, file)| (AccountId(sender), file)).collect())
    }

    /// Keeps what it takes to seal for a friend's devices: for these and no others.
    pub(crate) fn keep_targets(
        &self,
        account: &AccountId,
        targets: &BTreeMap<DeviceId, Target>,
    ) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(TARGETS)?;
        table.retain_in((account.0, [0; 16])..=(account.0, [0xff; 16]), |_, _| false)?;
        for (device, target) in targets {
            table.insert((account.0, device.0), encode(target)?.as_slice())?;
        }
        Ok(())
    }

    /// Forgets what it takes to seal for those whom `keep` does not want; who they are.
    fn keep_targets_of(&self, keep: impl Fn(&AccountId) -> bool) -> Result<BTreeSet<AccountId>, StoreError> {
        let mut table = self.transaction.open_table(TARGETS)?;
        let mut gone = BTreeSet::new();
        table.retain(|(account, _), _| {
            let stays = keep(&AccountId(account));
            if !stays {
                gone.insert(AccountId(account));
            }
            stays
        })?;
        Ok(gone)
    }
}

impl Store {
    /// One transaction on mail, on disk when this returns.
    pub(crate) fn mail<R>(
        &self,
        work: impl FnOnce(&mut MailChange<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.write(|transaction| {
            let tables = Change::new(transaction);
            work(&mut MailChange { transaction, tables })
        })
    }

    /// One look at outbox and inbox.
    pub(crate) fn look_at_mail<R>(
        &self,
        look: impl FnOnce(&Look<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.read(|transaction| look(&Look::new(transaction)))
    }

    /// How much waits for whom.
    pub(crate) fn queues(&self) -> Result<Vec<(AccountId, Queue)>, StoreError> {
        self.look_at_mail(|look| Ok(outbox::queues(look)?))
    }

    /// Lets go of all mail with those who are no friends any more. Returns the messages that are given up.
    pub(crate) fn keep_mail_of(
        &self,
        friends: &BTreeSet<AccountId>,
        now: UnixMillis,
    ) -> Result<Vec<MessageId>, StoreError> {
        self.mail(|change| {
            let age = change.age(now)?;
            let gone = change.keep_targets_of(|account| friends.contains(account))?;
            for account in &gone {
                inbox::let_go(&mut change.tables, account)?;
            }
            Ok(outbox::keep_only(&mut change.tables, age, &mut |to| friends.contains(to))?)
        })
    }

    /// How old this home is when the wall clock reads this.
    pub(crate) fn age_at(&self, now: UnixMillis) -> Result<Age, StoreError> {
        self.read(|transaction| age::at(&transaction.open_table(age::AGE)?, now))
    }

    /// What this account's queues are derived from; `fresh` where there is nothing yet.
    pub(crate) fn mail_root(&self, fresh: Secret) -> Result<Secret, StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(ROOT)?;
            if let Some(root) = table.get(())? {
                return Ok(Secret::new(root.value()));
            }
            table.insert((), fresh.expose())?;
            Ok(fresh)
        })
    }

    /// What it takes to seal for friends' devices. What cannot be read comes again with the next link.
    pub(crate) fn targets(&self) -> Result<Vec<(AccountId, DeviceId, Target)>, StoreError> {
        self.read(|transaction| {
            let mut targets = Vec::new();
            for entry in transaction.open_table(TARGETS)?.iter()? {
                let (key, value) = entry?;
                if let Ok(target) = minicbor::decode(value.value()) {
                    let (account, device) = key.value();
                    targets.push((AccountId(account), DeviceId(device), target));
                }
            }
            Ok(targets)
        })
    }
}

fn encode<T: Encode<()>>(value: &T) -> Result<Vec<u8>, StoreError> {
    minicbor::to_vec(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, StoreError> {
    minicbor::decode(bytes).map_err(|_| StoreError::Damaged("what came of a file cannot be read".into()))
}
