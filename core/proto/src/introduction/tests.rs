#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

//! Rita, Ann and Bob, with links that break at any word, machines that start again, and a Rita who lies.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::crypto::Secret;
use crate::crypto::keys::AccountId;
use crate::identity::Card;
use crate::identity::testing::{NOW, Person};
use crate::invite::Invite;
use crate::message::CardBytes;
use crate::place::Locator;
use crate::time::UnixMillis;

const ID: IntroductionId = IntroductionId([7; 16]);

fn places(names: &[&str]) -> Places {
    Places::new(names.iter().map(|name| Locator::new("dir", name).unwrap()))
}

fn invite(number: u8) -> Invite {
    Invite {
        uses: 1,
        expires: UnixMillis::from_secs(NOW.as_secs() + 86_400),
        key: [number; 32],
        secret: Secret::new([number; 16]),
        points: vec![Locator::new("dir", "/room").unwrap()],
        own: Default::default(),
    }
}

/// Somebody who is introduced, with the node around it that a test needs.
struct Guest {
    person: Person,
    book: Introduced,
    disk: BTreeMap<RequestId, Vec<u8>>,
    asked: usize,
    invites: u8,
    /// The invites that it accepted.
    accepted: Vec<Invite>,
}

impl Guest {
    fn new(seed: u64, name: &str) -> Self {
        let person = Person { name: name.into(), ..Person::new(seed) };
        let mut book = Introduced::restore(person.account.id(), []);
        book.set_places(places(&["/room"]));
        Self { person, book, disk: BTreeMap::new(), asked: 0, invites: 0, accepted: Vec::new() }
    }

    fn account(&self) -> AccountId {
        self.person.account.id()
    }

    fn store(&mut self) {
        for id in self.book.take_changed() {
            match self.book.get(&id) {
                Some(it) => drop(self.disk.insert(id, it.to_bytes())),
                None => drop(self.disk.remove(&id)),
            }
        }
    }

    fn restart(&mut self) {
        let stored = self.disk.values().map(|bytes| Stranger::from_bytes(bytes).unwrap());
        self.book = Introduced::restore(self.account(), stored.collect::<Vec<_>>());
        self.book.set_places(places(&["/room"]));
    }

    fn hears(&mut self, now: UnixMillis, by: &AccountId, message: Message) -> bool {
        let message = Message::from_bytes(&message.to_bytes()).unwrap();
        let taken = self.book.heard(now, by, message, |_| false);
        self.asked += usize::from(matches!(taken, Taken::Asks(_)));
        self.store();
        taken != Taken::NoRoom
    }

    fn only(&self) -> (RequestId, Standing) {
        let all: Vec<_> = self.book.iter().collect();
        assert_eq!(all.len(), 1);
        (all[0].0, self.book.standing(all[0].1))
    }

    /// What its node does by itself.
    fn runs(&mut self) {
        let wanted: Vec<_> = self.book.to_invite().map(|(id, it)| (id, it.clone())).collect();
        for (id, it) in wanted {
            self.invites += 1;
            let entry = it.card().roster().device(&it.theirs().unwrap().0).unwrap().clone();
            let sealed = seal(
                &it.introduction(),
                (&self.account(), self.person.device.noise()),
                (&it.account(), &entry.keys.noise),
                &Secret::new([self.invites; 32]),
                &invite(self.invites),
            );
            self.book.invited(&id, self.person.device.public().id(), sealed.unwrap());
        }
        let came: Vec<_> = self
            .book
            .to_accept()
            .map(|(id, it, device, sealed)| (id, it.clone(), device, sealed.to_vec()))
            .collect();
        for (id, it, device, sealed) in came {
            let entry = it.card().roster().device(&device).unwrap().clone();
            let opened = open(
                &it.introduction(),
                (&self.account(), self.person.device.noise()),
                (&it.account(), &entry.keys.noise),
                &sealed,
            );
            match opened {
                Ok(invite) => {
                    self.book.accepted(&id, invite.key);
                    self.accepted.push(invite);
                }
                Err(_) => self.book.discard(&id),
            }
        }
        self.store();
    }
}

