//! Probes: small sealed datagrams beside QUIC that ask one path whether it lives, and answer over the same one.
//!
//! QUIC acknowledges over whichever path it likes, so that its own packets prove little about a path that stands by.
//!
//! ```text
//! probe = first ‖ nonce 12 ‖ AEAD(key, nonce, kind ‖ number 8, associated data first)        38 bytes
//! ```
//!
//! `first` is random, but for the fixed bit of QUIC, which is clear: no packet of ours looks so. All else looks random too, and no two
//! probes have anything in common. A number is taken once, so that a copy draws no answer.

use super::sealed;
use crate::secret::Secret32;

/// The length of every probe, in bytes.
pub(crate) const LEN: usize = BODY_LEN + sealed::OVERHEAD;
const BODY_LEN: usize = 1 + 8;
const ASK: u8 = 0;
const ANSWER: u8 = 1;

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Answer this number, to where it came from.
    Ask(u64),
    /// The question of this number arrived.
    Answer(u64),
}

/// Whether a datagram may be a probe; what it says is known to whoever has the key.
pub(crate) fn is_probe(datagram: &[u8]) -> bool {
    sealed::may_be::<LEN>(datagram)
}

impl Probe {
    /// Sealed for the wire.
    pub(crate) fn seal(self, key: &Secret32) -> [u8; LEN] {
        let (kind, number) = match self {
            Self::Ask(number) => (ASK, number),
            Self::Answer(number) => (ANSWER, number),
        };
        let mut body = [kind; BODY_LEN];
        body[1..].copy_from_slice(&number.to_be_bytes());
        sealed::seal(key, &body)
    }

    /// Opens what came in; `None` unless it was sealed under this key.
    pub(crate) fn open(key: &Secret32, datagram: &[u8]) -> Option<Self> {
        sealed::open::<LEN, _>(key, datagram, Self::read)
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (kind, number) = body.split_first()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        match *kind {
            ASK => Some(Self::Ask(number)),
            ANSWER => Some(Self::Answer(number)),
            _ => None,
        }
    }
}

/// The numbers that were taken: the highest, and the 64 below it.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    highest: u64,
    below: u64,
}

impl Taken {
    /// Whether a number is new; it is not afterwards. What lies more than 64 below the highest counts as taken. Zero is no number.
    pub(crate) fn take(&mut self, number: u64) -> bool {
        if number > self.highest {
            let ahead = number - self.highest;
            // The former highest is `ahead` below the new one.
            let shifted = if ahead < 64 { self.below << ahead } else { 0 };
            self.below =
                shifted | if (1..=64).contains(&ahead) && self.highest > 0 { 1 << (ahead - 1) } else { 0 };
            self.highest = number;
            return true;
        }
        let behind = self.highest - number;
        if number == 0 || behind == 0 || behind > 64 {
            return false;
        }
        let bit = 1 << (behind - 1);
        let new = self.below & bit == 0;
        self.below |= bit;
        new
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_probe_is_read_by_whoever_has_the_key() {
        let key = Secret32::from([7; 32]);
        for probe in [Probe::Ask(1), Probe::Answer(u64::MAX)] {
            let datagram = probe.seal(&key);
            assert!(is_probe(&datagram));
            assert_eq!(Probe::open(&key, &datagram), Some(probe));
            assert_eq!(Probe::open(&Secret32::from([8; 32]), &datagram), None);
        }
        assert_ne!(Probe::Ask(1).seal(&key), Probe::Ask(1).seal(&key), "no two have anything in common");
    }

    #[test]
    fn a_changed_probe_is_refused() {
        let key = Secret32::from([7; 32]);
        let datagram = Probe::Ask(5).seal(&key);
        for bit in 0..LEN * 8 {
            let mut changed = datagram;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Probe::open(&key, &changed), None, "bit {bit}");
        }
        assert_eq!(Probe::open(&key, &datagram[1..]), None);
    }

    #[test]
    fn numbers_are_taken_once() {
        let mut taken = Taken::default();
        assert!(!taken.take(0));
        for number in [1, 2, 5, 4, 70, 69, 6, 134, 71] {
            assert!(taken.take(number), "{number}");
            assert!(!taken.take(number), "{number} again");
        }
        assert!(!taken.take(3), "too old");
        assert!(taken.take(u64::MAX));
        assert!(!taken.take(134));
    }

    proptest! {
        #[test]
        fn any_numbers_are_taken_at_most_once(numbers in prop::collection::vec(0..200u64, 0..400)) {
            let (mut taken, mut seen) = (Taken::default(), std::collections::BTreeSet::new());
            for number in numbers {
                let new = taken.take(number);
                prop_assert!(!new || seen.insert(number));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(Probe::open(&Secret32::from([1; 32]), &bytes), None);
        }
    }
}
