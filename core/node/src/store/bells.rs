//! How friends for whom we keep something may be rung.

use redb::{TableDefinition, WriteTransaction};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::Age;

use super::{Store, StoreError};

/// How a friend may be rung, and the store's age when it was last.
const BELLS: TableDefinition<'_, [u8; 32], (Option<u64>, &[u8])> = TableDefinition::new("mailbox-bells");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(BELLS)?;
    Ok(())
}

/// A friend's bell, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptBell {
    /// When it was last rung without the friend having come since.
    pub(crate) rung: Option<Age>,
    /// What the friend gave.
    pub(crate) bell: Vec<u8>,
}

impl Store {
    /// Friends' bells.
    pub(crate) fn bells(&self) -> Result<Vec<(AccountId, KeptBell)>, StoreError> {
        self.entries(BELLS, |account, (rung, bell)| {
            (AccountId(account), KeptBell { rung: rung.map(Age), bell: bell.to_vec() })
        })
    }

    /// Keeps a friend's bell, or forgets it.
    pub(crate) fn keep_bell(&self, account: &AccountId, bell: Option<&KeptBell>) -> Result<(), StoreError> {
        let bell = bell.map(|it| (it.rung.map(|age| age.0), it.bell.as_slice()));
        self.keep_entry(BELLS, account.0, bell)
    }
}
