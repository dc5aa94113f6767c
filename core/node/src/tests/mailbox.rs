//! A host at work: what guests leave for a friend who is away, what that friend fetches, and what becomes of it otherwise.
//!
//! Rosa's own node is deaf to what hosts offer, so that nothing but the test speaks with the host in her name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use wayside_bridge::{MemoryService, RingTarget};
use wayside_noise::Stream;
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::wire::{
    Answer, Ask, Bell, BlobHash, Carry, HostEntry, Listed, MAX_BLOB, MailboxOffer, Put, Queue, QueueId, Told,
};
use wayside_proto::mailbox::{custody, seal};
use wayside_proto::place::Locator;

use super::{Person, befriend, link, service, until};
use crate::api::types::*;
use crate::driver::Driver;
use crate::guests::visit::Visit;
use crate::links::notices::Notice;
use crate::links::{Peer, Protocol, read_frame, write_frame};
use crate::mailbox::{carry, deposit, fetch};
use crate::store::Disk;
use crate::store::offers::MAILBOXES;

const LIFETIME: u32 = 86_400;

/// Hears nothing of what is offered.
#[derive(Debug)]
struct Deaf;

#[async_trait]
impl Protocol for Deaf {
    async fn accept(&self, _: Peer, _: Stream) {
        std::future::pending().await
    }
}

pub(super) async fn deaf(name: &'static str, service: &MemoryService) -> Person {
    Person::new_with(name, service, |node| node.protocol(MailboxOffer::NAME, Arc::new(Deaf))).await
}

fn driver(person: &Person) -> &Driver {
    person.node().driver()
}

pub(super) fn account(person: &Person) -> AccountId {
    AccountId::parse(&person.node().id().account).unwrap()
}

pub(super) fn device(person: &Person) -> DeviceId {
    crate::Home::open(&person.home()).unwrap().engine_identity().device.public().id()
}

pub(super) async fn allow(person: &Person, friend: &str, may: bool) {
    let words = vec!["mailbox".to_owned()];
    let (allow, deny) = if may { (words, vec![]) } else { (vec![], words) };
    let change = ChangeFriend { allow, deny, ..ChangeFriend::default() };
    let _: FriendView = person.api().patch(&format!("/v1/friends/{friend}"), &change).await.unwrap();
}

async fn view(person: &Person) -> MailboxView {
    person.api().get("/v1/mailbox").await.unwrap()
}

async fn items(person: &Person) -> u64 {
    view(person).await.friends.iter().map(|it| it.items).sum()
}

/// What a guest needs to leave something for Rosa at Hanna's.
pub(super) async fn door(host: &Person, owner: &Person) -> HostEntry {
    let has_mailbox = async || {
        driver(host).mailboxes().has_mailbox(&account(owner))
            && driver(host).door(account(owner)).await.is_some()
    };
    until("there is a door", has_mailbox).await;
    driver(host).door(account(owner)).await.unwrap()
}

fn queue(byte: u8) -> Queue {
    Queue { id: QueueId([byte; 16]), key: Secret::new([byte; 32]) }
}

pub(super) fn put(queue: &Queue, blob: Vec<u8>) -> Put {
    let hash = seal::hash(&blob);
    let mac = custody::mac(&queue.key, &queue.id, &hash, LIFETIME);
    Put { queue: queue.id, hash, lifetime: LIFETIME, mac, blob }
}

/// Something of 600 bytes that is nothing else's.
fn blob(seed: u32) -> Vec<u8> {
    (0..150)
        .flat_map(|at: u32| (seed.wrapping_mul(2_654_435_761) ^ at.wrapping_mul(40_503)).to_be_bytes())
        .collect()
}

pub(super) async fn guest(person: &Person, entry: &HostEntry) -> Visit {
    driver(person).host_link(entry, Instant::now() + Duration::from_secs(10)).await.expect("a guest's link")
}

async fn leave(link: &Visit, puts: &[Put]) -> Vec<Answer> {
    let (answers, done) = deposit::leave(link.open(deposit::NAME).await.unwrap(), puts).await;
    done.unwrap();
    answers
}

