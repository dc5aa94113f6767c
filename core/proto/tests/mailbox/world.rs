//! A small world of friends with mailboxes: who is up when, who reaches whom, what gets lost on the way, in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::crypto::{Secret, sha256};
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::item::MessageId;
use wayside_proto::mailbox::outbox::Accepted;
use wayside_proto::mailbox::wire::HostEntry;
use wayside_proto::place::Candidates;

use super::mutants::Mutant;
use super::node::*;

/// What the world is like.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How long what is sent over a link takes at most.
    pub delay: Secs,
    /// Of hundred messages so many are lost.
    pub lost: u32,
    /// Of hundred so many come twice.
    pub twice: u32,
    /// How long a link takes to come up, at least and at most.
    pub link: (Secs, Secs),
    /// Of ten thousand moments around a commit so many are the last.
    pub crash: u32,
}

impl Weather {
    pub const FINE: Self = Self { delay: 1, lost: 0, twice: 0, link: (2, 60), crash: 0 };
    pub const FOUL: Self = Self { delay: 5, lost: 5, twice: 5, link: (2, 300), crash: 40 };
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct Sent {
    pub from: usize,
    pub to: usize,
    pub id: MessageId,
    pub text: String,
    pub at: Secs,
}

/// What is captured on its way into a host.
#[derive(Clone, Debug)]
pub struct Captured {
    pub from: usize,
    pub owner: AccountId,
    pub put: wayside_proto::mailbox::wire::Put,
    pub at: Secs,
}

#[derive(Clone, Debug)]
enum Ev {
    Power(usize, bool),
    /// A node that crashed comes up again.
    Again(usize, u32),
    Link(usize, usize, u64),
    /// From, to, in which life of that one.
    Deliver(usize, usize, u32, Box<Msg>),
    /// Something is to be looked at again.
    Timer(usize, u32),
    /// Something came, and all else that came in the same second.
    Look(usize, u32),
    Hour(usize, u32),
    Send(usize, usize, MessageId, String, Secs),
    Clock(usize, i64),
    Cut(usize, usize, bool),
}

pub struct World {
    pub seed: u64,
    pub now: Secs,
    pub rng: ChaCha20Rng,
    pub nodes: Vec<Node>,
    pub weather: Weather,
    pub mutant: Option<Mutant>,
    roads: BTreeMap<Guest, usize>,
    queue: BTreeMap<(Secs, u64), Ev>,
    order: u64,
    /// Switched on, and since when; a crash does not change it.
    power: Vec<bool>,
    up_since: Vec<Secs>,
    incarnation: Vec<u32>,
    gone: BTreeSet<usize>,
    cut: BTreeSet<(usize, usize)>,
    /// A link: its number, whether it is up.
    links: BTreeMap<(usize, usize), (u64, bool)>,
    timers: Vec<Option<Secs>>,
    /// Who looks before the second is over, and whether something was left there.
    looks: BTreeMap<usize, bool>,
    pub sent: Vec<Sent>,
    pub captured: Vec<Captured>,
    pub crashes: u64,
    /// A hash over all that happened, where it is asked for.
    pub transcript: Option<[u8; 32]>,
    pub steps: u64,
    pub wrong: Option<String>,
    trace: bool,
}

impl World {
    pub fn new(seed: u64, nodes: usize, weather: Weather, mutant: Option<Mutant>) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let made = (0..nodes).map(|index| Node::new(index, &mut rng)).collect::<Vec<_>>();
        Self {
            seed,
            now: 0,
            rng,
            weather,
            mutant,
            roads: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            power: vec![false; nodes],
            up_since: vec![0; nodes],
            incarnation: vec![0; nodes],
            gone: BTreeSet::new(),
            cut: BTreeSet::new(),
            links: BTreeMap::new(),
            timers: vec![None; nodes],
            looks: BTreeMap::new(),
            nodes: made,
            sent: Vec::new(),
            captured: Vec::new(),
            crashes: 0,
            transcript: None,
            steps: 0,
            wrong: None,
            trace: std::env::var_os("WAYSIDE_MAIL_TRACE").is_some(),
        }
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % most.max(1)
    }

    // ---- who knows whom

    pub fn befriend(&mut self, a: usize, b: usize) {
        for (one, other) in [(a, b), (b, a)] {
            let friend = Friend {
                node: other,
                device: self.nodes[other].device,
                noise: self.nodes[other].keys.noise().public(),
            };
            let account = self.nodes[other].account;
            self.nodes[one].friends.insert(account, friend);
        }
    }

