//! How many packets of one sender are looked at: a token bucket a source address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Packets of one sender at once. A machine that announces all that it may have, twice over, is within that.
const BURST: f64 = 1024.0;
/// Packets of one sender in a second. Who has as much as it may have answers a question with some two hundred.
const A_SECOND: f64 = 256.0;
/// So many senders are told apart; further ones share one bucket.
const MOST_SENDERS: usize = 1024;

/// What senders have left.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    senders: HashMap<IpAddr, Bucket>,
    others: Option<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Duration,
}

impl Budget {
    /// Whether one more packet of this sender is looked at.
    pub(crate) fn takes(&mut self, sender: IpAddr, now: Duration) -> bool {
        if !self.senders.contains_key(&sender) && self.senders.len() >= MOST_SENDERS {
            // Who has not been heard for as long as a bucket takes to fill is nobody to remember.
            self.senders.retain(|_, bucket| bucket.filled(now) < BURST);
        }
        let fresh = Bucket { left: BURST, at: now };
        let bucket = if self.senders.contains_key(&sender) || self.senders.len() < MOST_SENDERS {
            self.senders.entry(sender).or_insert(fresh)
        } else {
            self.others.get_or_insert(fresh)
        };
        bucket.left = bucket.filled(now);
        bucket.at = now;
        let takes = bucket.left >= 1.0;
        if takes {
            bucket.left -= 1.0;
        }
        takes
    }
}

impl Bucket {
    fn filled(&self, now: Duration) -> f64 {
        (self.left + now.saturating_sub(self.at).as_secs_f64() * A_SECOND).min(BURST)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const ONE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn sender(number: u128) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits((0xfe80 << 112) | number))
    }

    #[test]
    fn who_floods_is_not_heard_and_others_are() {
        let mut budget = Budget::default();
        let heard = (0..10_000).filter(|_| budget.takes(ONE, Duration::ZERO)).count();
        assert_eq!(heard, BURST as usize);
        assert!(budget.takes(sender(1), Duration::ZERO));
        let second = Duration::from_secs(1);
        let heard = (0..10_000).filter(|_| budget.takes(ONE, second)).count();
        assert_eq!(heard, A_SECOND as usize);
    }

    #[test]
    fn senders_without_number_cost_bounded_memory() {
        let mut budget = Budget::default();
        let heard = (0..100_000).filter(|number| budget.takes(sender(*number), Duration::ZERO)).count();
        assert_eq!(heard, MOST_SENDERS + BURST as usize);
        assert_eq!(budget.senders.len(), MOST_SENDERS);
        // They are forgotten in time.
        assert!(budget.takes(sender(100_000), Duration::from_secs(60)));
        assert_eq!(budget.senders.len(), 1);
    }
}
