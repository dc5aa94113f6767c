//! One side of one meeting: what it is told, and what follows from that. [`asking`] has whom it asks when.

mod asking;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Heard, Output, Reached, Role, Setup, Socket, Transmit, Why,
    guard::{Place, Surroundings, is_public},
    guess::Run,
    numbers::Taken,
    spares::Spares,
    target::Target,
};
use crate::{Candidate, CandidateKind, Filtering, Mapping, Nat};

/// The start of all ways is spread by so much, the best first.
const APART: Duration = Duration::from_millis(5);
/// So long the plain way is given before ports are guessed at.
const PLAIN_FIRST: Duration = Duration::from_millis(600);
/// The plain way is given so long where one side has no NAT: most likely it needs no more.
const NO_NAT_FIRST: Duration = Duration::from_secs(5);
/// When a person is told that it does not work so far, after both have begun.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// How long the side that dials uses spare sockets: a run of guesses, and what it may begin later.
const SPARES_FOR: Duration = Duration::from_secs(40);
/// A bridge that takes longer than this makes it uncertain when the other side begins, by half of it and this.
const SLOW: Duration = Duration::from_secs(3);
const UNCERTAIN: Duration = Duration::from_secs(15);
/// Pairs of sockets and addresses that are asked by turns.
const MOST_TARGETS: usize = 64;
/// Of those, addresses from which the peer spoke without having named them.
const MOST_LEARNT: usize = 16;
/// Addresses known to be the peer's.
const MOST_PROVEN: usize = 32;
/// At so many addresses of one peer ports are guessed, and so many of its addresses spare sockets write to.
const MOST_GUESSED: usize = 2;
/// How often a peer's new word starts everything anew, and how often our own moving does.
const MOST_RENEWALS: u32 = 4;

/// One side of one meeting.
#[derive(Debug)]
pub struct Traversal {
    setup: Setup,
    started: Duration,
    candidates: Vec<Candidate>,
    theirs: Nat,
    targets: Vec<Target>,
    last_number: u64,
    asked: BTreeMap<u64, Asked>,
    /// Questions that went all the way to machines that have not spoken.
    unproven: BTreeMap<IpAddr, u32>,
    taken: Taken,
    proven: BTreeSet<IpAddr>,
    attested: BTreeSet<IpAddr>,
    /// When the peer was first heard.
    heard: Option<Duration>,
    /// When it first answered.
    reached: Option<Duration>,
    runs: Vec<Run>,
    spares: Option<Spares>,
    renewals: u32,
    moves: u32,
    guessing: bool,
    stuck_at: Option<Duration>,
    told: Option<Why>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Asked {
    socket: Socket,
    to: SocketAddr,
    at: Duration,
}

impl Traversal {
    /// Begins with nothing known of the peer; [`peer`](Self::peer) comes next.
    pub fn new(now: Duration, setup: Setup) -> Self {
        let both_begun = match setup.role {
            Role::Dials => now,
            Role::Waits => now.saturating_add(setup.latency),
        };
        Self {
            started: now,
            candidates: Vec::new(),
            theirs: Nat::default(),
            targets: Vec::new(),
            last_number: setup.counted,
            asked: BTreeMap::new(),
            unproven: BTreeMap::new(),
            taken: Taken::default(),
            proven: BTreeSet::new(),
            attested: BTreeSet::new(),
            heard: None,
            reached: None,
            runs: Vec::new(),
            spares: None,
            renewals: 0,
            moves: 0,
            guessing: false,
            stuck_at: Some(both_begun.saturating_add(STUCK_AFTER)),
            told: None,
            outputs: VecDeque::new(),
            setup,
        }
    }

