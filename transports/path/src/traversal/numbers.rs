//! Numbers of questions: each is taken once, so that a copy draws no answer.

/// Below the highest number so many are remembered: as many as one side may send in two runs of guesses.
const WINDOW: u64 = 4096;
const WORDS: usize = (WINDOW / 64) as usize;

/// The numbers that were taken (RFC 6479: a window of bits that moves on by whole words).
#[derive(Debug)]
pub(super) struct Taken {
    highest: u64,
    bits: [u64; WORDS],
}

impl Default for Taken {
    fn default() -> Self {
        Self { highest: 0, bits: [0; WORDS] }
    }
}

impl Taken {
    /// Whether a number is new; it is not afterwards. What lies far below the highest counts as taken. Zero is no number.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number == 0 || number.saturating_add(WINDOW - 64) <= self.highest {
            return false;
        }
        if number > self.highest {
            let (from, to) = (self.highest / 64, number / 64);
            for word in (from + 1..=to).take(WORDS) {
                if let Some(bits) = self.bits.get_mut((word % WORDS as u64) as usize) {
                    *bits = 0;
                }
            }
            self.highest = number;
        }
        let Some(bits) = self.bits.get_mut((number / 64 % WORDS as u64) as usize) else { return false };
        let bit = 1 << (number % 64);
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_are_taken_once_in_any_order() {
        let (mut taken, mut seen, mut seed) = (Taken::default(), BTreeSet::new(), 7_u64);
        let mut highest = 0;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = highest + (seed >> 33) % 6_000;
            let number = number.saturating_sub(4_500);
            let is_new = taken.take(number);
            assert!(!is_new || seen.insert(number), "{number} twice");
            if number > 0 && number + WINDOW - 64 > highest {
                assert!(is_new || seen.contains(&number), "{number} was refused");
            }
            highest = highest.max(number);
        }
        assert!(!taken.take(0));
        assert!(taken.take(u64::MAX));
        assert!(!taken.take(u64::MAX));
        assert!(!taken.take(highest));
    }
}
