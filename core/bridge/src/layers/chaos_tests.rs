#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::executor::block_on;

use super::*;
use crate::{Class, Key, Keys, ManualClock, MemoryBridge, MemoryService, Place, Slot};

fn chaos(profile: ChaosProfile, seed: u64) -> (MemoryService, MemoryBridge, Chaos) {
    let service = MemoryService::new();
    let plain = service.bridge("ann");
    let broken = Chaos::new(Arc::new(plain.clone()), Arc::new(ManualClock::new()), profile, seed);
    (service, plain, broken)
}

fn record(number: u8) -> Record {
    let key = Key::Slot(Slot([number; 16]));
    Record::new(key, Class::Meeting, Timestamp::from_secs(86_400), vec![number; 20])
}

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// What else does not happen.
const REST: Faults = Faults::none();

/// Everything that goes wrong in a run, as text.
fn transcript(seed: u64) -> String {
    let faults = Faults {
        fail: 0.2,
        lose_answer: 0.2,
        drop: 0.2,
        duplicate: 0.3,
        reorder: 0.5,
        corrupt: 0.3,
        ..Faults::none()
    };
    let (service, _, broken) = chaos(ChaosProfile::all(faults), seed);
    let mut told = String::new();
    for number in 0..40 {
        let published = block_on(broken.publish(&record(number)));
        let fetched = block_on(broken.fetch(all()))
            .map(|batch| batch.records.into_iter().map(|record| record.bytes).collect::<Vec<_>>());
        let rest = (block_on(broken.probe()), block_on(broken.ring(&RingTarget("bob".to_owned()))));
        let retracted = match &published {
            Ok(receipt) => block_on(broken.retract(std::slice::from_ref(receipt))),
            Err(_) => Ok(()),
        };
        told += &format!("{published:?} {fetched:?} {rest:?} {retracted:?} {}\n", service.stored());
    }
    told
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    assert_eq!(transcript(1), transcript(1));
    assert_ne!(transcript(1), transcript(2));
}

#[test]
fn without_faults_nothing_happens() {
    let (_, _, broken) = chaos(ChaosProfile::default(), 1);
    let receipt = block_on(broken.publish(&record(1))).unwrap();
    assert_eq!(block_on(broken.fetch(all())).unwrap().records, [record(1)]);
    block_on(broken.retract(&[receipt])).unwrap();
    assert!(block_on(broken.fetch(all())).unwrap().records.is_empty());
}

#[test]
fn every_operation_fails_with_every_kind() {
    let (service, _, broken) = chaos(ChaosProfile::all(Faults { fail: 1.0, ..REST }), 1);
    let mut kinds: [BTreeSet<ErrorKind>; 6] = Default::default();
    for _ in 0..200 {
        kinds[0].insert(block_on(broken.publish(&record(1))).unwrap_err().kind());
        kinds[1].insert(block_on(broken.fetch(all())).unwrap_err().kind());
        kinds[2].insert(block_on(broken.watch(Watch::new(Place::Own, Keys::All))).err().unwrap().kind());
        kinds[3].insert(block_on(broken.retract(&[])).unwrap_err().kind());
        kinds[4].insert(block_on(broken.ring(&RingTarget("bob".to_owned()))).unwrap_err().kind());
        kinds[5].insert(block_on(broken.probe()).unwrap_err().kind());
    }
    assert!(kinds.iter().all(|kinds| kinds.len() == KINDS.len()), "{kinds:?}");
    assert_eq!((service.stored(), service.rung().len()), (0, 0));
}