    /// The peer has said where it may be reached and what is in front of it; what it said before holds no more. A later word also shows that it is there now.
    pub fn peer(&mut self, now: Duration, candidates: &[Candidate], nat: impl Into<Nat>) {
        let is_first = self.candidates.is_empty();
        if !is_first {
            if self.renewals >= MOST_RENEWALS {
                return;
            }
            self.renewals += 1;
        }
        self.candidates = candidates.to_vec();
        self.theirs = nat.into();
        let named: BTreeSet<SocketAddr> = candidates.iter().map(|it| canonical(it.address)).collect();
        self.targets.retain(|it| it.kind.is_none() || it.heard || named.contains(&it.address));
        let mut fresh: Vec<Target> = self.fresh_targets(now);
        fresh.sort_by_key(|it| self.priority(it));
        for (at, mut target) in fresh.into_iter().enumerate() {
            let begins = now.saturating_add(APART.saturating_mul(u32::try_from(at).unwrap_or(u32::MAX)));
            target.begin(begins);
            if self.targets.len() < MOST_TARGETS {
                self.targets.push(target);
            }
        }
        if !is_first && self.reached.is_none() {
            for target in self.targets.iter_mut().filter(|it| it.answered.is_none()) {
                target.hurry(now);
            }
        }
        self.plan(now, is_first);
    }

    /// What is in front of us was measured anew.
    pub fn ours(&mut self, now: Duration, nat: Nat) {
        if self.setup.nat != nat {
            self.setup.nat = nat;
            self.plan(now, self.renewals == 0);
        }
    }

    /// The peer is known to be at it, as a link with it shows, if through a relay: what waits for the time that a word takes waits no longer.
    pub fn begun(&mut self, now: Duration) {
        let took = now.saturating_sub(self.started);
        if self.setup.role == Role::Dials || took >= self.setup.latency {
            return;
        }
        self.setup.latency = took;
        let begins = now.saturating_add(self.plain_first());
        for run in &mut self.runs {
            run.begin_by(begins);
        }
        if let Some(spares) = &mut self.spares {
            spares.begin_by(begins);
        }
    }

    /// We are elsewhere now, or our router has forgotten everything: doors are opened anew.
    pub fn moved(&mut self, now: Duration, surroundings: Surroundings) {
        self.setup.surroundings = surroundings;
        let around = &self.setup.surroundings;
        self.targets.retain(|it| it.kind.is_none() || around.place(it.address).is_ok());
        if self.moves < MOST_RENEWALS {
            self.moves += 1;
            for target in self.targets.iter_mut().filter(|it| it.answered.is_none()) {
                target.restart(now);
            }
        }
        // A candidate that was out of reach may not be now.
        let mut fresh = self.fresh_targets(now);
        fresh.truncate(MOST_TARGETS.saturating_sub(self.targets.len()));
        self.targets.append(&mut fresh);
    }

    /// Somebody whom we trust knows that the peer is at this address.
    pub fn attested(&mut self, now: Duration, ip: IpAddr) {
        if self.attested.len() < MOST_PROVEN {
            self.attested.insert(ip.to_canonical());
        }
        self.trust(now);
    }

    /// So many spare sockets are open, numbered from zero; fewer than were asked for where the system gives no more.
    pub fn spares_opened(&mut self, now: Duration, count: u16) {
        if let Some(spares) = &mut self.spares {
            spares.opened(now, count);
        }
    }

    /// Something came that only the peer can have sent.
    pub fn heard(&mut self, now: Duration, socket: Socket, from: SocketAddr, what: Heard) {
        let from = canonical(from);
        match what {
            Heard::Ask(number) => self.was_asked(now, socket, from, number),
            Heard::Answer { number, seen } => self.was_answered(now, socket, from, number, seen),
        }
    }

    /// A number for a question that does not go over a socket but through whatever else leads to the peer.
    pub fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Whether a question of the peer's that came in such a way is new, and not a copy: then it is to be answered.
    pub fn is_new(&mut self, number: u64) -> bool {
        self.taken.take(number)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ask_targets(now);
        if self.reached.is_none() {
            self.guess(now);
            self.use_spares(now);
            self.complain(now);
        }
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) again; `None` until something happens.
    pub fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let pace = self.pace(now);
        let targets = self.targets.iter().filter_map(|it| self.due(it, pace));
        let beyond = [self.stuck_at].into_iter().flatten();
        let spares = self.spares.iter().filter_map(Spares::due);
        let runs = self.runs.iter().filter_map(Run::due);
        let until_reached = beyond.chain(spares).chain(runs).filter(|_| self.reached.is_none());
        targets.chain(until_reached).min()
    }

