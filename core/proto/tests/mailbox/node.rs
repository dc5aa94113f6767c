//! A node: what lies on its disks, what it has in its head, and its clock.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, AccountKey, DeviceId, DeviceKeys};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::mailbox::item::{MessageId, Receipt};
use wayside_proto::mailbox::outbox::State;
use wayside_proto::mailbox::placement::{Keeper, Policy};
use wayside_proto::mailbox::prekeys::{Prekeys, Target, Week};
use wayside_proto::mailbox::tables::Memory;
use wayside_proto::mailbox::wire::{
    Access, Answer, Ask, BlobHash, Carry, HostEntry, Key, Listed, MailboxCard, Put, Queue, Told,
};
use wayside_proto::mailbox::{Age, custody, wire};

use super::liar::Lies;
use super::mutants::Mutant;

pub type Secs = u64;
pub const MINUTE: Secs = 60;
pub const HOUR: Secs = 60 * MINUTE;
pub const DAY: Secs = 24 * HOUR;

/// 2026-03-01T09:00:00Z.
const BEGIN: u64 = 1_772_355_600;
/// The most that one look at the clock may age a node, as `core/node/src/store/age.rs` has it.
const MOST_AGED: u64 = 7 * DAY;

/// Names a host's door for one recipient: the key that guests know it by.
pub type Guest = [u8; 32];

/// What goes between two nodes that are linked.
#[derive(Clone, Debug)]
pub enum Msg {
    Hello(Box<Hello>),
    Put(Guest, u64, Put),
    Carry(u64, Box<Carry>),
    Answer(u64, Answer),
    Direct(u64, Vec<u8>),
    Came(u64, Came),
    Ask(u64, Ask),
    Told(u64, Told),
}

impl Msg {
    /// What it is, in short.
    pub fn head(&self) -> String {
        match self {
            Self::Hello(_) => "hello".to_owned(),
            Self::Put(_, id, put) => format!("put {id} {}", put.lifetime),
            Self::Carry(id, carry) => format!("carry {id} {}", carry.put.lifetime),
            Self::Direct(id, _) => format!("direct {id}"),
            Self::Told(id, Told::Blob(arrival, _)) => format!("blob {id} {arrival}"),
            other => format!("{other:?}"),
        }
    }

    /// The bytes that it brings.
    pub fn blob(&self) -> &[u8] {
        match self {
            Self::Hello(hello) => &hello.card,
            Self::Put(_, _, put) => &put.blob,
            Self::Carry(_, carry) => &carry.put.blob,
            Self::Direct(_, blob) => blob,
            Self::Told(_, Told::Blob(_, Some(blob))) => blob,
            _ => &[],
        }
    }
}

/// What friends tell each other when they are linked.
#[derive(Clone, Debug)]
pub struct Hello {
    pub card: Vec<u8>,
    pub access: Access,
}

/// A card, with when it was signed.
#[derive(Clone, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Card {
    #[n(0)]
    pub issued: UnixMillis,
    #[n(1)]
    pub card: MailboxCard,
}

/// What became of a blob that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    Taken,
    Useless,
    Full,
}

/// The power went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash;

/// A friend, as everybody knows theirs.
#[derive(Clone, Debug)]
pub struct Friend {
    pub node: usize,
    pub device: DeviceId,
    pub noise: [u8; 32],
}

/// What somebody knows of a friend to seal for it and to find its hosts.
#[derive(Clone, Debug)]
pub struct Towards {
    pub target: Target,
    pub hosts: Vec<HostEntry>,
    /// Our queue at each of them.
    pub queues: BTreeMap<Guest, Queue>,
}

/// A message that the application was shown.
#[derive(Clone, Debug)]
pub struct Shown {
    pub from: AccountId,
    pub id: MessageId,
    pub seq: u64,
    pub text: String,
    pub at: Secs,
}

