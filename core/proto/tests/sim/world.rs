//! A small world: engines, bridges that fail, an attacker, and one queue of events in virtual time.

#[path = "world/bridges.rs"]
mod bridges;
#[path = "world/links.rs"]
mod links;
#[path = "world/nodes.rs"]
mod nodes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, AccountKey, DeviceId, DeviceKeys};
use wayside_proto::engine::*;
use wayside_proto::mailbox::wire::HostEntry;
use wayside_proto::meet::slot::SlotId;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Locator, Transport};
use wayside_proto::reach::{Reach, Reflector};
use wayside_proto::{Now, UnixMillis};

pub use bridges::*;

pub type Ms = u64;
pub const SECOND: Ms = 1000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;
pub const DAY: Ms = 24 * HOUR;

/// 2026-03-01T09:00:00Z.
const BEGIN: u64 = 1_772_355_600_000;

pub struct Node {
    pub engine: Option<Engine>,
    pub store: BTreeMap<String, Vec<u8>>,
    secrets: (Secret, Secret, Secret),
    pub account: AccountId,
    pub name: String,
    /// Wall clock minus true time.
    pub skew: i64,
    pub started: Ms,
    pub incarnation: u32,
    watches: BTreeMap<usize, BTreeMap<Space, BTreeSet<SlotId>>>,
    /// What was handed out since the start: (bridge, record).
    shown: BTreeSet<(usize, usize)>,
    expecting: BTreeMap<SessionId, Session>,
    pub wants: BTreeSet<AccountId>,
    pub events: Vec<(Ms, Event)>,
    pub links: BTreeMap<SessionId, AccountId>,
    pub bridges: Vec<usize>,
    /// Those that it only reads by.
    pub reads_only: BTreeSet<usize>,
    timer: Option<Ms>,
    pub published: usize,
    pub invited: Option<wayside_proto::invite::Invite>,
    pub accepting: Option<wayside_proto::invite::Invite>,
    /// How it is reached, where a test says so.
    pub reach: Option<Reach>,
    pub reflectors: Vec<Reflector>,
    /// Relays that it can use.
    pub relays: Vec<DeviceId>,
    /// Those that it has in common with peers, as it was told, in order.
    pub common: Vec<(SessionId, Vec<DeviceId>)>,
    /// What peers said of how they are reached, in order.
    pub heard: Vec<(SessionId, Reach)>,
    /// Whom welcomes named.
    pub named: Vec<(SessionId, Vec<Reflector>)>,
    /// Its doors.
    pub doors: Vec<Door>,
    /// Those at which it wants in.
    pub knocking: Vec<HostEntry>,
    /// Guests that it lets in now, and hosts that it dials now.
    pub awaited: BTreeMap<SessionId, DoorSession>,
    pub dialling: BTreeMap<SessionId, DoorSession>,
    /// How many guests it was ever to let in.
    pub opened: usize,
    /// What mail is left under, said at every start.
    pub roots: BTreeMap<AccountId, MailRoots>,
    /// Mail that came, with the run in which it did.
    pub mail: Vec<(u32, AccountId, Vec<u8>)>,
}

impl Node {
    /// Its account's key, for the same.
    pub fn account_key(&self) -> AccountKey {
        AccountKey::from_secret(&self.secrets.0)
    }

    /// Its device's keys, for a test that does with them what the engine would not.
    pub fn device_keys(&self) -> DeviceKeys {
        DeviceKeys::from_secrets(&self.secrets.1, &self.secrets.2)
    }
}

#[derive(Clone, Debug)]
enum Ev {
    Timer(usize, u32),
    /// A bridge's record reaches a node, or a watch begins: hand out what is new.
    Poll(usize, u32, usize),
    Input(usize, u32, Box<Input>),
    Dial(usize, u32, Session, Ms),
    DialHost(usize, u32, DoorSession, Ms),
    Start(usize),
    Forge(usize, Box<Record>),
    Cards(usize, u32, usize, u32),
}

