#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};

use super::*;
use crate::{
    Bridge, BridgeExt, Class, Collision, Cursor, Delivery, Fetch, Key, Keys, Lookup, ManualClock, Place,
    Slot, Timestamp, Watch,
};

fn key(number: u8) -> Key {
    Key::Slot(Slot([number; 16]))
}

fn record(number: u8, text: &str) -> Record {
    Record::new(key(number), Class::Meeting, Timestamp::from_secs(86_400), text.as_bytes().to_vec())
}

fn fetch(bridge: &MemoryBridge, keys: Keys, cursor: Option<Cursor>) -> crate::Batch {
    block_on(bridge.fetch(Fetch::new(Place::Own, keys).after(cursor))).unwrap()
}

#[test]
fn records_expire_by_the_injected_clock() {
    let clock = ManualClock::at(Timestamp::from_secs(86_000));
    let service = MemoryService::builder().clock(Arc::new(clock.clone())).build();
    let bridge = service.bridge("ann");
    block_on(bridge.publish_one(&record(1, "today"))).unwrap();
    let long = Record { not_after: Timestamp::from_secs(u64::MAX), ..record(2, "for the retention") };
    block_on(bridge.publish_one(&long)).unwrap();

    clock.advance(Duration::from_secs(400));
    assert_eq!(service.stored(), 2, "it is still that second");
    clock.advance(Duration::from_secs(1));
    assert_eq!(fetch(&bridge, Keys::All, None).records, [long]);
    clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(service.stored(), 0, "and kept for thirty days at most");
}

#[test]
fn a_cursor_goes_on_and_a_foreign_one_begins_anew() {
    let service = MemoryService::new();
    let bridge = service.bridge("ann");
    block_on(bridge.publish_one(&record(1, "a"))).unwrap();
    let first = fetch(&bridge, Keys::All, None);
    block_on(bridge.publish_one(&record(2, "b"))).unwrap();
    assert_eq!(fetch(&bridge, Keys::All, first.cursor.clone()).records, [record(2, "b")]);

    let other = MemoryService::builder().name("other").build().bridge("ann");
    block_on(other.publish_one(&record(3, "c"))).unwrap();
    assert_eq!(fetch(&other, Keys::All, first.cursor).records.len(), 1);
}

#[test]
fn one_writer_places_are_read_by_their_locators() {
    let service = MemoryService::builder()
        .writers(Writers::One)
        .lookup(Lookup::Key)
        .collision(Collision::Overwrite)
        .build();
    let (ann, bob) = (service.bridge("ann"), service.bridge("bob"));
    block_on(ann.publish_one(&record(1, "old"))).unwrap();
    block_on(ann.publish_one(&record(1, "new"))).unwrap();

    let theirs = Place::Of(ann.info().locators[0].clone());
    let found = block_on(bob.fetch(Fetch::new(theirs, [key(1)].into_iter().collect()))).unwrap();
    assert_eq!(found.records, [record(1, "new")]);
    assert!(fetch(&bob, [key(1)].into_iter().collect(), None).records.is_empty());
    let error = block_on(bob.fetch(Fetch::new(Place::Own, Keys::All))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_watcher_gets_what_is_there_and_what_comes() {
    let service = MemoryService::new();
    let bridge = service.bridge("ann");
    block_on(bridge.publish_one(&record(1, "a"))).unwrap();
    let mut stream = block_on(bridge.watch(Watch::new(Place::Own, [key(1)].into_iter().collect()))).unwrap();
    assert_eq!(block_on(stream.next()).unwrap().unwrap().records, [record(1, "a")]);
    assert!(stream.next().now_or_never().is_none());

    block_on(bridge.publish_one(&record(2, "not asked for"))).unwrap();
    assert!(stream.next().now_or_never().is_none());
    block_on(bridge.publish_one(&record(1, "b"))).unwrap();
    assert_eq!(block_on(stream.next()).unwrap().unwrap().records, [record(1, "b")]);

    drop(stream);
    assert!(service.store().watchers.is_empty(), "a dropped watcher is forgotten");
}

#[test]
fn a_watcher_that_lags_is_told_and_misses_nothing_from_its_cursor() {
    let service = MemoryService::builder().queue(3).build();
    let bridge = service.bridge("ann");
    let watch = Watch::new(Place::Own, Keys::All);
    let mut stream = block_on(bridge.watch(watch.clone())).unwrap();
    for number in 0..4 {
        block_on(bridge.publish_one(&record(number, "x"))).unwrap();
    }
    assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Lagged);
    assert!(block_on(stream.next()).is_none());
    let mut again = block_on(bridge.watch(watch)).unwrap();
    assert_eq!(block_on(again.next()).unwrap().unwrap().records.len(), 4);
}

#[test]
fn a_polled_service_has_nothing_to_watch() {
    let delivery = Delivery::Poll { interval: Duration::from_secs(60) };
    let bridge = MemoryService::builder().delivery(delivery).build().bridge("ann");
    let error = block_on(bridge.watch(Watch::new(Place::Own, Keys::All))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn receipts_take_back_ones_own_alone() {
    let service = MemoryService::new();
    let (ann, bob) = (service.bridge("ann"), service.bridge("bob"));
    let receipt = block_on(ann.publish(&record(1, "a"))).unwrap();
    block_on(bob.retract(std::slice::from_ref(&receipt))).unwrap();
    assert_eq!(service.stored(), 1);
    block_on(service.bridge("ann").retract(&[receipt])).unwrap();
    assert_eq!(service.stored(), 0);
}

#[test]
fn it_can_be_abused() {
    let service = MemoryService::builder().capacity(3).build();
    let bridge = service.bridge("ann");
    block_on(bridge.publish_one(&record(1, "a"))).unwrap();
    service.plant_junk("bob", &b"junk"[..]);
    service.plant("bob", record(1, "planted"));
    let found = fetch(&bridge, [key(1)].into_iter().collect(), None);
    assert_eq!((found.records.len(), found.skipped), (2, 1));
    assert_eq!(block_on(bridge.publish(&record(2, "b"))).unwrap_err().kind(), ErrorKind::Full);

    service.tamper(|record| record.bytes = Bytes::from_static(b"tampered"));
    assert!(fetch(&bridge, Keys::All, None).records.iter().all(|r| r.bytes == b"tampered"[..]));

    let mut stream = block_on(bridge.watch(Watch::new(Place::Own, [key(9)].into_iter().collect()))).unwrap();
    assert!(stream.next().now_or_never().is_none());
    service.fail_with(Some(ErrorKind::Unreachable));
    assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(block_on(bridge.probe()).unwrap_err().kind(), ErrorKind::Unreachable);
    service.fail_with(None);
    block_on(bridge.probe()).unwrap();
    assert_eq!(block_on(service.stranger("eve").probe()).unwrap_err().kind(), ErrorKind::Denied);
}

#[test]
fn ringing_is_kept_account_of() {
    let service = MemoryService::builder().queue(1).build();
    let bridge = service.bridge("ann");
    for name in ["bob", "cay"] {
        block_on(bridge.ring(&RingTarget(name.to_owned()))).unwrap();
    }
    assert_eq!(service.rung(), [RingTarget("cay".to_owned())]);
}
