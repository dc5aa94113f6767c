//! Guests' doors: who comes in by them, and how they are found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wayside_bridge::MemoryService;
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::wire::HostEntry;
use wayside_proto::place::Candidates;

use super::{Person, service, until};
use crate::NodeBuilder;
use crate::doors::DoorProtocol;
use crate::driver::Driver;
use crate::guests::visit::Visit;
use crate::store::Disk;

const NAME: &str = "test/1";
const OWNER: AccountId = AccountId([7; 32]);

/// Says whose door it is, behind what was said.
#[derive(Debug)]
struct Says;

#[async_trait]
impl DoorProtocol for Says {
    async fn accept(&self, owner: AccountId, _: Link, mut stream: Stream) {
        let mut said = [0; 2];
        if stream.recv.read_exact(&mut said).await.is_ok() {
            let answer = [&said[..], &owner.0[..1]].concat();
            let _ = stream.send.write_all(&answer).await;
            let _ = stream.send.shutdown().await;
        }
    }
}

async fn host(service: &MemoryService) -> Person {
    Person::new_with("hal", service, |node| node.door_protocol(NAME, Arc::new(Says))).await
}

fn driver(person: &Person) -> &Driver {
    person.node().driver()
}

/// What it takes to come in by the one door that there is.
async fn door(person: &Person) -> HostEntry {
    driver(person).set_doors([OWNER].into()).await;
    driver(person).door(OWNER).await.unwrap()
}

async fn reached(person: &Person, entry: &HostEntry, within: u64) -> Option<Visit> {
    driver(person).host_link(entry, Instant::now() + Duration::from_secs(within)).await
}

