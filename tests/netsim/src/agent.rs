//! One peer: what an endpoint does around a [`Traversal`]. It asks its friends what they see, makes of that what it tells the other, opens
//! sockets, and sends.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wayside_path::{
    Candidate, CandidateKind, Filtering, Mapping, Nat,
    traversal::{Heard, Output, Reached, Role, Setup, Socket, Traversal, Why, guard::Surroundings},
};

use crate::{
    axes::Side,
    nat::Depends,
    network::HOPS,
    probe::Body,
    random::Random,
    world::{FRIEND_PORTS, Home},
};

/// What an agent wants sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// From which of its addresses.
    pub source: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// With which hop limit.
    pub hops: u8,
    /// What.
    pub body: Body,
}

/// What it tells the other over the bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Where it may be reached.
    pub candidates: Vec<Candidate>,
    /// How its NAT maps.
    pub mapping: Mapping,
    /// Whom it lets in.
    pub filtering: Filtering,
}

impl Word {
    /// What it says of its NAT.
    fn nat(&self) -> Nat {
        Nat { mapping: self.mapping, filtering: self.filtering, lifetime: None }
    }
}

/// How often mappings towards friends are kept, where no lifetime is known.
pub const KEEP: Duration = Duration::from_secs(15);
/// A record carries so many addresses.
const MOST_CANDIDATES: usize = 6;

/// One peer.
#[derive(Debug)]
pub struct Agent {
    /// Its axes.
    pub side: Side,
    /// Where it is.
    pub home: Home,
    /// The ports of its socket for both families.
    pub port: u16,
    /// Its keys: under which it sends, under which it hears.
    keys: (u64, u64),
    friends: [IpAddr; 2],
    random: Random,
    /// What friends saw, in the order in which they were asked, and when they last said so.
    seen: BTreeMap<usize, (SocketAddr, Duration)>,
    spares: Vec<u16>,
    /// The state machine, from when it begins.
    pub traversal: Option<Traversal>,
    /// What is to be sent.
    pub outgoing: VecDeque<Outgoing>,
    /// When it first reached the other, and all ways on which it did.
    pub reached: Vec<(Duration, Reached)>,
    /// What people were told.
    pub told: Vec<(Duration, Why)>,
    /// When a run of guesses began.
    pub guessing: Option<Duration>,
    /// Addresses of which it asked whether somebody knows the peer to be there, until that was answered.
    pub verify: VecDeque<IpAddr>,
    /// Addresses at which somebody whom it trusts has said the peer to be, and when.
    pub vouched: BTreeMap<IpAddr, Duration>,
    /// Machines from which the peer has answered, and when first.
    pub answered: BTreeMap<IpAddr, Duration>,
    /// Addresses from which something of the peer's came, in the order of its coming.
    pub authentic: BTreeMap<SocketAddr, Duration>,
    /// The earliest that the state machine wanted to be called, seen after each call: never in the past twice.
    spins: u32,
    last_call: Duration,
}

impl Agent {
    /// Not begun yet.
    pub fn new(side: Side, home: Home, keys: (u64, u64), friends: [IpAddr; 2], mut random: Random) -> Self {
        let port = random.between(32_768, 60_999) as u16;
        Self {
            side,
            home,
            port,
            keys,
            friends,
            random,
            seen: BTreeMap::new(),
            spares: Vec::new(),
            traversal: None,
            outgoing: VecDeque::new(),
            reached: Vec::new(),
            told: Vec::new(),
            guessing: None,
            verify: VecDeque::new(),
            vouched: BTreeMap::new(),
            answered: BTreeMap::new(),
            authentic: BTreeMap::new(),
            spins: 0,
            last_call: Duration::ZERO,
        }
    }

    /// The key under which it sends: who has it can speak for this side.
    pub fn key(&self) -> u64 {
        self.keys.0
    }

    /// The friends' sockets that it asks, in order.
    pub fn reflectors(&self) -> Vec<SocketAddr> {
        let ports = FRIEND_PORTS.iter().take(if self.side.friends.second_port { 2 } else { 1 });
        let friends = self.friends.iter().take(usize::from(self.side.friends.count));
        friends.flat_map(|ip| ports.clone().map(|port| SocketAddr::new(*ip, *port))).collect()
    }

    /// Asks one of them what it sees.
    pub fn see(&mut self, which: usize) {
        if let Some(to) = self.reflectors().get(which) {
            let source = SocketAddr::new(self.home.v4, self.port);
            self.outgoing.push_back(Outgoing { source, to: *to, hops: HOPS, body: Body::See });
        }
    }

    /// When one of them last said something.
    pub fn has_seen(&self, which: usize) -> Option<Duration> {
        self.seen.get(&which).map(|(_, when)| *when)
    }

