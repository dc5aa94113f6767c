//! Anything in any order, against a list that is gone through from end to end.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::mailbox::wire::{MAX_BLOB, MAX_LIFETIME};

#[derive(Clone)]
struct Item {
    arrival: u64,
    owner: AccountId,
    queue: QueueId,
    hash: BlobHash,
    blob: Vec<u8>,
    ends: Age,
    having: Vec<DeviceId>,
    gone: bool,
}

#[derive(Clone)]
struct Borne {
    arrival: u64,
    by: AccountId,
    ends: Age,
    carry: Carry,
}

#[derive(Clone, Default)]
struct Model {
    last: u64,
    queues: BTreeMap<QueueId, (AccountId, Secret)>,
    devices: BTreeMap<AccountId, Vec<DeviceId>>,
    items: Vec<Item>,
    borne: Vec<Borne>,
    /// In how many parts of how many bytes an owner's room was shared when something was last left for it.
    shares: BTreeMap<AccountId, (u64, u64)>,
}

fn counts(length: usize) -> u64 {
    (length as u64).max(512)
}

impl Borne {
    fn counts(&self) -> u64 {
        counts(crate::codec::encode(&self.carry).len())
    }
}

impl Model {
    fn lives(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.gone)
    }

    fn of_owner(&self, owner: AccountId) -> Vec<QueueId> {
        let own = self.queues.iter().filter(|(_, (of, _))| *of == owner);
        own.map(|(queue, _)| *queue).collect()
    }

    /// Bytes and items in each queue of the owner's, `None` for what is carried.
    fn uses(&self, owner: AccountId) -> BTreeMap<Option<QueueId>, (u64, u64)> {
        let mut uses: BTreeMap<_, (u64, u64)> = BTreeMap::from([(None, (0, 0))]);
        uses.extend(self.of_owner(owner).into_iter().map(|queue| (Some(queue), (0, 0))));
        let mut used = |of, bytes| {
            let (all, items) = uses.get_mut(&of).unwrap();
            (*all, *items) = (*all + bytes, *items + 1);
        };
        for item in self.lives().filter(|item| item.owner == owner) {
            used(Some(item.queue), counts(item.blob.len()));
        }
        for borne in self.borne.iter().filter(|borne| borne.by == owner) {
            used(None, borne.counts());
        }
        uses
    }

    fn bytes(&self, owner: AccountId) -> u64 {
        self.uses(owner).values().map(|(bytes, _)| bytes).sum()
    }

    fn total(&self) -> u64 {
        (0..4).map(|nth| self.bytes(friend(nth))).sum()
    }

    /// What counts as used by an owner in the whole.
    fn claims(&self, owner: AccountId) -> u64 {
        let (parts, part) = self.shares.get(&owner).copied().unwrap_or_default();
        parts * part + self.over(owner, part)
    }

    fn over(&self, owner: AccountId, part: u64) -> u64 {
        self.uses(owner).values().map(|(bytes, _)| bytes.saturating_sub(part)).sum()
    }

    /// Takes it in if it has room.
    fn takes(
        &mut self,
        now: Age,
        limits: &Limits,
        owner: AccountId,
        of: Option<QueueId>,
        bytes: u64,
        take: impl FnOnce(&mut Self, u64),
    ) -> Answer {
        if bytes > limits.queue || bytes > limits.friend || bytes > limits.total || limits.queue_items == 0 {
            return Answer::Full(86_400);
        }
        let parts = self.of_owner(owner).len() as u64 + 1;
        let friends = u64::from(limits.friends.max(1));
        let of_friend = limits.total / 2 / friends;
        let part = limits.friend.min(of_friend) / 2 / parts;
        self.shares.insert(owner, (parts, part));

        let mut after = self.clone();
        after.last += 1;
        take(&mut after, self.last + 1);
        let beyond = |model: &Self, of| model.uses(owner)[&of].0.saturating_sub(part);
        let beyond_of_friend = |model: &Self| model.claims(owner).saturating_sub(of_friend);
        let all: u64 = (0..4).map(|nth| after.claims(friend(nth)).saturating_sub(of_friend)).sum();
        let (used, items) = after.uses(owner)[&of];
        let fits = used <= limits.queue
            && items <= limits.queue_items
            && after.bytes(owner) <= limits.friend
            && (beyond(&after, of) == beyond(self, of)
                || after.over(owner, part) <= limits.friend - parts * part)
            && after.total() <= limits.total
            && (beyond_of_friend(&after) <= beyond_of_friend(self)
                || all <= limits.total - friends * of_friend);
        if fits {
            *self = after;
            return Answer::Stored;
        }
        let ends = self.items.iter().map(|item| item.ends).chain(self.borne.iter().map(|borne| borne.ends));
        let retry = ends.map(|ends| ends.since(now)).min().unwrap_or(900).clamp(60, 900);
        Answer::Full(u32::try_from(retry).unwrap())
    }

    fn deposit(&mut self, now: Age, limits: &Limits, owner: AccountId, put: &Put) -> Answer {
        let sized = |length| (1..=MAX_BLOB).contains(&length);
        if !sized(put.blob.len()) || put.lifetime == 0 || put.lifetime > MAX_LIFETIME {
            return Answer::Malformed;
        }
        let good = self.queues.get(&put.queue).is_some_and(|(of, key)| {
            *of == owner && put.mac == mac(key, &put.queue, &put.hash, put.lifetime)
        });
        if !good {
            return Answer::Denied;
        }
        if hash(&put.blob) != put.hash {
            return Answer::Malformed;
        }
        self.items.retain(|item| (item.queue, item.hash) != (put.queue, put.hash) || item.ends > now);
        if self.items.iter().any(|item| (item.queue, item.hash) == (put.queue, put.hash)) {
            return Answer::Stored;
        }
        let ends = now.after(u64::from(put.lifetime.min(limits.lifetime)));
        let Put { queue, hash, blob, .. } = put.clone();
        self.takes(now, limits, owner, Some(queue), counts(blob.len()), |model, arrival| {
            model.items.push(Item {
                arrival,
                owner,
                queue,
                hash,
                blob,
                ends,
                having: Vec::new(),
                gone: false,
            });
        })
    }

    fn carry(&mut self, now: Age, limits: &Limits, by: AccountId, carry: &Carry) -> Answer {
        let what = |carry: &Carry| (carry.host.guest, carry.put.hash);
        self.borne.retain(|borne| borne.by != by || what(&borne.carry) != what(carry) || borne.ends > now);
        if self.borne.iter().any(|borne| borne.by == by && what(&borne.carry) == what(carry)) {
            return Answer::Stored;
        }
        let ends = now.after(u64::from(carry.put.lifetime.min(limits.lifetime)));
        let carry = carry.clone();
        let bytes = counts(crate::codec::encode(&carry).len());
        self.takes(now, limits, by, None, bytes, |model, arrival| {
            model.borne.push(Borne { arrival, by, ends, carry });
        })
    }

    fn register(&mut self, owner: AccountId, queues: &[Queue], devices: &[DeviceId], most: usize) -> bool {
        let known = self.of_owner(owner);
        self.queues.retain(|id, (of, _)| *of != owner || queues.iter().any(|queue| queue.id == *id));
        let left = self.queues.clone();
        self.items.retain(|item| left.contains_key(&item.queue));
        let mut all = true;
        let mut taken: BTreeMap<QueueId, Secret> = BTreeMap::new();
        for is_known in [true, false] {
            for queue in queues.iter().filter(|queue| known.contains(&queue.id) == is_known) {
                if let Some(key) = taken.get(&queue.id) {
                    all &= *key == queue.key;
                } else if self.queues.get(&queue.id).is_some_and(|(of, _)| *of != owner)
                    || !is_known && taken.len() >= most
                {
                    all = false;
                } else {
                    self.queues.insert(queue.id, (owner, queue.key.clone()));
                    taken.insert(queue.id, queue.key.clone());
                }
            }
        }
        let devices = devices.to_vec();
        let before = self.devices.insert(owner, devices.clone()).unwrap_or_default();
        if !devices.is_empty() && before.iter().any(|device| !devices.contains(device)) {
            for item in self.items.iter_mut().filter(|item| item.owner == owner) {
                item.gone |= devices.iter().all(|device| item.having.contains(device));
            }
        }
        all
    }

    fn acknowledge(&mut self, now: Age, owner: AccountId, device: DeviceId, arrivals: &[u64]) -> u64 {
        let devices = self.devices.get(&owner).cloned().unwrap_or_default();
        if !devices.contains(&device) {
            return 0;
        }
        let mut went = Vec::new();
        for item in &mut self.items {
            if item.owner != owner || item.gone || !arrivals.contains(&item.arrival) {
                continue;
            }
            if !item.having.contains(&device) {
                item.having.retain(|having| devices.contains(having));
                item.having.push(device);
                item.gone = devices.iter().all(|device| item.having.contains(device));
            }
            if item.gone {
                went.push(item.arrival);
            }
        }
        // What is over is not remembered.
        self.items.retain(|item| item.ends > now || !went.contains(&item.arrival));
        went.len() as u64
    }

    fn expire(&mut self, now: Age, most: usize) -> usize {
        let ends = self.items.iter().map(|item| (item.ends, item.arrival));
        let ends = ends.chain(self.borne.iter().map(|borne| (borne.ends, borne.arrival)));
        let mut over: Vec<_> = ends.filter(|(ends, _)| *ends <= now).collect();
        over.sort_unstable();
        over.truncate(most);
        self.items.retain(|item| !over.contains(&(item.ends, item.arrival)));
        self.borne.retain(|borne| !over.contains(&(borne.ends, borne.arrival)));
        over.len()
    }

    fn turn_out(&mut self, owner: AccountId) {
        self.queues.retain(|_, (of, _)| *of != owner);
        self.items.retain(|item| item.owner != owner);
        self.borne.retain(|borne| borne.by != owner);
        self.devices.remove(&owner);
    }

    fn list(&self, owner: AccountId, device: DeviceId, after: u64, most: usize) -> Vec<Listed> {
        let own = self
            .lives()
            .filter(|item| item.owner == owner && item.arrival > after && !item.having.contains(&device));
        let listed = own.map(|Item { arrival, queue, hash, blob, .. }| Listed {
            arrival: *arrival,
            queue: *queue,
            hash: *hash,
            size: u32::try_from(blob.len()).unwrap(),
        });
        listed.take(most).collect()
    }

    fn held(&self) -> Vec<(AccountId, Usage)> {
        let used = (0..4).map(|nth| {
            let uses = self.uses(friend(nth)).into_iter().filter(|(of, _)| of.is_some());
            let (bytes, items) = uses.fold((0, 0), |all, (_, used)| (all.0 + used.0, all.1 + used.1));
            (friend(nth), Usage { items, bytes })
        });
        used.filter(|(_, usage)| usage.items > 0).collect()
    }

    /// An owner of whom nothing is known any more has its room shared anew.
    fn forget_shares(&mut self) {
        let owners: Vec<_> = self.shares.keys().copied().collect();
        for owner in owners {
            let devices = self.devices.get(&owner).is_some_and(|devices| !devices.is_empty());
            if !devices && self.of_owner(owner).is_empty() && self.bytes(owner) == 0 {
                self.shares.remove(&owner);
            }
        }
    }
}

