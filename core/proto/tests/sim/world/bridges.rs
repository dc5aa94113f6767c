//! Bridges that lose, repeat and refuse, and somebody who forges what lies there.

use rand_core::RngCore;
use wayside_proto::engine::*;
use wayside_proto::meet::slot::SlotId;

use super::*;

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
    /// The largest record of mail that it takes.
    pub mail: Option<usize>,
    /// A local network: a record is there while its writer is.
    pub present: bool,
}

impl World {
    pub(super) fn insert(
        &mut self,
        bridge: usize,
        owner: usize,
        slot: SlotId,
        bytes: Vec<u8>,
        forged: bool,
    ) -> usize {
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

    /// Leaves a record that somebody else made.
    pub fn plant(&mut self, bridge: usize, slot: SlotId, bytes: Vec<u8>) {
        self.insert(bridge, usize::MAX, slot, bytes, true);
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

    pub(super) fn poll(&mut self, node: usize, bridge: usize) {
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
}
