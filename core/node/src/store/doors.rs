//! The keys of guests' doors, by the friend whose guests come in there. Secrets.

use std::collections::BTreeMap;

use redb::{TableDefinition, WriteTransaction};
use wayside_proto::crypto::keys::AccountId;

use super::{SecretBytes, Store, StoreError};

const DOORS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("doors");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(DOORS)?;
    Ok(())
}

impl Store {
    /// All doors' keys.
    pub(crate) fn doors(&self) -> Result<BTreeMap<AccountId, SecretBytes>, StoreError> {
        self.entries(DOORS, |account, keys| (AccountId(account), SecretBytes::new(keys.to_vec())))
    }

    /// Keeps the keys of new doors, and forgets those of doors that are no more.
    pub(crate) fn change_doors(
        &self,
        fresh: &[(AccountId, SecretBytes)],
        gone: &[AccountId],
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(DOORS)?;
            for account in gone {
                table.remove(account.0)?;
            }
            for (account, keys) in fresh {
                table.insert(account.0, keys.as_slice())?;
            }
            Ok(())
        })
    }
}
