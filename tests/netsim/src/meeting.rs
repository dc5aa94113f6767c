//! A whole meeting: the two agents, the bridge between them, and whatever happens meanwhile, in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wayside_path::traversal::Role;

use crate::{
    agent::{Agent, Word},
    axes::Axes,
    network::{HOPS, NodeId},
    probe::Body,
    random::Random,
    world::{DIALS, Home, WAITS, World},
};

/// Something that happens at a time.
#[derive(Clone, Debug)]
enum Act {
    /// A side asks a friend what it sees, unless it has heard of it since then.
    See(usize, usize, Duration),
    /// A side asks all its friends, and will again.
    Keep(usize),
    /// A side says its word, and begins if it waits.
    Speak(usize),
    /// A side says this, whatever is true.
    Say(usize, Word),
    /// A side reads the other's word, and begins if it dials.
    Read(usize, Word),
    /// A side hears that somebody knows the other to be there.
    Attest(usize, IpAddr),
    /// A side's router restarts.
    Reboot(usize),
    /// A side's machine gets another address.
    Move(usize),
    /// Somebody else sends something.
    Inject(NodeId, SocketAddr, SocketAddr, Body),
}

/// Where the time of a meeting stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The answer was published: who waits has begun.
    pub waits: Duration,
    /// It was read: both have begun.
    pub both: Duration,
}

/// A meeting under way.
#[derive(Debug)]
pub struct Meeting {
    /// What the seed drew.
    pub axes: Axes,
    /// The seed.
    pub seed: u64,
    /// The network.
    pub world: World,
    /// The two.
    pub agents: [Agent; 2],
    /// When what began.
    pub times: Times,
    /// The moment.
    pub now: Duration,
    /// What each side says instead of the truth.
    pub lies: [Option<Word>; 2],
    /// What each side said last.
    pub words: [Word; 2],
    /// All addresses that each side has named.
    pub named: [BTreeSet<SocketAddr>; 2],
    /// A side that learns that its address has changed says its word anew.
    pub renews: bool,
    acts: BTreeMap<(Duration, u64), Act>,
    sequence: u64,
}

/// How long a side asks its friends before it speaks.
const GATHERING: Duration = Duration::from_secs(2);

impl Meeting {
    /// Nothing has happened yet.
    pub fn new(axes: Axes, seed: u64) -> Self {
        let world = World::new(&axes, seed);
        let mut random = Random::new(seed, "keys");
        let (one, two) = (random.any(), random.any());
        let agent = |at: usize| {
            let side = if at == DIALS { axes.dials } else { axes.waits };
            let keys = if at == DIALS { (one, two) } else { (two, one) };
            let friends =
                world.friends.get(at).map(|them| them.map(|(_, ip)| ip)).unwrap_or_else(|| unreachable!());
            let home = *world.peers.get(at).unwrap_or_else(|| unreachable!());
            Agent::new(
                side,
                home,
                keys,
                friends,
                Random::new(seed, if at == DIALS { "dials" } else { "waits" }),
            )
        };
        let agents = [agent(DIALS), agent(WAITS)];
        let waits = GATHERING * 2 + axes.introduction;
        let times = Times { waits, both: waits + axes.introduction };
        let mut meeting = Self {
            axes,
            seed,
            world,
            agents,
            times,
            now: Duration::ZERO,
            lies: [None, None],
            words: Default::default(),
            named: Default::default(),
            renews: false,
            acts: BTreeMap::new(),
            sequence: 0,
        };
        meeting.gather(DIALS, Duration::ZERO);
        meeting.plan(GATHERING, Act::Speak(DIALS));
        meeting.gather(WAITS, times.waits - GATHERING);
        meeting.plan(times.waits, Act::Speak(WAITS));
        for (at, side) in [(DIALS, axes.dials), (WAITS, axes.waits)] {
            if let Some(reboot) = side.reboot {
                meeting.plan(times.both + reboot.after, Act::Reboot(at));
            }
            if let Some(after) = side.moves {
                meeting.plan(times.both + after, Act::Move(at));
            }
        }
        meeting
    }