    /// Why the peer was not reached so far; `None` where it was.
    pub fn why(&self) -> Option<Why> {
        if self.reached.is_some() {
            return None;
        }
        let unpredictable = |mapping: Mapping| !mapping.is_predictable();
        Some(if self.targets.is_empty() {
            Why::NoCandidate
        } else if unpredictable(self.theirs.mapping) && unpredictable(self.setup.nat.mapping) {
            Why::BothUnpredictable
        } else if unpredictable(self.theirs.mapping) && !self.setup.may_guess {
            Why::GuessedLately
        } else if !self.runs.is_empty() && self.runs.iter().all(|run| run.is_over() && !run.is_attested()) {
            Why::NotAttested
        } else if !self.runs.is_empty() && self.runs.iter().all(Run::is_over) {
            Why::NotGuessed
        } else if self.targets.iter().all(|it| it.place != Place::Public) {
            Why::NoPublicAddress
        } else {
            Why::Silent
        })
    }

    fn fresh_targets(&self, now: Duration) -> Vec<Target> {
        let mut fresh: Vec<Target> = Vec::new();
        for candidate in &self.candidates {
            let address = canonical(candidate.address);
            let Ok(place) = self.setup.surroundings.place(address) else { continue };
            for socket in self.sockets_for(address) {
                let same = |it: &&Target| it.socket == socket && it.address == address;
                if self.targets.iter().any(|it| same(&it)) || fresh.iter().any(|it| same(&it)) {
                    continue;
                }
                let role = self.setup.role;
                fresh.push(Target::new(socket, address, place, Some(candidate.kind), role, now));
            }
        }
        fresh
    }

    /// Our sockets of the address's family; one on loopback reaches what is on loopback.
    fn sockets_for(&self, remote: SocketAddr) -> Vec<Socket> {
        let reaches = |local: &SocketAddr| {
            local.is_ipv6() == remote.is_ipv6() && (!local.ip().is_loopback() || remote.ip().is_loopback())
        };
        let sockets = self.setup.sockets.iter().enumerate();
        sockets.filter(|(_, local)| reaches(local)).map(|(at, _)| Socket::Own(at)).collect()
    }

    /// The best first: what is near, then IPv6, which has no address translation, then by how certain an address is (RFC 8445, section 5.1.2.2).
    fn priority(&self, target: &Target) -> (Place, bool, Option<CandidateKind>) {
        (target.place, target.address.is_ipv4(), target.kind)
    }

    /// Sets up what goes beyond plain questions, as the two NATs want it.
    fn plan(&mut self, now: Duration, is_first: bool) {
        let (ours, theirs) = (self.setup.nat.mapping, self.theirs.mapping);
        let plain_first = self.plain_first();
        let begins = match self.setup.role {
            _ if !is_first => now,
            Role::Dials => now.saturating_add(plain_first),
            Role::Waits => now.saturating_add(self.setup.latency).saturating_add(plain_first),
        };
        // Whoever lets everybody in needs to know nobody's port.
        let lets_all_in = ours == Mapping::None && self.setup.nat.filtering == Filtering::EndpointIndependent;
        if ours.is_predictable() && !theirs.is_predictable() && self.setup.may_guess && !lets_all_in {
            for run in &mut self.runs {
                run.peer_is_there(now, theirs);
            }
            let is_slow = is_first && self.setup.role == Role::Waits && self.setup.latency > SLOW;
            let uncertain = is_slow.then(|| UNCERTAIN.saturating_add(self.setup.latency / 2));
            for ip in self.public_v4().map(|it| it.address.ip()).collect::<BTreeSet<_>>() {
                if self.runs.len() < MOST_GUESSED && self.runs.iter().all(|run| run.ip != ip) {
                    self.outputs.push_back(Output::Verify(ip));
                    self.runs.push(Run::new(ip, theirs, begins, uncertain, self.setup.seed));
                }
            }
            self.trust(now);
        }
        if !ours.is_predictable() && theirs.is_predictable() {
            let ends = now.saturating_add(self.setup.latency.saturating_mul(2)).saturating_add(SPARES_FOR);
            if let Some(spares) = &mut self.spares {
                spares.prolong(ends);
            } else {
                let is_certain = self.setup.role == Role::Waits && theirs != Mapping::None;
                let begins = if is_certain { now } else { begins };
                let to: Vec<_> = self.public_v4().map(|it| it.address).take(MOST_GUESSED).collect();
                if !to.is_empty() {
                    self.spares = Spares::new(ours, to, begins, ends, self.setup.nat.lifetime);
                }
            }
        }
    }

