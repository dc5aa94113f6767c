//! What friends' machines keep for us, and how friends for whom we keep something may be rung.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::Age;

use super::{Store, StoreError};

/// What a friend's device offers to keep for us, by device. Secrets.
const OFFERS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("mailbox-offers");
/// How a friend may be rung, and the store's age when it was last.
const BELLS: TableDefinition<'_, [u8; 32], (Option<u64>, &[u8])> = TableDefinition::new("mailbox-bells");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(OFFERS)?;
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
    /// What is offered, as it was kept.
    pub(crate) fn mailbox_offers(&self) -> Result<Vec<(DeviceId, Vec<u8>)>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(OFFERS)?;
            let mut offers = Vec::new();
            for entry in table.iter()? {
                let (device, bytes) = entry?;
                offers.push((DeviceId(device.value()), bytes.value().to_vec()));
            }
            Ok(offers)
        })
    }

    /// Keeps what a device offers, or forgets it.
    pub(crate) fn keep_mailbox_offer(
        &self,
        device: DeviceId,
        offer: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(OFFERS)?;
            match offer {
                Some(offer) => drop(table.insert(device.0, offer)?),
                None => drop(table.remove(device.0)?),
            }
            Ok(())
        })
    }

    /// Friends' bells.
    pub(crate) fn bells(&self) -> Result<Vec<(AccountId, KeptBell)>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(BELLS)?;
            let mut bells = Vec::new();
            for entry in table.iter()? {
                let (account, value) = entry?;
                let (rung, bell) = value.value();
                let bell = KeptBell { rung: rung.map(Age), bell: bell.to_vec() };
                bells.push((AccountId(account.value()), bell));
            }
            Ok(bells)
        })
    }

    /// Keeps a friend's bell, or forgets it.
    pub(crate) fn keep_bell(&self, account: &AccountId, bell: Option<&KeptBell>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(BELLS)?;
            match bell {
                Some(KeptBell { rung, bell }) => {
                    drop(table.insert(account.0, (rung.map(|age| age.0), bell.as_slice()))?);
                }
                None => drop(table.remove(account.0)?),
            }
            Ok(())
        })
    }
}