struct Draw(ChaCha20Rng);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0.next_u64() % most
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()].clone()
    }

    fn small(&mut self, most: u8) -> u8 {
        u8::try_from(self.below(u64::from(most))).unwrap()
    }

    /// Some of so many.
    fn some(&mut self, most: u8) -> Vec<u8> {
        (0..most).filter(|_| self.below(4) < 3).collect()
    }

    fn put(&mut self, nth: u8) -> Put {
        let length = self.of(&[1, 511, 512, 513, 1000, 4000, 20_000]);
        let length = if self.below(40) == 0 { self.of(&[0, MAX_BLOB, MAX_BLOB + 1]) } else { length };
        let lifetime = self.of(&[3600, 86_400, 7 * 86_400, MAX_LIFETIME]);
        let lifetime = if self.below(40) == 0 { self.of(&[0, MAX_LIFETIME + 1]) } else { lifetime };
        let number = self.below(6);
        let mut put = put_of(nth, lifetime, blob(number, length));
        match self.below(40) {
            0 => put.mac[0] ^= 1,
            1 => put.hash.0[0] ^= 1,
            2 => {
                // Good but for what it is of.
                put.hash.0[0] ^= 1;
                put.mac = mac(&key(nth), &put.queue, &put.hash, put.lifetime);
            }
            _ => (),
        }
        put
    }
}

