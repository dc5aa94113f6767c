//! Whom it asks when, and how far: its targets by turns, guessed ports, spare sockets.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    super::{
        FEW_HOPS, Output, Socket, Transmit,
        guard::Place,
        guess::Run,
        spares::Step,
        target::{MOST_KNOCKS, Near, Pace, SOON, Target, handful},
    },
    Asked, SLOW, STUCK_AFTER, Traversal,
};
use crate::{Filtering, Mapping};

/// The side that waits holds doors open so often, where nothing shorter was measured.
const HOLD: Duration = Duration::from_secs(15);
/// So long after the other side has begun, as far as can be told, the side that waits sends some questions all the way: its NATs may be deeper than it thinks, or give another port towards
/// each address after all. What that may spoil has not worked by then.
const DEEP_AFTER: Duration = Duration::from_secs(4);
/// Word that takes less is known to be quick: its latency was measured, and is worth asking by.
const QUICK: Duration = Duration::from_secs(1);
/// The same, where nobody has measured which ports our NAT gives.
const UNKNOWN_AFTER: Duration = Duration::from_secs(2);
/// Where only the questions of the side that waits can arrive, it asks so often for a while when the other is probably at it, and else so rarely.
const KNOCK: Duration = Duration::from_secs(2);
const LONG_HOLD: Duration = Duration::from_secs(15);
/// For so long others are still asked once one has answered, since a better one may.
const BETTER: Duration = Duration::from_secs(1);
/// Questions whose answers are awaited.
const MOST_ASKED: usize = 4_096;

impl Traversal {
    pub(super) fn ask_targets(&mut self, now: Duration) {
        let pace = self.pace(now);
        for at in 0..self.targets.len() {
            let Some(target) = self.targets.get(at) else { return };
            if self.due(target, pace).is_none_or(|due| due > now) {
                continue;
            }
            let (socket, to, hops) = (target.socket, target.address, target.hops(pace));
            // In private networks the other side may be as near as a door is; and where nothing gets in, no door is worth much.
            let is_free =
                to.ip().is_loopback() || hops.is_some() && target.place == Place::Public && !pace.is_futile;
            let left = handful(target.place, target.heard || self.renewals > 0);
            if let Some(target) = self.targets.get_mut(at) {
                target.asked(now, pace);
            }
            if is_free || self.spend(to.ip(), left) {
                self.ask(now, socket, to, hops);
            }
        }
    }

    /// Takes one of the questions that a machine may get before it has spoken.
    fn spend(&mut self, ip: IpAddr, most: u32) -> bool {
        if self.proven.contains(&ip) {
            return true;
        }
        let spent = self.unproven.entry(ip).or_default();
        let is_left = *spent < most;
        *spent += u32::from(is_left);
        is_left
    }

    /// When a target is due; not at all once others have answered and it has had its time.
    pub(super) fn due(&self, target: &Target, pace: Pace) -> Option<Duration> {
        let due = target.due(pace)?;
        let enough = self.reached.map(|at| at.saturating_add(BETTER));
        (target.answered.is_none() && enough.is_none_or(|enough| due <= enough)).then_some(due)
    }