    /// A host lets a friend have a mailbox; a node may be its own.
    pub fn grant(&mut self, host: usize, owner: usize) {
        let guest = *Secret::<32>::random(&mut self.rng).expose();
        let account = self.nodes[owner].account;
        if host != owner {
            self.befriend(host, owner);
        }
        self.nodes[host].doors.insert(guest, account);
        self.roads.insert(guest, host);
        let entry = HostEntry {
            guest,
            secret: Secret::random(&mut self.rng),
            name: format!("host {host}"),
            points: Vec::new(),
            candidates: Candidates::default(),
        };
        self.nodes[owner].kept.hosts.push(entry);
    }

    /// A friend lets another one leave things to carry.
    pub fn carries(&mut self, courier: usize, sender: usize) {
        self.befriend(courier, sender);
        let account = self.nodes[courier].account;
        self.nodes[sender].couriers.push(account);
    }

    /// Everybody has been up once: seeds are drawn, hosts know the queues, and friends each other's cards, unless they are `strangers` in that.
    pub fn begin(&mut self, strangers: &[(usize, usize)]) {
        let crash = std::mem::take(&mut self.weather.crash);
        let all = 0..self.nodes.len();
        for node in all.clone() {
            self.with(node, |node, around| node.start(around));
        }
        for node in all.clone() {
            let device = self.nodes[node].device;
            for entry in self.nodes[node].kept.hosts.clone() {
                let host = self.roads[&entry.guest];
                let queues = self.nodes[node].queues(&entry.guest).into_iter().map(|(_, queue)| queue);
                let (queues, owner) = (queues.collect::<Vec<_>>(), self.nodes[node].account);
                if host != node {
                    custody::register(&mut self.nodes[host].custody, &owner, &queues, &[device], 64).unwrap();
                }
                self.nodes[node].kept.registered.insert(entry.guest);
            }
            for (friend, other) in self.nodes[node].friends.clone() {
                if !strangers.contains(&(node, other.node)) {
                    let account = self.nodes[node].account;
                    let hello = self.with(node, |node, around| Ok(node.hello(around, &friend))).unwrap();
                    let first = self.with(other.node, |node, around| {
                        node.learn(around, &account, hello);
                        Ok(node.kept.towards[&account].target.first)
                    });
                    self.nodes[node].kept.told.insert(friend, first.unwrap());
                }
            }
        }
        for node in all {
            self.nodes[node].run = None;
        }
        self.weather.crash = crash;
    }

    // ---- what is to happen

    fn push(&mut self, at: Secs, event: Ev) {
        self.order += 1;
        self.queue.insert((at.max(self.now), self.order), event);
    }

    pub fn power(&mut self, at: Secs, node: usize, up: bool) {
        self.push(at, Ev::Power(node, up));
    }

    /// Up in these spans.
    pub fn spans(&mut self, node: usize, spans: &[(Secs, Secs)]) {
        for (from, to) in spans {
            self.power(*from, node, true);
            self.power(*to, node, false);
        }
    }

    pub fn clock(&mut self, at: Secs, node: usize, by: i64) {
        self.push(at, Ev::Clock(node, by));
    }

    /// Two nodes do not reach each other in this span.
    pub fn cut(&mut self, from: Secs, to: Secs, a: usize, b: usize) {
        self.push(from, Ev::Cut(a, b, true));
        self.push(to, Ev::Cut(a, b, false));
    }

    pub fn send(&mut self, at: Secs, from: usize, to: usize, lifetime: Secs) {
        let size = 10 + self.below(200) as usize;
        self.send_text(at, from, to, lifetime, size);
    }

    pub fn send_text(&mut self, at: Secs, from: usize, to: usize, lifetime: Secs, size: usize) {
        let mut id = MessageId::default();
        self.rng.fill_bytes(&mut id);
        let text = format!("{:0>size$}", self.order);
        self.push(at, Ev::Send(from, to, id, text, lifetime));
    }

    /// A node is lost with all that it has.
    pub fn lose(&mut self, node: usize) {
        self.down(node);
        self.gone.insert(node);
    }

    pub fn is_gone(&self, node: usize) -> bool {
        self.gone.contains(&node)
    }

    // ---- time

    pub fn run(&mut self, until: Secs) {
        while let Some(((at, _), _)) = self.queue.first_key_value() {
            if *at > until || self.wrong.is_some() {
                break;
            }
            let ((at, _), event) = self.queue.pop_first().unwrap();
            self.now = at;
            self.steps += 1;
            if self.steps > 3_000_000 {
                self.wrong = Some("it never rests".to_owned());
            }
            self.note(&event);
            self.step(event);
        }
        self.now = self.now.max(until);
    }

