//! What relaying leaves behind: what we handed out and took back, the keys of the guest gate, and how much was forwarded.

use std::collections::BTreeMap;

use redb::{TableDefinition, WriteTransaction};
use wayside_proto::crypto::keys::AccountId;
use zeroize::Zeroizing;

use super::{Store, StoreError};

/// What we let a friend do and took back again, by account and what for; outlives the friendship, so that what was taken back stays so.
const GRANTS: TableDefinition<'_, ([u8; 32], u8), (u64, bool)> = TableDefinition::new("relay-grants");
/// The keys of guest gates, by their number. Secrets.
const GATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("relay-gates");
/// What was forwarded, in one value.
const USAGE: TableDefinition<'_, (), &[u8]> = TableDefinition::new("relay-usage");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(GRANTS)?;
    transaction.open_table(GATES)?;
    transaction.open_table(USAGE)?;
    Ok(())
}

/// What of a friend's tokens counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Those with a lower serial were taken back.
    pub(crate) revoked_before: u64,
    /// Whether any may be out that were not.
    pub(crate) is_open: bool,
}

/// Of all friends, by what for.
pub(crate) type Standings = BTreeMap<(AccountId, u8), Standing>;

/// Keys as they are kept.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

impl Store {
    /// How tokens stand, by friend and what for.
    pub(crate) fn relay_grants(&self) -> Result<Standings, StoreError> {
        self.entries(GRANTS, |(account, purpose), (revoked_before, is_open)| {
            ((AccountId(account), purpose), Standing { revoked_before, is_open })
        })
    }

    /// From now on a friend's tokens stand so.
    pub(crate) fn keep_relay_grant(
        &self,
        (account, purpose): (AccountId, u8),
        standing: Standing,
    ) -> Result<(), StoreError> {
        let standing = Some((standing.revoked_before, standing.is_open));
        self.keep_entry(GRANTS, (account.0, purpose), standing)
    }

    /// The guest gates' keys, by number.
    pub(crate) fn guest_gates(&self) -> Result<Vec<(u64, SecretBytes)>, StoreError> {
        self.entries(GATES, |number, keys| (number, SecretBytes::new(keys.to_vec())))
    }

    /// Keeps a gate's keys, and forgets those of all with a lower number than `from`.
    pub(crate) fn keep_guest_gate(&self, number: u64, keys: &[u8], from: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(GATES)?;
            table.insert(number, keys)?;
            table.retain(|number, _| number >= from)?;
            Ok(())
        })
    }

    /// What was forwarded, as it was kept.
    pub(crate) fn relay_usage(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(USAGE)?;
            Ok(table.get(())?.map(|bytes| bytes.value().to_vec()))
        })
    }

    /// Keeps what was forwarded.
    pub(crate) fn keep_relay_usage(&self, usage: &[u8]) -> Result<(), StoreError> {
        self.keep_entry(USAGE, (), Some(usage))
    }
}
