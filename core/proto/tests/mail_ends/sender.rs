//! The sender's turn.

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::item::{FileRef, MessageId, News, Ordered};
use wayside_proto::mailbox::outbox::{self, Accepted, Bounds, Outgoing, Sealed, Sealer, State, Waiting};
use wayside_proto::mailbox::placement::{self, Copy, Keeper, Known, Policy};
use wayside_proto::mailbox::tables::Memory;
use wayside_proto::mailbox::{Age, Table};

use crate::world::{DAY, HOUR, Parcel, World, left};

const BOUNDS: Bounds = Bounds { messages: 1_000, bytes: 1 << 24, total: 1 << 25 };
const POLICY: Policy = Policy { copies: 2, doubt: DAY };

#[derive(Default)]
pub struct Sender {
    pub tables: Memory,
    pub accepted: Vec<(MessageId, AccountId)>,
    /// Whether it has begun.
    pub busy: bool,
    news: u64,
    /// When a host was there last, by route and host.
    seen: [[Option<Age>; 3]; 2],
}

impl Sender {
    pub fn state(&self, id: &MessageId) -> Option<State> {
        outbox::state(&self.tables, id).unwrap().map(|(_, state, _)| state)
    }

    pub fn left(&self, table: Table) -> usize {
        left(&self.tables, table)
    }
}

/// Knows no keys on the first day.
struct Plain {
    knows: bool,
}

impl Sealer for Plain {
    fn seal(&mut self, item: &Ordered) -> Sealed {
        let bytes = minicbor::to_vec(item).unwrap();
        if self.knows { Sealed::Blob(bytes) } else { Sealed::Locked(bytes) }
    }

    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered> {
        minicbor::decode(locked).ok()
    }
}