    /// Lets it go on until then, or until `enough` says so.
    pub fn run(&mut self, until: Duration, enough: impl Fn(&Self) -> bool) {
        loop {
            let acts = self.acts.keys().next().map(|(at, _)| *at);
            let flights = self.world.network.due();
            let agents = self.agents.each_ref().map(|agent| agent.due(self.now));
            let [one, two] = agents;
            let Some(next) = [acts, flights, one, two].into_iter().flatten().min() else { break };
            if next > until {
                break;
            }
            self.now = next;
            if acts == Some(next) {
                self.act();
            } else if flights == Some(next) {
                self.deliver();
            } else {
                for at in [DIALS, WAITS] {
                    if agents.get(at) == Some(&Some(next)) {
                        self.agent(at).call(next);
                        assert!(!self.agent(at).spins(), "the state machine spins at {next:?}");
                    }
                }
            }
            self.send();
            if enough(self) {
                return;
            }
        }
        self.now = until;
    }

    /// A side says this at a time, whatever is true.
    pub fn say(&mut self, when: Duration, at: usize, word: Word) {
        self.plan(when, Act::Say(at, word));
    }

    /// Somebody sends something at a time, under any name.
    pub fn inject(&mut self, at: Duration, host: NodeId, source: SocketAddr, to: SocketAddr, body: Body) {
        self.plan(at, Act::Inject(host, source, to, body));
    }

    /// One of the two.
    pub fn agent(&mut self, at: usize) -> &mut Agent {
        let [dials, waits] = &mut self.agents;
        if at == DIALS { dials } else { waits }
    }

    /// When a side first reached the other.
    pub fn reached(&self, at: usize) -> Option<Duration> {
        self.agents.get(at)?.reached.first().map(|(when, _)| *when)
    }

    fn plan(&mut self, at: Duration, act: Act) {
        self.sequence += 1;
        self.acts.insert((at, self.sequence), act);
    }

    /// A side asks its friends one after the other, so that ports in order show.
    fn gather(&mut self, at: usize, from: Duration) {
        self.look(at, from);
        let every = self.agent(at).keeps_every();
        self.plan(from + every, Act::Keep(at));
    }

    /// Each is asked again until it has said something.
    fn look(&mut self, at: usize, from: Duration) {
        for which in 0..self.agent(at).reflectors().len() {
            for again in 0..9 {
                let after = Duration::from_millis(60) * which as u32 + Duration::from_millis(200) * again;
                self.plan(from + after, Act::See(at, which, from));
            }
        }
    }

    fn act(&mut self) {
        let Some(((now, _), act)) = self.acts.pop_first() else { return };
        match act {
            Act::See(at, which, since) => {
                if self.agent(at).has_seen(which).is_none_or(|when| when < since) {
                    self.agent(at).see(which);
                }
            }
            Act::Keep(at) => {
                let every = self.agent(at).keeps_every();
                self.look(at, now);
                self.plan(now + every, Act::Keep(at));
            }
            Act::Speak(at) => {
                let lie = self.lies.get(at).cloned().flatten();
                let word = lie.unwrap_or_else(|| self.agent(at).word());
                self.say_now(now, at, word);
            }
            Act::Say(at, word) => self.say_now(now, at, word),
            Act::Read(at, word) => {
                let times = self.times;
                let agent = self.agent(at);
                if agent.traversal.is_some() {
                    agent.renew(now, &word);
                } else if at == DIALS {
                    let latency = times.both.saturating_sub(times.waits);
                    agent.begin(now, Role::Dials, latency, &word);
                }
            }
            Act::Attest(at, ip) => self.agent(at).attested(now, ip),
            Act::Reboot(at) => self.reboot(now, at),
            Act::Move(at) => self.relocate(now, at),
            Act::Inject(host, source, to, body) => {
                self.world.network.send(now, host, source, to, HOPS, body);
            }
        }
    }

