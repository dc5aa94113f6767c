//! What a first contact has room for beside the card.

use crate::crypto::keys::DeviceId;
use crate::place::{Candidate, Candidates};
use crate::reach::{NatReport, Reach, Reflector, Reflectors, RelayTags};

/// How much of what one would say is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    candidates: usize,
    attestations: usize,
    reflectors: usize,
    relays: usize,
}

impl Room {
    /// Everything.
    const MOST: Self = Self {
        candidates: Candidate::MOST,
        attestations: NatReport::MOST_ATTESTATIONS,
        reflectors: Reflector::MOST,
        relays: RelayTags::MOST,
    };

    /// What a place on the card gives way for, and nothing beyond it.
    pub(super) const LEAST: Self = Self { candidates: 2, attestations: 0, reflectors: 0, relays: 0 };

    /// What is left out first, and then too: the second reflector, the third relay, the attestations, the second relay, the last two candidates, the other
    /// reflector, two candidates more, the other relay, the other candidates.
    pub(super) fn less_and_less() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::MOST), |room| room.less())
    }

    fn less(mut self) -> Option<Self> {
        let left = if self.reflectors > 1 {
            &mut self.reflectors
        } else if self.relays > 2 {
            &mut self.relays
        } else if self.attestations > 0 {
            &mut self.attestations
        } else if self.relays > 1 {
            &mut self.relays
        } else if self.candidates > 4 {
            &mut self.candidates
        } else if self.reflectors > 0 {
            &mut self.reflectors
        } else if self.relays > 0 && self.candidates <= 2 {
            &mut self.relays
        } else {
            &mut self.candidates
        };
        *left = left.checked_sub(1)?;
        Some(self)
    }

    pub(super) fn for_reach(self, reach: &Reach) -> Reach {
        Reach {
            candidates: Candidates::new(reach.candidates.iter().take(self.candidates).copied()),
            nat: reach.nat.with_attestations(self.attestations),
        }
    }

    pub(super) fn for_relays(self, relays: &[DeviceId]) -> &[DeviceId] {
        relays.get(..self.relays).unwrap_or(relays)
    }

    pub(super) fn for_reflectors(self, reflectors: &Reflectors) -> Reflectors {
        reflectors.first(self.reflectors)
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
