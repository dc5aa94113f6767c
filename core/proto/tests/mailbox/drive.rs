//! How the ends are driven, the reference for the node: what is to be done whenever something may have changed, and what is done with what comes. Nobody is told anything before it
//! is on disk.

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::item::{Content, Item, Kind, MessageId, News, Ordered, Receipt};
use wayside_proto::mailbox::outbox::{self, Accepted, Outgoing, Sealed, Sealer, State, Waiting};
use wayside_proto::mailbox::placement::{self, Copy, Due, Keeper, Known};
use wayside_proto::mailbox::seal::{self, Recipient};
use wayside_proto::mailbox::wire::{
    Answer, Ask, BlobHash, Carry, HostEntry, Listed, MAX_LIFETIME, Put, Queue, Told,
};
use wayside_proto::mailbox::{Age, custody, inbox};

use super::mutants::Mutant;
use super::node::*;

const HELD: inbox::Limits = inbox::Limits { held: 1000, bytes: 1 << 24 };
const BOUNDS: outbox::Bounds = outbox::Bounds { messages: 1000, bytes: 1 << 24, total: 1 << 26 };
/// After how long without an answer something is asked again.
const PATIENCE: Secs = 30;
/// How long a list is waited on before it is read from the start again.
const LISTEN: Secs = 4 * HOUR;
/// How often who waits for what is over is told so.
const FLOOR: Secs = 6 * HOUR;
/// How many items are looked at at a time.
const MOST: usize = 64;

/// Seals for a friend, or for ourselves while its keys are not known.
struct Sealing<'a> {
    from: (&'a AccountId, &'a wayside_proto::crypto::keys::NoiseKey),
    device: wayside_proto::crypto::keys::DeviceId,
    to: &'a AccountId,
    towards: Option<&'a Towards>,
    age: Age,
    wall: UnixMillis,
    rng: &'a mut rand_chacha::ChaCha20Rng,
}

impl Sealing<'_> {
    fn blob(&mut self, kind: Kind) -> Option<Vec<u8>> {
        let target = &self.towards?.target;
        let (prekey, key, psk) = target.current(self.age, self.wall)?;
        let recipients = [Recipient { device: target.access.device, prekey, key, psk }];
        let item = minicbor::to_vec(Item { device: self.device, kind }).unwrap();
        seal::seal(self.from, self.to, &recipients, &item, self.rng).ok()
    }
}

impl Sealer for Sealing<'_> {
    fn seal(&mut self, item: &Ordered) -> Sealed {
        match self.blob(Kind::Ordered(item.clone())) {
            Some(blob) => Sealed::Blob(blob),
            None => Sealed::Locked(minicbor::to_vec(item).unwrap()),
        }
    }

    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered> {
        minicbor::decode(locked).ok()
    }
}

macro_rules! sealing {
    ($node:ident, $around:ident, $to:expr, $age:expr) => {
        Sealing {
            from: (&$node.account, $node.keys.noise()),
            device: $node.device,
            to: $to,
            towards: $node.kept.towards.get($to),
            age: $age,
            wall: $node.wall($around.now),
            rng: $around.rng,
        }
    };
}

impl Node {
    /// Takes a message from the application.
    pub fn accept(
        &mut self,
        around: &mut Around<'_>,
        to: AccountId,
        id: MessageId,
        text: String,
        lifetime: Secs,
    ) -> Result<Accepted, Crash> {
        let age = self.age(around);
        let sent = self.wall(around.now);
        around.may_crash()?;
        let mut sealing = sealing!(self, around, &to, age);
        let message = Outgoing { id, to, text, files: Vec::new(), sent, lifetime };
        let accepted = outbox::accept(&mut self.store, age, message, &BOUNDS, &mut sealing).unwrap();
        around.may_crash()?;
        Ok(accepted)
    }