    /// How long the plain way is given before anything else is tried.
    fn plain_first(&self) -> Duration {
        let has_none = [self.setup.nat.mapping, self.theirs.mapping].contains(&Mapping::None);
        if has_none { NO_NAT_FIRST } else { PLAIN_FIRST }
    }

    /// The peer's addresses on the internet, as others see them, of those that may be asked.
    fn public_v4(&self) -> impl Iterator<Item = Candidate> {
        let is_asked = |address: SocketAddr| {
            address.is_ipv4()
                && is_public(address.ip())
                && !matches!(self.setup.surroundings.place(address), Err(_) | Ok(Place::Private))
        };
        let mut found: Vec<Candidate> = self
            .candidates
            .iter()
            .map(|it| Candidate { address: canonical(it.address), ..*it })
            .filter(|it| is_asked(it.address))
            .collect();
        // What was seen from outside says most about where it is.
        found.sort_by_key(|it| (it.kind != CandidateKind::Reflexive, it.kind));
        found.into_iter()
    }

    fn trust(&mut self, now: Duration) {
        for run in &mut self.runs {
            if self.proven.contains(&run.ip) || self.attested.contains(&run.ip) {
                run.attest(now);
            }
        }
    }

    fn was_asked(&mut self, now: Duration, socket: Socket, from: SocketAddr, number: u64) {
        if !self.taken.take(number) {
            return;
        }
        self.outputs.push_back(Output::Send(Transmit {
            socket,
            to: from,
            number,
            is_answer: true,
            hops: None,
        }));
        let is_first = self.heard.is_none();
        self.heard.get_or_insert(now);
        let known = self.targets.iter_mut().find(|it| it.socket == socket && it.address == from);
        match known {
            Some(target) => {
                if !std::mem::replace(&mut target.heard, true) && target.answered.is_none() {
                    target.hurry(now);
                }
            }
            None => self.learn(now, socket, from),
        }
        if is_first && self.reached.is_none() {
            // It is at it now, and what was only to open doors may go all the way.
            for target in self.targets.iter_mut().filter(|it| it.answered.is_none() && !it.heard) {
                target.hurry(now);
            }
        }
        self.ask_targets(now);
    }

    /// The peer speaks from where it did not say that it is: its NAT gave it another address towards us.
    fn learn(&mut self, now: Duration, socket: Socket, from: SocketAddr) {
        let learnt = self.targets.iter().filter(|it| it.kind.is_none()).count();
        if learnt >= MOST_LEARNT || self.targets.len() >= MOST_TARGETS {
            return;
        }
        // It may write any source on its packets: whether it is there shows when it answers.
        let place = self.setup.surroundings.place(from).unwrap_or(Place::Private);
        let mut target = Target::new(socket, from, place, None, Role::Dials, now);
        target.heard = true;
        self.targets.push(target);
    }

    fn was_answered(
        &mut self,
        now: Duration,
        socket: Socket,
        from: SocketAddr,
        number: u64,
        seen: SocketAddr,
    ) {
        let is_ours = |asked: &Asked| asked.socket == socket && asked.to == from;
        if !self.asked.get(&number).is_some_and(is_ours) {
            return;
        }
        let Some(asked) = self.asked.remove(&number) else { return };
        let rtt = now.saturating_sub(asked.at);
        self.prove(now, from.ip());
        if self.targets.iter().all(|it| it.socket != socket || it.address != from) {
            self.learn(now, socket, from);
        }
        let target = self.targets.iter_mut().find(|it| it.socket == socket && it.address == from);
        if let Some(target) = target {
            target.heard = true;
            if target.answered.replace(rtt).is_some() {
                return;
            }
        }
        let is_first = self.reached.is_none();
        self.reached.get_or_insert(now);
        self.outputs.push_back(Output::Reached(Reached { socket, remote: from, rtt, seen }));
        if is_first && self.spares.is_some() {
            self.outputs.push_back(Output::CloseSpares);
        }
    }

    fn prove(&mut self, now: Duration, ip: IpAddr) {
        if self.proven.len() < MOST_PROVEN {
            self.proven.insert(ip);
        }
        self.trust(now);
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
