//! One address that is asked over one socket: when, how often, and how far the questions go.

use std::{net::SocketAddr, time::Duration};

use super::{Role, Socket, guard::Place};
use crate::CandidateKind;

/// When the side that dials asks, counted from when it begins: at once, soon again, and then rarely. The peer's NAT is open for it by then, or is opened
/// within seconds where the two did not begin alike.
const DIAL: [u64; 9] = [0, 100, 300, 700, 1_500, 2_500, 4_000, 6_000, 9_000];
/// When the side that waits asks, so that its NAT lets the other in. The first ones may be lost, the later ones hold the door open.
const WAIT: [u64; 5] = [0, 250, 1_000, 3_000, 8_000];
/// The same where only its own questions can arrive, which then are not to come long after the other side has begun.
const KNOCK: [u64; 9] = [0, 200, 400, 600, 800, 1_100, 1_500, 2_000, 3_000];
/// Where the other side begins to ask sooner than the second of those, the side that waits asks so often until it does.
const EARLY: u32 = 2;
/// So soon that is at most.
pub(super) const SOON: Duration = Duration::from_millis(200);
/// After those, the side that dials asks so often, first and later.
const THEN: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(15);
/// From when on it is asked rarely.
const LATE: Duration = Duration::from_secs(30);

/// Questions that travel all the way to one machine on the internet that has not answered: it may be a third party. In one meeting, to all ports that the
/// peer named of it and whatever it names later.
pub const HANDFUL: u32 = 32;
/// The same, in a network that we are in: two homes often number their machines alike.
pub const NEAR_HANDFUL: u32 = 12;
/// The same, in other private networks: nobody is to be searched for there.
pub const PRIVATE_HANDFUL: u32 = 6;
/// Where a question may spoil more than it helps, the first few stay near: in the time that they take the other side may hit what they open.
const CAUTIOUS_ROUNDS: u32 = 3;
/// Questions in quick succession of the side that waits.
pub(super) const MOST_KNOCKS: u32 = 14;
/// Questions of any kind to one address.
const MOST: u32 = 96;
/// So many routers a question passes that is to open our own NAT and not to reach the peer's: one's own, and three of the provider's, which may translate addresses too. On
/// the internet two homes are farther apart.
pub const FEW_HOPS: u8 = 4;

/// So many questions may go all the way to a machine that has not answered yet. A quarter of them is kept for when it is heard from, or the peer
/// names it anew: then it is there now.
pub(super) fn handful(place: Place, is_news: bool) -> u32 {
    let most = match place {
        Place::Near => NEAR_HANDFUL,
        Place::Public => HANDFUL,
        Place::Private => PRIVATE_HANDFUL,
    };
    if is_news { most } else { most - most / 4 }
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) socket: Socket,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    /// `None` where it was learnt from the peer's own questions.
    pub(super) kind: Option<CandidateKind>,
    /// How long it took, if it has answered.
    pub(super) answered: Option<Duration>,
    /// The peer has spoken from there, or writes that it does.
    pub(super) heard: bool,
    role: Role,
    begun: Duration,
    /// When it was asked last.
    last: Duration,
    round: u32,
    asked: u32,
    knocks: u32,
}

/// Between two questions of the side that waits, and when they may go far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// So often a NAT's door is held open.
    pub(super) hold: Duration,
    /// Only questions of this side can arrive.
    pub(super) must_knock: bool,
    /// So often it is asked instead for a while, since the other side is probably listening.
    pub(super) knock: Option<Duration>,
    /// Whether questions stay near, since they have to open a door and no more.
    pub(super) near: Near,
    /// About how long the other side takes to read our word, where that is so short that the tables' second question would come late.
    pub(super) leg: Option<Duration>,
    /// Over IPv4, questions that go all the way are let in nowhere.
    pub(super) is_futile: bool,
    /// Over IPv4 that may be so.
    pub(super) may_be_futile: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// They go all the way.
    Never,
    /// The third one and every other one after it go all the way, since it is not known how many doors there are.
    Mostly,
    /// They stay near.
    Always,
}

impl Target {
    pub(super) fn new(
        socket: Socket,
        address: SocketAddr,
        place: Place,
        kind: Option<CandidateKind>,
        role: Role,
        begins: Duration,
    ) -> Self {
        Self {
            socket,
            address,
            place,
            kind,
            answered: None,
            heard: false,
            role,
            begun: begins,
            last: begins,
            round: 0,
            asked: 0,
            knocks: 0,
        }
    }

    /// Asks from then on.
    pub(super) fn begin(&mut self, begins: Duration) {
        self.begun = begins;
    }

    /// Asks from the beginning again: what was opened before is not open any more.
    pub(super) fn restart(&mut self, now: Duration) {
        (self.begun, self.round) = (now, 0);
    }

    /// Asks from the beginning again, as the side that dials does: the peer is known to be at it.
    pub(super) fn hurry(&mut self, now: Duration) {
        (self.role, self.begun, self.round) = (Role::Dials, now, 0);
    }