    /// A blob came from a friend, by whatever way.
    pub fn came(&mut self, around: &mut Around<'_>, from: &AccountId, blob: &[u8]) -> Result<Came, Crash> {
        let Some(friend) = self.friends.get(from).cloned() else { return Ok(Came::Useless) };
        let us = (&self.account, self.device);
        let prekeys = &self.run.as_ref().unwrap().prekeys;
        let Ok(bytes) = seal::open(us, prekeys, from, &[friend.noise], blob) else {
            return Ok(Came::Useless);
        };
        let Ok(item) = minicbor::decode::<Item>(&bytes) else { return Ok(Came::Useless) };
        if item.device != friend.device {
            return Ok(Came::Useless);
        }
        around.may_crash()?;
        let came = match item.kind {
            Kind::Ordered(item) => self.take(around, from, &friend, item),
            Kind::News(news) => {
                self.hear(around, from, &friend, news);
                Came::Taken
            }
        };
        around.may_crash()?;
        Ok(came)
    }

    fn take(&mut self, around: &mut Around<'_>, from: &AccountId, friend: &Friend, item: Ordered) -> Came {
        let again = item.clone();
        match inbox::take(&mut self.store, from, &friend.device, item, &HELD).unwrap() {
            inbox::Arrival::Taken(items) => {
                if let Content::Message(id, ..) = again.content {
                    self.kept.here.push((id, around.now));
                }
                let items = if around.is(Mutant::ShowsAtOnce) { vec![again] } else { items };
                self.show(around, from, items);
                Came::Taken
            }
            inbox::Arrival::Known => {
                if around.is(Mutant::ShowsTwice) {
                    self.show(around, from, vec![again]);
                }
                Came::Taken
            }
            inbox::Arrival::Full => Came::Full,
            inbox::Arrival::Absurd => Came::Useless,
        }
    }

    fn hear(&mut self, around: &mut Around<'_>, from: &AccountId, friend: &Friend, news: News) {
        if let Some(receipt) = news.receipt.as_ref().filter(|receipt| receipt.device == self.device) {
            self.delivered(around, from, receipt);
        }
        let Some(items) = inbox::news(&mut self.store, from, &friend.device, &news).unwrap() else { return };
        self.show(around, from, items);
        if let (Some(card), Some(access)) = (news.card, news.access) {
            self.learn(around, from, Hello { card, access });
        }
    }

    fn show(&mut self, around: &Around<'_>, from: &AccountId, items: Vec<Ordered>) {
        for item in items {
            if let Content::Message(id, text, _) = item.content {
                self.kept.shown.push(Shown { from: *from, id, seq: item.seq, text, at: around.now });
            }
        }
    }

    fn delivered(&mut self, around: &mut Around<'_>, to: &AccountId, receipt: &Receipt) {
        let age = self.age(around);
        let done = outbox::receipt(&mut self.store, age, to, receipt).unwrap();
        self.kept.reports.extend(done.into_iter().map(|id| (id, State::Delivered, around.now)));
    }

    /// What time alone brings about.
    pub fn grow_older(&mut self, around: &mut Around<'_>) -> Result<(), Crash> {
        let age = self.age(around);
        self.rotate(around)?;
        around.may_crash()?;
        let late = if around.is(Mutant::NoGrace) { age.after(2 * outbox::GRACE) } else { age };
        let over = outbox::expire(&mut self.store, late).unwrap();
        self.kept.reports.extend(over.into_iter().map(|(_, id)| (id, State::Expired, around.now)));
        around.may_crash()?;
        while custody::expire(&mut self.custody, age, MOST).unwrap() > 0 {
            around.may_crash()?;
        }
        Ok(())
    }

    /// Does whatever there is to do with those who are there, and finds whom else it takes.
    pub fn pump(&mut self, around: &mut Around<'_>) -> Result<(), Crash> {
        let age = self.age(around);
        let now = around.now;
        let run = self.run();
        let linked = &run.linked;
        let over = |(deadline, peer, _): &(Secs, usize, Job)| *deadline <= now || !linked.contains(peer);
        let cursors = &mut run.cursors;
        run.pending.retain(|_, asked| {
            let is_over = over(asked);
            // Then the list is read from its start again.
            if is_over && let Job::List(guest) | Job::Get(guest, ..) = &asked.2 {
                cursors.remove(guest);
            }
            !is_over
        });
        run.wants.clear();
        for to in outbox::queues(&self.store).unwrap().into_iter().map(|(to, _)| to).collect::<Vec<_>>() {
            self.send(around, age, &to)?;
        }
        self.tell(around, age)?;
        self.fetch(around);
        self.keep(around)
    }

