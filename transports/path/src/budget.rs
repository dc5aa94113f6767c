//! How often ports are guessed at, over all meetings of a node: guessing is seen by others, and a peer must not have us do it again and again.

use std::{collections::BTreeMap, time::Duration};

/// Between two runs for one peer.
const PAUSE: Duration = Duration::from_secs(600);
/// How long a run may take: no other one begins meanwhile, so that all of them together keep to one's rate.
const RUN: Duration = Duration::from_secs(25);
/// Peers that are remembered; beyond it nobody is guessed for until one is forgotten.
const MOST_PEERS: usize = 1_024;

/// Which peers' ports were guessed at lately. `K` names a peer.
#[derive(Debug)]
pub struct Budget<K> {
    runs: BTreeMap<K, Duration>,
}

impl<K> Default for Budget<K> {
    fn default() -> Self {
        Self { runs: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Budget<K> {
    /// Whether a run for this peer may begin now.
    pub fn allows(&mut self, now: Duration, peer: &K) -> bool {
        self.runs.retain(|_, began| now.saturating_sub(*began) < PAUSE);
        let is_under_way = self.runs.values().any(|began| now.saturating_sub(*began) < RUN);
        !is_under_way && !self.runs.contains_key(peer) && self.runs.len() < MOST_PEERS
    }

    /// One has begun.
    pub fn began(&mut self, now: Duration, peer: &K) {
        self.runs.insert(peer.clone(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_gets_one_run_in_ten_minutes_and_one_at_a_time() {
        let secs = Duration::from_secs;
        let mut budget = Budget::default();
        assert!(budget.allows(secs(0), &"ann"));
        budget.began(secs(0), &"ann");
        assert!(!budget.allows(secs(1), &"bob"), "one at a time");
        assert!(budget.allows(secs(25), &"bob"));
        assert!(!budget.allows(secs(599), &"ann"));
        assert!(budget.allows(secs(600), &"ann"));
    }
}