#[test]
fn a_lost_answer_is_of_something_done() {
    let (service, plain, broken) = chaos(ChaosProfile::all(Faults { lose_answer: 1.0, ..REST }), 1);
    assert_eq!(block_on(broken.publish(&record(1))).unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(service.stored(), 1);
    assert!(block_on(broken.fetch(all())).is_err());
    assert!(block_on(broken.probe()).is_err());
    assert!(block_on(broken.ring(&RingTarget("bob".to_owned()))).is_err());
    assert_eq!(service.rung().len(), 1);
    let receipt = block_on(plain.publish(&record(2))).unwrap();
    assert!(block_on(broken.retract(&[receipt])).is_err());
    assert_eq!(service.stored(), 1);
}

#[test]
fn what_is_dropped_was_not_done() {
    let (service, plain, broken) = chaos(ChaosProfile::all(Faults { drop: 1.0, ..REST }), 1);
    block_on(broken.publish(&record(1))).unwrap();
    assert_eq!(service.stored(), 0);
    let receipt = block_on(plain.publish(&record(2))).unwrap();
    block_on(broken.retract(&[receipt])).unwrap();
    assert_eq!(service.stored(), 1);
    assert!(block_on(broken.fetch(all())).unwrap().records.is_empty());
    let mut stream = block_on(broken.watch(Watch::new(Place::Own, Keys::All))).unwrap();
    assert!(block_on(stream.next()).unwrap().unwrap().records.is_empty());
    block_on(broken.ring(&RingTarget("bob".to_owned()))).unwrap();
    assert!(service.rung().is_empty());
}

#[test]
fn duplicates_stay_within_the_limit() {
    let (service, _, broken) = chaos(ChaosProfile::all(Faults { duplicate: 1.0, ..REST }), 1);
    block_on(broken.publish(&record(1))).unwrap();
    assert_eq!(service.stored(), 2);
    for limit in 1..6 {
        let mut request = all();
        request.limit = limit;
        let batch = block_on(broken.fetch(request)).unwrap();
        assert!(batch.records.len() <= limit && (limit < 4 || batch.records.len() == 4));
    }
    block_on(broken.ring(&RingTarget("bob".to_owned()))).unwrap();
    assert_eq!(service.rung().len(), 2);
}

#[test]
fn corruption_changes_one_bit() {
    let bits = |bytes: &[u8]| -> u32 {
        record(1).bytes.iter().zip(bytes).map(|(one, other)| (one ^ other).count_ones()).sum()
    };
    let (_, plain, broken) = chaos(ChaosProfile::all(Faults { corrupt: 1.0, ..REST }), 1);
    let receipt = block_on(broken.publish(&record(1))).unwrap();
    let stored = block_on(plain.fetch(all())).unwrap().records;
    assert_eq!(bits(&stored[0].bytes), 1);
    let mut stream = block_on(broken.watch(Watch::new(Place::Own, Keys::All))).unwrap();
    assert_ne!(block_on(stream.next()).unwrap().unwrap().records, stored);
    block_on(broken.retract(&[receipt])).unwrap();
    assert_eq!(block_on(plain.fetch(all())).unwrap().records.len(), 1, "that was another receipt");
    assert_ne!(block_on(broken.probe()).unwrap().service_time, block_on(plain.probe()).unwrap().service_time);
}

#[test]
fn order_changes_and_nothing_else() {
    let (_, plain, broken) = chaos(ChaosProfile::all(Faults { reorder: 1.0, ..REST }), 1);
    for number in 0..20 {
        block_on(broken.publish(&record(number))).unwrap();
    }
    let (straight, muddled) =
        (block_on(plain.fetch(all())).unwrap().records, block_on(broken.fetch(all())).unwrap().records);
    assert_ne!(straight, muddled);
    assert!(straight.iter().all(|record| muddled.contains(record)) && straight.len() == muddled.len());
}

#[test]
fn delays_are_of_the_injected_clock() {
    let clock = ManualClock::new();
    let faults = Faults { delay: 1.0, max_delay: Duration::from_secs(60), ..REST };
    let inner = Arc::new(MemoryService::new().bridge("ann"));
    let broken = Chaos::new(inner, Arc::new(clock.clone()), ChaosProfile::all(faults), 1);
    let mut probe = broken.probe();
    assert!((&mut probe).now_or_never().is_none());
    clock.advance(Duration::from_secs(60));
    assert!((&mut probe).now_or_never().is_some());
}

#[test]
fn a_watch_breaks_off_midway() {
    let profile = ChaosProfile { watch: Faults { fail: 0.5, ..REST }, ..ChaosProfile::default() };
    let (_, plain, broken) = chaos(profile, 3);
    let mut broken_off = 0;
    for number in 0..50 {
        block_on(plain.publish(&record(number))).unwrap();
        let Ok(mut stream) = block_on(broken.watch(Watch::new(Place::Own, Keys::All))) else { continue };
        if block_on(stream.next()).unwrap().is_err() {
            broken_off += 1;
            assert!(block_on(stream.next()).is_none());
        }
    }
    assert!(broken_off > 5);
}