    // ---- the sender

    fn send(&mut self, around: &mut Around<'_>, age: Age, to: &AccountId) -> Result<(), Crash> {
        let Some(node) = self.friends.get(to).map(|friend| friend.node) else { return Ok(()) };
        if self.kept.towards.contains_key(to) {
            loop {
                let mut sealing = sealing!(self, around, to, age);
                let sealed = outbox::seal_waiting(&mut self.store, to, MOST, &mut sealing).unwrap();
                if sealed == 0 {
                    break;
                }
                around.may_crash()?;
            }
        }
        if !self.linked(node) {
            self.run().wants.insert(node);
        } else if !self.resting(&format!("direct {node}"), around.now) {
            for Waiting { seq, hash, sealed, .. } in outbox::waiting(&self.store, to, 0, MOST).unwrap() {
                if let Sealed::Blob(blob) = sealed {
                    let job = Job::Direct(*to, seq, hash);
                    self.ask(around, node, job, PATIENCE, |id| Msg::Direct(id, blob));
                }
            }
        }
        let keepers = self.keepers(around, to, age);
        for due in placement::due(&self.store, age, &self.policy, to, &keepers, 0, MOST).unwrap() {
            self.place(around, age, to, &due);
        }
        Ok(())
    }

    /// Who may keep something for a recipient: its hosts, and couriers of ours.
    fn keepers(&mut self, around: &Around<'_>, to: &AccountId, age: Age) -> Vec<Known> {
        let hosts = self.kept.towards.get(to).map_or(&[][..], |towards| &towards.hosts);
        let hosts = hosts.iter().map(|host| Keeper::Host(host.guest));
        let couriers =
            self.couriers.iter().filter(|courier| *courier != to).map(|courier| Keeper::Courier(*courier));
        let keepers = hosts.chain(couriers).collect::<Vec<_>>();
        for keeper in &keepers {
            if self.node_of(around, keeper).is_some_and(|node| self.linked(node)) {
                self.run().seen.insert(*keeper, age);
            }
        }
        let seen = &self.run.as_ref().unwrap().seen;
        keepers.into_iter().map(|keeper| Known { keeper, seen: seen.get(&keeper).copied() }).collect()
    }

    fn node_of(&self, around: &Around<'_>, keeper: &Keeper) -> Option<usize> {
        match keeper {
            Keeper::Host(guest) => around.roads.get(guest).copied(),
            Keeper::Courier(account) => self.friends.get(account).map(|friend| friend.node),
        }
    }

    fn place(&mut self, around: &mut Around<'_>, age: Age, to: &AccountId, due: &Due) {
        let Some(node) = self.node_of(around, &due.keeper) else { return };
        let Some(towards) = self.kept.towards.get(to) else { return };
        let host = match due.keeper {
            Keeper::Host(guest) => towards.hosts.iter().find(|host| host.guest == guest),
            // A courier does not carry to itself.
            Keeper::Courier(_) => {
                towards.hosts.iter().find(|host| around.roads.get(&host.guest) != Some(&node))
            }
        };
        let Some(host) = host else { return };
        if !self.linked(node) {
            self.run().wants.insert(node);
            return;
        }
        let job = Job::Copy(*to, due.seq, due.keeper);
        if self.busy(&job) {
            return;
        }
        let Some(item) = outbox::item(&self.store, to, due.seq).unwrap() else { return };
        let Sealed::Blob(blob) = &item.sealed else { return };
        let left = item.ends.since(age);
        // A courier keeps it for as long as it says, and then the host does: together no longer than it lives.
        let lifetime = if matches!(due.keeper, Keeper::Host(_)) { left } else { left / 2 };
        let put = sign(&towards.queues[&host.guest], item.hash, told(lifetime), blob);
        let host = host.clone();
        self.ask(around, node, job, PATIENCE, |id| match due.keeper {
            Keeper::Host(guest) => Msg::Put(guest, id, put),
            Keeper::Courier(_) => Msg::Carry(id, Box::new(Carry { host, put })),
        });
    }

