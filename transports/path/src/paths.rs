//! All paths of one link together.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    Kind,
    attempts::{Attempts, Want},
    choice::{Challenger, Merit, Verdict, compare},
    liveness::Liveness,
};

/// Names a path to the driver; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey(pub u32);

/// What a path's counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What was sent since the path began and wants a reply over this path, in any unit.
    pub sent: u64,
    /// What came in over it since it began, in any unit.
    pub received: u64,
    /// What the link itself sent over this path since it began and wants acknowledged, questions apart, in any unit.
    pub carried: u64,
    /// The acknowledgements that came since the path began; they may have come over another one.
    pub acknowledged: u64,
    /// The smoothed round-trip time.
    pub rtt: Duration,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send over this path, and over no other one while it lives.
    Prefer(PathKey),
    /// Ask over this path for an answer over the same one.
    Ask(PathKey),
    /// Close this path: it is dead, or one too many.
    Close(PathKey),
    /// Try to open a path to the candidate of this number, and report [`Paths::attempt_failed`] or [`Paths::opened_to`].
    Open(usize),
}

/// Decides for one link. Call [`observe`](Self::observe) for each path and then [`handle_timeout`](Self::handle_timeout) whenever
/// [`poll_timeout`](Self::poll_timeout) is due, and carry out what [`poll_action`](Self::poll_action) yields after every call.
#[derive(Debug, Default)]
pub struct Paths {
    open: BTreeMap<PathKey, Open>,
    preferred: Option<PathKey>,
    challenger: Option<Challenger<PathKey>>,
    candidates: Vec<Candidate>,
    /// The peer's choice, on the side that follows.
    followed: Option<PathKey>,
    /// Silent for so long, a path is asked whether it lives; never where nothing is to be sent without need.
    longest_silence: Option<Duration>,
    /// The peer is known to have moved: until then a path that is in doubt counts as overdue.
    hurry_until: Duration,
    /// When a path last answered that had been in doubt.
    revived: Option<Duration>,
    /// There is no path at all, since the last one led through what is gone: since when that one was in doubt, or is gone.
    bare: Option<Duration>,
    actions: VecDeque<Action>,
    /// Bytes are moving, or somebody was about to send: cuts are looked for until then.
    busy_until: Duration,
    /// What this busy time has been like so far.
    burst: Burst,
    /// Nothing needs to be looked at before, unless somebody stirs.
    look_at: Option<Duration>,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    rtt: Duration,
    live: Liveness,
    candidate: Option<usize>,
}

#[derive(Debug)]
struct Candidate {
    kind: Kind,
    attempts: Attempts,
}

/// When bytes moved last in a busy time: who only listened at its end cannot tell that from a cut, and nothing of its own would show.
#[derive(Debug, Default)]
struct Burst {
    sent: Duration,
    received: Option<Duration>,
}

/// Whoever has sent nothing for so long before the last thing came only listened.
const LISTENING: Duration = Duration::from_millis(250);

/// How long after the end of a burst to which it only listened a side asks whether the peer is still there.
const AFTERWARDS: Duration = Duration::from_millis(1_500);
/// How long after a peer's move its old paths have to prove that they live on.
const HURRY: Duration = Duration::from_secs(1);
/// Between two looks while bytes move. A cut is seen after one to two of them.
const LOOK: Duration = Duration::from_millis(25);
/// After so long without a byte either way nothing is looked at any more.
const DORMANT: Duration = Duration::from_millis(500);
/// Open paths beyond this are closed, the worst first: one in use, one of another kind, one to spare.
const MOST_OPEN: usize = 3;
/// Candidates of one link; a record carries six, and what is learnt later is added.
const MOST_CANDIDATES: usize = 32;

impl Paths {
    /// No paths yet. One over which nothing came for so long is asked whether it lives, which keeps its NAT mapping, and shows our address to a peer
    /// that has lost it.
    pub fn new(longest_silence: Option<Duration>) -> Self {
        Self { longest_silence, ..Self::default() }
    }

    /// Paths are asked after another length of silence from now on, or never.
    pub fn set_longest_silence(&mut self, now: Duration, longest: Option<Duration>) {
        if self.longest_silence != longest {
            self.longest_silence = longest;
            self.look_soon(now);
        }
    }

    /// The peer sends over this path from now on. The side that calls this does the same as long as the path answers, so that what is
    /// sent and its acknowledgements take one way; only one of the two sides may call it.
    pub fn follow(&mut self, now: Duration, key: PathKey) {
        self.followed = Some(key);
        self.choose(now);
    }

    /// A path can carry data. `rtt` is what its opening measured.
    pub fn opened(&mut self, now: Duration, key: PathKey, kind: Kind, rtt: Duration) {
        self.insert(now, key, Open { kind, rtt, live: Liveness::new(now), candidate: None });
    }

