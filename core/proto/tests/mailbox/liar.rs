//! Hosts that do not do what they say.

use rand_core::RngCore;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::wire::{Answer, Listed, Put};

use super::node::{Around, Node};

/// How a host lies; of hundred times each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lies {
    /// Says Stored, and keeps nothing.
    pub forget: u32,
    /// Says that it is full or that it may not be, for no reason.
    pub refuse: u32,
    /// Gives another blob than was asked for.
    pub cross: u32,
    /// Gives a blob with a bit turned.
    pub alter: u32,
    /// Keeps all that it should delete, and lists it again.
    pub hoard: bool,
    /// Lists in any order.
    pub shuffle: bool,
}

impl Node {
    /// What a liar answers to a deposit without having done anything.
    pub fn lie_of_a_deposit(&self, around: &mut Around<'_>) -> Option<Answer> {
        if around.chance(self.lies.unwrap_or_default().forget) {
            return Some(Answer::Stored);
        }
        if around.chance(self.lies.unwrap_or_default().refuse) {
            return Some(if around.chance(50) { Answer::Full(HOURS) } else { Answer::Denied });
        }
        None
    }

    pub fn hoard(&mut self, owner: AccountId, put: &Put) {
        if self.lies.unwrap_or_default().hoard && self.hoard.len() < 8 {
            let arrival = 1_000_000 + self.hoard.len() as u64;
            let listed = Listed { arrival, queue: put.queue, hash: put.hash, size: put.blob.len() as u32 };
            self.hoard.push((owner, listed, put.blob.clone()));
        }
    }

    pub fn lie_of_a_list(
        &self,
        around: &mut Around<'_>,
        owner: &AccountId,
        after: u64,
        list: &mut Vec<Listed>,
    ) {
        if after == 0 {
            list.extend(self.hoard.iter().filter(|(whose, ..)| whose == owner).map(|(_, listed, _)| *listed));
            // Somebody else's mail, as if it lay in a queue of this one's.
            if let (true, Some(first)) =
                (around.chance(self.lies.unwrap_or_default().cross), list.first().copied())
            {
                let others = self.hoard.iter().filter(|(whose, ..)| whose != owner);
                list.extend(others.map(|(_, listed, _)| Listed { queue: first.queue, ..*listed }));
            }
        }
        if self.lies.unwrap_or_default().shuffle {
            for at in (1..list.len()).rev() {
                list.swap(at, around.rng.next_u32() as usize % (at + 1));
            }
        }
    }

    pub fn lie_of_a_blob(
        &self,
        around: &mut Around<'_>,
        arrival: u64,
        blob: Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let hoarded = self.hoard.iter().find(|(_, listed, _)| listed.arrival == arrival);
        let mut blob = blob.or_else(|| hoarded.map(|(.., blob)| blob.clone()))?;
        if around.chance(self.lies.unwrap_or_default().cross) && !self.hoard.is_empty() {
            let other = around.rng.next_u32() as usize % self.hoard.len();
            blob.clone_from(&self.hoard[other].2);
        }
        if around.chance(self.lies.unwrap_or_default().alter) {
            let at = around.rng.next_u32() as usize % blob.len();
            blob[at] ^= 1 << (around.rng.next_u32() % 8);
        }
        Some(blob)
    }
}

const HOURS: u32 = 2 * 3600;
