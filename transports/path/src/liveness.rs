//! Whether a path still carries anything, by its counters alone.
//!
//! QUIC would notice after several probe timeouts, and give the path up after its idle timeout: seconds. Here a path is *doubted* when bytes
//! that want an acknowledgement went out and nothing has come in since, for a little longer than an acknowledgement takes. It is *overdue* a while
//! later. An overdue path is left only for one that has answered since the doubt began, so that a peer that stands still, or a machine too busy
//! to read its sockets, costs no path.
//!
//! A path is *clogged* when it answers questions, which are small, and acknowledges nothing that the link sends over it: it lets no packets of their
//! size through, or whoever carries it picks among them.

use std::time::Duration;

/// What replies may take beyond the round trip: QUIC's greatest delay of 25 ms (RFC 9000, section 18.2) and timers' grain.
const SLACK: Duration = Duration::from_millis(40);
/// From being asked again to being overdue, beyond the round trips. Three questions fit, so that single losses kill nothing.
const GRACE: Duration = Duration::from_millis(110);
/// No path is waited for longer than this, whatever round-trip time it claims.
const LONGEST: Duration = Duration::from_secs(2);
/// A path that answers has at least so long to acknowledge what the link sends: QUIC repeats it about five times within.
const CLOGGED_AFTER: Duration = Duration::from_secs(1);
/// The same where round trips are long, as their multiple, and where they are absurd.
const CLOGGED_ROUND_TRIPS: u32 = 8;
const CLOGGED_AT_LATEST: Duration = Duration::from_secs(10);
/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(35);

/// What one path's counters tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Liveness {
    sent: u64,
    received: u64,
    /// Since when something sent has had no reply of any kind.
    waiting_since: Option<Duration>,
    carried: u64,
    acknowledged: u64,
    /// Since when what the link sent has had no acknowledgement.
    unacknowledged_since: Option<Duration>,
    heard: Duration,
    asked: Option<Duration>,
    moved: Duration,
}

impl Liveness {
    /// A path that has just answered.
    pub fn new(now: Duration) -> Self {
        Self { heard: now, moved: now, ..Self::default() }
    }

    /// Takes counters that only grow: of what was sent and wants a reply over this path, and of what came in over it. Says
    /// which of the two have grown.
    pub fn observe(&mut self, now: Duration, sent: u64, received: u64) -> (bool, bool) {
        let (sends, hears) = (sent > self.sent, received > self.received);
        (self.sent, self.received) = (sent.max(self.sent), received.max(self.received));
        if hears {
            self.heard = now;
            self.waiting_since = None;
            self.asked = None;
        } else if sends && self.waiting_since.is_none() {
            self.waiting_since = Some(now);
        }
        if sends || hears {
            self.moved = now;
        }
        (sends, hears)
    }

    /// Takes counters that only grow: of what the link itself sent over this path, questions apart, and of the acknowledgements that came.
    pub fn carry(&mut self, now: Duration, carried: u64, acknowledged: u64) {
        let (sends, hears) = (carried > self.carried, acknowledged > self.acknowledged);
        (self.carried, self.acknowledged) = (carried.max(self.carried), acknowledged.max(self.acknowledged));
        if hears {
            self.unacknowledged_since = None;
        } else if sends && self.unacknowledged_since.is_none() {
            self.unacknowledged_since = Some(now);
        }
    }

    /// Since when an acknowledgement is awaited.
    pub fn unacknowledged_since(&self) -> Option<Duration> {
        self.unacknowledged_since
    }

    /// Whether nothing that the link sends is acknowledged, for so long that another path is to be taken whatever this one answers.
    pub fn is_clogged(&self, now: Duration, rtt: Duration) -> bool {
        self.unacknowledged_since.is_some_and(|since| now.saturating_sub(since) >= clogged_after(rtt))
    }

    /// When something last came in.
    pub fn heard(&self) -> Duration {
        self.heard
    }

    /// When any counter last moved.
    pub fn moved(&self) -> Duration {
        self.moved
    }

    /// Since when a reply is awaited.
    pub fn waiting_since(&self) -> Option<Duration> {
        self.waiting_since
    }