/// Does something, to both; whether they say the same of it.
fn act(
    ledger: &mut Ledger<'_, Memory>,
    model: &mut Model,
    draw: &mut Draw,
    now: Age,
    limits: &Limits,
) -> bool {
    // Queues 0–3 are friend 0's by rights, 4–7 friend 1's, 8–11 friend 2's; friend 3 has a part of friend 0's if that one lets it.
    let nth = draw.small(4);
    let owner = friend(nth);
    let own = if draw.below(12) == 0 { draw.small(12) } else { nth % 3 * 4 + draw.small(4) };
    match draw.below(28) {
        0..=13 => {
            let put = draw.put(own);
            let answer = ledger.deposit(now, limits, &owner, &put).unwrap();
            answer == model.deposit(now, limits, owner, &put)
        }
        14..=16 => {
            let mut named = queues(draw.some(4).into_iter().map(|at| nth % 3 * 4 + at));
            if draw.below(5) == 0 {
                named.push(queue(own));
                named.push(Queue { id: id(own), key: key(own + draw.small(2)) });
            }
            let devices: Vec<_> = draw.some(3).into_iter().map(device).collect();
            let most = draw.of(&[2, 3, 64, 64]);
            let all = ledger.register(&owner, &named, &devices, most).unwrap();
            all == model.register(owner, &named, &devices, most)
        }
        17..=21 => {
            let by = device(draw.small(4));
            let mut arrival = || draw.below(model.last + 2);
            let arrivals = [arrival(), arrival(), arrival(), draw.of(&[0, u64::MAX])];
            let went = ledger.acknowledge(now, &owner, &by, &arrivals).unwrap();
            went == model.acknowledge(now, owner, by, &arrivals)
        }
        22..=23 => {
            let most = draw.of(&[1, 2, 100]);
            ledger.expire(now, most).unwrap() == model.expire(now, most)
        }
        24..=25 => {
            let lifetime = draw.of(&[3600, 7 * 86_400]);
            let put = put_of(own, lifetime, blob(draw.below(4), 900));
            let carry = Carry { host: host(draw.small(2)), put };
            let answer = ledger.take_to_carry(now, limits, &owner, &carry).unwrap();
            answer == model.carry(now, limits, owner, &carry)
        }
        26 => {
            let arrival = draw.below(model.last + 2);
            ledger.carried_over(arrival).unwrap();
            model.borne.retain(|borne| borne.arrival != arrival);
            true
        }
        _ if draw.below(3) == 0 => {
            let most = draw.of(&[1, 3, 100]);
            while !ledger.turn_out(&owner, most).unwrap() {}
            model.turn_out(owner);
            true
        }
        _ => true,
    }
}

