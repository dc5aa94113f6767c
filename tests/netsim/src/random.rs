//! Randomness from a seed: the same seed, the same numbers, on every machine.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// A stream of numbers. Streams of one seed with different names are independent, so that a draw more in one place changes nothing
/// elsewhere.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of this name under a seed. Names are told apart by their first 24 bytes.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes().into_iter().chain(name.bytes())) {
            *to = from;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, 0 where that is 0. The bias is below 2⁻³² for the bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.any() % bound }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// True with probability `chance` in a million.
    pub fn millionths(&mut self, chance: u32) -> bool {
        self.below(1_000_000) < u64::from(chance)
    }

    /// One of these; the first where the slice is empty would not exist, so it must not be.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let at = self.below(choices.len() as u64) as usize;
        match choices.get(at) {
            Some(choice) => *choice,
            None => unreachable!("nothing to choose from"),
        }
    }
}
