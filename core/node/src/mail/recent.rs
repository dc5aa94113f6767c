//! What was taken lately, by hash: a copy of it that another host keeps need not be fetched.

use std::collections::{BTreeSet, VecDeque};

use wayside_proto::mailbox::wire::BlobHash;

/// How many are remembered: some megabytes. What is older is fetched again, and known by its number then.
const MOST: usize = 65_536;

/// Hashes of what was taken lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: BTreeSet<BlobHash>,
    order: VecDeque<BlobHash>,
}

impl Recent {
    /// This was taken.
    pub(super) fn taken(&mut self, hash: BlobHash) {
        if self.known.insert(hash) {
            self.order.push_back(hash);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether this was taken, as far back as is remembered.
    pub(super) fn knows(&self, hash: &BlobHash) -> bool {
        self.known.contains(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut recent = Recent::default();
        let hash = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            BlobHash(bytes)
        };
        for number in 0..MOST + 10 {
            recent.taken(hash(number));
            recent.taken(hash(number));
        }
        assert!(!recent.knows(&hash(9)) && recent.knows(&hash(10)) && recent.knows(&hash(MOST + 9)));
    }
}
