//! The steps of the last meeting with each friend, for a later process to tell.

use std::collections::BTreeSet;
use std::time::Duration;

use minicbor::{Decode, Encode};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Step, StepKind};

use super::{Store, StoreError};

const STEPS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("steps");

/// The most steps kept for a friend, as many as the engine keeps.
const MOST: usize = 64;
/// The longest step that is kept whole, in bytes.
const LONGEST: usize = 512;

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(STEPS)?;
    Ok(())
}

#[derive(Encode, Decode)]
struct Kept {
    #[n(0)]
    at: UnixMillis,
    #[n(1)]
    what: String,
    /// Its word; what an earlier version kept has none.
    #[n(2)]
    kind: Option<String>,
    /// Milliseconds by the clock of the run that it happened in.
    #[n(3)]
    mono: Option<u64>,
}

impl Store {
    /// Keeps the steps that this process knows, behind those that earlier ones kept.
    pub(crate) fn keep_steps(&self, account: &AccountId, steps: &[Step]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(STEPS)?;
            let earlier = match table.get(account.0)? {
                Some(bytes) => decode(bytes.value())?,
                None => Vec::new(),
            };
            let kept: Vec<Kept> = merge(earlier, steps.to_vec())
                .into_iter()
                .map(|Step { at, mono, kind, mut what }| {
                    let end = (0..=LONGEST).rev().find(|end| what.is_char_boundary(*end));
                    what.truncate(end.unwrap_or_default());
                    let mono = u64::try_from(mono.as_millis()).ok();
                    Kept { at, what, kind: Some(kind.word().to_owned()), mono }
                })
                .collect();
            let bytes = minicbor::to_vec(kept).map_err(|error| StoreError::Damaged(error.to_string()))?;
            table.insert(account.0, bytes.as_slice())?;
            Ok(())
        })
    }

    /// The steps that are known: those kept, and then those of this process.
    pub(crate) fn steps(&self, account: &AccountId, now: Vec<Step>) -> Result<Vec<Step>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(STEPS)?;
            let earlier = match table.get(account.0)? {
                Some(bytes) => decode(bytes.value())?,
                None => Vec::new(),
            };
            Ok(merge(earlier, now))
        })
    }

    /// Forgets the steps of everybody but these.
    pub(crate) fn keep_steps_of(&self, friends: &BTreeSet<AccountId>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(STEPS)?;
            table.retain(|account, _| friends.contains(&AccountId(account)))?;
            Ok(())
        })
    }
}

/// Earlier steps, then later ones, none of them twice, the last ones where there are too many.
fn merge(earlier: Vec<Step>, later: Vec<Step>) -> Vec<Step> {
    let mut steps: Vec<Step> = earlier
        .into_iter()
        .filter(|step| !later.iter().any(|same| same.at == step.at && same.what.starts_with(&step.what)))
        .collect();
    steps.extend(later);
    steps.split_off(steps.len().saturating_sub(MOST))
}

fn decode(bytes: &[u8]) -> Result<Vec<Step>, StoreError> {
    let kept: Vec<Kept> = minicbor::decode(bytes)
        .map_err(|_| StoreError::Damaged("the steps of a meeting cannot be read".into()))?;
    let step = |Kept { at, what, kind, mono }: Kept| {
        let kind = kind.map_or(StepKind::Other, |word| StepKind::of_word(&word));
        Step { at, mono: Duration::from_millis(mono.unwrap_or_default()), kind, what }
    };
    Ok(kept.into_iter().map(step).collect())
}