/// What is on the disk beside the tables.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub lived: u64,
    pub looked: Option<u64>,
    pub towards: BTreeMap<AccountId, Towards>,
    /// Who keeps our mail.
    pub hosts: Vec<HostEntry>,
    /// Hosts that know our queues.
    pub registered: BTreeSet<Guest>,
    pub news: u64,
    /// The first prekey of the card that each friend was told last.
    pub told: BTreeMap<AccountId, u32>,
    pub shown: Vec<Shown>,
    /// Messages that are on disk, shown or before their turn, and since when.
    pub here: Vec<(MessageId, Secs)>,
    /// What became of messages, with the true time.
    pub reports: Vec<(MessageId, State, Secs)>,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    Copy(AccountId, u64, Keeper),
    Direct(AccountId, u64, BlobHash),
    News(AccountId, Option<Guest>),
    Carried(u64),
    Register(Guest),
    List(Guest),
    Get(Guest, BTreeMap<u64, Listed>, Vec<u64>),
    Acknowledge,
}

/// What is gone when the power is.
pub struct Run {
    pub linked: BTreeSet<usize>,
    pub prekeys: Prekeys,
    /// Of these what the card says, as of the last look at what is over.
    pub published: Option<(u32, Vec<[u8; 32]>)>,
    /// When each keeper was there last.
    pub seen: BTreeMap<Keeper, Age>,
    pub pending: BTreeMap<u64, (Secs, usize, Job)>,
    /// Not to be asked again before.
    pub rest: BTreeMap<String, Secs>,
    /// How far each host's list was read.
    pub cursors: BTreeMap<Guest, u64>,
    /// Hosts whose queues of ours were said again on this link.
    pub said: BTreeSet<Guest>,
    /// Who waits for what comes: the request, after which arrival, how many.
    pub listening: BTreeMap<usize, (u64, u64, u16)>,
    pub wants: BTreeSet<usize>,
    /// What is being told to friends, by request.
    pub telling: BTreeMap<u64, Telling>,
}

/// What news say.
pub struct Telling {
    pub receipt: Option<Receipt>,
    pub first: u32,
}

pub struct Node {
    pub index: usize,
    pub account: AccountId,
    pub device: DeviceId,
    pub keys: DeviceKeys,
    mail_root: Secret,
    pub friends: BTreeMap<AccountId, Friend>,
    /// Our doors: whose guests come through which.
    pub doors: BTreeMap<Guest, AccountId>,
    /// Friends who let us have a mailbox, and so carry.
    pub couriers: Vec<AccountId>,
    pub limits: custody::Limits,
    pub policy: Policy,
    pub lies: Option<Lies>,
    /// What a hoarder never let go: owner, listed, blob.
    pub hoard: Vec<(AccountId, Listed, Vec<u8>)>,
    /// Wall clock minus true time.
    pub offset: i64,
    pub store: Memory,
    pub kept: Kept,
    pub seeds: Vec<Week>,
    pub custody: Memory,
    pub run: Option<Run>,
    /// Those of `seeds`, as they were when it went down: each costs a multiplication.
    prekeys: Prekeys,
    /// What each friend was given last, and of which first week.
    access: BTreeMap<AccountId, (u32, Access)>,
    /// Queues by host, which never change.
    derived: BTreeMap<Guest, Vec<(AccountId, Queue)>>,
    next: u64,
}

/// What a node is handed while it does something, and what it leaves to be done.
pub struct Around<'a> {
    pub now: Secs,
    pub rng: &'a mut ChaCha20Rng,
    /// Of ten thousand moments before or after a commit so many are the last.
    pub crash: u32,
    /// Whose door is where.
    pub roads: &'a BTreeMap<Guest, usize>,
    pub mutant: Option<Mutant>,
    pub out: Vec<(usize, Msg)>,
}