    /// How often it asks them again.
    pub fn keeps_every(&self) -> Duration {
        self.lifetime().map_or(KEEP, |it| (it / 2).min(KEEP))
    }

    /// What it tells the other.
    pub fn word(&self) -> Word {
        let host = SocketAddr::new(self.home.v4, self.port);
        let mut candidates = vec![Candidate { kind: CandidateKind::Host, address: host }];
        if let Some(ip) = self.home.v6 {
            let address = SocketAddr::new(ip, self.port);
            candidates.push(Candidate { kind: CandidateKind::Host, address });
        }
        let mut seen: Vec<SocketAddr> = Vec::new();
        for address in self.seen.values().map(|(address, _)| address).filter(|address| **address != host) {
            if !seen.contains(address) {
                seen.push(*address);
            }
        }
        candidates
            .extend(seen.into_iter().map(|address| Candidate { kind: CandidateKind::Reflexive, address }));
        let shown = SocketAddr::new(self.home.public, self.port);
        if self.side.friends.shown && candidates.iter().all(|it| it.address.ip() != shown.ip()) {
            candidates.push(Candidate { kind: CandidateKind::Guessed, address: shown });
        }
        candidates.truncate(MOST_CANDIDATES);
        Word { candidates, mapping: self.mapping(), filtering: self.filtering() }
    }

    /// How its NAT maps, by what friends saw (RFC 5780, section 4.3, with what ports tell beyond it).
    pub fn mapping(&self) -> Mapping {
        let host = SocketAddr::new(self.home.v4, self.port);
        let seen: Vec<SocketAddr> = self.seen.values().map(|(address, _)| *address).collect();
        if seen.contains(&host) || self.side.home.is_none() {
            return Mapping::None;
        }
        let Some(last) = seen.last().filter(|_| seen.len() > 1) else { return Mapping::Unknown };
        let ports = seen.iter().zip(seen.iter().skip(1));
        let steps: Vec<i32> = ports
            .map(|(one, next)| i32::from(next.port()) - i32::from(one.port()))
            .filter(|step| *step != 0)
            .collect();
        let Some(least) = steps.iter().copied().min_by_key(|step| step.abs()) else {
            return Mapping::Independent;
        };
        let in_order = steps.iter().all(|step| step.signum() == least.signum() && step.abs() <= 64);
        match i16::try_from(least) {
            Ok(step) if in_order => Mapping::Sequential { last: last.port(), step },
            _ => Mapping::Random,
        }
    }

    /// The state machine begins, with what the other said.
    pub fn begin(&mut self, now: Duration, role: Role, latency: Duration, peer: &Word) {
        let unspecified = |v6: bool| if v6 { "::" } else { "0.0.0.0" };
        let sockets = [Some(false), self.home.v6.map(|_| true)].into_iter().flatten();
        let sockets = sockets
            .filter_map(|v6| Some(SocketAddr::new(unspecified(v6).parse().ok()?, self.port)))
            .collect();
        let setup = Setup {
            role,
            sockets,
            surroundings: self.surroundings(),
            nat: Nat { mapping: self.mapping(), filtering: self.filtering(), lifetime: self.lifetime() },
            latency,
            may_guess: true,
            seed: self.random.any(),
            counted: 0,
        };
        let mut traversal = Traversal::new(now, setup);
        traversal.peer(now, &peer.candidates, peer.nat());
        self.traversal = Some(traversal);
        self.call(now);
    }

    /// The other said something new.
    pub fn renew(&mut self, now: Duration, peer: &Word) {
        if let Some(traversal) = &mut self.traversal {
            traversal.peer(now, &peer.candidates, peer.nat());
        }
        self.call(now);
    }

    /// Somebody knows the other to be there.
    pub fn attested(&mut self, now: Duration, ip: IpAddr) {
        if let Some(traversal) = &mut self.traversal {
            traversal.attested(now, ip);
        }
        self.vouched.entry(ip).or_insert(now);
        self.call(now);
    }

    /// A packet came.
    pub fn received(&mut self, now: Duration, from: SocketAddr, to: SocketAddr, body: Body) {
        let what = match body {
            Body::Seen(address) => {
                if let Some(which) = self.reflectors().iter().position(|it| *it == from) {
                    self.seen.insert(which, (address, now));
                }
                return;
            }
            Body::Ask { key, number } if key == self.keys.1 => Heard::Ask(number),
            Body::Answer { key, number, seen } if key == self.keys.1 => Heard::Answer { number, seen },
            _ => return,
        };
        let socket = match self.spares.iter().position(|port| *port == to.port()) {
            Some(spare) => Socket::Spare(spare as u16),
            None if to.port() == self.port => Socket::Own(usize::from(to.is_ipv6())),
            None => return,
        };
        if self.traversal.is_some() {
            self.authentic.entry(from).or_insert(now);
            if let Heard::Answer { .. } = what {
                self.answered.entry(from.ip()).or_insert(now);
            }
        }
        if let Some(traversal) = &mut self.traversal {
            traversal.heard(now, socket, from, what);
        }
        self.call(now);
    }