struct World {
    rita: Person,
    book: Introducer,
    disk: BTreeMap<IntroductionId, Vec<u8>>,
    guests: [Guest; 2],
    rng: rand_chacha::ChaCha20Rng,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rita: Person { name: "Rita".into(), ..Person::new(100) },
            book: Introducer::default(),
            disk: BTreeMap::new(),
            guests: [Guest::new(1, "Ann"), Guest::new(2, "Bob")],
            rng: rand_chacha::ChaCha20Rng::seed_from_u64(seed),
        }
    }

    fn introduces(&mut self) {
        let cards = [self.guests[0].person.card(), self.guests[1].person.card()];
        let note = Note::new("he mends bicycles".into());
        self.book.introduce(NOW, ID, [&cards[0], &cards[1]], note).unwrap();
        self.store();
    }

    fn store(&mut self) {
        for id in self.book.take_changed() {
            match self.book.get(&id) {
                Some(it) => drop(self.disk.insert(id, it.to_bytes())),
                None => drop(self.disk.remove(&id)),
            }
        }
    }

    fn restart(&mut self) {
        let stored = self.disk.values().map(|bytes| Introduction::from_bytes(bytes).unwrap());
        self.book = Introducer::restore(stored.collect::<Vec<_>>());
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    /// A link with a guest comes up, and breaks at a word's or an acknowledgement's cost. Says whether anything was left to say.
    fn link(&mut self, guest: usize, loss: u32) -> bool {
        let (rita, account) = (self.rita.account.id(), self.guests[guest].account());
        let device = self.guests[guest].person.device.public().id();
        loop {
            let down = self.book.due(NOW, &account).next();
            let up = self.guests[guest].book.due(NOW, &rita).next();
            if down.is_none() && up.is_none() {
                return false;
            }
            if let Some(message) = down {
                if self.chance(loss) {
                    return true;
                }
                let taken = self.guests[guest].hears(NOW, &rita, message.clone());
                if self.chance(loss) {
                    return true;
                }
                if taken {
                    self.book.acknowledged(NOW, &account, &message);
                    self.store();
                }
            }
            if let Some(message) = up {
                if self.chance(loss) {
                    return true;
                }
                let heard = Message::from_bytes(&message.to_bytes()).unwrap();
                self.book.heard(NOW, &account, &device, heard);
                self.store();
                if self.chance(loss) {
                    return true;
                }
                self.guests[guest].book.acknowledged(&rita, message);
                self.guests[guest].store();
            }
            self.guests[guest].runs();
        }
    }

    fn settle(&mut self, loss: u32, restarts: u32) {
        for _ in 0..400 {
            let left = [self.link(0, loss), self.link(1, loss)];
            if self.chance(restarts) {
                self.restart();
            }
            for guest in 0..2 {
                if self.chance(restarts) {
                    self.guests[guest].restart();
                }
                self.guests[guest].runs();
            }
            let due = (0..2).any(|guest| {
                let (rita, account) = (self.rita.account.id(), self.guests[guest].account());
                self.book.due(NOW, &account).next().is_some()
                    || self.guests[guest].book.due(NOW, &rita).next().is_some()
            });
            if left == [false, false] && !due {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn accepts(&mut self, guest: usize) {
        let (id, _) = self.guests[guest].only();
        self.guests[guest].book.accept(&id, None).unwrap();
        self.guests[guest].store();
    }

    /// Which guest makes the invite, and which accepts it.
    fn roles(&self) -> (usize, usize) {
        if self.guests[0].account() < self.guests[1].account() { (0, 1) } else { (1, 0) }
    }
}

#[test]
fn two_who_consent_are_handed_an_invite() {
    let mut world = World::new(1);
    world.introduces();
    world.settle(0, 0);
    assert_eq!([world.guests[0].asked, world.guests[1].asked], [1, 1]);
    assert_eq!(world.guests[0].only().1, Standing::Asked);
    world.accepts(0);
    world.settle(0, 0);
    assert_eq!(world.guests[0].only().1, Standing::Consented);
    let introduction = world.book.get(&ID).unwrap();
    assert_eq!(introduction.ends().each_ref().map(End::consented), [true, false]);
    assert!(!introduction.agreed());
    world.accepts(1);
    world.settle(0, 0);
    let (inviter, other) = world.roles();
    assert!(world.book.get(&ID).unwrap().passed());
    assert_eq!(world.guests[other].accepted, [invite(1)]);
    assert!(world.guests[inviter].accepted.is_empty());
    assert_eq!(world.guests[inviter].only().1, Standing::Meeting);
    assert_eq!(world.guests[other].only().1, Standing::Meeting);
}

/// Links that break at any word, and machines that start again with what they stored.
#[test]
fn losses_and_restarts_delay_it_and_no_more() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        world.introduces();
        world.settle(30, 30);
        world.accepts(0);
        world.settle(30, 30);
        world.accepts(1);
        world.settle(30, 30);
        let (_, other) = world.roles();
        assert!(world.book.get(&ID).unwrap().passed(), "seed {seed}");
        let accepted = &world.guests[other].accepted;
        assert!(!accepted.is_empty() && accepted.iter().all(|it| *it == accepted[0]), "seed {seed}");
        assert_eq!([world.guests[0].asked, world.guests[1].asked], [1, 1], "seed {seed}");
    }
}

#[test]
fn a_refusal_looks_like_no_answer() {
    let mut silent = World::new(3);
    silent.introduces();
    silent.settle(0, 0);
    silent.accepts(0);
    silent.settle(0, 0);
    let mut refused = World::new(3);
    refused.introduces();
    refused.settle(0, 0);
    refused.accepts(0);
    let (id, _) = refused.guests[1].only();
    refused.guests[1].book.refuse(&id).unwrap();
    refused.settle(0, 0);
    assert_eq!(silent.book.get(&ID), refused.book.get(&ID));
    assert_eq!(refused.guests[1].book.iter().count(), 0);
    // It cannot be asked again by naming it otherwise.
    let proposal = Message::Proposal {
        id: IntroductionId([8; 16]),
        card: CardBytes(refused.guests[0].person.card()),
        note: None,
        lifetime: 9,
    };
    let rita = refused.rita.account.id();
    assert!(refused.guests[1].hears(NOW, &rita, proposal.clone()));
    assert_eq!((refused.guests[1].asked, refused.guests[1].book.iter().count()), (1, 0));
    // After its time it can.
    let later = NOW.after(LIFETIME);
    assert!(refused.guests[1].hears(later, &rita, proposal));
    assert_eq!(refused.guests[1].asked, 2);
}

#[test]
fn what_is_shown_of_somebody_has_no_places_in_it() {
    let mut world = World::new(4);
    world.introduces();
    let message = world.book.due(NOW, &world.guests[0].account()).next().unwrap();
    let Message::Proposal { card, .. } = &message else { panic!("{message:?}") };
    let device = world.guests[1].person.device.public().id();
    assert!(world.guests[1].person.card().status(&device).is_some() && card.0.status(&device).is_none());
    assert_eq!(card.0.roster().name, "Bob");
    // Nor is it kept where the introducer says more than it should.
    let full = Message::Proposal {
        id: ID,
        card: CardBytes(world.guests[1].person.card()),
        note: None,
        lifetime: 60,
    };
    let rita = world.rita.account.id();
    world.guests[0].hears(NOW, &rita, full);
    let (_, stranger) = world.guests[0].book.iter().next().unwrap();
    assert!(stranger.card().status(&device).is_none());
}

#[test]
fn it_ends_after_its_time_on_all_sides() {
    let mut world = World::new(5);
    world.introduces();
    world.settle(0, 0);
    world.accepts(0);
    let later = NOW.after(LIFETIME);
    let rita = world.rita.account.id();
    assert!(world.guests[0].book.due(later, &rita).next().is_none());
    for guest in &mut world.guests {
        guest.book.expire(later);
        guest.store();
        assert_eq!((guest.book.iter().count(), guest.disk.len()), (0, 0));
    }
    world.book.expire(later);
    world.store();
    assert!(world.disk.is_empty());
    // An introducer cannot have one last longer.
    let card = CardBytes(world.guests[1].person.card());
    let long = Message::Proposal { id: ID, card, note: None, lifetime: u32::MAX };
    world.guests[0].hears(NOW, &rita, long);
    assert_eq!(world.guests[0].book.iter().next().unwrap().1.expires(), NOW.after(LIFETIME));
}

fn proposal(id: u8, card: Card) -> Message {
    Message::Proposal { id: IntroductionId([id; 16]), card: CardBytes(card), note: None, lifetime: 600 }
}

/// Ann is shown Carl, and Bob is shown Ann: what one of them seals the other does not open.
#[test]
fn swapped_cards_come_to_nothing() {
    for seed in 0..20 {
        let (mut ann, mut bob) = (Guest::new(seed * 10, "Ann"), Guest::new(seed * 10 + 1, "Bob"));
        let (rita, carl) = (Person::new(1000).account.id(), Person::new(seed * 10 + 2));
        ann.hears(NOW, &rita, proposal(7, carl.card()));
        bob.hears(NOW, &rita, proposal(7, ann.person.card()));
        let both = places(&["/room"]);
        for (guest, device) in [
            (&mut ann, carl.device.public().id()),
            (&mut bob, Guest::new(seed * 10, "").person.device.public().id()),
        ] {
            let (id, _) = guest.only();
            guest.book.accept(&id, None).unwrap();
            guest.hears(NOW, &rita, Message::Agreed { id: ID, device, places: both.clone(), hosted: false });
            guest.runs();
        }
        // Whatever either made goes to the other, as if it were from whom it was shown.
        let made = |guest: &mut Guest| {
            let consent = guest.book.due(NOW, &rita).next().unwrap();
            guest.book.acknowledged(&rita, consent);
            guest.book.due(NOW, &rita).next()
        };
        let (of_ann, of_bob) = (made(&mut ann), made(&mut bob));
        for (sealed, guest, as_of) in [
            (of_ann, &mut bob, ann.person.device.public().id()),
            (of_bob, &mut ann, carl.device.public().id()),
        ] {
            let Some(Message::Invite { sealed, .. }) = sealed else { continue };
            guest.hears(NOW, &rita, Message::Invite { id: ID, device: as_of, sealed });
            guest.runs();
            assert!(guest.accepted.is_empty(), "seed {seed}");
        }
    }
}

/// Everything that the introducer says before anybody consented, or of what it knows nothing about, leads to nothing.
#[test]
fn an_introducer_who_lies_moves_nobody() {
    let mut world = World::new(6);
    let (inviter, other) = world.roles();
    let rita = world.rita.account.id();
    let [a, b] = world.guests.each_ref().map(|guest| guest.person.device.public().id());
    let devices = [a, b];
    world.introduces();
    world.settle(0, 0);
    let agreed = |device| Message::Agreed { id: ID, device, places: places(&["/room"]), hosted: false };
    // "The other has consented": nobody here has.
    for guest in 0..2 {
        let device = devices[1 - guest];
        world.guests[guest].hears(NOW, &rita, agreed(device));
        world.guests[guest].runs();
        assert_eq!(world.guests[guest].only().1, Standing::Asked);
        assert_eq!(world.guests[guest].invites, 0);
    }
    // With a device that is none of the other's.
    world.accepts(inviter);
    let own = devices[inviter];
    world.guests[inviter].hears(NOW, &rita, agreed(own));
    world.guests[inviter].runs();
    assert_eq!(world.guests[inviter].invites, 0);
    // Of the right one: an invite is made that only that device opens, once its person has consented.
    world.guests[inviter].hears(NOW, &rita, agreed(devices[other]));
    world.guests[inviter].runs();
    let consent = world.guests[inviter].book.due(NOW, &rita).next().unwrap();
    world.guests[inviter].book.acknowledged(&rita, consent);
    let sealed = world.guests[inviter].book.due(NOW, &rita).next().unwrap();
    world.guests[other].hears(NOW, &rita, sealed.clone());
    world.guests[other].runs();
    assert!(world.guests[other].accepted.is_empty() && world.guests[other].only().1 == Standing::Asked);
    let Message::Invite { device, sealed: bytes, .. } = sealed.clone() else { panic!("{sealed:?}") };
    let read = open(
        &ID,
        (&rita, world.rita.device.noise()),
        (&world.guests[inviter].account(), &world.guests[inviter].person.device.public().noise),
        &bytes,
    );
    assert!(read.is_err(), "the introducer cannot read it");
    // Rita seals one of her own in the inviter's name, and replays the good one under another introduction.
    world.accepts(other);
    let victim = &world.guests[other];
    let forged = seal(
        &ID,
        (&world.guests[inviter].account(), world.rita.device.noise()),
        (&victim.account(), &victim.person.device.public().noise),
        &Secret::new([9; 32]),
        &invite(99),
    );
    let forged = Message::Invite { id: ID, device, sealed: forged.unwrap() };
    world.guests[other].hears(NOW, &rita, forged);
    world.guests[other].runs();
    assert!(world.guests[other].accepted.is_empty());
    let elsewhere = Message::Invite { id: IntroductionId([8; 16]), device, sealed: bytes };
    world.guests[other].hears(NOW, &rita, elsewhere);
    world.guests[other].runs();
    assert!(world.guests[other].accepted.is_empty());
    // None of it stands in the way of the good one, and that one works once.
    for _ in 0..2 {
        world.guests[other].hears(NOW, &rita, sealed.clone());
        world.guests[other].runs();
        assert_eq!(world.guests[other].accepted, [invite(1)]);
    }
}

#[test]
fn cards_of_oneself_of_the_introducer_and_of_friends_are_not_asked_about() {
    let mut ann = Guest::new(1, "Ann");
    let (rita, bob) = (Person::new(100), Person::new(2));
    for card in [ann.person.card(), rita.card()] {
        assert!(ann.hears(NOW, &rita.account.id(), proposal(1, card)));
    }
    let taken =
        ann.book.heard(NOW, &rita.account.id(), proposal(1, bob.card()), |it| *it == bob.account.id());
    assert_eq!(taken, Taken::Quietly);
    let old = NOW.after(Duration::from_secs(40 * 86_400));
    let taken = ann.book.heard(old, &rita.account.id(), proposal(1, bob.card()), |_| false);
    assert_eq!(taken, Taken::NoRoom, "a card that has expired is to come again");
    assert_eq!((ann.asked, ann.book.iter().count()), (0, 0));
}

#[test]
fn floods_are_bounded_for_each_friend_and_in_all() {
    let mut ann = Guest::new(1, "Ann");
    let mut taken = Vec::new();
    for friend in 0..12 {
        let by = Person::new(10_000 + friend).account.id();
        let cards = (0..10).map(|card| Person::new(20_000 + friend * 100 + card).card());
        taken.push(cards.filter(|card| ann.hears(NOW, &by, proposal(3, card.clone()))).count());
    }
    assert!(taken[..8].iter().all(|count| *count == Introduced::MOST_ASKED_BY), "{taken:?}");
    assert_eq!((taken.iter().sum::<usize>(), ann.asked), (Introduced::MOST_ASKED, Introduced::MOST_ASKED));
    // What was refused makes room for others, but not without end.
    let by = Person::new(10_000).account.id();
    for card in 0..100 {
        let refused: Vec<_> = ann.book.iter().map(|(id, _)| id).collect();
        for id in refused {
            ann.book.refuse(&id);
        }
        ann.hears(NOW, &by, proposal(3, Person::new(30_000 + card).card()));
    }
    ann.store();
    let mine = ann.disk.values().filter(|bytes| Stranger::from_bytes(bytes).unwrap().by() == by).count();
    assert_eq!(mine, Introduced::MOST_BY);
}

#[test]
fn whoever_lost_what_it_knew_may_ask_anew_and_the_consent_holds() {
    let mut world = World::new(8);
    world.introduces();
    world.settle(0, 0);
    world.accepts(0);
    world.settle(0, 0);
    world.book = Introducer::default();
    let cards = [world.guests[0].person.card(), world.guests[1].person.card()];
    let again = IntroductionId([9; 16]);
    world.book.introduce(NOW, again, [&cards[1], &cards[0]], None).unwrap();
    world.settle(0, 0);
    world.accepts(1);
    world.settle(0, 0);
    assert!(world.book.get(&again).unwrap().passed());
    assert_eq!([world.guests[0].asked, world.guests[1].asked], [1, 1]);
    assert_eq!(world.guests[world.roles().1].accepted.len(), 1);
}

#[test]
fn places_that_change_are_told_and_those_apart_meet_once_they_have_one_in_common() {
    let mut world = World::new(9);
    let (inviter, _) = world.roles();
    world.guests[inviter].book.set_places(places(&["/elsewhere"]));
    world.introduces();
    world.settle(0, 0);
    world.accepts(0);
    world.accepts(1);
    let hold = |guest: &Guest| guest.book.to_invite().count();
    let (rita, account) = (world.rita.account.id(), world.guests[inviter].account());
    // The test's nodes make an invite wherever both consented; a real one looks for a common place first.
    for message in world.guests[1 - inviter].book.due(NOW, &rita).collect::<Vec<_>>() {
        let guest = &world.guests[1 - inviter];
        world.book.heard(NOW, &guest.account(), &guest.person.device.public().id(), message);
    }
    for message in world.guests[inviter].book.due(NOW, &rita).collect::<Vec<_>>() {
        let device = world.guests[inviter].person.device.public().id();
        world.book.heard(NOW, &account, &device, message);
    }
    let agreed = world.book.due(NOW, &account).next().unwrap();
    world.guests[inviter].hears(NOW, &rita, agreed);
    assert_eq!((world.guests[inviter].only().1, hold(&world.guests[inviter])), (Standing::Apart, 1));
    world.guests[inviter].book.set_places(places(&["/elsewhere", "/room"]));
    assert_eq!(world.guests[inviter].only().1, Standing::Meeting);
    let again = world.guests[inviter].book.due(NOW, &rita).next().unwrap();
    assert!(matches!(again, Message::Consent { places: it, .. } if it == places(&["/elsewhere", "/room"])));
}

#[test]
fn both_are_told_whether_they_may_meet_at_the_introducers() {
    let mut world = World::new(11);
    world.introduces();
    world.settle(0, 0);
    world.accepts(0);
    world.accepts(1);
    let accounts = world.guests.each_ref().map(Guest::account);
    let hosted = |world: &World| {
        let agreed = world.book.due(NOW, &accounts[0]).next();
        matches!(agreed, Some(Message::Agreed { hosted: true, .. }))
    };
    for (guest, account) in accounts.iter().enumerate() {
        let (rita, device) = (world.rita.account.id(), world.guests[guest].person.device.public().id());
        let consent = world.guests[guest].book.due(NOW, &rita).next().unwrap();
        world.book.heard(NOW, account, &device, consent);
    }
    assert!(world.book.set_hosted([accounts[0]].into()) && !hosted(&world));
    assert!(world.book.set_hosted(accounts.into()) && hosted(&world));
    assert!(!world.book.set_hosted(accounts.into()));
    let agreed = world.book.due(NOW, &accounts[0]).next().unwrap();
    world.book.acknowledged(NOW, &accounts[0], &agreed);
    assert!(!hosted(&world), "it was said");
    let rita = world.rita.account.id();
    world.guests[0].hears(NOW, &rita, agreed);
    assert!(world.guests[0].book.iter().next().unwrap().1.hosted());
}

#[test]
fn the_introducer_takes_what_makes_sense() {
    let mut world = World::new(10);
    let cards = [world.guests[0].person.card(), world.guests[1].person.card()];
    assert_eq!(world.book.introduce(NOW, ID, [&cards[0], &cards[0]], None), Err(IntroduceError::Same));
    let old = NOW.after(Duration::from_secs(40 * 86_400));
    let expired = world.book.introduce(old, ID, [&cards[0], &cards[1]], None);
    assert!(matches!(expired, Err(IntroduceError::Expired(_))));
    world.introduces();
    let twice = world.book.introduce(NOW, IntroductionId([1; 16]), [&cards[1], &cards[0]], None);
    assert_eq!(twice, Err(IntroduceError::Already(ID)));
    let (inviter, other) = world.roles();
    let stranger = Person::new(77);
    let (out, device) = (stranger.account.id(), stranger.device.public().id());
    let consent = Message::Consent { id: ID, places: places(&[]) };
    assert_eq!(world.book.heard(NOW, &out, &device, consent.clone()), None, "nobody asked it");
    let device = |guest: usize| world.guests[guest].person.device.public().id();
    let (a, b) = (world.guests[inviter].account(), world.guests[other].account());
    let (a_device, b_device) = (device(inviter), device(other));
    let sealed = |device| Message::Invite { id: ID, device, sealed: vec![1, 2, 3] };
    assert_eq!(world.book.heard(NOW, &a, &a_device, sealed(a_device)), None, "nobody consented");
    assert_eq!(world.book.heard(NOW, &a, &a_device, consent.clone()), Some(ID));
    assert_eq!(world.book.heard(NOW, &a, &a_device, consent.clone()), None, "said before");
    assert_eq!(world.book.heard(NOW, &b, &b_device, consent), Some(ID));
    assert_eq!(world.book.heard(NOW, &b, &b_device, sealed(b_device)), None, "it is not the inviter");
    assert_eq!(world.book.heard(NOW, &a, &a_device, sealed(b_device)), None, "it is not its device");
    let long = Message::Invite { id: ID, device: a_device, sealed: vec![0; Message::MAX_SEALED + 1] };
    assert_eq!(world.book.heard(NOW, &a, &a_device, long), None);
    assert_eq!(world.book.heard(NOW, &a, &a_device, sealed(a_device)), Some(ID));
    world.book.keep_those_of(|account| *account == a);
    assert_eq!(world.book.iter().count(), 0);
    for number in 0..=Introducer::MOST {
        let (one, other) = (Person::new(number as u64 * 2).card(), Person::new(number as u64 * 2 + 1).card());
        let made = world.book.introduce(NOW, IntroductionId([number as u8; 16]), [&one, &other], None);
        assert_eq!(made.is_ok(), number < Introducer::MOST, "{number}: {made:?}");
    }
}

#[test]
fn messages_come_back_as_they_were_and_the_largest_fits() {
    let person = Person { name: "n".repeat(64), ..Person::with_devices(5, 8) };
    let card = CardBytes(message::without_places(&person.card()).unwrap());
    let place = "x".repeat(Locator::MAX - 5);
    let eight: Vec<String> = (0..8).map(|i| format!("{i}{place}")).collect();
    let eight = places(&eight.iter().map(String::as_str).collect::<Vec<_>>());
    let device = person.device.public().id();
    let sealed = vec![7; Message::MAX_SEALED];
    for message in [
        Message::Proposal { id: ID, card, note: Note::new("é".repeat(500)), lifetime: u32::MAX },
        Message::Consent { id: ID, places: eight.clone() },
        Message::Agreed { id: ID, device, places: eight, hosted: true },
        Message::Invite { id: ID, device, sealed },
    ] {
        let bytes = message.to_bytes();
        assert!(bytes.len() <= Message::MAX, "{}", bytes.len());
        assert_eq!(Message::from_bytes(&bytes).unwrap(), message);
    }
}

#[test]
fn notes_and_places_are_bounded() {
    assert!(Note::new(String::new()).is_none() && Note::new("x".repeat(1001)).is_none());
    assert!(Note::new("turn\u{202e}around".into()).is_none() && Note::new("two\nlines".into()).is_some());
    let nine: Vec<String> = (0..9).map(|number| format!("dir:/{number}")).collect();
    assert!(minicbor::decode::<Places>(&minicbor::to_vec(&nine).unwrap()).is_err());
    assert!(minicbor::decode::<Places>(&minicbor::to_vec(&nine[..8]).unwrap()).is_ok());
    for bad in ["9bffffffffffffffff", "9f61", "8164", "8167646972", "f6"] {
        let bytes = data_encoding::HEXLOWER.decode(bad.as_bytes()).unwrap();
        assert!(minicbor::decode::<Places>(&bytes).is_err(), "{bad}");
    }
    assert_eq!(
        Places::new((0..20).map(|i| Locator::new("dir", &format!("/{i}")).unwrap())).iter().count(),
        8
    );
}

/// The form of what is said stays: another implementation goes by it.
#[test]
fn their_form_on_the_wire_stays() {
    let id = IntroductionId([1; 16]);
    let device = crate::crypto::keys::DeviceId([2; 16]);
    let hex = |message: Message| data_encoding::HEXLOWER.encode(&message.to_bytes());
    let (one, two) = ("01".repeat(16), "02".repeat(16));
    let consent = Message::Consent { id, places: places(&["/x"]) };
    assert_eq!(hex(consent), format!("82018250{one}81666469723a2f78"));
    let agreed = Message::Agreed { id, device, places: places(&[]), hosted: true };
    assert_eq!(hex(agreed), format!("82028450{one}50{two}80f5"));
    let passed = Message::Invite { id, device, sealed: vec![3] };
    assert_eq!(hex(passed), format!("82038350{one}50{two}4103"));
    assert_eq!(data_encoding::HEXLOWER.encode(&minicbor::to_vec(Receipt { taken: true }).unwrap()), "81f5");
}

proptest! {
    #[test]
    fn whatever_comes_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        }
    }

    #[test]
    fn what_is_sealed_opens_for_whom_it_is_and_in_no_other_way(seed in 0_u64..1000, at in 0_usize..200, bit in 0_u8..8) {
        let (ann, bob) = (Person::new(seed), Person::new(seed + 1));
        let (a, b) = (ann.account.id(), bob.account.id());
        let made = seal(
            &ID,
            (&a, ann.device.noise()),
            (&b, &bob.device.public().noise),
            &Secret::new([5; 32]),
            &invite(1),
        );
        let sealed = made.unwrap();
        let opened = |id: &IntroductionId, from: &AccountId, bytes: &[u8]| {
            open(id, (&b, bob.device.noise()), (from, &ann.device.public().noise), bytes)
        };
        prop_assert_eq!(opened(&ID, &a, &sealed), Ok(invite(1)));
        prop_assert!(opened(&IntroductionId([8; 16]), &a, &sealed).is_err());
        prop_assert!(opened(&ID, &b, &sealed).is_err());
        let mut broken = sealed.clone();
        let at = at % broken.len();
        broken[at] ^= 1 << bit;
        prop_assert!(opened(&ID, &a, &broken).is_err() || (at == 31 && bit == 7), "the top bit of an X25519 key is not looked at");
    }
}