    /// When it is to be asked next.
    pub(super) fn due(&self, pace: Pace) -> Option<Duration> {
        if self.asked >= MOST {
            return None;
        }
        let table: &[u64] = match self.role {
            Role::Dials => &DIAL,
            Role::Waits if pace.must_knock => &KNOCK,
            Role::Waits => &WAIT,
        };
        // Our word may just have been read after half of that, and most likely has after all of it.
        let leg = pace.leg.filter(|_| self.role == Role::Waits);
        let early = leg.map_or(0, |_| EARLY);
        if let Some(leg) = leg.filter(|_| (1..=EARLY).contains(&self.round)) {
            return Some(self.begun.saturating_add(leg * self.round / EARLY));
        }
        Some(match (table.get(self.round.saturating_sub(early) as usize), self.role) {
            (Some(ms), _) => self.begun.saturating_add(Duration::from_millis(*ms)),
            (None, Role::Waits) => self.last.saturating_add(self.pause(pace)),
            (None, Role::Dials) if self.last < self.begun.saturating_add(LATE) => {
                self.last.saturating_add(THEN)
            }
            (None, Role::Dials) => self.last.saturating_add(LATER),
        })
    }

    fn pause(&self, pace: Pace) -> Duration {
        pace.knock.filter(|_| self.knocks < MOST_KNOCKS).unwrap_or(pace.hold)
    }

    /// How many hops the next question may go; `None` for all the way.
    pub(super) fn hops(&self, pace: Pace) -> Option<u8> {
        // A port that a router was asked for lets everybody in.
        let may_be_shut = self.address.is_ipv4() && self.kind != Some(CandidateKind::Mapped);
        let is_futile = may_be_shut && (pace.is_futile || pace.may_be_futile && self.round < CAUTIOUS_ROUNDS);
        let opens_only = match pace.near {
            Near::Never => false,
            Near::Mostly => self.round < 2 || self.round % 2 == 1,
            Near::Always => true,
        };
        let stays_near =
            !self.heard && self.place != Place::Near && (is_futile || self.role == Role::Waits && opens_only);
        stays_near.then_some(FEW_HOPS)
    }

    /// It is asked now, or would be if there were questions left for it.
    pub(super) fn asked(&mut self, now: Duration, pace: Pace) {
        self.round += 1;
        self.knocks += u32::from(pace.knock.is_some());
        self.asked += 1;
        self.last = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn asks(role: Role, near: Near, until: Duration) -> Vec<(u64, bool)> {
        let pace = Pace {
            hold: Duration::from_secs(15),
            must_knock: false,
            knock: None,
            leg: None,
            near,
            is_futile: false,
            may_be_futile: false,
        };
        let at = "5.5.5.5:5".parse().unwrap();
        let mut target = Target::new(Socket::Own(0), at, Place::Public, None, role, Duration::ZERO);
        let mut asks = Vec::new();
        while let Some(due) = target.due(pace).filter(|due| *due <= until) {
            asks.push((u64::try_from(due.as_millis()).unwrap(), target.hops(pace).is_none()));
            target.asked(due, pace);
        }
        asks
    }

    #[test]
    fn who_dials_asks_at_once_and_then_ever_more_rarely() {
        let all = asks(Role::Dials, Near::Never, Duration::from_secs(600));
        assert_eq!(all.iter().filter(|(ms, _)| *ms < 1_000).count(), 4);
        let late: Vec<u64> = all.iter().map(|(ms, _)| *ms / 1_000).filter(|s| *s >= 9).collect();
        assert_eq!(late.get(..8).unwrap(), [9, 14, 19, 24, 29, 34, 49, 64]);
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(asks(Role::Dials, Near::Never, Duration::from_secs(86_400)).len(), MOST as usize);
    }

    #[test]
    fn who_waits_for_somebody_near_asks_when_its_word_was_read() {
        let pace = Pace {
            hold: Duration::from_secs(15),
            must_knock: false,
            knock: None,
            leg: Some(Duration::from_millis(80)),
            near: Near::Never,
            is_futile: false,
            may_be_futile: false,
        };
        for (role, expected) in
            [(Role::Waits, [0, 40, 80, 250, 1_000]), (Role::Dials, [0, 100, 300, 700, 1_500])]
        {
            let at = "5.5.5.5:5".parse().unwrap();
            let mut target = Target::new(Socket::Own(0), at, Place::Public, None, role, Duration::ZERO);
            let due = expected.map(|_| {
                let due = target.due(pace).unwrap();
                target.asked(due, pace);
                u64::try_from(due.as_millis()).unwrap()
            });
            assert_eq!(due, expected);
        }
    }

    #[test]
    fn who_waits_holds_its_door_open_without_knocking() {
        let all = asks(Role::Waits, Near::Always, Duration::from_secs(600));
        assert!(all.iter().all(|(_, far)| !far));
        assert!(all.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 15_000));
        assert_eq!(all.len(), 44);
        let unknown = asks(Role::Waits, Near::Mostly, Duration::from_secs(600));
        assert_eq!(unknown.iter().filter(|(_, far)| *far).count(), 21);
    }
}
