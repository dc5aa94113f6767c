//! Whom we introduce to each other, and what others ask of us.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use wayside_proto::Malformed;
use wayside_proto::introduction::{Introduction, IntroductionId, RequestId, Stranger};

use super::{Store, StoreError};

type Name = [u8; 16];

const INTRODUCTIONS: TableDefinition<'_, Name, &[u8]> = TableDefinition::new("introductions");
/// A byte that tells the kind, and what is kept of one of that kind.
const REQUESTS: TableDefinition<'_, Name, &[u8]> = TableDefinition::new("requests");

/// The kind of request that a friend's introduction is.
const STRANGER: u8 = 1;

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(INTRODUCTIONS)?;
    transaction.open_table(REQUESTS)?;
    Ok(())
}

/// Something that is asked of us, of whichever kind.
#[derive(Clone, Debug)]
pub(crate) enum StoredRequest {
    /// To become the friend of somebody whom a friend introduces.
    Introduced(Stranger),
}

/// What is to be kept from now on, or no longer.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Introductions of ours.
    pub(crate) introductions: Vec<(IntroductionId, Option<Introduction>)>,
    /// What is asked of us.
    pub(crate) requests: Vec<(RequestId, Option<StoredRequest>)>,
}

impl Kept {
    /// Whether nothing is to be kept otherwise than before.
    pub(crate) const fn is_empty(&self) -> bool {
        self.introductions.is_empty() && self.requests.is_empty()
    }
}

impl StoredRequest {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Introduced(stranger) => [&[STRANGER], stranger.to_bytes().as_slice()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((&STRANGER, bytes)) => Stranger::from_bytes(bytes).map(Self::Introduced).map_err(damaged),
            _ => Err(StoreError::Damaged("a request is of a kind that this version does not know".into())),
        }
    }
}

impl Store {
    /// Keeps all of this, or none.
    pub(crate) fn keep(&self, kept: &Kept) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut introductions = transaction.open_table(INTRODUCTIONS)?;
            for (id, it) in &kept.introductions {
                put(&mut introductions, id.0, it.as_ref().map(Introduction::to_bytes))?;
            }
            let mut requests = transaction.open_table(REQUESTS)?;
            for (id, it) in &kept.requests {
                put(&mut requests, id.0, it.as_ref().map(StoredRequest::to_bytes))?;
            }
            Ok(())
        })
    }

    /// Whom we introduce to each other.
    pub(crate) fn introductions(&self) -> Result<Vec<Introduction>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(INTRODUCTIONS)?;
            let entries = table.iter()?.map(|entry| {
                let (_, bytes) = entry?;
                Introduction::from_bytes(bytes.value()).map_err(damaged)
            });
            entries.collect()
        })
    }

    /// What is asked of us.
    pub(crate) fn requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(REQUESTS)?;
            let entries = table.iter()?.map(|entry| {
                let (_, bytes) = entry?;
                StoredRequest::from_bytes(bytes.value())
            });
            entries.collect()
        })
    }
}

fn put(table: &mut Table<'_, Name, &[u8]>, name: Name, value: Option<Vec<u8>>) -> Result<(), StoreError> {
    match value {
        Some(value) => table.insert(name, value.as_slice())?,
        None => table.remove(name)?,
    };
    Ok(())
}

fn damaged(error: Malformed) -> StoreError {
    StoreError::Damaged(error.to_string())
}