pub struct World {
    pub seed: u64,
    pub now: Ms,
    pub rng: ChaCha20Rng,
    pub nodes: Vec<Node>,
    pub bridges: Vec<Bridge>,
    queue: BTreeMap<(Ms, u64), Ev>,
    order: u64,
    /// Of a thousand outputs so many are followed by a crash, while any are left.
    pub crash: u32,
    pub crashes_left: u32,
    /// Of a hundred records so many are tampered with by somebody who reads and writes everything.
    pub attack: u32,
    pub transcript: Vec<String>,
    pub sessions: BTreeMap<SessionId, (Secret, Secret, AccountId, AccountId)>,
    pub config: Config,
    /// Nobody's packets come through.
    pub links_blocked: bool,
    /// Which relays there are does not change: then both sides of a link have the same in common.
    pub relays_settled: bool,
    /// After how long a link whose other end died is given up, unless somebody asks before.
    pub idle_timeout: Ms,
    /// What each node left in each slot: never two different things.
    slots: BTreeMap<(usize, usize, SlotId), Vec<u8>>,
    /// Whether a node has lost its store, and with it the right to be held to that.
    pub forgetful: bool,
    /// Guests that came in: the guest, the host, the door.
    pub came_in: Vec<(usize, usize, [u8; 32])>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: 0,
            rng: ChaCha20Rng::seed_from_u64(seed),
            nodes: Vec::new(),
            bridges: Vec::new(),
            queue: BTreeMap::new(),
            order: 0,
            crash: 0,
            crashes_left: 0,
            attack: 0,
            transcript: Vec::new(),
            sessions: BTreeMap::new(),
            config: Config::default(),
            links_blocked: false,
            relays_settled: true,
            idle_timeout: 30 * SECOND,
            slots: BTreeMap::new(),
            forgetful: false,
            came_in: Vec::new(),
        }
    }

    pub fn bridge(&mut self, kind: Kind, weather: Weather) -> usize {
        let overwrites = kind != Kind::List;
        self.bridges.push(Bridge {
            kind,
            weather,
            records: Vec::new(),
            retracts: true,
            max_keys: None,
            overwrites,
            mail: None,
            present: false,
        });
        self.bridges.len() - 1
    }

    /// A node that uses these bridges, started.
    pub fn node(&mut self, name: &str, bridges: &[usize], skew: i64) -> usize {
        let secrets =
            (Secret::random(&mut self.rng), Secret::random(&mut self.rng), Secret::random(&mut self.rng));
        let node = self.nodes.len();
        self.nodes.push(Node {
            engine: None,
            store: BTreeMap::new(),
            account: AccountKey::from_secret(&secrets.0).id(),
            secrets,
            name: name.to_owned(),
            skew,
            started: 0,
            incarnation: 0,
            watches: BTreeMap::new(),
            shown: BTreeSet::new(),
            expecting: BTreeMap::new(),
            wants: BTreeSet::new(),
            events: Vec::new(),
            links: BTreeMap::new(),
            bridges: bridges.to_vec(),
            reads_only: BTreeSet::new(),
            timer: None,
            published: 0,
            invited: None,
            accepting: None,
            reach: None,
            reflectors: Vec::new(),
            relays: Vec::new(),
            common: Vec::new(),
            heard: Vec::new(),
            named: Vec::new(),
            doors: Vec::new(),
            knocking: Vec::new(),
            awaited: BTreeMap::new(),
            dialling: BTreeMap::new(),
            opened: 0,
            roots: BTreeMap::new(),
            mail: Vec::new(),
        });
        self.start(node);
        node
    }

    pub fn chance(&mut self, of_hundred: u32) -> bool {
        self.rng.next_u32() % 100 < of_hundred
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % most.max(1)
    }

    pub fn time(&self, node: usize) -> Now {
        let node = &self.nodes[node];
        Now {
            wall: UnixMillis((BEGIN + self.now).saturating_add_signed(node.skew)),
            mono: Duration::from_millis(self.now - node.started),
        }
    }

    fn push(&mut self, after: Ms, event: Ev) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), event);
    }

    pub fn log(&mut self, node: usize, what: String) {
        let line = format!("{:>9.3} {} {what}", self.now as f64 / 1000.0, self.nodes[node].name);
        if std::env::var_os("WAYSIDE_SIM_TRACE").is_some() {
            println!("{line}");
        }
        self.transcript.push(line);
    }

    pub fn bridge_name(bridge: usize) -> BridgeName {
        BridgeName(format!("b{bridge}"))
    }

    pub fn locator(&self, node: usize, bridge: usize) -> Locator {
        match self.bridges[bridge].kind {
            Kind::OneWriter => Locator::new(&format!("zone{bridge}"), &format!("b{bridge}-n{node}")).unwrap(),
            _ => Locator::new("room", &format!("b{bridge}")).unwrap(),
        }
    }

    // ---- time

    pub fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.queue.pop_first() else { return false };
        self.now = self.now.max(at);
        match event {
            Ev::Start(node) => self.start(node),
            Ev::Timer(node, incarnation) => {
                if self.alive(node, incarnation) && self.nodes[node].timer.is_some_and(|due| due <= self.now)
                {
                    self.nodes[node].timer = None;
                    let now = self.time(node);
                    self.nodes[node].engine.as_mut().unwrap().handle_timeout(now);
                    self.drain(node);
                }
            }
            Ev::Poll(node, incarnation, bridge) => {
                if self.alive(node, incarnation) {
                    self.poll(node, bridge);
                }
            }
            Ev::Input(node, incarnation, input) => {
                if self.alive(node, incarnation) {
                    self.input(node, *input);
                }
            }
            Ev::Dial(node, incarnation, session, deadline) => {
                if self.alive(node, incarnation) {
                    self.dial(node, incarnation, session, deadline);
                }
            }
            Ev::DialHost(node, incarnation, session, deadline) => {
                if self.alive(node, incarnation) {
                    self.dial_host(node, incarnation, session, deadline);
                }
            }
            Ev::Cards(one, incarnation, other, also) => {
                if self.alive(one, incarnation) && self.alive(other, also) {
                    self.hand_card(one, other);
                    self.hand_card(other, one);
                }
            }
            Ev::Forge(bridge, record) => {
                self.insert(bridge, record.owner, record.slot, record.bytes, true);
            }
        }
        true
    }

    fn alive(&self, node: usize, incarnation: u32) -> bool {
        self.nodes[node].engine.is_some() && self.nodes[node].incarnation == incarnation
    }

    /// Lets time pass until something holds; panics with the seed if it does not within `most`.
    pub fn until(&mut self, what: &str, most: Ms, holds: impl Fn(&Self) -> bool) -> Ms {
        let (begin, mut steps) = (self.now, 0_u64);
        while !holds(self) {
            let next = self.queue.keys().next().map_or(Ms::MAX, |(at, _)| *at);
            if next > begin + most || steps > 2_000_000 {
                self.fail(&format!("{what}: not within {} s ({steps} steps)", most / 1000));
            }
            self.step();
            steps += 1;
        }
        self.now - begin
    }

    pub fn pass(&mut self, time: Ms) {
        let end = self.now + time;
        let mut steps = 0_u64;
        while self.queue.keys().next().is_some_and(|(at, _)| *at <= end) {
            self.step();
            steps += 1;
            if steps > 2_000_000 {
                self.fail("it never rests");
            }
        }
        self.now = end;
    }

    pub fn fail(&self, what: &str) -> ! {
        let tail = self.transcript.iter().rev().take(60).rev().cloned().collect::<Vec<_>>().join("\n");
        panic!("{tail}\nseed {}: {what}", self.seed);
    }

    // ---- what can be seen

    /// Whether both have the link with the other up, by one session, and no other.
    pub fn linked(&self, a: usize, b: usize) -> bool {
        let link = |of: usize, with: usize| {
            let account = self.nodes[with].account;
            self.nodes[of].engine.as_ref()?.friend(&account)?.link()
        };
        match (link(a, b), link(b, a)) {
            (Some(one), Some(other)) => {
                one == other
                    && self.nodes[a].links.contains_key(&one)
                    && self.nodes[b].links.contains_key(&one)
            }
            _ => false,
        }
    }

    pub fn friends(&self, a: usize, b: usize) -> bool {
        let knows = |of: usize, with: usize| {
            let engine = self.nodes[of].engine.as_ref();
            engine.is_some_and(|engine| engine.friend(&self.nodes[with].account).is_some())
        };
        knows(a, b) && knows(b, a)
    }

    /// Records of ours that are still there.
    pub fn left(&self) -> usize {
        let records = self.bridges.iter().flat_map(|bridge| &bridge.records);
        records.filter(|record| !record.gone && record.visible && !record.forged).count()
    }

    pub fn published(&self) -> usize {
        self.nodes.iter().map(|node| node.published).sum()
    }

    /// Invariants that hold at any moment.
    pub fn check(&self) {
        for node in &self.nodes {
            let Some(engine) = &node.engine else { continue };
            let names: BTreeSet<_> = engine.friends().map(|friend| friend.name().to_owned()).collect();
            assert_eq!(names.len(), engine.friends().count(), "seed {}: two friends of one name", self.seed);
            let gates = node.expecting.keys().filter(|id| engine.session(id).is_none()).count();
            assert_eq!(gates, 0, "seed {}: a gate stays open for a session that is over", self.seed);
            let stored = node.store.keys().filter(|key| key.starts_with("friend/")).count();
            assert_eq!(
                stored,
                engine.friends().count(),
                "seed {}: the book differs from the store",
                self.seed
            );
        }
    }
}

fn index_of(bridge: &BridgeName) -> usize {
    bridge.0[1..].parse().unwrap()
}