    fn note(&mut self, event: &Ev) {
        if self.trace {
            let mut text = format!("{event:?}");
            text.truncate(200);
            println!("{:>9} {text}", self.now);
        }
        let Some(before) = &self.transcript else { return };
        let (head, blob) = match event {
            Ev::Deliver(from, to, _, msg) => (format!("{from} {to} {}", msg.head()), msg.blob()),
            event => (format!("{event:?}"), &[][..]),
        };
        self.transcript = Some(sha256(&[before, &self.now.to_be_bytes(), head.as_bytes(), blob]));
    }

    fn step(&mut self, event: Ev) {
        match event {
            Ev::Power(node, true) => {
                self.power[node] = true;
                self.up(node);
            }
            Ev::Power(node, false) => {
                self.power[node] = false;
                self.down(node);
            }
            Ev::Again(node, incarnation) => {
                if self.power[node] && self.incarnation[node] == incarnation && self.nodes[node].run.is_none()
                {
                    self.up(node);
                }
            }
            Ev::Link(a, b, number) => self.link(a, b, number),
            // What is on its way arrives though its sender has crashed since.
            Ev::Deliver(from, to, incarnation, msg) => {
                if self.alive(to, incarnation) {
                    self.deliver(from, to, *msg);
                }
            }
            Ev::Timer(node, incarnation) => {
                // One that was set before a sooner one is of no use any more.
                if self.alive(node, incarnation) && self.timers[node] == Some(self.now) {
                    self.timers[node] = None;
                    self.pump(node);
                }
            }
            Ev::Look(node, incarnation) => {
                if self.alive(node, incarnation) {
                    if self.looks.remove(&node) == Some(true) {
                        self.check_quotas(node);
                    }
                    self.pump(node);
                }
            }
            Ev::Hour(node, incarnation) => {
                if self.alive(node, incarnation) {
                    if self.with(node, |node, around| node.grow_older(around)).is_some() {
                        self.pump(node);
                    }
                    self.push(self.now + HOUR, Ev::Hour(node, incarnation));
                }
            }
            Ev::Send(from, to, id, text, lifetime) => self.accept(from, to, id, text, lifetime),
            Ev::Clock(node, by) => {
                // What passed until now has passed, where it is up to see it.
                if self.nodes[node].run.is_some() {
                    self.with(node, |node, around| Ok(node.age(around)));
                }
                self.nodes[node].offset += by;
            }
            Ev::Cut(a, b, cut) => {
                if cut {
                    self.cut.insert(pair(a, b));
                    self.unlink(a, b);
                } else {
                    self.cut.remove(&pair(a, b));
                    self.reach_out(a);
                    self.reach_out(b);
                }
            }
        }
    }

    fn alive(&self, node: usize, incarnation: u32) -> bool {
        self.nodes[node].run.is_some() && self.incarnation[node] == incarnation
    }

    fn accept(&mut self, from: usize, to: usize, id: MessageId, text: String, lifetime: Secs) {
        // The application comes back as long as it takes.
        let (account, again) = (self.nodes[to].account, text.clone());
        if self.gone.contains(&from) {
            return;
        }
        let run = self.nodes[from].run.is_some();
        let accepted =
            run.then(|| self.with(from, |node, around| node.accept(around, account, id, text, lifetime)));
        match accepted.flatten() {
            Some(Accepted::Now | Accepted::Before(_)) => {
                self.sent.push(Sent { from, to, id, text: again, at: self.now });
                self.pump(from);
            }
            Some(Accepted::Full) => self.wrong = Some("the outbox is full".to_owned()),
            None => self.push(self.now + MINUTE, Ev::Send(from, to, id, again, lifetime)),
        }
    }

    // ---- up and down

    fn up(&mut self, node: usize) {
        if self.gone.contains(&node) || self.nodes[node].run.is_some() {
            return;
        }
        self.incarnation[node] += 1;
        self.up_since[node] = self.now;
        if self.with(node, |node, around| node.start(around)).is_some() {
            // Nothing is given up before receipts that wait somewhere had time to come.
            let incarnation = self.incarnation[node];
            self.push(self.now + HOUR, Ev::Hour(node, incarnation));
            self.pump(node);
            self.reach_out(node);
        }
    }

    fn down(&mut self, node: usize) {
        self.nodes[node].run = None;
        self.timers[node] = None;
        self.looks.remove(&node);
        self.incarnation[node] += 1;
        for other in 0..self.nodes.len() {
            self.unlink(node, other);
        }
    }

    // ---- links

