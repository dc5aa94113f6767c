//! A small world: engines, bridges that fail, an attacker, and one queue of events in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, AccountKey, DeviceKeys};
use wayside_proto::engine::*;
use wayside_proto::meet::slot::SlotId;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Locator};
use wayside_proto::{Now, UnixMillis};

pub type Ms = u64;
pub const SECOND: Ms = 1000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;
pub const DAY: Ms = 24 * HOUR;

/// 2026-03-01T09:00:00Z.
const BEGIN: u64 = 1_772_355_600_000;

/// What a bridge does to its users.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Of a hundred records so many never show up, though the publisher is told that they did.
    pub lost: u32,
    /// Of a hundred deliveries so many come twice.
    pub twice: u32,
    /// Of a hundred publications so many fail openly.
    pub refused: u32,
    pub latency: Ms,
    /// Accepts everything and shows nothing.
    pub dead: bool,
}

impl Weather {
    pub fn fine(latency: Ms) -> Self {
        Self { lost: 0, twice: 0, refused: 0, latency, dead: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    List,
    Key,
    /// Every node writes in a space of its own and reads the others'.
    OneWriter,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub slot: SlotId,
    pub bytes: Vec<u8>,
    /// Whose space, in a one-writer bridge; who published it anyway.
    pub owner: usize,
    pub visible: bool,
    pub gone: bool,
    pub forged: bool,
}

pub struct Bridge {
    pub kind: Kind,
    pub weather: Weather,
    pub records: Vec<Record>,
    pub retracts: bool,
    pub max_keys: Option<usize>,
    pub overwrites: bool,
}

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
    timer: Option<Ms>,
    pub published: usize,
    pub invited: Option<wayside_proto::invite::Invite>,
    pub accepting: Option<wayside_proto::invite::Invite>,
}

#[derive(Clone, Debug)]
enum Ev {
    Timer(usize, u32),
    /// A bridge's record reaches a node, or a watch begins: hand out what is new.
    Poll(usize, u32, usize),
    Input(usize, u32, Box<Input>),
    Dial(usize, u32, Session, Ms),
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
    /// After how long a link whose other end died is given up, unless somebody asks before.
    pub idle_timeout: Ms,
    /// What each node left in each slot: never two different things.
    slots: BTreeMap<(usize, usize, SlotId), Vec<u8>>,
    /// Whether a node has lost its store, and with it the right to be held to that.
    pub forgetful: bool,
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
            idle_timeout: 30 * SECOND,
            slots: BTreeMap::new(),
            forgetful: false,
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
            timer: None,
            published: 0,
            invited: None,
            accepting: None,
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

    // ---- nodes