impl Around<'_> {
    /// The moment before a commit, and the one after it before anybody is told.
    pub fn may_crash(&mut self) -> Result<(), Crash> {
        if self.crash > 0 && self.rng.next_u32() % 10_000 < self.crash { Err(Crash) } else { Ok(()) }
    }

    pub fn chance(&mut self, of_hundred: u32) -> bool {
        of_hundred > 0 && self.rng.next_u32() % 100 < of_hundred
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl Node {
    pub fn new(index: usize, rng: &mut ChaCha20Rng) -> Self {
        let keys = DeviceKeys::generate(rng);
        Self {
            index,
            account: AccountKey::generate(rng).id(),
            device: keys.public().id(),
            keys,
            mail_root: Secret::random(rng),
            friends: BTreeMap::new(),
            doors: BTreeMap::new(),
            couriers: Vec::new(),
            limits: custody::Limits {
                total: 1_000_000,
                friend: 400_000,
                queue: 100_000,
                queue_items: 100,
                lifetime: wire::MAX_LIFETIME,
                friends: 4,
            },
            policy: Policy { copies: 2, doubt: super::DOUBT },
            lies: None,
            hoard: Vec::new(),
            offset: 0,
            store: Memory::default(),
            kept: Kept::default(),
            seeds: Vec::new(),
            custody: Memory::default(),
            run: None,
            prekeys: Prekeys::default(),
            access: BTreeMap::new(),
            derived: BTreeMap::new(),
            next: 0,
        }
    }

    pub fn wall(&self, now: Secs) -> UnixMillis {
        UnixMillis((BEGIN + now).saturating_add_signed(self.offset) * 1000)
    }

    /// Looks at the clock, as the store's count does: on by what has passed, but by no more than a week at a look.
    pub fn age(&mut self, around: &Around<'_>) -> Age {
        let wall = self.wall(around.now).as_secs();
        if around.is(Mutant::TrustsTheClock) {
            return Age(wall);
        }
        let looked = self.kept.looked.replace(wall).unwrap_or(wall);
        self.kept.lived += wall.saturating_sub(looked).min(MOST_AGED);
        Age(self.kept.lived)
    }

    /// Comes up with what is on its disks.
    pub fn start(&mut self, around: &mut Around<'_>) -> Result<(), Crash> {
        if !self.prekeys.weeks().eq(&self.seeds) {
            self.prekeys = Prekeys::new(self.seeds.clone());
        }
        self.run = Some(Run {
            linked: BTreeSet::new(),
            prekeys: self.prekeys.clone(),
            published: None,
            seen: BTreeMap::new(),
            pending: BTreeMap::new(),
            rest: BTreeMap::new(),
            cursors: BTreeMap::new(),
            said: BTreeSet::new(),
            listening: BTreeMap::new(),
            wants: BTreeSet::new(),
            telling: BTreeMap::new(),
        });
        self.rotate(around)
    }

    pub fn run(&mut self) -> &mut Run {
        self.run.as_mut().unwrap()
    }

    pub fn linked(&self, node: usize) -> bool {
        self.run.as_ref().is_some_and(|run| run.linked.contains(&node))
    }

    /// Draws the seeds of the weeks that are missing and destroys those that are over: kept before anything of them is published.
    pub fn rotate(&mut self, around: &mut Around<'_>) -> Result<(), Crash> {
        let age = self.age(around);
        let due = self.run().prekeys.due(age).is_none_or(|due| due <= age);
        if !due && !around.is(Mutant::DestroysSeeds) {
            return Ok(());
        }
        let mut prekeys = self.run().prekeys.clone();
        let rotation = prekeys.rotate(age, || Secret::random(around.rng));
        around.may_crash()?;
        self.seeds.extend(rotation.keep);
        around.may_crash()?;
        if !around.is(Mutant::KeepsSeeds) {
            self.seeds.retain(|week| !rotation.destroy.contains(&week.id));
        }
        if around.is(Mutant::DestroysSeeds) {
            // As if a week's key were done with when its week is.
            self.seeds.retain(|week| week.begins.after(8 * DAY) > age);
            prekeys = Prekeys::new(self.seeds.clone());
        }
        self.prekeys = prekeys.clone();
        let run = self.run();
        (run.prekeys, run.published) = (prekeys, None);
        Ok(())
    }

    // ---- what others need to seal for us

    pub fn root(&self, friend: &AccountId) -> Secret {
        derive(self.mail_root.expose(), "mail queues", &[&friend.0])
    }

    /// All queues at a host of ours, with whose they are.
    pub fn queues(&mut self, guest: &Guest) -> Vec<(AccountId, Queue)> {
        if let Some(queues) = self.derived.get(guest) {
            return queues.clone();
        }
        let queue = |friend: &AccountId| {
            let (id, key) = wire::queue(&self.root(friend), guest);
            (*friend, Queue { id, key })
        };
        let queues = self.friends.keys().map(queue).collect::<Vec<_>>();
        self.derived.insert(*guest, queues.clone());
        queues
    }

    /// The number of the first prekey of our card, and the keys.
    pub fn published(&mut self, around: &Around<'_>) -> &(u32, Vec<[u8; 32]>) {
        let age = self.age(around);
        let run = self.run();
        run.published.get_or_insert_with(|| run.prekeys.published(age))
    }

    fn card(&mut self, around: &Around<'_>) -> MailboxCard {
        let (first, keys) = self.published(around).clone();
        MailboxCard { first, prekeys: keys.into_iter().map(Key).collect(), hosts: self.kept.hosts.clone() }
    }

    pub fn hello(&mut self, around: &Around<'_>, friend: &AccountId) -> Hello {
        let card = Card { issued: self.wall(around.now), card: self.card(around) };
        let (age, first) = (self.age(around), card.card.first);
        let known = self.access.get(friend).filter(|(of, _)| *of == first);
        let access = known.map(|(_, access)| access.clone()).unwrap_or_else(|| {
            let (root, weeks) = (self.root(friend), self.prekeys.psks(age, friend));
            Access { device: self.device, root, weeks }
        });
        self.access.insert(*friend, (first, access.clone()));
        Hello { card: minicbor::to_vec(card).unwrap(), access }
    }

    /// Keeps what a friend said of itself, unless we know newer.
    pub fn learn(&mut self, around: &Around<'_>, friend: &AccountId, hello: Hello) {
        let card: Card = minicbor::decode(&hello.card).unwrap();
        let read = self.age(around);
        let known = self.kept.towards.get(friend).map(|towards| towards.target.first);
        if known.is_some_and(|known| known >= card.card.first) {
            return;
        }
        let target = Target {
            access: hello.access,
            first: card.card.first,
            keys: card.card.prekeys,
            read,
            issued: card.issued,
            seq: u64::from(card.card.first),
        };
        let hosts = card.card.hosts;
        let queue = |host: &HostEntry| {
            let (id, key) = target.access.queue(&host.guest);
            (host.guest, Queue { id, key })
        };
        let queues = hosts.iter().map(queue).collect();
        self.kept.towards.insert(*friend, Towards { target, hosts, queues });
    }

    pub fn friend_at(&self, node: usize) -> Option<AccountId> {
        self.friends.iter().find(|(_, friend)| friend.node == node).map(|(account, _)| *account)
    }

    // ---- requests

    /// Asks a linked node something, unless it is being asked already.
    pub fn ask(
        &mut self,
        around: &mut Around<'_>,
        peer: usize,
        job: Job,
        wait: Secs,
        msg: impl FnOnce(u64) -> Msg,
    ) -> Option<u64> {
        if self.busy(&job) {
            return None;
        }
        self.next += 1;
        let id = self.next;
        let deadline = around.now + wait;
        self.run().pending.insert(id, (deadline, peer, job));
        around.out.push((peer, msg(id)));
        Some(id)
    }

    pub fn busy(&self, job: &Job) -> bool {
        self.run.as_ref().is_some_and(|run| run.pending.values().any(|(_, _, other)| other == job))
    }

    pub fn resting(&self, what: &str, now: Secs) -> bool {
        self.run.as_ref().is_some_and(|run| run.rest.get(what).is_some_and(|until| *until > now))
    }
}