    /// Links are tried by whoever wants one, and come up some time after both are up.
    fn reach_out(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            let wants = |one: usize, other: usize| {
                self.nodes[one].run.as_ref().is_some_and(|run| run.wants.contains(&other))
            };
            let key = pair(node, other);
            let (both, wanted) = (self.both_up(node, other), wants(node, other) || wants(other, node));
            if node == other || !both || !wanted || self.cut.contains(&key) || self.links.contains_key(&key) {
                continue;
            }
            self.order += 1;
            let number = self.order;
            self.links.insert(key, (number, false));
            let takes =
                link_time(self.seed, self.weather.link, key, self.up_since[node].max(self.up_since[other]));
            self.push(self.now + takes, Ev::Link(key.0, key.1, number));
        }
    }

    fn both_up(&self, a: usize, b: usize) -> bool {
        self.nodes[a].run.is_some() && self.nodes[b].run.is_some()
    }

    fn link(&mut self, a: usize, b: usize, number: u64) {
        if self.links.get(&(a, b)) != Some(&(number, false)) {
            return;
        }
        self.links.insert((a, b), (number, true));
        for (one, other) in [(a, b), (b, a)] {
            self.nodes[one].run().linked.insert(other);
        }
        for (one, other) in [(a, b), (b, a)] {
            if self.nodes[one].run.is_none() {
                continue;
            }
            if let Some(friend) = self.nodes[one].friend_at(other) {
                self.with(one, |node, around| {
                    let hello = node.hello(around, &friend);
                    around.out.push((other, Msg::Hello(Box::new(hello))));
                    Ok(())
                });
            }
            self.pump(one);
        }
    }

    fn unlink(&mut self, a: usize, b: usize) {
        self.links.remove(&pair(a, b));
        for (one, other) in [(a, b), (b, a)] {
            if let Some(run) = self.nodes[one].run.as_mut()
                && run.linked.remove(&other)
            {
                run.said.clear();
                run.listening.remove(&other);
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, msg: Msg) {
        if let Msg::Put(door, _, put) = &msg
            && let Some(owner) = self.nodes[to].doors.get(door).copied()
        {
            self.captured.push(Captured { from, owner, put: put.clone(), at: self.now });
        }
        let deposit = matches!(msg, Msg::Put(..) | Msg::Carry(..));
        if self.with(to, |node, around| node.hear_of(around, from, msg)).is_none() {
            return;
        }
        let before = self.looks.get(&to).copied();
        self.looks.insert(to, deposit || before == Some(true));
        if before.is_none() {
            self.push(self.now, Ev::Look(to, self.incarnation[to]));
        }
    }

    fn pump(&mut self, node: usize) {
        if self.nodes[node].run.is_none() || self.with(node, |node, around| node.pump(around)).is_none() {
            return;
        }
        self.reach_out(node);
        let now = self.now;
        let run = self.nodes[node].run();
        run.rest.retain(|_, until| *until > now);
        let due =
            run.pending.values().map(|(deadline, ..)| *deadline).chain(run.rest.values().copied()).min();
        if let Some(due) = due
            && self.timers[node].is_none_or(|timer| timer > due)
        {
            self.timers[node] = Some(due);
            let incarnation = self.incarnation[node];
            self.push(due, Ev::Timer(node, incarnation));
        }
    }

    /// Lets a node do something, sends what it says, and lets it fall where it crashes.
    pub fn with<T>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Node, &mut Around<'_>) -> Result<T, Crash>,
    ) -> Option<T> {
        let mut around = Around {
            now: self.now,
            rng: &mut self.rng,
            crash: self.weather.crash,
            roads: &self.roads,
            mutant: self.mutant,
            out: Vec::new(),
        };
        let done = act(&mut self.nodes[node], &mut around);
        let out = around.out;
        for (to, msg) in out {
            self.carry(node, to, msg);
        }
        if done.is_err() {
            self.crashes += 1;
            self.down(node);
            let (wait, incarnation) = (1 + self.below(HOUR), self.incarnation[node]);
            self.push(self.now + wait, Ev::Again(node, incarnation));
        }
        done.ok()
    }

    fn carry(&mut self, from: usize, to: usize, msg: Msg) {
        if !self.links.get(&pair(from, to)).is_some_and(|(_, up)| *up) {
            return;
        }
        let incarnation = self.incarnation[to];
        let times = match self.below(100) as u32 {
            fate if fate < self.weather.lost => 0,
            fate if fate < self.weather.lost + self.weather.twice => 2,
            _ => 1,
        };
        for _ in 0..times {
            let at = self.now + self.below(self.weather.delay + 1);
            self.push(at, Ev::Deliver(from, to, incarnation, Box::new(msg.clone())));
        }
    }
}

pub fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// How long a link of these two takes to come up, for this time that both are up.
pub fn link_time(seed: u64, (least, most): (Secs, Secs), (a, b): (usize, usize), since: Secs) -> Secs {
    let hash = sha256(&[&seed.to_be_bytes(), &[a as u8, b as u8], &since.to_be_bytes()]);
    let drawn = u64::from_be_bytes(hash[..8].try_into().unwrap());
    least + drawn % (most - least + 1)
}
