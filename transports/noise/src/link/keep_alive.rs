//! How often a link says that it is alive: as often as the NATs in front of this machine need it, where that is known.
//!
//! What is sent on one side is acknowledged on the other, so that one packet keeps the mappings of both NATs, and whoever hears something puts its own
//! off. The side with the more impatient NAT sets the pace, and the other one neither has to know it nor sends anything of its own.

use std::time::Duration;

use noq::Path;

/// Never more often, however short mappings live: below that a link costs a battery more than it is worth.
pub(crate) const QUICKEST: Duration = Duration::from_secs(5);
/// Never more seldom, however long mappings live: a machine that is gone should be missed within minutes.
pub(crate) const SLOWEST: Duration = Duration::from_secs(60);

/// How much longer the side that accepted waits. With one pace both would speak at one moment: each counts from a packet that the other one's count
/// began with as well, and one latency lies between them both times.
const YIELD: u32 = 16;

/// What is known of how long a NAT keeps a mapping, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeepAlive {
    usual: Option<Duration>,
    lifetime: Option<Duration>,
    /// A mapping was gone after so long without a packet.
    expired: Option<Duration>,
}

impl KeepAlive {
    /// `usual`: how often where nothing is known; never, if `None`, whatever becomes known.
    pub(crate) fn new(usual: Option<Duration>) -> Self {
        Self { usual, lifetime: None, expired: None }
    }

    /// Mappings were measured to live for so long; `None`: nothing is known of them any more.
    pub(crate) fn lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
        if lifetime.is_none() {
            self.expired = None;
        }
    }

    /// A mapping was gone after so long without a packet. That makes the pace quicker, and never slower.
    pub(crate) fn expired_within(&mut self, idle: Duration) {
        self.expired = Some(self.expired.map_or(idle, |before| before.min(idle)));
    }

    /// How long after the last packet the path in use gets another one.
    pub(crate) fn pace(&self) -> Option<Duration> {
        let usual = self.usual?;
        // Two thirds for the side that waits longer. A packet that is lost is sent again well within the last third.
        let fits = |lifetime: Duration| (lifetime.saturating_mul(5) / 8).clamp(QUICKEST, SLOWEST);
        let known = self.lifetime.map_or(usual, fits);
        Some(self.expired.map_or(known, |idle| known.min(fits(idle))))
    }

    /// After how long a silence a path is asked whether it lives. The path in use is silent for no longer than our own pace, whatever the
    /// peer's is: what we send then is acknowledged. Those that stand by are kept by these questions, within a mapping's lifetime.
    pub(crate) fn longest_silence(&self) -> Option<Duration> {
        let pace = self.pace()?;
        let usual = pace.saturating_mul(3) / 2;
        let known = self.lifetime.into_iter().chain(self.expired).min();
        Some(known.map_or(usual, |lifetime| {
            usual.min(lifetime.saturating_mul(5) / 6).max(pace.saturating_mul(5) / 4)
        }))
    }
}

/// Has a path kept alive at this pace from now on, or not at all.
pub(super) fn keep(path: &Path, pace: Option<Duration>, has_accepted: bool) {
    let pace = pace.map(|pace| if has_accepted { pace.saturating_add(pace / YIELD) } else { pace });
    // Fails where it was closed just now, and then it needs none.
    let Ok(before) = path.set_keep_alive_interval(pace) else { return };
    if pace.is_some_and(|pace| before.is_none_or(|before| pace < before)) {
        // QUIC counts from the next packet: without one it would keep to what it had before, or to nothing.
        let _ = path.ping();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Pace and longest silence, in seconds.
    fn rule(usual: Option<u64>, lifetime: Option<u64>, expired: &[u64]) -> Option<(u64, u64)> {
        let mut rule = KeepAlive::new(usual.map(secs));
        rule.lifetime(lifetime.map(secs));
        expired.iter().for_each(|idle| rule.expired_within(secs(*idle)));
        Some((rule.pace()?.as_secs(), rule.longest_silence()?.as_secs()))
    }

    #[test]
    fn the_pace_follows_what_is_known() {
        assert_eq!(rule(Some(20), None, &[]), Some((20, 30)));
        assert_eq!(rule(Some(20), Some(30), &[]), Some((18, 25)));
        assert_eq!(rule(Some(20), Some(60), &[]), Some((37, 50)));
        assert_eq!(rule(Some(20), Some(120), &[]), Some((60, 90)), "no slower than a minute");
        assert_eq!(rule(Some(20), Some(15), &[]), Some((9, 12)));
        assert_eq!(rule(Some(20), Some(2), &[]), Some((5, 6)), "no quicker than 5 s");
        assert_eq!(rule(None, Some(120), &[12]), None, "who wants none gets none");
    }

    #[test]
    fn a_mapping_that_was_gone_only_hurries() {
        assert_eq!(rule(Some(20), None, &[600]), Some((20, 30)));
        assert_eq!(rule(Some(20), None, &[24, 600]), Some((15, 20)));
        assert_eq!(rule(Some(20), Some(120), &[45]), Some((28, 37)));
        let mut rule = KeepAlive::new(Some(secs(20)));
        rule.expired_within(secs(12));
        rule.lifetime(None);
        assert_eq!(rule, KeepAlive::new(Some(secs(20))), "another network, another NAT");
    }

    #[test]
    fn absurd_lifetimes_do_no_harm() {
        assert_eq!(rule(Some(20), Some(0), &[0]), Some((5, 6)));
        assert_eq!(rule(Some(u64::MAX), Some(u64::MAX), &[u64::MAX]), Some((60, 90)));
    }
}