impl World<'_> {
    pub fn sender_turn(&mut self, accepts: bool) {
        for route in 0..self.routes.len() {
            self.hear(route);
        }
        let now = Age(self.now);
        self.attempt(|tables| outbox::expire(tables, now).unwrap());
        if accepts && self.percent(60) {
            self.accept();
        }
        for route in 0..self.routes.len() {
            let to = self.routes[route].to;
            let mut sealer = self.sealer();
            self.attempt(|tables| outbox::seal_waiting(tables, &to, 10, &mut sealer).unwrap());
            self.place(route);
            if self.percent(15) {
                self.send(route);
            }
            if outbox::behind(&self.sender.tables, &to).unwrap() && self.percent(30) {
                self.tell_floor(route);
            }
        }
    }

    fn sealer(&self) -> Plain {
        Plain { knows: self.now > 1_001 * DAY }
    }

    /// One transaction: all of it, none of it, or all of it and nobody learns of it.
    fn attempt<V>(&mut self, change: impl FnOnce(&mut Memory) -> V) -> Option<V> {
        let fate = self.below(100);
        if fate < 4 {
            change(&mut self.sender.tables.clone());
            return None;
        }
        let value = change(&mut self.sender.tables);
        (fate < 96).then_some(value)
    }

    fn hear(&mut self, route: usize) {
        let (now, from) = (self.now, self.routes[route].to);
        for _ in 0..self.routes[route].receipts.len().min(12) {
            let which = self.below(self.routes[route].receipts.len() as u64) as usize;
            let (there, receipt) = self.routes[route].receipts[which].clone();
            if there > now {
                continue;
            }
            let heard = self.attempt(|tables| outbox::receipt(tables, Age(now), &from, &receipt).unwrap());
            // Some come again days later.
            if heard.is_some() && self.percent(90) && self.routes[route].receipts.len() > 3 {
                self.routes[route].receipts.swap_remove(which);
            }
        }
        // At the end of each turn it has read all that lay there.
        for (there, receipt) in self.routes[route].receipts.clone() {
            if there <= now {
                outbox::receipt(&mut self.sender.tables, Age(now), &from, &receipt).unwrap();
            }
        }
    }

    fn accept(&mut self) {
        let known = self.sender.accepted.len() as u64;
        if known > 0 && self.percent(10) {
            // Asked for again.
            let which = self.below(known) as usize;
            let (id, to) = self.sender.accepted[which];
            if self.sender.state(&id).is_some() {
                let message = self.outgoing(id, to, 0);
                let (now, mut sealer) = (Age(self.now), self.sealer());
                let again = self
                    .attempt(|tables| outbox::accept(tables, now, message, &BOUNDS, &mut sealer).unwrap());
                assert!(!matches!(again, Some(Accepted::Now)), "seed {}: accepted twice", self.seed);
            }
            return;
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&known.to_be_bytes());
        let which = self.below(2) as usize;
        let to = self.routes[which].to;
        let parts = if self.percent(25) { 1 + self.below(5) as usize } else { 0 };
        let message = self.outgoing(id, to, parts);
        let (now, mut sealer) = (Age(self.now), self.sealer());
        self.attempt(|tables| outbox::accept(tables, now, message, &BOUNDS, &mut sealer).unwrap());
        // Whoever asked looks whether it is there.
        if self.sender.state(&id).is_some() {
            self.sender.accepted.push((id, to));
        }
    }

    fn outgoing(&mut self, id: MessageId, to: AccountId, parts: usize) -> Outgoing {
        // A clock that jumps by a year now and then.
        let year = if self.percent(5) { 365 * DAY } else { 0 };
        let parts: Vec<Vec<u8>> = (0..parts).map(|part| vec![part as u8; 10 + part]).collect();
        let size = parts.iter().map(|part| part.len() as u64).sum();
        let file = FileRef { id, name: "a".into(), size, hash: [0; 32] };
        let files = if parts.is_empty() { Vec::new() } else { vec![(file, parts)] };
        let lifetime = 6 * HOUR + self.below(4 * DAY);
        Outgoing {
            id,
            to,
            text: "text".into(),
            files,
            sent: UnixMillis::from_secs(self.now + year),
            lifetime,
        }
    }

    fn place(&mut self, route: usize) {
        let now = Age(self.now);
        let mut known = Vec::new();
        for host in 0..self.routes[route].hosts.len() {
            let there = self.routes[route].hosts[host].up && !self.routes[route].hosts[host].gone;
            if there {
                self.sender.seen[route][host] = Some(now);
            }
            known.push(Known { keeper: Keeper::Host([host as u8; 32]), seen: self.sender.seen[route][host] });
        }
        let to = self.routes[route].to;
        let due = placement::due(&self.sender.tables, now, &POLICY, &to, &known, 0, 40).unwrap();
        for due in due {
            let Keeper::Host(guest) = due.keeper else { continue };
            let Some(item) = outbox::item(&self.sender.tables, &to, due.seq).unwrap() else { continue };
            let host = &mut self.routes[route].hosts[usize::from(guest[0])];
            if !host.up || host.gone {
                continue;
            }
            let fate = self.below(100);
            let copy = match fate {
                0..10 => Copy::Full(now.after(HOUR)),
                10..15 => Copy::Denied(now),
                _ => Copy::Stored(now),
            };
            if matches!(copy, Copy::Stored(_)) {
                // Counted in hours, from when it came.
                let lifetime = item.ends.since(now).div_ceil(HOUR) * HOUR;
                let parcel = (self.now + lifetime, opened(item));
                self.routes[route].hosts[usize::from(guest[0])].kept.push(parcel);
            }
            self.attempt(|tables| placement::placed(tables, &to, due.seq, &due.keeper, copy).unwrap());
        }
    }

    /// Over the link, which may end at any item.
    fn send(&mut self, route: usize) {
        let to = self.routes[route].to;
        let waiting = outbox::waiting(&self.sender.tables, &to, 0, 8).unwrap();
        for item in waiting {
            if matches!(item.sealed, Sealed::Locked(_)) || self.now >= item.ends.0 || self.percent(30) {
                continue;
            }
            let there = self.now + self.below(600);
            self.routes[route].link.push((there, opened(item)));
        }
    }

    fn tell_floor(&mut self, route: usize) {
        self.sender.news += 1;
        let floor = outbox::floor(&self.sender.tables, &self.routes[route].to).unwrap();
        let parcel = Parcel::News(News { seq: self.sender.news, floor, ..News::default() });
        let host = self.below(3) as usize;
        self.routes[route].hosts[host].kept.push((self.now + 3 * DAY, parcel));
    }
}

fn opened(item: Waiting) -> Parcel {
    let Sealed::Blob(bytes) = item.sealed else { panic!("a locked item goes out") };
    Parcel::Item(minicbor::decode(&bytes).unwrap())
}
