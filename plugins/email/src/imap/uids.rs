//! Numbers of mails.

use std::collections::BTreeSet;
use std::fmt::Write;

/// In parts of at most so many.
pub(super) fn parts(uids: &BTreeSet<u32>, most: usize) -> Vec<BTreeSet<u32>> {
    let uids: Vec<u32> = uids.iter().copied().collect();
    uids.chunks(most).map(|part| part.iter().copied().collect()).collect()
}

/// Numbers as IMAP writes a set of them, runs together.
pub(super) fn set(uids: &BTreeSet<u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*uid) => *last = *uid,
            _ => runs.push((*uid, *uid)),
        }
    }
    let mut text = String::new();
    for (number, (first, last)) in runs.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = if first == last {
            write!(text, "{comma}{first}")
        } else {
            write!(text, "{comma}{first}:{last}")
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_in_runs() {
        let of = |uids: &[u32]| set(&uids.iter().copied().collect());
        assert_eq!(of(&[]), "");
        assert_eq!(of(&[7]), "7");
        assert_eq!(of(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(of(&[u32::MAX]), "4294967295");
    }
}