    // ---- news

    /// Tells friends what they have not been told: over a link, or by way of their hosts.
    fn tell(&mut self, around: &mut Around<'_>, age: Age) -> Result<(), Crash> {
        let first = self.published(around).0;
        let owed = inbox::owed(&self.store, MOST).unwrap();
        for to in self.friends.keys().copied().collect::<Vec<_>>() {
            let node = self.friends[&to].node;
            let owed = owed.contains(&to) && !around.is(Mutant::NoReceipts);
            // It waits for something that does not come any more, and is told so now and then.
            let behind = !self.resting(&format!("floor {node}"), around.now)
                && outbox::behind(&self.store, &to).unwrap();
            if !owed && !behind && self.kept.told.get(&to) == Some(&first) {
                continue;
            }
            let Some(towards) = self.kept.towards.get(&to).cloned() else { continue };
            if self.linked(node) {
                let job = Job::News(to, None);
                if let Some((blob, told)) = self.news(around, age, &to, first, &job)? {
                    let id = self.ask(around, node, job, PATIENCE, |id| Msg::Direct(id, blob));
                    self.run().telling.extend(id.map(|id| (id, told)));
                }
                continue;
            }
            self.run().wants.insert(node);
            if towards.hosts.len() < self.policy.copies {
                self.tell_by_courier(around, age, &to, &towards, first)?;
            }
            for host in &towards.hosts {
                let Some(at) = around.roads.get(&host.guest).copied() else { continue };
                if !self.linked(at) {
                    self.run().wants.insert(at);
                    continue;
                }
                if self.resting(&format!("news {at}"), around.now) {
                    continue;
                }
                let job = Job::News(to, Some(host.guest));
                if let Some((blob, told)) = self.news(around, age, &to, first, &job)? {
                    let put = sign(&towards.queues[&host.guest], seal::hash(&blob), MAX_LIFETIME, &blob);
                    let id = self.ask(around, at, job, PATIENCE, |id| Msg::Put(host.guest, id, put));
                    self.run().telling.extend(id.map(|id| (id, told)));
                }
            }
        }
        Ok(())
    }

    /// News go where messages do: if hosts are too few, by a courier.
    fn tell_by_courier(
        &mut self,
        around: &mut Around<'_>,
        age: Age,
        to: &AccountId,
        towards: &Towards,
        first: u32,
    ) -> Result<(), Crash> {
        for courier in self.couriers.clone() {
            let Some(at) = self.friends.get(&courier).map(|friend| friend.node) else { continue };
            let host = towards.hosts.iter().find(|host| around.roads.get(&host.guest) != Some(&at)).cloned();
            let Some(host) =
                host.filter(|_| courier != *to && !self.resting(&format!("news {at}"), around.now))
            else {
                continue;
            };
            if !self.linked(at) {
                self.run().wants.insert(at);
                continue;
            }
            let job = Job::News(*to, Some(courier.0));
            if let Some((blob, told)) = self.news(around, age, to, first, &job)? {
                let put = sign(&towards.queues[&host.guest], seal::hash(&blob), MAX_LIFETIME / 2, &blob);
                let carry = Box::new(Carry { host, put });
                let id = self.ask(around, at, job, PATIENCE, |id| Msg::Carry(id, carry));
                self.run().telling.extend(id.map(|id| (id, told)));
            }
        }
        Ok(())
    }

    fn news(
        &mut self,
        around: &mut Around<'_>,
        age: Age,
        to: &AccountId,
        first: u32,
        job: &Job,
    ) -> Result<Option<(Vec<u8>, Telling)>, Crash> {
        if self.busy(job) {
            return Ok(None);
        }
        around.may_crash()?;
        self.kept.news += 1;
        let Hello { card, access } = self.hello(around, to);
        let receipt = inbox::receipts(&self.store, to).unwrap().into_iter().next();
        let receipt = receipt.filter(|_| !around.is(Mutant::NoReceipts));
        let floor = outbox::floor(&self.store, to).unwrap();
        let told = Telling { receipt: receipt.clone(), first };
        let news = News { seq: self.kept.news, receipt, floor, card: Some(card), access: Some(access) };
        let blob = sealing!(self, around, to, age).blob(Kind::News(news));
        around.may_crash()?;
        Ok(blob.map(|blob| (blob, told)))
    }

