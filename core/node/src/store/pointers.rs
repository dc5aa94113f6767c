//! Where pointers of ours lie, and who became a friend by one.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::pointer::PointerName;

use super::{Store, StoreError};

const POINTERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pointers");
const BY_CARD: TableDefinition<'_, [u8; 32], ()> = TableDefinition::new("met-by-card");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(POINTERS)?;
    transaction.open_table(BY_CARD)?;
    Ok(())
}

/// What is to be known of one name of ours beside the pointer itself, which the engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredPointer {
    /// Where it is to lie, until it is withdrawn.
    #[n(0)]
    pub(crate) placed: Option<Placed>,
    /// When the one ends that was last written to a file.
    #[n(1)]
    pub(crate) file_until: Option<UnixMillis>,
    /// What lies somewhere and is to be taken back.
    #[n(2)]
    pub(crate) leftovers: Vec<Leftover>,
}

/// Where a pointer is to lie, and what it is made anew from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Placed {
    /// At which bridge.
    #[n(0)]
    pub(crate) bridge: String,
    /// For how long each is made.
    #[n(1)]
    pub(crate) lifetime_secs: u64,
    /// Where knocks are looked for, as the user said; empty: wherever works.
    #[n(2)]
    pub(crate) points: Vec<String>,
    /// What takes back what lies there now; `None` where it is to be published.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) receipt: Option<Vec<u8>>,
    /// When what lies there ends.
    #[n(4)]
    pub(crate) until: UnixMillis,
    /// When it was last seen there.
    #[n(5)]
    pub(crate) seen: UnixMillis,
}

/// A record of ours that is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Leftover {
    /// At which bridge.
    #[n(0)]
    pub(crate) bridge: String,
    /// What takes it back.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) receipt: Vec<u8>,
    /// When it is gone anyway.
    #[n(2)]
    pub(crate) until: UnixMillis,
}

impl Store {
    /// What is known of our names.
    pub(crate) fn pointers(&self) -> Result<BTreeMap<PointerName, StoredPointer>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(POINTERS)?;
            let mut pointers = BTreeMap::new();
            for entry in table.iter()? {
                let (name, bytes) = entry?;
                let name =
                    PointerName::new(name.value()).ok_or_else(|| damaged("a pointer's name is none"))?;
                pointers.insert(name, minicbor::decode(bytes.value()).map_err(damaged)?);
            }
            Ok(pointers)
        })
    }

    /// Keeps what is known of a name, or forgets it.
    pub(crate) fn keep_pointer(
        &self,
        name: &PointerName,
        pointer: Option<&StoredPointer>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(POINTERS)?;
            match pointer {
                Some(pointer) => {
                    let bytes = minicbor::to_vec(pointer).map_err(damaged)?;
                    table.insert(name.as_str(), bytes.as_slice())?
                }
                None => table.remove(name.as_str())?,
            };
            Ok(())
        })
    }

    /// Those who became friends by a card that lay somewhere.
    pub(crate) fn met_by_card(&self) -> Result<BTreeSet<AccountId>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(BY_CARD)?;
            table.iter()?.map(|entry| Ok(AccountId(entry?.0.value()))).collect()
        })
    }

    /// Keeps that somebody did, or forgets it.
    pub(crate) fn keep_met_by_card(&self, account: &AccountId, met: bool) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(BY_CARD)?;
            match met {
                true => table.insert(account.0, ())?,
                false => table.remove(account.0)?,
            };
            Ok(())
        })
    }
}

fn damaged(why: impl ToString) -> StoreError {
    StoreError::Damaged(why.to_string())
}
