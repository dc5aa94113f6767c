//! How two machines behind NATs get packets through to each other once they have met: what each asks where and when.
//!
//! # The model
//!
//! Both have told each other where they may be reached, over something slow. One *dials*: it begins when it has read the other's word. The
//! other *waits*: it began when it gave its word, some unknown time earlier. Each sends small sealed *questions* to the addresses that the other named;
//! whoever gets one answers it to where it came from, and asks back there. A pair of socket and address that has answered is *reached*.
//!
//! ```text
//!   peer, heard, attested ──> Traversal ──> Send, OpenSpares, Reached, Stuck, …
//!   handle_timeout        ──>    │
//!                                └────────> poll_timeout: when to call handle_timeout again
//! ```
//!
//! - **Doors** (`target.rs`): a NAT lets in who was written to. The side that waits writes to each address of the other, with so few hops that it
//!   arrives nowhere, and holds the door open; the side that dials then knocks.
//! - **Guesses** (`guess.rs`, `spares.rs`): where a NAT gives another port towards each destination, that side writes from many sockets, and the other tries
//!   ports: the next ones where they are given in order, else any.
//! - **Guard** ([`guard`]): what a peer names may be a third party's. Each machine gets a handful of questions at most until the peer has answered from it, and
//!   some get none.
//!
//! RFC 8445 has the reasoning for pairs and priorities; it takes a signalling channel of some milliseconds for granted, and tells both sides when to begin.

pub mod guard;
mod guess;
mod numbers;
mod spares;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use self::{
    guard::{Place, Surroundings, is_public},
    guess::Run,
    numbers::Taken,
    spares::{Spares, Step},
    target::{MOST_KNOCKS, Near, Pace, Target, handful},
};
pub use self::{
    guess::UNATTESTED,
    spares::{FEW, MANY},
    target::{FEW_HOPS, HANDFUL, NEAR_HANDFUL, PRIVATE_HANDFUL},
};
use crate::{Candidate, CandidateKind, Filtering, Mapping, Nat};

/// Who begins when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Has read the other's word, and makes the link over what is reached.
    Dials,
    /// Has given its word, which the other may not have read yet.
    Waits,
}

/// A socket of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socket {
    /// One of those that everything goes over, by its place in [`Setup::sockets`].
    Own(usize),
    /// One that was opened for this meeting, numbered from zero; IPv4.
    Spare(u16),
}

/// What one side knows beforehand.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who begins when.
    pub role: Role,
    /// What our sockets are bound to.
    pub sockets: Vec<SocketAddr>,
    /// What there is around us.
    pub surroundings: Surroundings,
    /// What is in front of us.
    pub nat: Nat,
    /// For who waits: after about how long the other side has read our word.
    pub latency: Duration,
    /// Whether ports may be guessed at for this peer now ([`Budget`](crate::Budget)).
    pub may_guess: bool,
    /// What guesses are drawn from.
    pub seed: u64,
}

/// What came from the peer, under the secrets of this meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It wants an answer with this number.
    Ask(u64),
    /// It got the question of this number, and saw it come from there.
    Answer {
        /// The question's.
        number: u64,
        /// Our address as the peer sees it.
        seen: SocketAddr,
    },
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be sent.
    Send(Transmit),
    /// Open so many sockets, and call [`Traversal::spares_opened`].
    OpenSpares(u16),
    /// No spare socket is needed any more, but those over which the peer was reached.
    CloseSpares,
    /// The peer answers.
    Reached(Reached),
    /// A run of guesses has begun.
    GuessingBegan,
    /// Find out whether somebody whom we trust knows that the peer is at this address, and call [`Traversal::attested`] if so.
    Verify(IpAddr),
    /// It does not work so far; it may yet.
    Stuck(Why),
}

/// A question or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Over which socket.
    pub socket: Socket,
    /// Where to.
    pub to: SocketAddr,
    /// Its number.
    pub number: u64,
    /// Whether it answers the peer's question of that number; else it is ours.
    pub is_answer: bool,
    /// After so many routers it may be dropped; `None` for the system's default.
    pub hops: Option<u8>,
}

/// A way on which the peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Over which socket.
    pub socket: Socket,
    /// At which address.
    pub remote: SocketAddr,
    /// How long it took.
    pub rtt: Duration,
    /// Our address, as the peer sees it.
    pub seen: SocketAddr,
}

/// Why the peer was not reached so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It named no address that may be asked.
    NoCandidate,
    /// It named none that is on the internet, and what it named does not answer: nobody has told it how it is seen from outside.
    NoPublicAddress,
    /// Both sides' NATs give ports that nobody can know.
    BothUnpredictable,
    /// Its NAT gives ports that would have to be guessed, and nobody whom we trust says that it is where it says.
    NotAttested,
    /// Its NAT gives ports that would have to be guessed, and that was done for it a moment ago.
    GuessedLately,
    /// Ports were guessed at, and none was hit.
    NotGuessed,
    /// Nothing answers.
    Silent,
}

/// The start of all ways is spread by so much, the best first.
const APART: Duration = Duration::from_millis(5);
/// So long the plain way is given before ports are guessed at.
const PLAIN_FIRST: Duration = Duration::from_millis(600);
/// The side that waits holds doors open so often, where nothing shorter was measured.
const HOLD: Duration = Duration::from_secs(15);
/// So long after the other side has begun, as far as can be told, the side that waits sends some questions all the way: its NATs may be deeper than it thinks, or give another port towards
/// each address after all. What that may spoil has not worked by then.
const DEEP_AFTER: Duration = Duration::from_secs(4);
/// The same, where nobody has measured which ports our NAT gives.
const UNKNOWN_AFTER: Duration = Duration::from_secs(2);
/// Where only the questions of the side that waits can arrive, it asks so often for a while when the other is probably at it, and else so rarely.
const KNOCK: Duration = Duration::from_secs(2);
const LONG_HOLD: Duration = Duration::from_secs(15);
/// The plain way is given so long where one side has no NAT: most likely it needs no more.
const NO_NAT_FIRST: Duration = Duration::from_secs(5);
/// For so long others are still asked once one has answered, since a better one may.
const BETTER: Duration = Duration::from_secs(1);
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
/// Questions whose answers are awaited.
const MOST_ASKED: usize = 4_096;
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
            last_number: 0,
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
        let plain_first =
            if ours == Mapping::None || theirs == Mapping::None { NO_NAT_FIRST } else { PLAIN_FIRST };
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

    fn ask_targets(&mut self, now: Duration) {
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
    fn due(&self, target: &Target, pace: Pace) -> Option<Duration> {
        let due = target.due(pace)?;
        let enough = self.reached.map(|at| at.saturating_add(BETTER));
        (target.answered.is_none() && enough.is_none_or(|enough| due <= enough)).then_some(due)
    }

    fn pace(&self, now: Duration) -> Pace {
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
        let near = if !(after(latency / 2, Duration::ZERO) || may_help && latency <= SLOW) {
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

    fn guess(&mut self, now: Duration) {
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

    fn use_spares(&mut self, now: Duration) {
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

    fn complain(&mut self, now: Duration) {
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

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
