#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use futures::executor::block_on;

use super::*;
use crate::layers::probe_bridge::ProbeBridge;
use crate::{Class, Delivery, ErrorKind, Key, Locator, Lookup, MemoryService, Place, Slot, Timestamp, Wake};

fn slot(number: u8) -> Key {
    Key::Slot(Slot([number; 16]))
}

fn record(key: Key, class: Class, len: usize) -> Record {
    Record::new(key, class, Timestamp::from_secs(86_400), vec![0; len])
}

fn asked(key: u8) -> Keys {
    [slot(key)].into_iter().collect()
}

/// A bridge that declares as little as it can, and does everything it is asked.
fn narrow() -> (std::sync::Arc<ProbeBridge>, Check) {
    let service = MemoryService::builder()
        .without(Class::Custody)
        .max_record(Class::Meeting, 10)
        .retract(false)
        .wake(Wake::Never)
        .lookup(Lookup::Key)
        .max_keys(2)
        .delivery(Delivery::Poll { interval: Duration::from_secs(1) })
        .build();
    let inner = ProbeBridge::with(service.capability().clone());
    (inner.clone(), Check::new(inner))
}

#[test]
fn what_is_not_declared_never_reaches_the_bridge() {
    let (inner, check) = narrow();
    let publish = |record: Record| block_on(check.publish(&record)).unwrap_err().kind();
    assert_eq!(publish(record(slot(1), Class::Custody, 1)), ErrorKind::Refused);
    assert_eq!(publish(record(slot(1), Class::Meeting, 11)), ErrorKind::Refused);
    assert_eq!(publish(record(Key::name("ann").unwrap(), Class::Meeting, 1)), ErrorKind::Refused);
    assert_eq!(publish(record(Key::Name("../ann".to_owned()), Class::Pointer, 1)), ErrorKind::Refused);

    let fetch = |request| block_on(check.fetch(request)).unwrap_err().kind();
    assert_eq!(fetch(Fetch::new(Place::Own, Keys::All)), ErrorKind::Unsupported);
    assert_eq!(fetch(Fetch::new(Place::Own, (0..3).map(slot).collect())), ErrorKind::Refused);
    let elsewhere = Place::Of(Locator::new("probe", "elsewhere").unwrap());
    assert_eq!(fetch(Fetch::new(elsewhere, asked(1))), ErrorKind::Unsupported);
    let mut nothing = Fetch::new(Place::Own, asked(1));
    nothing.limit = 0;
    assert_eq!(fetch(nothing), ErrorKind::Refused);

    let watch = block_on(check.watch(Watch::new(Place::Own, asked(1)))).err().unwrap();
    assert_eq!(watch.kind(), ErrorKind::Unsupported);
    assert_eq!(block_on(check.retract(&[])).unwrap_err().kind(), ErrorKind::Unsupported);
    let ring = block_on(check.ring(&RingTarget("ann".to_owned()))).unwrap_err();
    assert_eq!(ring.kind(), ErrorKind::Unsupported);
    assert!(inner.calls().is_empty(), "{:?}", inner.calls());
}

#[test]
fn what_is_declared_reaches_the_bridge() {
    let (inner, check) = narrow();
    block_on(check.publish(&record(slot(1), Class::Meeting, 10))).unwrap();
    block_on(check.publish(&record(Key::name("ann").unwrap(), Class::Pointer, 10))).unwrap();
    block_on(check.fetch(Fetch::new(Place::Own, (0..2).map(slot).collect()))).unwrap();
    let here = Place::Of(Locator::new("probe", "here").unwrap());
    block_on(check.fetch(Fetch::new(here, asked(1)))).unwrap();
    block_on(check.probe()).unwrap();
    assert_eq!(inner.calls(), ["publish", "publish", "fetch", "fetch", "probe"]);
}

#[test]
fn nobody_who_cannot_be_rung_is_rung() {
    let check = Check::new(ProbeBridge::new());
    for target in ["", "a\nb", &"x".repeat(2_000)] {
        let error = block_on(check.ring(&RingTarget(target.to_owned()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
    block_on(check.ring(&RingTarget("@ann:example.org".to_owned()))).unwrap();
}

#[test]
fn strays_are_dropped_and_a_surplus_is_cut() {
    let inner = ProbeBridge::new();
    let check = Check::new(inner.clone());
    let (wanted, stray) = (record(slot(1), Class::Meeting, 3), record(slot(2), Class::Meeting, 3));
    *inner.batch.lock().unwrap() = Batch {
        records: vec![stray, wanted.clone(), wanted.clone(), wanted.clone()],
        skipped: 5,
        ..Batch::default()
    };

    let mut request = Fetch::new(Place::Own, asked(1));
    request.limit = 2;
    let batch = block_on(check.fetch(request)).unwrap();
    assert_eq!(batch.records, [wanted.clone(), wanted.clone()]);
    assert_eq!(batch.skipped, 5 + 1 + 1);

    let stream = block_on(check.watch(Watch::new(Place::Own, asked(1)))).unwrap();
    let items: Vec<_> = block_on(stream.collect());
    assert_eq!(items.len(), 2, "the stream ends with its first error");
    assert_eq!(items[0].as_ref().unwrap().records, [wanted.clone(), wanted.clone(), wanted]);
    assert!(items[1].is_err());
}
