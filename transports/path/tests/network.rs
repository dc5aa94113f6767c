//! Whole links over made-up networks: paths with latency and loss that are cut and healed at random, in virtual time. A failure prints its
//! seed; `WAYSIDE_PATH_SEED=n` replays it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::{collections::BTreeMap, time::Duration};

use wayside_path::{Action, Kind, PathKey, Paths, Sample};

/// splitmix64 (Steele, Lea and Flood, 2014).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One way through the network.
struct Wire {
    kind: Kind,
    rtt: u64,
    /// Per cent, there and back together.
    loss: u64,
    cut: bool,
    sent: u64,
    received: u64,
    /// Milliseconds at which acknowledgements arrive.
    echoes: Vec<u64>,
    closed: bool,
}

struct World {
    random: Seeded,
    now: u64,
    wires: BTreeMap<PathKey, Wire>,
    candidates: Vec<(Kind, u64, u64, bool)>,
    paths: Paths,
    prefer: Option<PathKey>,
    next_key: u32,
    pings: u64,
    opening: Vec<(u64, usize)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: Seeded(seed),
            now: 0,
            wires: BTreeMap::new(),
            candidates: Vec::new(),
            paths: Paths::default(),
            prefer: None,
            next_key: 0,
            pings: 0,
            opening: Vec::new(),
        };
        let kinds = [Kind::Udp { v6: false }, Kind::Udp { v6: true }, Kind::Tcp, Kind::Relayed];
        for number in 0..2 + world.random.below(3) {
            let kind = kinds[world.random.below(4) as usize];
            let (rtt, loss) = (1 + world.random.below(150), world.random.below(12));
            world.candidates.push((kind, rtt, loss, false));
            let candidate = world.paths.add_candidate(Duration::ZERO, kind).unwrap();
            if number == 0 {
                let key = world.wire(candidate);
                world.paths.opened(Duration::ZERO, key, kind, Duration::from_millis(rtt));
                world.paths.began_at(key, candidate);
            }
        }
        world
    }

    fn wire(&mut self, candidate: usize) -> PathKey {
        let (kind, rtt, loss, cut) = self.candidates[candidate];
        let key = PathKey(self.next_key);
        self.next_key += 1;
        let wire = Wire { kind, rtt, loss, cut, sent: 0, received: 0, echoes: vec![], closed: false };
        self.wires.insert(key, wire);
        key
    }

    fn send(&mut self, key: PathKey) {
        let lost = self.random.below(100);
        let wire = self.wires.get_mut(&key).unwrap();
        if wire.closed {
            return;
        }
        wire.sent += 1200;
        if !wire.cut && lost >= wire.loss {
            wire.echoes.push(self.now + wire.rtt + 25);
        }
    }

    /// A millisecond passes; `sending` says that the application writes.
    fn step(&mut self, sending: bool) {
        self.now += 1;
        let now = Duration::from_millis(self.now);
        for wire in self.wires.values_mut() {
            let arrived = wire.echoes.iter().filter(|at| **at <= self.now).count() as u64;
            wire.echoes.retain(|at| *at > self.now);
            if !wire.cut {
                wire.received += arrived;
            }
        }
        if sending && self.now.is_multiple_of(5) {
            self.paths.stir(now);
            if let Some(key) = self.prefer {
                self.send(key);
            }
        }
        let opened: Vec<_> =
            self.opening.iter().filter(|(at, _)| *at <= self.now).map(|(_, at)| *at).collect();
        self.opening.retain(|(at, _)| *at > self.now);
        for candidate in opened {
            if self.candidates[candidate].3 {
                self.paths.attempt_failed(now, candidate);
            } else {
                let key = self.wire(candidate);
                let rtt = Duration::from_millis(self.candidates[candidate].1);
                self.paths.opened_to(now, key, candidate, rtt);
            }
        }
        if self.paths.poll_timeout().is_some_and(|due| due <= now) {
            for (key, wire) in self.wires.iter().filter(|(_, wire)| !wire.closed) {
                let rtt = Duration::from_millis(wire.rtt);
                self.paths.observe(
                    now,
                    *key,
                    Sample { sent: wire.sent, received: wire.received, rtt, ..Sample::default() },
                );
            }
            self.paths.handle_timeout(now);
        }
        while let Some(action) = self.paths.poll_action() {
            match action {
                Action::Prefer(key) => {
                    assert!(!self.wires[&key].closed, "prefers a closed path");
                    self.prefer = Some(key);
                }
                Action::Ask(key) => {
                    self.pings += 1;
                    self.send(key);
                }
                Action::Close(key) => {
                    self.wires.get_mut(&key).unwrap().closed = true;
                    assert!(self.wires.values().any(|wire| !wire.closed), "closes the last path");
                }
                Action::Open(candidate) => {
                    let takes = 2 * self.candidates[candidate].1 + 5;
                    self.opening.push((self.now + takes, candidate));
                }
            }
        }
        let preferred = self.paths.preferred();
        assert!(preferred.is_some_and(|key| !self.wires[&key].closed), "no open path is preferred");
    }

    fn cut(&mut self, kind_of: usize, cut: bool) {
        self.candidates[kind_of].3 = cut;
        let (kind, rtt, ..) = self.candidates[kind_of];
        for wire in self.wires.values_mut().filter(|wire| wire.kind == kind && wire.rtt == rtt) {
            wire.cut = cut;
        }
    }
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("WAYSIDE_PATH_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..count).collect(),
    }
}

