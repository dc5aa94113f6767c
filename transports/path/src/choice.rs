//! Which of several living paths is the best, and when it is worth leaving the one in use.

use std::time::Duration;

use crate::Kind;

/// IPv6 is taken for so much quicker: it has no address translation that may forget us, and hop counts are alike. iroh gives it the same.
const V6_BONUS: Duration = Duration::from_millis(3);
/// A path must be quicker by this, or by a tenth of the latency in use if that is more, to be worth moving to. Below it, jitter decides.
const LEAST_GAIN: Duration = Duration::from_millis(5);
/// How long a path must stay quicker before the link moves to it.
const STEADY: Duration = Duration::from_secs(1);

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merit {
    /// How it carries datagrams.
    pub kind: Kind,
    /// The smoothed round-trip time.
    pub rtt: Duration,
}

impl Merit {
    /// What ranks paths of one kind: the latency, with IPv6's bonus.
    pub fn latency(&self) -> Duration {
        match self.kind {
            Kind::Udp { v6: true } => self.rtt.saturating_sub(V6_BONUS),
            _ => self.rtt,
        }
    }

    /// Orders by rank, then by latency; the least is the best.
    pub fn order(&self) -> (u8, Duration) {
        (self.kind.rank(), self.latency())
    }
}

/// Whether to move from the path in use to a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is of a better kind: move now.
    Now,
    /// It is enough quicker: move if it stays so.
    IfSteady,
    /// Stay.
    No,
}

/// Compares a path with the one in use.
pub fn compare(in_use: &Merit, other: &Merit) -> Verdict {
    if other.kind.rank() < in_use.kind.rank() {
        return Verdict::Now;
    }
    let gain = LEAST_GAIN.max(in_use.latency() / 10);
    let quicker = other.latency().saturating_add(gain) < in_use.latency();
    if other.kind.rank() == in_use.kind.rank() && quicker { Verdict::IfSteady } else { Verdict::No }
}

/// Remembers for how long one path has been quicker than the one in use.
#[derive(Clone, Copy, Debug)]
pub struct Challenger<K> {
    /// Which one.
    pub key: K,
    since: Duration,
}

impl<K: Copy + PartialEq> Challenger<K> {
    /// The challenger after one more look: the same goes on, another begins anew.
    pub fn seen(earlier: Option<Self>, key: K, now: Duration) -> Self {
        earlier.filter(|it| it.key == key).unwrap_or(Self { key, since: now })
    }

    /// Whether it was quicker for long enough.
    pub fn is_steady(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= STEADY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merit(kind: Kind, ms: u64) -> Merit {
        Merit { kind, rtt: Duration::from_millis(ms) }
    }

    const V4: Kind = Kind::Udp { v6: false };
    const V6: Kind = Kind::Udp { v6: true };

    #[test]
    fn kinds_come_before_latency() {
        assert_eq!(compare(&merit(Kind::Relayed, 10), &merit(Kind::Tcp, 200)), Verdict::Now);
        assert_eq!(compare(&merit(Kind::Tcp, 10), &merit(V4, 200)), Verdict::Now);
        assert_eq!(compare(&merit(V4, 200), &merit(Kind::Tcp, 1)), Verdict::No);
        assert_eq!(compare(&merit(Kind::Tcp, 200), &merit(Kind::Relayed, 1)), Verdict::No);
    }

    #[test]
    fn jitter_moves_nothing() {
        assert_eq!(compare(&merit(V4, 20), &merit(V4, 15)), Verdict::No);
        assert_eq!(compare(&merit(V4, 20), &merit(V4, 14)), Verdict::IfSteady);
        assert_eq!(compare(&merit(V4, 200), &merit(V4, 185)), Verdict::No);
        assert_eq!(compare(&merit(V4, 200), &merit(V4, 179)), Verdict::IfSteady);
        assert_eq!(compare(&merit(V4, 20), &merit(V6, 17)), Verdict::IfSteady);
    }

    #[test]
    fn a_gain_must_last() {
        let at = Duration::from_millis;
        let first = Challenger::seen(None, 7, at(0));
        assert!(!Challenger::seen(Some(first), 7, at(999)).is_steady(at(999)));
        assert!(Challenger::seen(Some(first), 7, at(1000)).is_steady(at(1000)));
        assert!(!Challenger::seen(Some(first), 8, at(1000)).is_steady(at(1000)));
    }
}