pub(super) async fn asked(peer: &Peer, ask: &Ask) -> Option<Told> {
    let mut stream = peer.link.open(fetch::NAME).await.ok()?;
    write_frame(&mut stream.send, ask).await.ok()?;
    read_frame(&mut stream.recv, 1 << 20).await.ok()?
}

pub(super) async fn register(owner: &Person, host: &Person, queues: Vec<Queue>) {
    let peer = link(owner, host.name).await;
    let told = asked(&peer, &Ask::Register(queues, vec![device(owner)])).await;
    assert_eq!(told, Some(Told::Done));
}

/// All that lies there, a hundred at a time.
async fn listed(peer: &Peer) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let after = all.last().map_or(0, |it| it.arrival);
        let Some(Told::Listed(some, is_more)) = asked(peer, &Ask::List(after, 100)).await else {
            panic!("not listed")
        };
        all.extend(some);
        if !is_more {
            return all;
        }
    }
}

async fn fetched(peer: &Peer, arrivals: Vec<u64>) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut stream = peer.link.open(fetch::NAME).await.unwrap();
    let count = arrivals.len();
    write_frame(&mut stream.send, &Ask::Get(arrivals)).await.unwrap();
    let mut blobs = Vec::new();
    while blobs.len() < count {
        match read_frame(&mut stream.recv, MAX_BLOB + 64).await.unwrap() {
            Some(Told::Blob(arrival, blob)) => blobs.push((arrival, blob)),
            other => panic!("{other:?}"),
        }
    }
    blobs
}