    /// The same, for a path to a candidate.
    pub fn opened_to(&mut self, now: Duration, key: PathKey, candidate: usize, rtt: Duration) {
        let Some(it) = self.candidates.get_mut(candidate) else { return };
        it.attempts.succeeded();
        let open = Open { kind: it.kind, rtt, live: Liveness::new(now), candidate: Some(candidate) };
        self.insert(now, key, open);
    }

    /// A path is gone, whoever closed it.
    pub fn closed(&mut self, now: Duration, key: PathKey) {
        let Some(open) = self.open.remove(&key) else { return };
        if let Some(candidate) = open.candidate.and_then(|at| self.candidates.get_mut(at)) {
            candidate.attempts.failed(now);
        }
        if self.preferred == Some(key) {
            self.preferred = None;
            self.choose(now);
        }
        if self.open.is_empty() {
            self.bare = Some(open.live.waiting_since().unwrap_or(now));
        }
        self.look_soon(now);
    }

    /// Another address that may lead to the peer; returns its number. `None` beyond 32.
    pub fn add_candidate(&mut self, now: Duration, kind: Kind) -> Option<usize> {
        if self.candidates.len() >= MOST_CANDIDATES {
            return None;
        }
        self.candidates.push(Candidate { kind, attempts: Attempts::default() });
        self.look_soon(now);
        Some(self.candidates.len() - 1)
    }

    /// A candidate has become another address: what becomes of the former one, under way or open, is not this one's.
    pub fn replaced(&mut self, now: Duration, candidate: usize) {
        if let Some(it) = self.candidates.get_mut(candidate) {
            it.attempts = Attempts::default();
            for open in self.open.values_mut() {
                open.candidate = open.candidate.filter(|at| *at != candidate);
            }
            self.look_soon(now);
        }
    }

    /// A candidate is worth a try after all: what failed before says nothing.
    pub fn renew(&mut self, now: Duration, candidate: usize) {
        if let Some(it) = self.candidates.get_mut(candidate) {
            it.attempts.forgive();
            self.look_soon(now);
        }
    }

    /// The path that the link began with leads to this candidate.
    pub fn began_at(&mut self, key: PathKey, candidate: usize) {
        let (Some(open), Some(it)) = (self.open.get_mut(&key), self.candidates.get_mut(candidate)) else {
            return;
        };
        open.candidate = Some(candidate);
        it.attempts.succeeded();
    }

    /// Trying a candidate came to nothing.
    pub fn attempt_failed(&mut self, now: Duration, candidate: usize) {
        if let Some(it) = self.candidates.get_mut(candidate) {
            it.attempts.failed(now);
            self.look_soon(now);
        }
    }

    /// The machine's own addresses have changed: every path is asked whether it lives, and candidates that failed are tried anew.
    pub fn network_changed(&mut self, now: Duration) {
        for candidate in &mut self.candidates {
            candidate.attempts.forgive();
        }
        self.ask_all(now);
    }

    /// The peer has proved that it is elsewhere: all paths are asked, and those that do not answer soon are left sooner than by mere silence.
    pub fn peer_moved(&mut self, now: Duration) {
        self.hurry_until = now.saturating_add(HURRY);
        self.ask_all(now);
    }

    /// Something hints that paths may be dead: all are asked.
    pub fn ask_all(&mut self, now: Duration) {
        self.actions.extend(self.open.keys().map(|key| Action::Ask(*key)));
        self.look_soon(now);
    }

    /// Something is about to be sent after a time of silence: watch whether it gets through.
    pub fn stir(&mut self, now: Duration) {
        self.busy_until = now.saturating_add(DORMANT);
        self.look_soon(now);
    }

    /// Takes a path's counters.
    pub fn observe(&mut self, now: Duration, key: PathKey, sample: Sample) {
        if let Some(open) = self.open.get_mut(&key) {
            let was_doubted = open.live.is_doubted(now, open.rtt);
            let was_overdue = open.live.is_overdue(now, open.rtt);
            let (sent, received) = open.live.observe(now, sample.sent, sample.received);
            open.live.carry(now, sample.carried, sample.acknowledged);
            if sent {
                self.burst.sent = now;
            }
            if received && now < self.busy_until {
                self.burst.received = Some(now);
            }
            if was_doubted && open.live.waiting_since().is_none() {
                self.revived = Some(now);
                if was_overdue {
                    open.live.revived(now);
                }
            }
            open.rtt = sample.rtt;
            // What moves by itself now and then, such as keep-alives, makes nobody busy who was not.
            if now < self.busy_until && open.live.moved() == now {
                self.busy_until = now.saturating_add(DORMANT);
            }
        }
    }

