//! Spare sockets, each of which has its NAT open one more door towards the peer, which guesses at them.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use crate::Mapping;

/// Where ports are given at random. Of 64,512 ports 256 are hit by one of 1,024 guesses in 98 of 100 cases.
pub const MANY: u16 = 256;
/// Where they are given in order: that many in a row are not missed by who counts on a little wrongly.
pub const FEW: u16 = 16;
/// Between two questions. They stay near, so that they burden nobody but one's own NAT.
const PAUSE: Duration = Duration::from_millis(4);
/// How often all ask again, so that their doors stay open.
const HOLD: Duration = Duration::from_secs(10);
/// All of them ask so often at most, in one meeting.
const MOST_ROUNDS: u32 = 12;

/// A run of spare sockets.
#[derive(Debug)]
pub(super) struct Spares {
    pub(super) wanted: u16,
    to: Vec<SocketAddr>,
    begins: Duration,
    ends: Duration,
    asked_for: bool,
    open: u16,
    round: u32,
    round_began: Duration,
    queue: VecDeque<(u16, SocketAddr)>,
    due: Duration,
    hold: Duration,
}

/// What is to be done with spare sockets now.
pub(super) enum Step {
    Open(u16),
    Ask(u16, SocketAddr),
}

impl Spares {
    /// `None` where our mapping is known beforehand: then none are needed.
    pub(super) fn new(
        mapping: Mapping,
        to: Vec<SocketAddr>,
        begins: Duration,
        ends: Duration,
        lifetime: Option<Duration>,
    ) -> Option<Self> {
        let wanted = match mapping {
            Mapping::Random => MANY,
            Mapping::Sequential { .. } => FEW,
            Mapping::Unknown | Mapping::None | Mapping::Independent => return None,
        };
        Some(Self {
            wanted,
            to,
            begins,
            ends,
            asked_for: false,
            open: 0,
            round: 0,
            round_began: Duration::ZERO,
            queue: VecDeque::new(),
            due: begins,
            hold: lifetime.map_or(HOLD, |it| (it / 2).min(HOLD)),
        })
    }

    /// So many are open now, numbered from zero.
    pub(super) fn opened(&mut self, now: Duration, count: u16) {
        self.open = count.min(self.wanted);
        self.begin_round(now);
    }

    /// The peer has begun, earlier than was to be expected.
    pub(super) fn begin_by(&mut self, begins: Duration) {
        self.begins = self.begins.min(begins);
    }

    /// The peer is known to be at it now, or to begin anew.
    pub(super) fn prolong(&mut self, ends: Duration) {
        self.ends = self.ends.max(ends);
    }

    pub(super) fn due(&self) -> Option<Duration> {
        if !self.asked_for {
            return Some(self.begins).filter(|at| *at < self.ends);
        }
        if self.open == 0 || self.due >= self.ends {
            return None;
        }
        (!self.queue.is_empty() || self.round < MOST_ROUNDS).then_some(self.due)
    }

    pub(super) fn next(&mut self, now: Duration) -> Option<Step> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        if !self.asked_for {
            self.asked_for = true;
            return Some(Step::Open(self.wanted));
        }
        if self.queue.is_empty() {
            self.begin_round(now);
        }
        let (spare, to) = self.queue.pop_front()?;
        self.due = if self.queue.is_empty() {
            self.round_began.saturating_add(self.hold).max(now)
        } else {
            self.due.max(now.saturating_sub(PAUSE * 4)).saturating_add(PAUSE)
        };
        Some(Step::Ask(spare, to))
    }

    fn begin_round(&mut self, now: Duration) {
        (self.round, self.round_began, self.due) = (self.round + 1, now, now);
        let to = &self.to;
        self.queue = (0..self.open).flat_map(|spare| to.iter().map(move |to| (spare, *to))).collect();
    }
}