/// Whether both show the same, and the tables are sound.
fn compare(tables: &Memory, model: &Model, draw: &mut Draw, at: &str) {
    audit(tables);
    assert_eq!(held(tables).unwrap(), model.held(), "{at}");
    assert_eq!(total(tables).unwrap(), model.total(), "{at}");
    let (owner, by, most) = (friend(draw.small(4)), device(draw.small(4)), draw.of(&[1, 3, 100]));
    let arrival = draw.below(model.last + 2);
    let listed = list(tables, &owner, &by, arrival, most).unwrap();
    assert_eq!(listed, model.list(owner, by, arrival, most), "{at}");
    let own = model.lives().find(|item| item.owner == owner && item.arrival == arrival);
    let blob = get(tables, &owner, arrival).unwrap();
    assert_eq!(blob, own.map(|item| item.blob.clone()), "{at}");
    let borne = model.borne.iter().filter(|borne| borne.arrival >= arrival);
    let borne: Vec<_> = borne.take(most).map(|borne| (borne.arrival, borne.carry.clone())).collect();
    assert_eq!(carried(tables, arrival, most).unwrap(), borne, "{at}");
    let mut by_host: BTreeMap<[u8; 32], Vec<u64>> = BTreeMap::new();
    for borne in &model.borne {
        by_host.entry(borne.carry.host.guest).or_default().push(borne.arrival);
    }
    assert_eq!(carried_by_host(tables).unwrap(), by_host, "{at}");
}

fn play(seed: u64) {
    let mut draw = Draw(ChaCha20Rng::seed_from_u64(seed));
    let mut limits = Limits {
        total: 120_000,
        friend: 60_000,
        queue: 40_000,
        queue_items: 6,
        lifetime: 20 * 86_400,
        friends: 4,
    };
    let (mut tables, mut model) = (Memory::default(), Model::default());
    let mut now = NOW;
    let mut kept = (tables.clone(), model.clone());
    for step in 0..100 {
        let at = format!("seed {seed}, transaction {step}");
        match draw.below(20) {
            0..=1 => now = now.after(draw.of(&[600, 3600, 86_400, 7 * 86_400])),
            2 => {
                limits.total = draw.of(&[60_000, 120_000, 121_001]);
                limits.friend = draw.of(&[30_000, 60_000, 60_001, 200_000]);
                limits.friends = draw.of(&[0, 1, 3, 4]);
                limits.queue_items = draw.of(&[3, 6, 100]);
            }
            3 => kept = (tables.clone(), model.clone()),
            // The transactions since then were lost; no age goes back.
            4 => (tables, model) = kept.clone(),
            _ => (),
        }
        let before = (tables.clone(), model.clone());
        let mut ledger = Ledger::open(&mut tables).unwrap();
        for _ in 0..=draw.below(4) {
            assert!(act(&mut ledger, &mut model, &mut draw, now, &limits), "{at}");
        }
        ledger.close().unwrap();
        model.forget_shares();
        compare(&tables, &model, &mut draw, &at);
        // A crash before it is on disk.
        if draw.below(10) == 0 {
            (tables, model) = before;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_what_a_plain_list_does(seed: u64) {
        play(seed);
    }
}