    fn told(&mut self, around: &Around<'_>, to: &AccountId, id: u64) {
        let Some(Telling { receipt, first }) = self.run().telling.remove(&id) else { return };
        if let Some(receipt) = receipt {
            inbox::told(&mut self.store, to, &receipt).unwrap();
        }
        self.kept.told.insert(*to, first);
        let node = self.friends[to].node;
        self.run().rest.insert(format!("floor {node}"), around.now + FLOOR);
    }

    // ---- the recipient

    fn fetch(&mut self, around: &mut Around<'_>) {
        for HostEntry { guest, .. } in self.kept.hosts.clone() {
            let node = around.roads[&guest];
            if !self.linked(node) {
                if !self.kept.registered.contains(&guest) && node != self.index {
                    self.run().wants.insert(node);
                }
            } else if self.run().said.contains(&guest) {
                let after = self.run().cursors.get(&guest).copied().unwrap_or_default();
                let busy = self
                    .run()
                    .pending
                    .values()
                    .any(|(_, _, job)| matches!(job, Job::Get(at, ..) if *at == guest));
                if !busy {
                    let ask = Ask::List(after, MOST as u16);
                    self.ask(around, node, Job::List(guest), LISTEN, |id| Msg::Ask(id, ask));
                }
            } else {
                let queues = self.queues(&guest).into_iter().map(|(_, queue)| queue).collect();
                let ask = Ask::Register(queues, vec![self.device]);
                self.ask(around, node, Job::Register(guest), PATIENCE, |id| Msg::Ask(id, ask));
            }
        }
    }

    fn listed(&mut self, around: &mut Around<'_>, node: usize, guest: Guest, list: Vec<Listed>) {
        if let Some(last) = list.iter().map(|listed| listed.arrival).max() {
            self.run().cursors.insert(guest, last);
            let arrivals = list.iter().map(|listed| listed.arrival).collect::<Vec<_>>();
            let wanted = list.into_iter().map(|listed| (listed.arrival, listed)).collect();
            self.ask(around, node, Job::Get(guest, wanted, Vec::new()), PATIENCE, |id| {
                Msg::Ask(id, Ask::Get(arrivals))
            });
        }
    }

    fn got(
        &mut self,
        around: &mut Around<'_>,
        node: usize,
        id: u64,
        arrival: u64,
        blob: Option<Vec<u8>>,
    ) -> Result<(), Crash> {
        let Some((_, _, Job::Get(guest, wanted, _))) = self.run().pending.get_mut(&id) else { return Ok(()) };
        let (guest, Some(listed)) = (*guest, wanted.remove(&arrival)) else { return Ok(()) };
        let from =
            self.queues(&guest).into_iter().find(|(_, queue)| queue.id == listed.queue).map(|(from, _)| from);
        // What is not what was listed is passed over: it may be what was listed the next time.
        let done = match (from, blob) {
            (Some(from), Some(blob)) if seal::hash(&blob) == listed.hash => {
                if around.is(Mutant::ReceiptEarly) {
                    around.out.push((node, Msg::Ask(0, Ask::Acknowledge(vec![arrival]))));
                    around.may_crash()?;
                }
                self.came(around, &from, &blob)? != Came::Full
            }
            (Some(_), _) => false,
            (None, _) => true,
        };
        let Some((_, _, Job::Get(_, wanted, have))) = self.run().pending.get_mut(&id) else { return Ok(()) };
        if done {
            have.push(arrival);
        }
        if wanted.is_empty() {
            let have = std::mem::take(have);
            self.run().pending.remove(&id);
            if !have.is_empty() && !around.is(Mutant::NeverAcknowledges) {
                self.ask(around, node, Job::Acknowledge, PATIENCE, |id| Msg::Ask(id, Ask::Acknowledge(have)));
            }
        }
        Ok(())
    }

    // ---- what comes

