//! What we and the bots of rooms want of one another, by bridge.

use std::collections::BTreeMap;

use redb::{TableDefinition, WriteTransaction};

use super::{Store, StoreError};
use crate::community::Book;

const COMMUNITIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("communities");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(COMMUNITIES)?;
    Ok(())
}

impl Store {
    /// What is kept of each bridge's bot.
    pub(crate) fn communities(&self) -> Result<BTreeMap<String, Book>, StoreError> {
        let read = |bridge: &str, book: &[u8]| {
            let book = minicbor::decode(book).map_err(|error| StoreError::Damaged(error.to_string()))?;
            Ok((bridge.to_owned(), book))
        };
        self.entries::<_, _, Result<_, StoreError>, Vec<_>>(COMMUNITIES, read)?.into_iter().collect()
    }

    /// Keeps it, or forgets it.
    pub(crate) fn keep_community(&self, bridge: &str, book: Option<&Book>) -> Result<(), StoreError> {
        let damaged = |error: minicbor::encode::Error<_>| StoreError::Damaged(error.to_string());
        let bytes = book.map(minicbor::to_vec).transpose().map_err(damaged)?;
        self.write(|transaction| {
            let mut table = transaction.open_table(COMMUNITIES)?;
            match bytes {
                Some(bytes) => table.insert(bridge, bytes.as_slice())?,
                None => table.remove(bridge)?,
            };
            Ok(())
        })
    }
}