    /// When it wants to be called.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        self.traversal.as_ref()?.poll_timeout(now).map(|at| at.max(now))
    }

    /// It is time.
    pub fn call(&mut self, now: Duration) {
        if let Some(traversal) = &mut self.traversal {
            traversal.handle_timeout(now);
        }
        self.spins = if now == self.last_call { self.spins + 1 } else { 0 };
        self.last_call = now;
        self.drain(now);
    }

    /// Whether the state machine wants to be called again and again at one moment.
    pub fn spins(&self) -> bool {
        self.spins > 1_000
    }

    /// The machine has another address in its network, or its router another one outside.
    pub fn moved(&mut self, now: Duration, home: Home) {
        self.home = home;
        let surroundings = self.surroundings();
        if let Some(traversal) = &mut self.traversal {
            traversal.moved(now, surroundings);
        }
        self.call(now);
    }

    /// Forgets what friends saw, to ask anew.
    pub fn forget_seen(&mut self) {
        self.seen.clear();
    }

    fn lifetime(&self) -> Option<Duration> {
        let layers = [self.side.home, self.side.carrier];
        let shortest = layers.into_iter().flatten().map(|nat| nat.lifetime).min();
        shortest.filter(|_| self.side.lifetime_known)
    }

    /// Whom its NAT lets in, where a friend can try from another port.
    fn filtering(&self) -> Filtering {
        if self.seen.is_empty() || !self.side.friends.second_port {
            return Filtering::Unknown;
        }
        let layers = [self.side.home, self.side.carrier];
        match layers.into_iter().flatten().map(|nat| nat.filtering).max() {
            None | Some(Depends::Nothing) => Filtering::EndpointIndependent,
            Some(Depends::Address) => Filtering::AddressDependent,
            Some(Depends::AddressAndPort) => Filtering::AddressAndPortDependent,
        }
    }

    fn surroundings(&self) -> Surroundings {
        let mut interfaces = vec![(self.home.v4, self.home.bits)];
        interfaces.extend(self.home.v6.map(|ip| (ip, 64)));
        let ourselves = self.word().candidates.iter().map(|it| it.address).collect();
        Surroundings { interfaces, gateways: vec![self.home.gateway], ourselves }
    }

    fn drain(&mut self, now: Duration) {
        while let Some(output) = self.traversal.as_mut().and_then(Traversal::poll_output) {
            match output {
                Output::Send(send) => {
                    let ip = match send.to {
                        SocketAddr::V4(_) => Some(self.home.v4),
                        SocketAddr::V6(_) => self.home.v6,
                    };
                    let port = match send.socket {
                        Socket::Own(_) => Some(self.port),
                        Socket::Spare(spare) => self.spares.get(usize::from(spare)).copied(),
                    };
                    let (Some(ip), Some(port)) = (ip, port) else { continue };
                    let (key, number) = (self.keys.0, send.number);
                    let body = if send.is_answer {
                        Body::Answer { key, number, seen: send.to }
                    } else {
                        Body::Ask { key, number }
                    };
                    let source = SocketAddr::new(ip, port);
                    let hops = send.hops.unwrap_or(HOPS);
                    self.outgoing.push_back(Outgoing { source, to: send.to, hops, body });
                }
                Output::OpenSpares(count) => {
                    let mut ports = BTreeSet::new();
                    while ports.len() < usize::from(count) {
                        let port = self.random.between(32_768, 60_999) as u16;
                        if port != self.port && ports.insert(port) {
                            self.spares.push(port);
                        }
                    }
                    if let Some(traversal) = &mut self.traversal {
                        traversal.spares_opened(now, count);
                    }
                }
                Output::CloseSpares => {
                    let used: BTreeSet<_> = self.reached.iter().map(|(_, it)| it.socket).collect();
                    for (at, port) in self.spares.iter_mut().enumerate() {
                        if !used.contains(&Socket::Spare(at as u16)) {
                            *port = 0;
                        }
                    }
                }
                Output::Reached(reached) => self.reached.push((now, reached)),
                Output::GuessingBegan => {
                    self.guessing.get_or_insert(now);
                }
                Output::Verify(ip) => self.verify.push_back(ip),
                Output::Stuck(why) => self.told.push((now, why)),
            }
        }
    }
}