    pub fn hear_of(&mut self, around: &mut Around<'_>, node: usize, msg: Msg) -> Result<(), Crash> {
        match msg {
            Msg::Hello(hello) => {
                if let Some(friend) = self.friend_at(node) {
                    around.may_crash()?;
                    self.learn(around, &friend, *hello);
                    around.may_crash()?;
                }
            }
            Msg::Direct(id, blob) => {
                let Some(friend) = self.friend_at(node) else { return Ok(()) };
                if around.is(Mutant::ReceiptEarly) {
                    around.out.push((node, Msg::Came(id, Came::Taken)));
                }
                let came = self.came(around, &friend, &blob)?;
                around.out.push((node, Msg::Came(id, came)));
            }
            Msg::Put(door, id, put) => self.deposit(around, node, door, id, &put)?,
            Msg::Carry(id, carry) => self.take_to_carry(around, node, id, &carry)?,
            Msg::Ask(id, ask) => self.asked(around, node, id, ask)?,
            Msg::Told(id, Told::Blob(arrival, blob)) => self.got(around, node, id, arrival, blob)?,
            Msg::Came(id, came) => {
                let Some((_, _, job)) = self.run().pending.remove(&id) else { return Ok(()) };
                match (job, came) {
                    (Job::Direct(to, seq, _), Came::Taken) => {
                        around.may_crash()?;
                        let receipt = Receipt { device: self.device, upto: 0, beyond: vec![seq] };
                        self.delivered(around, &to, &receipt);
                        around.may_crash()?;
                    }
                    (Job::News(to, _), Came::Taken) => self.told(around, &to, id),
                    _ => {
                        self.run().rest.insert(format!("direct {node}"), around.now + 10 * MINUTE);
                    }
                }
            }
            Msg::Answer(id, answer) => {
                let Some((_, _, job)) = self.run().pending.remove(&id) else { return Ok(()) };
                self.answered(around, node, id, job, answer)?;
            }
            Msg::Told(id, told) => {
                let Some((_, _, job)) = self.run().pending.remove(&id) else { return Ok(()) };
                match (job, told) {
                    (Job::Register(guest), Told::Done) => {
                        self.kept.registered.insert(guest);
                        self.run().said.insert(guest);
                        self.run().cursors.remove(&guest);
                    }
                    (Job::List(guest), Told::Listed(list, _)) => self.listed(around, node, guest, list),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        around: &mut Around<'_>,
        node: usize,
        id: u64,
        job: Job,
        answer: Answer,
    ) -> Result<(), Crash> {
        let age = self.age(around);
        around.may_crash()?;
        match job {
            Job::Copy(to, seq, keeper) => {
                let copy = match answer {
                    Answer::Stored => Copy::Stored(age),
                    Answer::Full(wait) => Copy::Full(age.after(u64::from(wait))),
                    Answer::Denied | Answer::Malformed | Answer::Here => Copy::Denied(age),
                };
                placement::placed(&mut self.store, &to, seq, &keeper, copy).unwrap();
                if around.is(Mutant::TrustsHosts) && answer == Answer::Stored {
                    let receipt = Receipt { device: self.device, upto: 0, beyond: vec![seq] };
                    self.delivered(around, &to, &receipt);
                }
            }
            Job::News(to, _) if answer == Answer::Stored => self.told(around, &to, id),
            Job::News(..) => {
                self.run().rest.insert(format!("news {node}"), around.now + HOUR);
            }
            Job::Carried(number) => match answer {
                Answer::Full(wait) => {
                    self.run().rest.insert(format!("carried {number}"), around.now + u64::from(wait));
                }
                _ => custody::carried_over(&mut self.custody, number).unwrap(),
            },
            _ => {}
        }
        around.may_crash()
    }
}

/// A lifetime as hosts are told it.
fn told(left: Secs) -> u32 {
    u32::try_from(left.max(1).div_ceil(HOUR) * HOUR).unwrap_or(u32::MAX).min(MAX_LIFETIME)
}

fn sign(queue: &Queue, hash: BlobHash, lifetime: u32, blob: &[u8]) -> Put {
    let mac = custody::mac(&queue.key, &queue.id, &hash, lifetime);
    Put { queue: queue.id, hash, lifetime, mac, blob: blob.to_vec() }
}