    pub fn start(&mut self, node: usize) {
        if self.nodes[node].engine.is_some() {
            return;
        }
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.nodes[node].started = self.now;
        let now = self.time(node);
        let this = &mut self.nodes[node];
        let identity = Identity {
            account: AccountKey::from_secret(&this.secrets.0),
            device: DeviceKeys::from_secrets(&this.secrets.1, &this.secrets.2),
            name: this.name.clone(),
        };
        let engine = Engine::restore(identity, self.config.clone(), this.store.clone(), seed, now);
        this.engine = Some(engine.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed)));
        this.incarnation += 1;
        this.watches.clear();
        this.shown.clear();
        this.expecting.clear();
        this.timer = None;
        self.log(node, "starts".into());
        self.drain(node);
        let address = format!("10.0.0.{}:4{:03}", node + 1, self.nodes[node].incarnation % 1000);
        let candidates =
            Candidates::new([Candidate { kind: CandidateKind::Host, address: address.parse().unwrap() }]);
        self.input(node, Input::Candidates(candidates));
        for bridge in self.nodes[node].bridges.clone() {
            self.bridge_up(node, bridge);
        }
        for account in self.nodes[node].wants.clone() {
            self.command(node, |engine, now| engine.want(now, &account, None));
        }
        // Whoever accepted and was not told so tries again; so does a person.
        if let Some(invite) = self.nodes[node].accepting.clone() {
            self.command(node, |engine, now| drop(engine.accept(now, &invite, None)));
        }
    }

    pub fn bridge_name(bridge: usize) -> BridgeName {
        BridgeName(format!("b{bridge}"))
    }

    pub fn locator(&self, node: usize, bridge: usize) -> Locator {
        match self.bridges[bridge].kind {
            Kind::OneWriter => Locator::new("zone", &format!("b{bridge}-n{node}")).unwrap(),
            _ => Locator::new("room", &format!("b{bridge}")).unwrap(),
        }
    }

    pub fn bridge_up(&mut self, node: usize, bridge: usize) {
        let locator = self.locator(node, bridge);
        let this = &self.bridges[bridge];
        let profile = BridgeProfile {
            locators: vec![locator],
            lists: this.kind == Kind::List,
            one_writer: this.kind == Kind::OneWriter,
            overwrites: this.overwrites,
            retracts: this.retracts,
            max_record: 2000,
            max_keys: this.max_keys,
            latency: Duration::from_millis(this.weather.latency),
        };
        self.input(node, Input::BridgeUp { bridge: Self::bridge_name(bridge), profile });
    }

    pub fn bridge_down(&mut self, node: usize, bridge: usize) {
        self.nodes[node].watches.remove(&bridge);
        self.input(node, Input::BridgeDown { bridge: Self::bridge_name(bridge) });
    }

    pub fn crash_node(&mut self, node: usize, for_ms: Ms) {
        if self.nodes[node].engine.take().is_none() {
            return;
        }
        self.log(node, "crashes".into());
        let links = std::mem::take(&mut self.nodes[node].links);
        for (id, account) in links {
            self.tell_peer_down(node, account, id, self.idle_timeout);
        }
        self.push(for_ms, Ev::Start(node));
    }

    fn tell_peer_down(&mut self, node: usize, peer: AccountId, id: SessionId, after: Ms) {
        let own = self.nodes[node].account;
        let Some(peer) = self.nodes.iter().position(|other| other.account == peer) else { return };
        if self.nodes[peer].links.get(&id) == Some(&own) {
            let incarnation = self.nodes[peer].incarnation;
            self.push(after, Ev::Input(peer, incarnation, Box::new(Input::LinkDown { session: id })));
        }
    }

    fn hand_card(&mut self, from: usize, to: usize) {
        if let Some(card) = self.command(from, Engine::own_card) {
            let account = self.nodes[from].account;
            self.input(to, Input::Card { account, bytes: card.to_bytes() });
        }
    }

    pub fn cut_links(&mut self) {
        for node in 0..self.nodes.len() {
            for (id, account) in self.nodes[node].links.clone() {
                self.tell_peer_down(node, account, id, 10);
            }
        }
    }

    pub fn input(&mut self, node: usize, input: Input) {
        let now = self.time(node);
        if let Input::LinkDown { session } = &input
            && self.nodes[node].links.remove(session).is_none()
        {
            return;
        }
        let Some(engine) = &mut self.nodes[node].engine else { return };
        engine.handle(now, input);
        self.drain(node);
    }

    pub fn command<T>(&mut self, node: usize, command: impl FnOnce(&mut Engine, Now) -> T) -> Option<T> {
        let now = self.time(node);
        let done = command(self.nodes[node].engine.as_mut()?, now);
        self.drain(node);
        Some(done)
    }

    pub fn want(&mut self, node: usize, friend: usize) {
        let account = self.nodes[friend].account;
        self.nodes[node].wants.insert(account);
        self.command(node, |engine, now| engine.want(now, &account, None));
    }

    pub fn unwant(&mut self, node: usize, friend: usize) {
        let account = self.nodes[friend].account;
        self.nodes[node].wants.remove(&account);
        self.command(node, |engine, now| engine.unwant(now, &account));
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].engine.as_mut().and_then(Engine::poll_output) {
            let crash = self.crashes_left > 0 && self.rng.next_u32() % 1000 < self.crash;
            // Half the time the output at which it crashes has still happened.
            if !crash || self.chance(50) {
                self.carry_out(node, output);
            }
            if crash {
                self.crashes_left -= 1;
                let wait = 1 + self.below(2 * MINUTE);
                return self.crash_node(node, wait);
            }
        }
        let due = self.nodes[node].engine.as_ref().and_then(Engine::poll_timeout);
        let due = due.map(|due| self.nodes[node].started + u64::try_from(due.as_millis()).unwrap() + 1);
        if due != self.nodes[node].timer {
            self.nodes[node].timer = due;
            if let Some(due) = due {
                let incarnation = self.nodes[node].incarnation;
                self.push(due.saturating_sub(self.now), Ev::Timer(node, incarnation));
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        let incarnation = self.nodes[node].incarnation;
        self.log(node, format!("{output:?}").chars().take(150).collect());
        match output {
            Output::Persist(changes) => {
                for Change { key, value } in changes {
                    match value {
                        Some(value) => self.nodes[node].store.insert(key, value),
                        None => self.nodes[node].store.remove(&key),
                    };
                }
            }
            Output::Publish { id, bridge, slot, bytes, .. } => {
                self.nodes[node].published += 1;
                let bridge = index_of(&bridge);
                if self.bridges[bridge].kind == Kind::List && !self.forgetful {
                    let before = self.slots.insert((node, bridge, slot), bytes.clone());
                    if before.is_some_and(|before| before != bytes) {
                        self.fail("two different records in one slot");
                    }
                }
                let answer = if self.chance(self.bridges[bridge].weather.refused) {
                    Input::PublishFailed { id, why: "try again".into() }
                } else {
                    let receipt = self.insert(bridge, node, slot, bytes, false);
                    Input::Published { id, receipt: (receipt as u64).to_be_bytes().to_vec() }
                };
                let wait = 1 + self.below(300);
                self.push(wait, Ev::Input(node, incarnation, Box::new(answer)));
            }
            Output::Retract { bridge, receipts } => {
                let bridge = index_of(&bridge);
                let ids = receipts.iter().map(|(id, _)| *id).collect();
                let answer = if self.chance(self.bridges[bridge].weather.refused) {
                    Input::RetractFailed { ids }
                } else {
                    for (_, receipt) in receipts {
                        let at = u64::from_be_bytes(receipt.try_into().unwrap()) as usize;
                        let record = &mut self.bridges[bridge].records[at];
                        assert!(
                            !record.forged && record.owner == node,
                            "seed {}: a foreign record",
                            self.seed
                        );
                        record.gone = true;
                    }
                    Input::Retracted { ids }
                };
                let wait = 1 + self.below(300);
                self.push(wait, Ev::Input(node, incarnation, Box::new(answer)));
            }
            Output::Watch { bridge, slots } => {
                let bridge = index_of(&bridge);
                self.nodes[node].watches.insert(bridge, slots);
                let wait = 1 + self.below(self.bridges[bridge].weather.latency);
                self.push(wait, Ev::Poll(node, incarnation, bridge));
            }
            Output::Expect(session) => {
                self.check_session(node, &session);
                self.nodes[node].expecting.insert(session.id, session);
            }
            Output::Dial { session, patience, candidates } => {
                assert!(!candidates.is_empty(), "seed {}: a dial without candidates", self.seed);
                self.check_session(node, &session);
                let deadline = self.now + u64::try_from(patience.as_millis()).unwrap();
                let wait = 50 + self.below(200);
                self.push(wait, Ev::Dial(node, incarnation, session, deadline));
            }
            Output::MoreCandidates { .. } => {}
            Output::Forget(id) => {
                self.nodes[node].expecting.remove(&id);
            }
            Output::CheckLink { session } => {
                let account = self.nodes[node].links.get(&session);
                let peer =
                    account.and_then(|account| self.nodes.iter().find(|peer| peer.account == *account));
                if account.is_some() && peer.is_none_or(|peer| !peer.links.contains_key(&session)) {
                    self.push(1000, Ev::Input(node, incarnation, Box::new(Input::LinkDown { session })));
                }
            }
            Output::CloseLink { session, .. } => {
                if let Some(account) = self.nodes[node].links.remove(&session) {
                    self.tell_peer_down(node, account, session, 50);
                }
            }
            Output::Close { account, .. } => {
                let links: Vec<_> = self.nodes[node]
                    .links
                    .iter()
                    .filter(|(_, of)| **of == account)
                    .map(|(id, _)| *id)
                    .collect();
                for id in links {
                    self.nodes[node].links.remove(&id);
                    self.tell_peer_down(node, account, id, 50);
                }
            }
            Output::Event(event) => {
                let now = self.now;
                self.nodes[node].events.push((now, event));
            }
        }
    }

    /// Both sides hold the same secrets under one name.
    fn check_session(&mut self, node: usize, session: &Session) {
        let own = self.nodes[node].account;
        let known = (session.gate.clone(), session.psk.clone(), own, session.account);
        if let Some((gate, psk, first, second)) = self.sessions.get(&session.id) {
            assert!(*gate == session.gate && *psk == session.psk, "seed {}: secrets differ", self.seed);
            let same = (*first == own && *second == session.account)
                || (*second == own && *first == session.account);
            assert!(same, "seed {}: one session, other accounts", self.seed);
        } else {
            self.sessions.insert(session.id, known);
        }
    }

    // ---- bridges

    fn insert(&mut self, bridge: usize, owner: usize, slot: SlotId, bytes: Vec<u8>, forged: bool) -> usize {
        let this = &self.bridges[bridge];
        let (lost, dead) = (this.weather.lost, this.weather.dead);
        let visible = forged || !(dead || self.chance(lost));
        let one_writer = self.bridges[bridge].kind == Kind::OneWriter;
        if self.bridges[bridge].overwrites && visible {
            for record in &mut self.bridges[bridge].records {
                if record.slot == slot && record.bytes != bytes && (!one_writer || record.owner == owner) {
                    record.gone = true;
                }
            }
        }
        // An equal record again is the same one; its receipt takes it back.
        let records = &mut self.bridges[bridge].records;
        let again = records.iter_mut().enumerate().find(|(_, known)| {
            !forged
                && !known.forged
                && !known.gone
                && known.owner == owner
                && known.slot == slot
                && known.bytes == bytes
        });
        if let Some((at, known)) = again {
            known.visible |= visible;
            self.news(bridge);
            return at;
        }
        let record = Record { slot, bytes, owner, visible, gone: false, forged };
        self.bridges[bridge].records.push(record.clone());
        let at = self.bridges[bridge].records.len() - 1;
        self.news(bridge);
        if !forged && visible && self.chance(self.attack) {
            self.forge(bridge, &record);
        }
        at
    }

    fn news(&mut self, bridge: usize) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].bridges.contains(&bridge) {
                let wait = 1 + self.below(self.bridges[bridge].weather.latency);
                let incarnation = self.nodes[node].incarnation;
                self.push(wait, Ev::Poll(node, incarnation, bridge));
            }
        }
    }

    /// Somebody who reads and writes everything and has no keys.
    fn forge(&mut self, bridge: usize, record: &Record) {
        for _ in 0..1 + self.below(4) {
            let mut forged = Record { forged: true, gone: false, visible: true, ..record.clone() };
            match self.below(5) {
                // Mutated, in place.
                0 => {
                    let at = self.below(forged.bytes.len() as u64) as usize;
                    forged.bytes[at] ^= 1 << self.below(8);
                }
                // Copied to a slot that somebody watches.
                1 => forged.slot = self.watched_slot(bridge).unwrap_or(record.slot),
                // Junk in a slot that somebody watches.
                2 => {
                    forged.slot = self.watched_slot(bridge).unwrap_or(record.slot);
                    self.rng.fill_bytes(&mut forged.bytes);
                }
                // Cut short.
                3 => forged.bytes.truncate(self.rng.next_u32() as usize % record.bytes.len()),
                // Replayed.
                _ => {}
            }
            let to = self.below(self.bridges.len() as u64) as usize;
            let wait = 1 + self.below(2 * HOUR);
            self.push(wait, Ev::Forge(to, Box::new(forged)));
        }
    }

    fn watched_slot(&mut self, bridge: usize) -> Option<SlotId> {
        let slots: Vec<SlotId> = self
            .nodes
            .iter()
            .filter_map(|node| node.watches.get(&bridge))
            .flat_map(|spaces| spaces.values().flatten().copied())
            .collect();
        let at = self.below(slots.len() as u64) as usize;
        slots.get(at).copied()
    }

    /// Replays everything that was ever published.
    pub fn replay_all(&mut self) {
        for bridge in 0..self.bridges.len() {
            for at in 0..self.bridges[bridge].records.len() {
                if self.bridges[bridge].records[at].visible {
                    self.replay(bridge, at);
                }
            }
        }
    }

    /// Shows a record once more, or at last.
    pub fn replay(&mut self, bridge: usize, at: usize) {
        let record = self.bridges[bridge].records[at].clone();
        let forged = Record { forged: true, gone: false, visible: true, ..record };
        self.push(1, Ev::Forge(bridge, Box::new(forged)));
    }

    fn poll(&mut self, node: usize, bridge: usize) {
        let Some(spaces) = self.nodes[node].watches.get(&bridge).cloned() else { return };
        let twice = self.bridges[bridge].weather.twice;
        for (space, slots) in spaces {
            let mut found = Vec::new();
            for at in 0..self.bridges[bridge].records.len() {
                let record = self.bridges[bridge].records[at].clone();
                let here = match (&space, self.bridges[bridge].kind) {
                    (Space::Own, Kind::OneWriter) => record.owner == node,
                    (Space::Own, _) => true,
                    (Space::Of(locator), Kind::OneWriter) => *locator == self.locator(record.owner, bridge),
                    (Space::Of(_), _) => false,
                };
                if !here || record.gone || !record.visible || !slots.contains(&record.slot) {
                    continue;
                }
                if self.nodes[node].shown.insert((bridge, at)) || self.chance(twice) {
                    found.push(Found { slot: record.slot, bytes: record.bytes.clone() });
                    if self.chance(twice) {
                        found.push(Found { slot: record.slot, bytes: record.bytes });
                    }
                }
            }
            for at in (1..found.len()).rev() {
                let with = self.below(at as u64 + 1) as usize;
                found.swap(at, with);
            }
            if !found.is_empty() {
                let bridge = Self::bridge_name(bridge);
                self.log(node, format!("finds {} records", found.len()));
                self.input(node, Input::Records { bridge, space, records: found });
            }
        }
    }

    // ---- links

    fn dial(&mut self, node: usize, incarnation: u32, session: Session, deadline: Ms) {
        let engine = self.nodes[node].engine.as_ref();
        // Given up, or up already.
        if engine.is_none_or(|engine| engine.session(&session.id).is_none())
            || self.nodes[node].links.contains_key(&session.id)
        {
            return;
        }
        let own = self.nodes[node].account;
        let peer = self.nodes.iter().position(|other| {
            let expected = other.expecting.get(&session.id);
            other.engine.is_some()
                && other.account == session.account
                && expected.is_some_and(|expected| {
                    expected.account == own && expected.gate == session.gate && expected.psk == session.psk
                })
        });
        if let Some(peer) = peer.filter(|_| !self.links_blocked) {
            let id = session.id;
            let account = self.nodes[peer].account;
            self.nodes[node].links.insert(id, account);
            self.nodes[peer].links.insert(id, own);
            let up = || Box::new(Input::LinkUp { session: id });
            let (first, then) = (1 + self.below(100), 1 + self.below(100));
            let other = self.nodes[peer].incarnation;
            self.push(first, Ev::Input(node, incarnation, up()));
            self.push(then, Ev::Input(peer, other, up()));
            // What a link is used for first: both hand over their cards.
            self.push(300, Ev::Cards(node, incarnation, peer, other));
        } else if self.now >= deadline {
            self.input(node, Input::DialFailed { session: session.id, why: "nobody there".into() });
        } else {
            self.push(SECOND, Ev::Dial(node, incarnation, session, deadline));
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
