//! Time, hosts and what is checked.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::Table;
use wayside_proto::mailbox::item::{MessageId, News, Ordered, Receipt};
use wayside_proto::mailbox::outbox::State;
use wayside_proto::mailbox::tables::{Memory, Read};

use crate::recipient::{LIMITS, Recipient};
use crate::sender::Sender;

pub const HOUR: u64 = 3_600;
pub const DAY: u64 = 24 * HOUR;
/// Until then messages are accepted.
const BUSY: u64 = 5 * DAY;
const HOSTS: usize = 3;

/// What is out of the ordinary.
#[derive(Default)]
pub struct Character {
    /// Hosts never delete, and hand out again.
    pub hoarding: bool,
    /// The second recipient makes receipts up.
    pub lying: bool,
    /// The sender goes back to a backup once.
    pub restored: bool,
}

/// What goes to a recipient.
#[derive(Clone)]
pub enum Parcel {
    Item(Ordered),
    News(News),
}

/// Keeps parcels for one recipient.
pub struct Host {
    pub kept: Vec<(u64, Parcel)>,
    pub up: bool,
    pub gone: bool,
}

/// One recipient with what is on its way to it and back.
pub struct Route {
    pub to: AccountId,
    pub hosts: Vec<Host>,
    /// Over the link: when it is there.
    pub link: Vec<(u64, Parcel)>,
    pub receipts: Vec<(u64, Receipt)>,
    pub recipient: Recipient,
}

pub struct World<'a> {
    pub seed: u64,
    pub character: &'a Character,
    pub rng: ChaCha20Rng,
    pub now: u64,
    pub sender: Sender,
    pub routes: Vec<Route>,
    ends: BTreeMap<MessageId, State>,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, character: &'a Character) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let host = || Host { kept: Vec::new(), up: true, gone: false };
        let route = |name| Route {
            to: AccountId([name; 32]),
            hosts: std::iter::repeat_with(host).take(HOSTS).collect(),
            link: Vec::new(),
            receipts: Vec::new(),
            recipient: Recipient::default(),
        };
        let (sender, routes) = (Sender::default(), vec![route(1), route(2)]);
        Self { seed, character, rng, now: 1_000 * DAY, sender, routes, ends: BTreeMap::new() }
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64() % end
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn run(mut self) {
        let begin = self.now;
        let mut backup = None;
        while !self.quiet() {
            let passed = self.now - begin;
            assert!(passed < 60 * DAY, "seed {}: it does not come to rest", self.seed);
            self.weather();
            if self.percent(80) {
                self.sender_turn(passed < BUSY);
            }
            for to in 0..self.routes.len() {
                if self.percent(70) {
                    self.recipient_turn(to);
                }
            }
            if self.character.restored && backup.is_none() && passed > BUSY / 3 {
                backup = Some(self.sender.tables.clone());
            }
            if passed > BUSY / 2
                && let Some(backup) = backup.as_mut().filter(|backup| **backup != Memory::default())
            {
                self.sender.tables = std::mem::take(backup);
            }
            self.look();
            self.now += 60 + self.below(HOUR);
            if passed < BUSY {
                self.sender.busy = true;
            }
        }
        self.check();
    }

    /// Hosts come and go; one of them for good.
    fn weather(&mut self) {
        for route in 0..self.routes.len() {
            for host in 0..HOSTS {
                let (toggles, dies) = (self.percent(10), host == 0 && self.below(300) == 0);
                let (now, hoarding) = (self.now, self.character.hoarding);
                let host = &mut self.routes[route].hosts[host];
                host.up ^= toggles;
                host.gone |= dies;
                host.kept.retain(|(until, _)| hoarding || *until > now);
            }
        }
    }

    /// What the sender says of each message, once it says something that is to last.
    fn look(&mut self) {
        for (id, _) in &self.sender.accepted {
            let Some(state @ (State::Delivered | State::Expired)) = self.sender.state(id) else { continue };
            let before = *self.ends.entry(*id).or_insert(state);
            assert!(
                self.character.restored || before == state,
                "seed {}: {id:?} changed its mind",
                self.seed
            );
        }
        for route in &self.routes {
            let held = route.recipient.left(Table::InboxHeld);
            assert!(held as u64 <= LIMITS.held, "seed {}: {held} wait", self.seed);
        }
    }

    fn quiet(&self) -> bool {
        self.sender.busy
            && self.sender.left(Table::OutboxHeads) == 0
            && self.routes.iter().enumerate().all(|(number, route)| {
                // Who says that it has what it has not waits for it in vain.
                let lies = self.character.lying && number == 1;
                (lies || route.recipient.left(Table::InboxHeld) == 0)
                    && route.recipient.left(Table::InboxOwed) == 0
            })
            && self.sender.accepted.len() > 20
    }

    fn check(&self) {
        let seed = self.seed;
        for table in [Table::Outbox, Table::OutboxLocked, Table::OutboxCopies, Table::OutboxEnds] {
            assert_eq!(self.sender.left(table), 0, "seed {seed}: {table:?}");
        }
        let mut count = [0; 2];
        for (number, route) in self.routes.iter().enumerate() {
            let shown = &route.recipient.shown;
            let ids: BTreeSet<MessageId> = shown.iter().map(|(_, id)| *id).collect();
            assert_eq!(ids.len(), shown.len(), "seed {seed}: shown twice");
            assert!(shown.is_sorted_by_key(|(seq, _)| *seq), "seed {seed}: out of order");
            for (id, to) in self.sender.accepted.iter().filter(|(_, to)| *to == route.to) {
                let (end, shown) = (self.ends.get(id), ids.contains(id));
                count[usize::from(shown)] += 1;
                let says = match end {
                    Some(State::Delivered) => true,
                    Some(State::Expired) => false,
                    // The backup does not know of it.
                    _ => {
                        assert!(self.character.restored, "seed {seed}: {id:?} to {to:?} came to nothing");
                        continue;
                    }
                };
                let lies = self.character.lying && number == 1;
                let late = self.character.hoarding && shown;
                assert!(
                    says == shown || lies || late || self.character.restored,
                    "seed {seed}: {id:?} is said to be {end:?}, and was shown: {shown}"
                );
            }
        }
        assert!(count[1] > 5, "seed {seed}: too little arrived to tell anything: {count:?}");
    }
}

/// How many entries a table has.
pub fn left(tables: &Memory, table: Table) -> usize {
    tables.scan(table, &[], &[0xff; 128], usize::MAX).unwrap().len()
}
