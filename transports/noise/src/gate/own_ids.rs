//! The connection ids by which this endpoint knows packets that are for it.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use crate::core::agreement::fill_random;

/// The length in bytes of the ids that this endpoint chooses for itself: random8 ‖ check4.
pub(crate) const LOCAL_ID_LEN: usize = 12;

/// Ids that this endpoint chooses: eight random bytes and a keyed check of four, so that a packet to any other id is
/// dropped without a table and without a lock.
///
/// The check (the standard library's keyed SipHash) is a sieve, not a proof: past it, noq knows its live ids exactly.
#[derive(Clone, Default)]
pub(crate) struct OwnIds(RandomState);

impl OwnIds {
    pub(crate) fn mint(&self) -> [u8; LOCAL_ID_LEN] {
        let mut random = [0; 8];
        fill_random(&mut random);
        let mut id = [0; LOCAL_ID_LEN];
        for (byte, from) in id.iter_mut().zip(random.into_iter().chain(self.check(&random))) {
            *byte = from;
        }
        id
    }

    pub(crate) fn recognise(&self, id: &[u8]) -> bool {
        id.split_first_chunk::<8>().is_some_and(|(random, check)| check == self.check(random))
    }

    fn check(&self, random: &[u8; 8]) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0.hash_one(random).to_be_bytes();
        [a, b, c, d]
    }
}
