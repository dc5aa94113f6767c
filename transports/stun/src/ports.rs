//! How a NAT chooses the port of a new mapping, from the ports that it gave so far.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::behaviour::Seen;

/// The fewest new ports that a sequence is believed from: three steps of one kind, which chance makes once in 10^8 runs.
const FEWEST_IN_SEQUENCE: usize = 4;
/// The fewest new ports after which a NAT is said to choose at random, so that two strangers' mappings in between do not make it look so.
const FEWEST_AT_RANDOM: usize = 4;
/// The fewest that parity or kept ports are believed from: chance makes eight of one parity once in 256 runs.
const FEWEST_OF_PARITY: usize = 8;
/// The longest step. Behind a NAT that others use too, some of their mappings come in between ours.
const LONGEST_STEP: i32 = 64;

/// How outside ports are chosen (RFC 4787, section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// Too few mappings were seen.
    #[default]
    Unknown,
    /// The port that the socket has on the machine, while it is free.
    Preserved,
    /// One after the other.
    Sequential {
        /// The last one given.
        last: u16,
        /// From one to the next, -64 to 64 and never 0: the commonest of those seen. Others' mappings may come between.
        step: i16,
    },
    /// With no order to be seen.
    Random {
        /// Even ports become even ones, odd ones odd (RFC 4787, section 4.2.2): half are left to guess among.
        parity: bool,
    },
}

/// `seen`: in the order of time. What servers saw anew counts; a mapping seen twice says nothing the second time.
pub(crate) fn allocation(seen: &[Seen]) -> Allocation {
    let mut known: BTreeSet<(u16, SocketAddr)> = BTreeSet::new();
    let fresh: Vec<&Seen> = seen.iter().filter(|seen| known.insert((seen.local, seen.mapped))).collect();
    let kept = fresh.iter().filter(|seen| seen.mapped.port() == seen.local).count();
    // A NAT that keeps ports and once could not.
    if fresh.len() >= FEWEST_IN_SEQUENCE && kept * 4 >= fresh.len() * 3 {
        return Allocation::Preserved;
    }
    if let Some(sequential) = sequence(&fresh) {
        return sequential;
    }
    if fresh.len() < FEWEST_AT_RANDOM {
        return Allocation::Unknown;
    }
    let parity = fresh.len() >= FEWEST_OF_PARITY
        && fresh.iter().all(|seen| seen.mapped.port() % 2 == seen.local % 2)
        // Sockets of one parity would show the same behind a NAT that gives even ports only.
        && fresh.iter().any(|seen| seen.local % 2 == 0)
        && fresh.iter().any(|seen| seen.local % 2 == 1);
    Allocation::Random { parity }
}

fn sequence(fresh: &[&Seen]) -> Option<Allocation> {
    if fresh.len() < FEWEST_IN_SEQUENCE {
        return None;
    }
    let steps: Vec<i32> = fresh
        .iter()
        .zip(fresh.iter().skip(1))
        .map(|(before, after)| i32::from(after.mapped.port()) - i32::from(before.mapped.port()))
        .collect();
    let rising = |sign: i32| {
        let fits = steps.iter().filter(|step| (1..=LONGEST_STEP).contains(&(**step * sign))).count();
        // One in four may be out of line: the end of the range, or a burst of others' mappings.
        fits * 4 >= steps.len() * 3
    };
    let sign = match (rising(1), rising(-1)) {
        (true, false) => 1,
        (false, true) => -1,
        _ => return None,
    };
    let fitting = || steps.iter().map(|step| step * sign).filter(|step| (1..=LONGEST_STEP).contains(step));
    // The commonest; of those equally common the shortest, which others' mappings do not lengthen.
    let step = fitting().max_by_key(|step| (fitting().filter(|other| other == step).count(), -step))?;
    let last = fresh.last()?.mapped.port();
    Some(Allocation::Sequential { last, step: i16::try_from(step * sign).ok()? })
}