    pub(super) fn pace(&self, now: Duration) -> Pace {
        let mapping = self.setup.nat.mapping;
        let after = |latency: Duration, pause: Duration| {
            now >= self.started.saturating_add(latency).saturating_add(pause)
        };
        let latency = self.setup.latency;
        // Where nobody gets in at an address that the peer cannot know of, a question only takes the port there, and some NATs give everything another one then.
        let is_futile = !mapping.is_predictable()
            && self.theirs.filtering == Filtering::AddressAndPortDependent
            && self.theirs.mapping != Mapping::None;
        let may_be_futile = !mapping.is_predictable()
            && self.theirs.filtering == Filtering::Unknown
            && self.theirs.mapping != Mapping::None;
        // There is nothing at the other side that it could spoil, or much that it could reach.
        let may_help = self.theirs.mapping == Mapping::None
            || matches!(self.theirs.filtering, Filtering::EndpointIndependent | Filtering::AddressDependent);
        let near = if self.theirs.mapping == Mapping::None && latency <= SLOW {
            // There is no door at the other side that could be spoilt, and ours may be one through which only answers come.
            Near::Never
        } else if !(after(latency / 2, Duration::ZERO) || may_help && latency <= SLOW) {
            // Nobody can have begun to listen: what arrives now is answered by nobody, and may spoil the other side's NAT.
            Near::Always
        } else if mapping == Mapping::Unknown && (may_help || after(latency / 2, UNKNOWN_AFTER))
            || mapping.is_predictable() && after(latency.saturating_mul(2), DEEP_AFTER)
        {
            Near::Mostly
        } else if mapping.is_predictable() {
            Near::Always
        } else {
            Near::Never
        };
        // Who has an unpredictable mapping holds no door open by asking again, and others cannot knock at it.
        let must_knock = !mapping.is_predictable() && self.theirs.mapping.is_predictable() && !is_futile;
        let is_its_time =
            after(latency / 2, Duration::ZERO) && !after(latency.saturating_mul(2), STUCK_AFTER * 2);
        Pace {
            near,
            leg: Some(latency).filter(|leg| !leg.is_zero() && *leg < QUICK).map(|leg| leg.min(SOON)),
            is_futile,
            may_be_futile,
            hold: if !mapping.is_predictable() {
                LONG_HOLD
            } else {
                self.setup.nat.lifetime.map_or(HOLD, |it| (it / 2).min(HOLD))
            },
            must_knock,
            // Spread over all of that time.
            knock: (must_knock && is_its_time)
                .then(|| KNOCK.max((latency / 2 * 3 + STUCK_AFTER * 2) / MOST_KNOCKS)),
        }
    }

    pub(super) fn guess(&mut self, now: Duration) {
        let from = self.setup.sockets.iter().position(|it| it.is_ipv4() && !it.ip().is_loopback());
        let Some(from) = from.map(Socket::Own) else { return };
        for at in 0..self.runs.len() {
            while let Some((ip, port)) = self.runs.get_mut(at).and_then(|run| Some((run.ip, run.next(now)?)))
            {
                if !std::mem::replace(&mut self.guessing, true) {
                    self.outputs.push_back(Output::GuessingBegan);
                }
                let to = SocketAddr::new(ip, port);
                if self.setup.surroundings.place(to).is_ok() {
                    self.ask(now, from, to, None);
                }
            }
        }
    }

    pub(super) fn use_spares(&mut self, now: Duration) {
        while let Some(step) = self.spares.as_mut().and_then(|spares| spares.next(now)) {
            match step {
                Step::Open(count) => self.outputs.push_back(Output::OpenSpares(count)),
                Step::Ask(spare, to) => self.ask(now, Socket::Spare(spare), to, Some(FEW_HOPS)),
            }
        }
    }

    fn ask(&mut self, now: Duration, socket: Socket, to: SocketAddr, hops: Option<u8>) {
        let number = self.number();
        if self.asked.len() >= MOST_ASKED {
            self.asked.pop_first();
        }
        self.asked.insert(number, Asked { socket, to, at: now });
        self.outputs.push_back(Output::Send(Transmit { socket, to, number, is_answer: false, hops }));
    }

    pub(super) fn complain(&mut self, now: Duration) {
        if self.stuck_at.is_none_or(|at| at > now) {
            return;
        }
        let why = self.why();
        if let Some(why) = why.filter(|_| self.told != why) {
            self.told = Some(why);
            self.outputs.push_back(Output::Stuck(why));
        }
        // Once more when guessing has come to its end.
        let runs_end = self.runs.iter().filter_map(Run::due).max();
        self.stuck_at = runs_end.map(|at| at.max(now).saturating_add(STUCK_AFTER));
    }
}
