//! What friends' machines offer us: a table for each kind of offer, by device. Secrets.

use redb::{TableDefinition, WriteTransaction};
use wayside_proto::crypto::keys::DeviceId;

use super::{Store, StoreError};

/// A table of offers.
pub(crate) type Table = TableDefinition<'static, [u8; 16], &'static [u8]>;

/// To forward for us.
pub(crate) const RELAYS: Table = TableDefinition::new("relay-offers");
/// To keep our mail.
pub(crate) const MAILBOXES: Table = TableDefinition::new("mailbox-offers");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(RELAYS)?;
    transaction.open_table(MAILBOXES)?;
    Ok(())
}

impl Store {
    /// What is offered, as it was kept.
    pub(crate) fn offers(&self, kind: Table) -> Result<Vec<(DeviceId, Vec<u8>)>, StoreError> {
        self.entries(kind, |device, offer| (DeviceId(device), offer.to_vec()))
    }

    /// Keeps what a device offers, or forgets it.
    pub(crate) fn keep_offer(
        &self,
        kind: Table,
        device: DeviceId,
        offer: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.keep_entry(kind, device.0, offer)
    }
}
