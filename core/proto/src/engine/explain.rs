//! The last meeting with a friend, in plain words.

use std::collections::{BTreeMap, VecDeque};

use crate::crypto::keys::AccountId;
use crate::time::UnixMillis;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, as we estimate the time.
    pub at: UnixMillis,
    /// A short sentence for a person.
    pub what: String,
}

/// Keeps the last steps of each friend, in memory only.
#[derive(Debug, Default)]
pub(super) struct Log(BTreeMap<AccountId, VecDeque<Step>>);

impl Log {
    /// The most steps kept for a friend; older ones go.
    const MOST: usize = 64;

    pub(super) fn add(&mut self, account: AccountId, at: UnixMillis, what: String) {
        let steps = self.0.entry(account).or_default();
        if steps.len() >= Self::MOST {
            steps.pop_front();
        }
        steps.push_back(Step { at, what });
    }

    pub(super) fn of(&self, account: &AccountId) -> Vec<Step> {
        self.0.get(account).map(|steps| steps.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn forget(&mut self, account: &AccountId) {
        self.0.remove(account);
    }
}
