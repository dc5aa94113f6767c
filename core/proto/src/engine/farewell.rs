//! Leaving in good order: what would be litter once we are gone is taken back first.

use std::collections::BTreeMap;

use super::Engine;
use super::io::BridgeName;
use super::publications::Purpose;
use crate::time::Now;

impl Engine {
    /// The node is about to end. What lies at bridges for meetings of this moment, and what has served, is taken back now rather than in the next
    /// batch; joins and welcomes stay, since the other side may find them yet. The driver goes on until [`Engine::leaves_litter`] says no, or
    /// until it has no more time: what remains then is taken back after the next start.
    pub fn tidy_up(&mut self, now: Now) {
        self.begin(now);
        self.wants.clear();
        self.hails.end();
        let meetings: Vec<_> = self.meetings.keys().copied().collect();
        for (account, device) in meetings {
            self.take_back_offers(&account, &device);
        }
        self.end_knocks();
        self.done(|purpose| matches!(purpose, Purpose::Answer(..) | Purpose::Update(_) | Purpose::Opened(_)));
        self.publications.sweep_now(now.mono);
        self.run_publications();
        self.finish();
    }

    /// A bridge is about to be removed: everything of ours that lies there is taken back now, joins and welcomes too, since nobody could do it later.
    /// The driver goes on until [`Engine::leaves_litter_at`] says no, or until it has no more time.
    pub fn tidy_up_at(&mut self, now: Now, bridge: &BridgeName) {
        self.begin(now);
        self.done_at(bridge, |_| true);
        self.publications.sweep_now(now.mono);
        self.run_publications();
        self.finish();
    }

    /// Whether something is being taken back from this bridge, and it works.
    pub fn leaves_litter_at(&self, bridge: &BridgeName) -> bool {
        self.bridges.contains_key(bridge) && self.publications.being_taken_back().any(|at| at == bridge)
    }

    /// Whether something is being taken back from a bridge that works.
    pub fn leaves_litter(&self) -> bool {
        self.publications.being_taken_back().any(|bridge| self.bridges.contains_key(bridge))
    }

    /// How many records of ours lie where, as far as we know.
    pub fn records_out(&self) -> BTreeMap<BridgeName, u64> {
        let mut counts = BTreeMap::new();
        for bridge in self.publications.lying() {
            *counts.entry(bridge.clone()).or_default() += 1;
        }
        counts
    }
}
