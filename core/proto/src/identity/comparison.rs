//! What two people compare, so that each knows that the other's account is the one it knows.

use std::fmt;

use crate::crypto::keys::AccountId;
use crate::crypto::sha256;

/// A string that two people read to each other: two halves, each of one account alone. Where both have the same, neither was given somebody else's account.
///
/// It is made of the account keys and not of a handshake: whoever sits between two can try last messages of a handshake until a short string matches, as there
/// is no commitment in it, and the accounts cover every later meeting too. A half has 15 digits (49.8 bits), and each try costs 8,192 hashes, so that a key
/// with a given half takes some 2^62 of them. Nothing is gained by a birthday search, since neither half is made of a key that the other was chosen against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    halves: [u64; 2],
}

/// What two accounts' people compare, the same whoever of them asks.
pub fn comparison(one: &AccountId, other: &AccountId) -> Comparison {
    let (smaller, larger) = if one <= other { (one, other) } else { (other, one) };
    Comparison { halves: [half(smaller), half(larger)] }
}

impl fmt::Display for Comparison {
    /// Thirty digits in groups of five.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups =
            self.halves.iter().flat_map(|half| [half / (GROUP * GROUP), half / GROUP % GROUP, half % GROUP]);
        for (at, group) in groups.enumerate() {
            let between = if at == 0 { "" } else { " " };
            write!(f, "{between}{group:05}")?;
        }
        Ok(())
    }
}

/// How often what an account gives is hashed: some milliseconds for two people, and 8,192 times the work for whoever looks for a key that gives the same.
const ROUNDS: usize = 8192;
/// What five digits count.
const GROUP: u64 = 100_000;
/// What fifteen do.
const HALF: u128 = 1_000_000_000_000_000;

fn half(account: &AccountId) -> u64 {
    let mut hash = sha256(&[b"wayside/1 comparison", &account.0]);
    for _ in 0..ROUNDS {
        hash = sha256(&[&hash, &account.0]);
    }
    // Of sixteen bytes the remainder by 10^15 is even to one part in 2^78.
    let number = hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    u64::try_from(number % HALF).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_and_another_account_gives_another() {
        let [a, b, c] = [1, 2, 3].map(|byte| AccountId([byte; 32]));
        assert_eq!(comparison(&a, &b), comparison(&b, &a));
        assert_ne!(comparison(&a, &b), comparison(&a, &c));
        let [with_b, with_c] = [b, c].map(|other| comparison(&a, &other).to_string());
        // The half of the account that both have is the same: each is of one account alone.
        assert_eq!(with_b.get(..17), with_c.get(..17));
        assert_eq!(with_b.len(), 35);
        assert!(with_b.split(' ').all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit())));
    }
}