struct Say(u64);

impl Drop for Say {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("WAYSIDE_PATH_SEED={}\n", self.0))
                .ok();
        }
    }
}

#[test]
fn a_cut_path_is_left_for_a_living_one() {
    for seed in seeds(400) {
        let _say = Say(seed);
        let mut world = World::new(seed);
        (0..4_000).for_each(|_| world.step(true));
        let key = world.prefer.unwrap();
        let open: Vec<_> = world.wires.values().filter(|wire| !wire.closed).collect();
        if open.len() < 2 {
            continue;
        }
        let slowest = open.iter().map(|wire| wire.rtt).max().unwrap();
        world.wires.get_mut(&key).unwrap().cut = true;
        let began = world.now;
        while world.prefer == Some(key) {
            world.step(true);
            // Two looks, the doubt, the grace, and the other's answer, each with its round trips; and losses of questions.
            let bound = 400 + 6 * slowest;
            assert!(world.now - began < bound, "still on the cut path after {bound} ms");
        }
        assert!(!world.wires[&world.prefer.unwrap()].cut);
    }
}

#[test]
fn whatever_is_cut_and_healed_some_open_path_is_in_use_and_in_the_end_a_living_one() {
    for seed in seeds(40) {
        let _say = Say(seed);
        let mut world = World::new(seed);
        let candidates = world.candidates.len() as u64;
        for _ in 0..20 {
            for _ in 0..world.random.below(1_500) {
                world.step(true);
            }
            let (which, cut) = (world.random.below(candidates) as usize, world.random.below(2) == 0);
            world.cut(which, cut);
        }
        for which in 0..candidates as usize {
            world.cut(which, false);
        }
        (0..3_000).for_each(|_| world.step(true));
        assert!(!world.wires[&world.prefer.unwrap()].cut);
        let best = world.candidates.iter().map(|(kind, ..)| *kind).min().unwrap();
        for _ in 0..70_000 {
            world.step(true);
        }
        let in_use = world.wires[&world.prefer.unwrap()].kind;
        assert_eq!(in_use.is_direct(), best.is_direct(), "healed, and not back on the best kind: {in_use:?}");
    }
}

#[test]
fn a_healthy_busy_link_is_hardly_asked_and_an_idle_one_never() {
    for seed in seeds(20) {
        let _say = Say(seed);
        let mut world = World::new(seed);
        for candidate in &mut world.candidates {
            candidate.2 = 0;
        }
        for wire in world.wires.values_mut() {
            wire.loss = 0;
        }
        (0..5_000).for_each(|_| world.step(true));
        // Each one that opens beside others has all of them asked once.
        let opened = world.wires.len() as u64;
        assert!(world.pings <= opened * (opened + 1) / 2, "asked a path that answers in time");
        (0..70_000).for_each(|_| world.step(false));
        let before = world.pings;
        (0..60_000).for_each(|_| world.step(false));
        assert_eq!(world.pings, before);
    }
}