    fn say_now(&mut self, now: Duration, at: usize, word: Word) {
        let peer = self.words.get(1 - at).cloned().unwrap_or_default();
        if let Some(named) = self.named.get_mut(at) {
            named.extend(word.candidates.iter().map(|it| it.address));
        }
        if let Some(said) = self.words.get_mut(at) {
            *said = word.clone();
        }
        self.plan(now + self.axes.introduction, Act::Read(1 - at, word));
        let expected = self.axes.expected;
        if at == WAITS && self.agent(at).traversal.is_none() {
            self.agent(at).begin(now, Role::Waits, expected, &peer);
        }
    }

    fn reboot(&mut self, now: Duration, at: usize) {
        let side = self.agent(at).side;
        let home = self.agent(at).home;
        let outer = match (side.home, side.carrier) {
            (Some(_), None) if side.reboot.is_some_and(|it| it.new_address) => match home.public {
                IpAddr::V4(ip) => Some(IpAddr::from((ip.to_bits() + 1).to_be_bytes())),
                v6 => Some(v6),
            },
            _ => None,
        };
        self.world.network.reboot(home.router, outer);
        self.moved(now, at, Home { public: outer.unwrap_or(home.public), ..home });
    }

    fn relocate(&mut self, now: Duration, at: usize) {
        let home = self.agent(at).home;
        let IpAddr::V4(old) = home.v4 else { return };
        let new = IpAddr::from((old.to_bits() + 3).to_be_bytes());
        self.world.network.withdraw(home.host, home.v4);
        self.world.network.announce(home.host, new);
        let public = if home.public == home.v4 { new } else { home.public };
        self.moved(now, at, Home { v4: new, public, ..home });
    }

    /// The endpoint hears of it from the system, or not.
    fn moved(&mut self, now: Duration, at: usize, home: Home) {
        if self.renews {
            self.agent(at).moved(now, home);
            self.gather_again(now, at);
        } else {
            self.agent(at).home = home;
        }
    }

    fn gather_again(&mut self, now: Duration, at: usize) {
        self.agent(at).forget_seen();
        self.look(at, now);
        self.plan(now + GATHERING, Act::Speak(at));
    }

    fn deliver(&mut self) {
        let Some((now, host, packet)) = self.world.network.step() else { return };
        for at in [DIALS, WAITS] {
            if self.world.peers.get(at).is_some_and(|home| home.host == host) {
                self.agent(at).received(now, packet.source, packet.to, packet.body);
                return;
            }
        }
        if packet.body != Body::See {
            return;
        }
        let friends = self.world.friends.iter().zip([self.axes.dials.friends, self.axes.waits.friends]);
        let lies =
            friends.flat_map(|(pair, said)| pair.first().map(|(first, _)| *first == host && said.liar));
        let seen = if lies.into_iter().any(|lies| lies) {
            SocketAddr::new(LIE.into(), packet.source.port())
        } else {
            packet.source
        };
        self.world.network.send(now, host, packet.to, packet.source, HOPS, Body::Seen(seen));
    }

    fn send(&mut self) {
        let now = self.now;
        for at in [DIALS, WAITS] {
            let Some(host) = self.world.peers.get(at).map(|home| home.host) else { continue };
            while let Some(out) = self.agent(at).outgoing.pop_front() {
                self.world.network.send(now, host, out.source, out.to, out.hops, out.body);
            }
            while let Some(ip) = self.agent(at).verify.pop_front() {
                let peer = self.agent(1 - at);
                if peer.side.attested && peer.home.public == ip {
                    self.plan(now + ATTESTING, Act::Attest(at, ip));
                }
            }
        }
    }
}

/// What a lying friend says: a third party's address.
pub const LIE: [u8; 4] = [77, 7, 7, 7];

/// How long it takes to find out whether somebody knows the peer to be somewhere.
const ATTESTING: Duration = Duration::from_millis(200);