/// Hanna, who keeps mail for Rosa, and Rosa.
async fn host_and_owner(service: &MemoryService) -> (Person, Person) {
    let (hanna, rosa) = (Person::new("hanna", service).await, deaf("rosa", service).await);
    befriend(&hanna, &rosa).await;
    allow(&hanna, "rosa", true).await;
    door(&hanna, &rosa).await;
    (hanna, rosa)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_guests_leave_is_fetched_and_gone_once_it_was_acknowledged() {
    let service = service();
    let (mut hanna, rosa) = host_and_owner(&service).await;
    let (sam, tom) = (Person::new("sam", &service).await, Person::new("tom", &service).await);
    register(&rosa, &hanna, vec![queue(1), queue(2)]).await;
    let entry = door(&hanna, &rosa).await;
    let puts = |byte: u8| -> Vec<Put> {
        (0..300).map(|at| put(&queue(byte), blob(u32::from(byte) * 1000 + at))).collect()
    };
    let (from_sam, from_tom) = (puts(1), puts(2));
    let (sams, toms) = (guest(&sam, &entry).await, guest(&tom, &entry).await);
    let (one, two) = tokio::join!(leave(&sams, &from_sam), leave(&toms, &from_tom));
    assert!(one.iter().chain(&two).all(|it| *it == Answer::Stored));
    // The same again is the same.
    assert_eq!(leave(&sams, &from_sam[..10]).await, [Answer::Stored; 10]);
    let kept = view(&hanna).await;
    assert_eq!((kept.friends.len(), kept.friends[0].items, kept.bytes), (1, 600, 600 * 600), "{kept:?}");

    let peer = link(&rosa, "hanna").await;
    let lying = listed(&peer).await;
    assert!(lying.is_sorted_by(|one, two| one.arrival < two.arrival));
    let expected: BTreeSet<BlobHash> = from_sam.iter().chain(&from_tom).map(|put| put.hash).collect();
    assert_eq!(lying.iter().map(|it| it.hash).collect::<BTreeSet<_>>(), expected);
    let mut of_one = lying.iter().filter(|it| it.queue == queue(1).id).map(|it| it.hash);
    assert!(from_sam.iter().all(|put| of_one.next() == Some(put.hash)), "in the order in which they came");
    let mut arrivals: Vec<u64> = lying.iter().map(|it| it.arrival).collect();
    arrivals.push(u64::MAX);
    let blobs = fetched(&peer, arrivals.clone()).await;
    assert_eq!(blobs.last(), Some(&(u64::MAX, None)));
    for (it, (arrival, blob)) in lying.iter().zip(&blobs) {
        assert_eq!((it.arrival, it.hash), (*arrival, seal::hash(blob.as_ref().unwrap())));
    }

    // Half of it is acknowledged; the other half is there after a restart.
    let (done, left) = arrivals[..600].split_at(300);
    assert_eq!(asked(&peer, &Ask::Acknowledge(done.to_vec())).await, Some(Told::Done));
    hanna.stop().await;
    hanna.start().await;
    let peer = link(&rosa, "hanna").await;
    assert_eq!(listed(&peer).await.iter().map(|it| it.arrival).collect::<Vec<_>>(), left);
    // What was fetched does not come back.
    let sams = guest(&sam, &door(&hanna, &rosa).await).await;
    assert_eq!(leave(&sams, &from_sam).await, vec![Answer::Stored; 300]);
    assert_eq!(items(&hanna).await, 300);
    assert_eq!(asked(&peer, &Ask::Acknowledge(left.to_vec())).await, Some(Told::Done));
    assert_eq!(items(&hanna).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_anything_came_hears_of_it_when_it_comes() {
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let sam = Person::new("sam", &service).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let peer = link(&rosa, "hanna").await;
    let asking = tokio::spawn(async move { asked(&peer, &Ask::List(0, 10)).await });
    let sams = guest(&sam, &door(&hanna, &rosa).await).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asking.is_finished(), "there is nothing yet");
    let put = put(&queue(1), blob(1));
    assert_eq!(leave(&sams, std::slice::from_ref(&put)).await, [Answer::Stored]);
    let told = tokio::time::timeout(Duration::from_secs(5), asking).await.expect("at once").unwrap();
    assert!(matches!(told, Some(Told::Listed(listed, false)) if listed[0].hash == put.hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_the_owner_of_the_door_or_not_what_it_should_be_is_not_kept() {
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let (ruth, sam) = (deaf("ruth", &service).await, Person::new("sam", &service).await);
    befriend(&hanna, &ruth).await;
    allow(&hanna, "ruth", true).await;
    let (to_rosa, to_ruth) = (door(&hanna, &rosa).await, door(&hanna, &ruth).await);
    register(&rosa, &hanna, vec![queue(1)]).await;
    register(&ruth, &hanna, vec![queue(2)]).await;
    let at_rosas = guest(&sam, &to_rosa).await;
    let mut wrong_mac = put(&queue(1), blob(2));
    wrong_mac.mac[0] ^= 1;
    let mut wrong_hash = put(&queue(1), blob(3));
    wrong_hash.blob[0] ^= 1;
    let puts = [
        put(&queue(2), blob(1)), // Ruth's, by Rosa's door
        put(&queue(3), blob(1)),
        wrong_mac,
        wrong_hash,
        put(&queue(1), Vec::new()),
        put(&queue(1), vec![7; MAX_BLOB]),
    ];
    let answers = leave(&at_rosas, &puts).await;
    let expected = [
        Answer::Denied,
        Answer::Denied,
        Answer::Denied,
        Answer::Malformed,
        Answer::Malformed,
        Answer::Stored,
    ];
    assert_eq!(answers, expected);
    assert_eq!(items(&hanna).await, 1);
    // Neither gets the other's: not what lies there, nor by its number.
    let of_rosa = listed(&link(&rosa, "hanna").await).await[0].arrival;
    let ruths = link(&ruth, "hanna").await;
    assert_eq!(fetched(&ruths, vec![of_rosa]).await, [(of_rosa, None)]);
    assert_eq!(asked(&ruths, &Ask::Acknowledge(vec![of_rosa])).await, Some(Told::Done));
    assert_eq!(items(&hanna).await, 1, "nor takes it away");
    // Garbage ends the link.
    let mut stream = at_rosas.open(deposit::NAME).await.unwrap();
    stream.send.write_all(&[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), at_rosas.closed())
        .await
        .expect("a guest like this is sent away");
    // So does a size that no deposit has.
    let again = guest(&sam, &to_rosa).await;
    let stream = again.open(deposit::NAME).await.unwrap();
    let (answers, _) = deposit::leave(stream, &[put(&queue(1), vec![7; MAX_BLOB + 1])]).await;
    assert_eq!(answers, []);
    tokio::time::timeout(Duration::from_secs(5), again.closed()).await.expect("of this size");
    // And so does a frame that is longer than any may be.
    let again = guest(&sam, &to_ruth).await;
    let mut stream = again.open(deposit::NAME).await.unwrap();
    stream.send.write_all(&[0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), again.closed()).await.expect("and this");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_loses_nothing() {
    let service = service();
    let disk = Disk::default();
    let mut hanna = Person::new_with("hanna", &service, |node| node.mailbox_disk(disk.clone())).await;
    let (rosa, sam) = (deaf("rosa", &service).await, Person::new("sam", &service).await);
    befriend(&hanna, &rosa).await;
    allow(&hanna, "rosa", true).await;
    let entry = door(&hanna, &rosa).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let sams = guest(&sam, &entry).await;
    let puts: Vec<Put> = (0..40).map(|at| put(&queue(1), blob(at))).collect();
    assert_eq!(leave(&sams, &puts[..10]).await, [Answer::Stored; 10]);
    disk.fill(true);
    let answers = leave(&sams, &puts[10..20]).await;
    assert!(answers.iter().all(|it| matches!(it, Answer::Full(secs) if *secs > 0)), "{answers:?}");
    assert!(disk.refused() > 0);
    // It fills while groups are being written: what was said to be stored is.
    disk.fill(false);
    let (answers, ()) = tokio::join!(leave(&sams, &puts[20..]), async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            disk.fill(true);
            tokio::task::yield_now().await;
            disk.fill(false);
        }
    });
    hanna.stop().await;
    hanna.start_with(|node| node.mailbox_disk(disk.clone())).await;
    let peer = link(&rosa, "hanna").await;
    let lying: BTreeSet<BlobHash> = listed(&peer).await.iter().map(|it| it.hash).collect();
    let stored = puts[20..].iter().zip(&answers).filter(|(_, it)| **it == Answer::Stored);
    let stored: Vec<_> = puts[..10].iter().chain(stored.map(|(put, _)| put)).collect();
    assert!(stored.iter().all(|put| lying.contains(&put.hash)));
    // Tried again, all of it is there, each once.
    let sams = guest(&sam, &door(&hanna, &rosa).await).await;
    assert_eq!(leave(&sams, &puts).await, [Answer::Stored; 40]);
    assert_eq!(listed(&peer).await.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_any_more_is_turned_out_with_all_that_lay_there() {
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let sam = Person::new("sam", &service).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let entry = door(&hanna, &rosa).await;
    let sams = guest(&sam, &entry).await;
    let puts: Vec<Put> = (0..1200).map(|at| put(&queue(1), blob(at))).collect();
    assert!(leave(&sams, &puts).await.iter().all(|it| *it == Answer::Stored));
    assert_eq!(items(&hanna).await, 1200);
    allow(&hanna, "rosa", false).await;
    tokio::time::timeout(Duration::from_secs(5), sams.closed()).await.expect("her guests are turned out");
    until("it is deleted", async || items(&hanna).await == 0).await;
    let all_gone = async || {
        let known = driver(&hanna).mailboxes().usage().await.unwrap();
        known == (std::collections::BTreeMap::new(), 0)
    };
    until("nothing is known of her", all_gone).await;
    let peer = link(&rosa, "hanna").await;
    assert_eq!(asked(&peer, &Ask::List(0, 10)).await, None);
    assert!(driver(&hanna).door(account(&rosa)).await.is_none());
    // Let again she begins with nothing, behind another door.
    allow(&hanna, "rosa", true).await;
    assert_ne!(door(&hanna, &rosa).await.guest, entry.guest);
    register(&rosa, &hanna, vec![queue(1)]).await;
    let asking = tokio::time::timeout(Duration::from_millis(500), asked(&peer, &Ask::List(0, 10)));
    assert!(asking.await.is_err(), "there is nothing to tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_friend_has_us_carry_comes_to_the_host() {
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let (carl, sam) = (Person::new("carl", &service).await, Person::new("sam", &service).await);
    befriend(&carl, &sam).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let host = HostEntry { name: "hanna".into(), ..door(&hanna, &rosa).await };
    let carries: Vec<Carry> = (0..50)
        .map(|at| Carry { host: host.clone(), put: put(&queue(if at == 7 { 9 } else { 1 }), blob(at)) })
        .collect();
    let peer = link(&sam, "carl").await;
    let bring = async |carries: &[Carry]| {
        let (answers, done) = deposit::leave(peer.link.open(carry::NAME).await.unwrap(), carries).await;
        done.unwrap();
        answers
    };
    assert_eq!(bring(&carries[..1]).await, [Answer::Denied], "he does not carry for everybody");
    allow(&carl, "sam", true).await;
    until("he carries", async || bring(&carries[..1]).await == [Answer::Stored]).await;
    assert_eq!(bring(&carries).await, [Answer::Stored; 50]);
    until("they are there", async || items(&hanna).await == 49).await;
    let carried = async || driver(&carl).mailboxes().usage().await.unwrap().1;
    until("he is rid of them, also of what nobody takes", async || carried().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_carry_something_to_itself_has_it_as_the_host() {
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let sam = Person::new("sam", &service).await;
    befriend(&hanna, &sam).await;
    allow(&hanna, "sam", true).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let host = HostEntry { name: "hanna".into(), ..door(&hanna, &rosa).await };
    let carry = |put: Put| Carry { host: host.clone(), put };
    let carries =
        [carry(put(&queue(1), blob(1))), carry(put(&queue(9), blob(2))), carry(put(&queue(1), blob(1)))];
    let peer = link(&sam, "hanna").await;
    let bring = async |carries: &[Carry]| {
        let (answers, done) = deposit::leave(peer.link.open(carry::NAME).await.unwrap(), carries).await;
        done.unwrap();
        answers
    };
    until("she carries for him", async || bring(&carries[..1]).await == [Answer::Here]).await;
    assert_eq!(bring(&carries).await, [Answer::Here, Answer::Denied, Answer::Here]);
    assert_eq!(items(&hanna).await, 1);
    assert_eq!(driver(&hanna).mailboxes().carried_in_all().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_is_rung_once_until_it_comes() {
    let service = service();
    let (hanna, mut rosa) = host_and_owner(&service).await;
    let sam = Person::new("sam", &service).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let bridges: Vec<BridgeView> = hanna.api().get("/v1/bridges").await.unwrap();
    let locator = Locator::parse(&bridges[0].locators[0]).unwrap();
    let peer = link(&rosa, "hanna").await;
    let bell = |target: &str| Ask::Ring(Some(Bell { locator: locator.clone(), target: target.to_owned() }));
    assert_eq!(asked(&peer, &bell(&"x".repeat(201))).await, None, "nobody is called so");
    assert_eq!(asked(&peer, &bell("rosa's phone")).await, Some(Told::Done));
    let sams = guest(&sam, &door(&hanna, &rosa).await).await;
    // While she is here nobody rings.
    assert_eq!(leave(&sams, &[put(&queue(1), blob(1))]).await, [Answer::Stored]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(service.rung().is_empty());
    rosa.stop().await;
    until("she is gone", async || driver(&hanna).links().all().is_empty()).await;
    for at in 2..5 {
        assert_eq!(leave(&sams, &[put(&queue(1), blob(at))]).await, [Answer::Stored]);
        tokio::time::sleep(Duration::from_millis(1300)).await;
    }
    assert_eq!(service.rung(), [RingTarget("rosa's phone".to_owned())], "once");
    // She comes because she is wanted, without any reason of her own, looks, and goes: then she may be rung again.
    rosa.start_with(|node| node.protocol(MailboxOffer::NAME, Arc::new(Deaf))).await;
    let is_here = async || driver(&hanna).links().of(&account(&rosa)).is_some();
    for _ in 0..60 {
        if is_here().await {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(is_here().await, "she is wanted");
    let peer = link(&rosa, "hanna").await;
    assert_eq!(listed(&peer).await.len(), 4);
    rosa.stop().await;
    until("she is gone", async || driver(&hanna).links().all().is_empty()).await;
    assert_eq!(leave(&sams, &[put(&queue(1), blob(9))]).await, [Answer::Stored]);
    until("she is rung again", async || service.rung().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_offered_remembered_and_taken_back() {
    let service = service();
    let (hanna, mut rosa) = (Person::new("hanna", &service).await, Person::new("rosa", &service).await);
    befriend(&hanna, &rosa).await;
    assert!(view(&rosa).await.hosts.is_empty());
    allow(&hanna, "rosa", true).await;
    until("it is offered", async || view(&rosa).await.hosts.len() == 1).await;
    let offered = driver(&rosa).mailboxes().offers();
    let (from, offer) = &offered[0];
    assert_eq!((*from, offer.account, offer.bytes), (device(&hanna), account(&hanna), 100_000_000));
    assert_eq!(offer.host.guest, door(&hanna, &rosa).await.guest);
    rosa.stop().await;
    rosa.start().await;
    let remembered = driver(&rosa).mailboxes().offers();
    assert_eq!((remembered.len(), remembered[0].0), (1, *from), "without any link");
    assert_eq!(remembered[0].1.host.secret, offer.host.secret);
    rosa.ping("hanna").await.unwrap();
    let mut changed = driver(&rosa).mailboxes().offers_changed();
    changed.mark_unchanged();
    allow(&hanna, "rosa", false).await;
    until("it is taken back", async || view(&rosa).await.hosts.is_empty()).await;
    assert!(changed.has_changed().unwrap());
    allow(&hanna, "rosa", true).await;
    until("it is offered again", async || view(&rosa).await.hosts.len() == 1).await;
    let _: () = rosa.api().delete("/v1/friends/hanna").await.unwrap();
    until("it goes with the friendship", async || view(&rosa).await.hosts.is_empty()).await;
    let on_disk = async || driver(&rosa).store().run(|store| store.offers(MAILBOXES)).await.unwrap();
    until("also from the disk", async || on_disk().await.is_empty()).await;
}

/// All bytes of a home.
fn everything(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(everything(&path));
        } else if path.is_file() {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_seized_shows_its_own_friends_and_nobody_who_wrote_to_them() {
    let service = service();
    let (mut hanna, rosa) = host_and_owner(&service).await;
    let sam = Person::new("samuel-the-sender", &service).await;
    befriend(&rosa, &sam).await;
    register(&rosa, &hanna, vec![queue(1)]).await;
    let sams = guest(&sam, &door(&hanna, &rosa).await).await;
    let puts: Vec<Put> = (0..20).map(|at| put(&queue(1), blob(at))).collect();
    assert_eq!(leave(&sams, &puts).await, [Answer::Stored; 20]);
    let while_it_runs = everything(&hanna.home());
    hanna.stop().await;
    for seized in [while_it_runs, everything(&hanna.home())] {
        // That it is looked for in the right place: the owner is there, and what lies there for her.
        assert!(holds(&seized, &account(&rosa).0), "the owner's account");
        assert!(holds(&seized, b"rosa"), "what she is called");
        assert!(holds(&seized, &puts[3].blob), "what was left");
        let keys = crate::Home::open(&sam.home()).unwrap().engine_identity();
        let device = keys.device.public();
        let mut revealing: Vec<(&str, Vec<u8>)> = vec![
            ("account", account(&sam).0.to_vec()),
            ("account in words", account(&sam).to_string().into_bytes()),
            ("device", device.id().0.to_vec()),
            ("device in words", device.id().to_string().into_bytes()),
            ("key", device.noise.to_vec()),
            ("key", device.sign.to_vec()),
            ("name", b"samuel-the-sender".to_vec()),
        ];
        for url in sam.node().listening() {
            let address: std::net::SocketAddr = url.trim_start_matches("udp://").parse().unwrap();
            let (port, text) = (address.port().to_be_bytes(), address.to_string());
            revealing.push(("address", text.into_bytes()));
            revealing.push(("address in bytes", [&[127, 0, 0, 1][..], &port].concat()));
        }
        for (what, bytes) in revealing {
            assert!(!holds(&seized, &bytes), "the sender's {what}");
        }
    }
}