async fn asks(link: &Visit) -> Option<Vec<u8>> {
    let mut stream = link.open(NAME).await.ok()?;
    stream.send.write_all(b"hi").await.ok()?;
    let mut answer = Vec::new();
    stream.recv.read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_comes_in_by_the_door_and_is_served_for_its_owner() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    let link = reached(&sue, &entry, 10).await.unwrap();
    assert_eq!(asks(&link).await.unwrap(), *b"hi\x07");
    assert!(driver(&hal).links().all().is_empty(), "it is nobody's link");
    // The same one serves whoever comes next.
    let again = reached(&sue, &entry, 10).await.unwrap();
    assert_eq!(link.number(), again.number());
    assert_eq!(driver(&hal).guests_here(), 1);
    drop((link, again));
    until("the link is let go", async || driver(&hal).guests_here() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_stay_the_same() {
    let service = service();
    let (mut hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let before = door(&hal).await;
    hal.stop().await;
    hal.start_with(|node| node.door_protocol(NAME, Arc::new(Says))).await;
    let after = driver(&hal).door(OWNER).await.unwrap();
    assert_eq!((before.guest, &before.secret), (after.guest, &after.secret));
    // Open without anybody saying so, though elsewhere.
    let old = HostEntry { candidates: after.candidates.clone(), ..before };
    assert_eq!(asks(&reached(&sue, &old, 10).await.unwrap()).await.unwrap(), *b"hi\x07");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_is_no_more_lets_nobody_in() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    let link = reached(&sue, &entry, 10).await.unwrap();
    assert!(asks(&link).await.is_some());
    driver(&hal).set_doors(BTreeSet::new()).await;
    tokio::time::timeout(Duration::from_secs(5), link.closed()).await.expect("who is in is turned out");
    assert!(reached(&sue, &entry, 2).await.is_none());
    assert!(driver(&hal).door(OWNER).await.is_none());
    // The next one is another.
    let next = door(&hal).await;
    assert!(next.guest != entry.guest && next.secret != entry.secret);
    assert!(reached(&sue, &entry, 2).await.is_none());
    assert!(asks(&reached(&sue, &next, 10).await.unwrap()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_at_the_same_time_shares_a_link() {
    let service = service();
    let (hal, sue, tom) =
        (host(&service).await, Person::new("sue", &service).await, Person::new("tom", &service).await);
    let entry = door(&hal).await;
    let (one, two, other) =
        tokio::join!(reached(&sue, &entry, 10), reached(&sue, &entry, 10), reached(&tom, &entry, 10));
    let (one, two, other) = (one.unwrap(), two.unwrap(), other.unwrap());
    assert_eq!(one.number(), two.number());
    for link in [&one, &two, &other] {
        assert_eq!(asks(link).await.unwrap(), *b"hi\x07");
    }
    assert_eq!(driver(&hal).guests_here(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_nothing_is_sent_away() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let link = reached(&sue, &door(&hal).await, 10).await.unwrap();
    until("it was sent away", async || driver(&hal).guests_here() == 0).await;
    tokio::time::timeout(Duration::from_secs(5), link.closed()).await.expect("the link is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_get_no_answer() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    let secret = HostEntry { secret: Secret::new([1; 32]), ..entry.clone() };
    let guest = HostEntry { guest: [9; 32], ..entry };
    // Neither straight nor over the place.
    for wrong in [secret, guest] {
        assert!(reached(&sue, &wrong, 4).await.is_none());
    }
    assert_eq!(driver(&hal).guests_here(), 0);
}

/// The same door, for somebody who does not know where the host is.
fn without_addresses(entry: &HostEntry) -> HostEntry {
    HostEntry { candidates: Candidates::default(), ..entry.clone() }
}

/// How many records lie in the place that everybody shares.
fn records(service: &MemoryService) -> usize {
    service.stored()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_where_the_host_is_knocks_at_its_place() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    assert_eq!(entry.points.len(), 1);
    let link = reached(&sue, &without_addresses(&entry), 20).await.unwrap();
    assert_eq!(asks(&link).await.unwrap(), *b"hi\x07");
    assert!(driver(&hal).links().all().is_empty());
    until("all is taken back", async || records(&service) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_up_later_finds_the_knock() {
    let service = service();
    let (mut hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    hal.stop().await;
    let waiting = {
        let (driver, entry) = (driver(&sue).clone(), entry.clone());
        tokio::spawn(async move { driver.host_link(&entry, Instant::now() + Duration::from_secs(60)).await })
    };
    until("the knock lies there", async || records(&service) == 1).await;
    // At another port, which nobody knows.
    hal.start_with(|node| node.door_protocol(NAME, Arc::new(Says))).await;
    let link = waiting.await.unwrap().unwrap();
    assert_eq!(asks(&link).await.unwrap(), *b"hi\x07");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knock_that_nobody_waits_for_is_taken_back() {
    let service = service();
    let (mut hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = without_addresses(&door(&hal).await);
    hal.stop().await;
    assert!(reached(&sue, &entry, 3).await.is_none());
    until("it is taken back", async || records(&service) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_to_who_knocks_at_a_door_that_is_no_more() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = without_addresses(&door(&hal).await);
    driver(&hal).set_doors(BTreeSet::new()).await;
    assert!(reached(&sue, &entry, 4).await.is_none());
    assert_eq!(driver(&hal).guests_here(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_knock_at_once() {
    let service = service();
    let (hal, sue, tom) =
        (host(&service).await, Person::new("sue", &service).await, Person::new("tom", &service).await);
    let entry = without_addresses(&door(&hal).await);
    let (one, other) = tokio::join!(reached(&sue, &entry, 20), reached(&tom, &entry, 20));
    for link in [one.unwrap(), other.unwrap()] {
        assert_eq!(asks(&link).await.unwrap(), *b"hi\x07");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_guest_is_kept() {
    let service = service();
    let (hal, sue) = (host(&service).await, Person::new("sue", &service).await);
    let entry = door(&hal).await;
    let link = reached(&sue, &without_addresses(&entry), 20).await.unwrap();
    assert!(asks(&link).await.is_some());
    let straight = reached(&sue, &entry, 20).await.unwrap();
    assert!(asks(&straight).await.is_some());
    // What was written once lies in the file still, whether it is needed or not.
    let kept: Vec<u8> = files(&hal.home()).concat();
    let has = |bytes: &[u8]| kept.windows(bytes.len()).any(|it| it == bytes);
    assert!(has(entry.secret.expose()), "the door is kept: this looks in the right place");
    let told = driver(&sue).reach().told().borrow().clone();
    assert!(!told.reach.candidates.is_empty());
    for candidate in told.reach.candidates.iter() {
        let address = candidate.address;
        assert!(!has(address.to_string().as_bytes()), "{address}");
        let ip = match address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        assert!(!has(&[&ip[..], &address.port().to_be_bytes()].concat()), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_takes_nothing_doors_are_shut_and_none_is_made() {
    let (service, disk, other) = (service(), Disk::default(), AccountId([8; 32]));
    let with = |node: NodeBuilder| node.disk(disk.clone()).door_protocol(NAME, Arc::new(Says));
    let mut hal = Person::new_with("hal", &service, with).await;
    let sue = Person::new("sue", &service).await;
    let entry = door(&hal).await;
    disk.fill(true);
    driver(&hal).set_doors([other].into()).await;
    assert!(driver(&hal).door(OWNER).await.is_none());
    assert!(driver(&hal).door(other).await.is_none(), "cards would name it, and the next start not know it");
    assert!(reached(&sue, &entry, 3).await.is_none());
    disk.fill(false);
    until("there is the other door", async || {
        driver(&hal).set_doors([other].into()).await;
        driver(&hal).door(other).await.is_some()
    })
    .await;
    let made = driver(&hal).door(other).await.unwrap();
    hal.stop().await;
    hal.start_with(with).await;
    assert_eq!(driver(&hal).door(other).await.unwrap().guest, made.guest);
    assert!(driver(&hal).door(OWNER).await.is_none(), "it came back");
}

/// What stands in the files of a folder.
fn files(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push(std::fs::read(path).unwrap());
        }
    }
    all
}