    /// Judges what was observed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ask_afterwards(now);
        self.doubt(now);
        self.choose(now);
        self.thin_out(now);
        self.attempt(now);
        self.look_at = self.next_look(now);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to look again; `None` until something happens.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.look_at
    }

    /// The path in use.
    pub fn preferred(&self) -> Option<PathKey> {
        self.preferred
    }

    /// What is known of an open path.
    pub fn kind_of(&self, key: PathKey) -> Option<Kind> {
        self.open.get(&key).map(|open| open.kind)
    }

    /// The open paths.
    pub fn keys(&self) -> impl Iterator<Item = PathKey> {
        self.open.keys().copied()
    }

    /// Whether no path is known to answer: the link hangs in the air.
    pub fn is_lost(&self, now: Duration) -> bool {
        self.open.values().all(|open| open.live.is_overdue(now, open.rtt))
    }

    /// For how long no path has answered, or there has been none.
    pub fn lost_for(&self, now: Duration) -> Duration {
        let waited =
            |since: Option<Duration>| since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let of_paths = self.open.values().map(|open| waited(open.live.waiting_since())).min();
        of_paths.unwrap_or_else(|| waited(self.bare))
    }

    fn insert(&mut self, now: Duration, key: PathKey, open: Open) {
        if !self.open.is_empty() && self.is_lost(now) {
            // The network is back, and may be so for those that it cut off too.
            self.revived = Some(now);
        }
        self.open.insert(key, open);
        self.bare = None;
        if self.open.len() > 1 {
            // Their round-trip times are compared, and measured alike for that.
            self.actions.extend(self.open.keys().map(|key| Action::Ask(*key)));
        }
        self.choose(now);
        self.look_soon(now);
    }

    fn ask_afterwards(&mut self, now: Duration) {
        if self.afterwards().is_some_and(|at| now >= at) {
            self.burst.received = None;
            self.actions.extend(self.preferred.map(Action::Ask));
        }
    }

    fn afterwards(&self) -> Option<Duration> {
        // Who wants no keep-alives wants none of these either.
        let received = self.longest_silence.and(self.burst.received)?;
        let listened = received.saturating_sub(self.burst.sent) >= LISTENING;
        listened.then(|| self.busy_until.saturating_add(AFTERWARDS))
    }

    /// Asks where a reply is late, and leaves what is overdue if another path answers.
    fn doubt(&mut self, now: Duration) {
        let doubted = |open: &Open| open.live.is_doubted(now, open.rtt);
        let clogged = |open: &Open| open.live.is_clogged(now, open.rtt);
        // Where one is in doubt the others must prove that they live.
        let all_clogged = self.open.values().all(clogged);
        let in_doubt = self.open.values().any(doubted) || !all_clogged && self.open.values().any(clogged);
        // A path that comes back shows that the peer, or this machine, stood still: the others have as long again to answer.
        let revived = self.revived;
        let just_now = revived == Some(now);
        for (key, open) in &mut self.open {
            if just_now && open.live.waiting_since().is_some() {
                self.actions.push_back(Action::Ask(*key));
                continue;
            }
            let silence = now.saturating_sub(open.live.heard());
            let silent = self.longest_silence.is_some_and(|longest| silence >= longest);
            if (in_doubt || silent) && open.live.ask(now, open.rtt) {
                self.actions.push_back(Action::Ask(*key));
            }
        }
        let hurry = now < self.hurry_until;
        let dead: Vec<PathKey> = self
            .open
            .iter()
            .filter(|(key, open)| {
                let outlived =
                    |since: Option<Duration>| since.is_some_and(|at| self.another_answered(**key, at));
                (open.live.is_overdue(now, open.rtt) || hurry && doubted(open))
                    && revived.is_none_or(|at| now.saturating_sub(at) >= Liveness::patience(open.rtt))
                    && outlived(open.live.waiting_since())
                    || clogged(open) && !all_clogged && outlived(open.live.unacknowledged_since())
            })
            .map(|(key, _)| *key)
            .collect();
        for key in dead {
            self.actions.push_back(Action::Close(key));
            self.closed(now, key);
        }
        if self.is_lost(now) {
            self.try_dead_ends_again(now);
        }
    }

    /// Where nothing answers, a fresh path to the same address may: the old one may hang on an address of ours that is gone.
    fn try_dead_ends_again(&mut self, now: Duration) {
        for open in self.open.values_mut() {
            if let Some(candidate) = open.candidate.take().and_then(|at| self.candidates.get_mut(at)) {
                candidate.attempts.failed(now);
            }
        }
    }

    fn another_answered(&self, key: PathKey, since: Duration) -> bool {
        self.open.iter().any(|(other, open)| {
            *other != key && open.live.waiting_since().is_none() && open.live.heard() > since
        })
    }

    fn choose(&mut self, now: Duration) {
        let Some((best, merit)) = self.best(now) else { return };
        let followed = self
            .followed
            .filter(|key| self.open.get(key).is_some_and(|open| !open.live.is_doubted(now, open.rtt)));
        if let Some(key) = followed {
            if self.preferred != Some(key) {
                self.prefer(key);
            }
            return;
        }
        let in_use = self.preferred.and_then(|key| Some((key, self.open.get(&key)?)));
        let Some((key, open)) = in_use else { return self.prefer(best) };
        if key == best {
            self.challenger = None;
            return;
        }
        if open.live.is_doubted(now, open.rtt)
            && open.live.waiting_since().is_some_and(|since| self.another_answered(key, since))
        {
            // What is sent from now on takes the other; what is under way there may still arrive.
            return self.prefer(best);
        }
        match compare(&open.merit(), &merit) {
            Verdict::Now => self.prefer(best),
            Verdict::IfSteady => {
                let challenger = Challenger::seen(self.challenger, best, now);
                if challenger.is_steady(now) { self.prefer(best) } else { self.challenger = Some(challenger) }
            }
            Verdict::No => self.challenger = None,
        }
    }

    /// The best of those that are not in doubt, or of all where all are.
    fn best(&self, now: Duration) -> Option<(PathKey, Merit)> {
        let key = self
            .open
            .iter()
            .min_by_key(|(_, open)| (open.live.is_doubted(now, open.rtt), open.merit().order()))
            .map(|(key, _)| *key)?;
        Some((key, self.open.get(&key)?.merit()))
    }

    fn prefer(&mut self, key: PathKey) {
        self.challenger = None;
        self.preferred = Some(key);
        self.actions.push_back(Action::Prefer(key));
    }

    /// Closes the worst of too many, sparing the only one of its kind.
    fn thin_out(&mut self, now: Duration) {
        while self.open.len() > MOST_OPEN {
            let worst = self
                .open
                .iter()
                .filter(|(key, _)| self.preferred != Some(**key))
                .max_by_key(|(key, open)| {
                    let alike = self.open.values().filter(|it| it.kind.rank() == open.kind.rank()).count();
                    (alike > 1, open.merit().order(), **key)
                })
                .map(|(key, _)| *key);
            let Some(worst) = worst else { return };
            self.actions.push_back(Action::Close(worst));
            self.closed(now, worst);
        }
    }

    fn attempt(&mut self, now: Duration) {
        let need = self.need(now);
        for (at, candidate) in self.candidates.iter_mut().enumerate() {
            if need.of(candidate.kind).is_some_and(|want| candidate.attempts.is_due(now, want)) {
                candidate.attempts.begun(now);
                self.actions.push_back(Action::Open(at));
            }
        }
    }

    fn need(&self, now: Duration) -> Need {
        Need {
            urgent: self.is_lost(now),
            room: self.open.len() < MOST_OPEN,
            best: self.open.values().map(|open| open.kind.rank()).min(),
        }
    }

    fn next_look(&self, now: Duration) -> Option<Duration> {
        let waited = self.open.values().filter_map(|open| open.live.waiting_since()).min().or(self.bare);
        let unacknowledged = self.open.values().filter_map(|open| open.live.unacknowledged_since()).min();
        let moves = self.challenger.is_some() || now < self.busy_until;
        // The longer nothing answers, the rarer.
        let pause = |since: Option<Duration>| {
            LOOK.max(since.map_or(Duration::ZERO, |since| now.saturating_sub(since) / 8))
        };
        let soon = if waited.is_some() || moves {
            Some(now.saturating_add(pause(waited)))
        } else {
            unacknowledged.map(|since| now.saturating_add(pause(Some(since))))
        };
        let silence = self.longest_silence.and_then(|longest| {
            let heard = self.open.values().map(|open| open.live.heard()).min()?;
            Some(heard.saturating_add(longest).max(now.saturating_add(LOOK)))
        });
        let need = self.need(now);
        let attempt = self
            .candidates
            .iter()
            .filter_map(|it| it.attempts.next(need.of(it.kind)?))
            .min()
            .map(|at| at.max(now.saturating_add(LOOK)));
        soon.into_iter().chain(self.afterwards()).chain(silence).chain(attempt).min()
    }

    fn look_soon(&mut self, now: Duration) {
        self.look_at = Some(self.look_at.unwrap_or(now).min(now));
    }
}

/// How much another path is wanted.
struct Need {
    /// None answers.
    urgent: bool,
    room: bool,
    /// The best rank that is open.
    best: Option<u8>,
}

impl Need {
    /// How much a path of this kind is.
    fn of(&self, kind: Kind) -> Option<Want> {
        if self.urgent {
            Some(Want::Urgent)
        } else if self.best.is_none_or(|best| kind.rank() < best) {
            Some(Want::Better)
        } else {
            self.room.then_some(Want::Spare)
        }
    }
}

impl Open {
    fn merit(&self) -> Merit {
        Merit { kind: self.kind, rtt: self.rtt }
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
