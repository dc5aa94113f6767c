//! The keys of guests' doors, by the friend whose guests come in there. Secrets.

use std::collections::BTreeMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
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
        self.read(|transaction| {
            let table = transaction.open_table(DOORS)?;
            let mut doors = BTreeMap::new();
            for entry in table.iter()? {
                let (account, keys) = entry?;
                doors.insert(AccountId(account.value()), SecretBytes::new(keys.value().to_vec()));
            }
            Ok(doors)
        })
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
