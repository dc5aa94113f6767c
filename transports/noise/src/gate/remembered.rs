//! What passed a gate, so that a copy of it does not.

use std::collections::{HashSet, VecDeque};

use crate::core::GATE_ID_LEN;

/// First messages remembered per gate; beyond it the oldest is forgotten.
pub(super) const MAX_REMEMBERED: usize = 4096;

type Id = [u8; GATE_ID_LEN];

/// First messages that verified, oldest out first: by the first destination id, which whoever lacks the gate key cannot
/// change, and by the ephemeral key, which nobody can change.
#[derive(Default)]
pub(super) struct Remembered {
    ids: HashSet<Id>,
    ephemerals: HashSet<[u8; 32]>,
    order: VecDeque<(Id, [u8; 32])>,
}

impl Remembered {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn has_id(&self, id: &Id) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn has_ephemeral(&self, ephemeral: &[u8; 32]) -> bool {
        self.ephemerals.contains(ephemeral)
    }

    pub(super) fn insert(&mut self, id: Id, ephemeral: [u8; 32]) {
        if self.order.len() >= MAX_REMEMBERED
            && let Some((id, ephemeral)) = self.order.pop_front()
        {
            self.ids.remove(&id);
            self.ephemerals.remove(&ephemeral);
        }
        if self.ephemerals.insert(ephemeral) {
            self.ids.insert(id);
            self.order.push_back((id, ephemeral));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_bounded() {
        let mut seen = Remembered::default();
        let id = |i: usize| std::array::from_fn(|at| i.to_be_bytes().get(at).copied().unwrap_or_default());
        let key = |i: usize| std::array::from_fn(|at| i.to_be_bytes().get(at).copied().unwrap_or_default());
        (0..=MAX_REMEMBERED).for_each(|i| seen.insert(id(i), key(i)));
        assert!(!seen.has_ephemeral(&key(0)) && !seen.has_id(&id(0)));
        assert!(seen.has_ephemeral(&key(1)) && seen.has_id(&id(1)));
        assert!(seen.has_ephemeral(&key(MAX_REMEMBERED)) && seen.has_id(&id(MAX_REMEMBERED)));
        let sizes = (seen.ids.len(), seen.ephemerals.len(), seen.order.len());
        assert_eq!(sizes, (MAX_REMEMBERED, MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