    /// Whether a reply is later than acknowledgements are.
    pub fn is_doubted(&self, now: Duration, rtt: Duration) -> bool {
        self.waited(now).is_some_and(|waited| waited >= doubt_after(rtt))
    }

    /// Whether a reply is so late that another path that answers is to be taken.
    pub fn is_overdue(&self, now: Duration, rtt: Duration) -> bool {
        self.waited(now).is_some_and(|waited| waited >= overdue_after(rtt))
    }

    /// Whether to ask it now whether it lives; remembers that it was asked.
    pub fn ask(&mut self, now: Duration, rtt: Duration) -> bool {
        // The longer nothing answers, the rarer.
        let pause = ASK_AGAIN.max(rtt / 2).max(self.waited(now).unwrap_or_default() / 4);
        let due = self.asked.is_none_or(|asked| now.saturating_sub(asked) >= pause);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// How long a reply may take before the path is overdue.
    pub fn patience(rtt: Duration) -> Duration {
        overdue_after(rtt)
    }

    /// It answers again after a long time: one end stood still, and acknowledgements have as long as ever from now on.
    pub fn revived(&mut self, now: Duration) {
        self.unacknowledged_since = self.unacknowledged_since.and(Some(now));
    }

    fn waited(&self, now: Duration) -> Option<Duration> {
        self.waiting_since.map(|since| now.saturating_sub(since))
    }
}

fn doubt_after(rtt: Duration) -> Duration {
    (rtt + rtt / 4).saturating_add(SLACK).min(LONGEST)
}

fn overdue_after(rtt: Duration) -> Duration {
    doubt_after(rtt).saturating_add(rtt + rtt / 2).saturating_add(GRACE - SLACK).min(LONGEST)
}

fn clogged_after(rtt: Duration) -> Duration {
    rtt.saturating_mul(CLOGGED_ROUND_TRIPS).max(CLOGGED_AFTER).min(CLOGGED_AT_LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn silence_is_nothing_where_nothing_was_sent() {
        let mut path = Liveness::new(ms(0));
        path.observe(ms(10), 100, 1);
        for at in [1_000, 60_000] {
            path.observe(ms(at), 100, 1);
            assert!(!path.is_doubted(ms(at), ms(10)));
        }
    }

    #[test]
    fn a_reply_ends_doubt() {
        let mut path = Liveness::new(ms(0));
        path.observe(ms(100), 100, 0);
        assert!(!path.is_doubted(ms(139), ms(0)) && path.is_doubted(ms(140), ms(0)));
        assert!(!path.is_overdue(ms(209), ms(0)) && path.is_overdue(ms(210), ms(0)));
        path.observe(ms(211), 100, 1);
        assert!(!path.is_doubted(ms(5_000), ms(0)));
    }

    #[test]
    fn long_round_trips_are_waited_for_and_absurd_ones_are_not() {
        let mut path = Liveness::new(ms(0));
        path.observe(ms(0), 100, 0);
        assert!(!path.is_overdue(ms(600), ms(200)) && path.is_overdue(ms(660), ms(200)));
        assert!(path.is_overdue(ms(2_000), Duration::from_secs(3_600)));
    }

    #[test]
    fn answers_to_questions_do_not_acknowledge_what_is_carried() {
        let mut path = Liveness::new(ms(0));
        for at in (0..2_000).step_by(100) {
            path.observe(ms(at), at + 1, at + 1);
            path.carry(ms(at), at + 1, 0);
            assert!(!path.is_doubted(ms(at), ms(1)));
            assert_eq!(path.is_clogged(ms(at), ms(1)), at >= 1_000);
            assert!(!path.is_clogged(ms(at), ms(300)), "a second is not long there");
        }
        path.carry(ms(2_000), 2_000, 1);
        assert!(!path.is_clogged(ms(9_000), ms(1)));
    }

    #[test]
    fn questions_are_paced() {
        let mut path = Liveness::new(ms(0));
        path.observe(ms(0), 100, 0);
        let asked: Vec<u64> = (40..150).filter(|at| path.ask(ms(*at), ms(1))).collect();
        assert_eq!(asked, [40, 75, 110, 147]);
    }
}
