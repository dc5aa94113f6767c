#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! The order of what was found, its cursors and its bounds.

use wayside_bridge::{Class, Fetch, Key, Keys, Place, Record, SeededEntropy, Slot, Timestamp, file};

use super::{Log, MOST_BYTES};
use crate::event::{Event, What};

const NOW: Timestamp = Timestamp::from_secs(1_000_000_000);

fn event(id: &str, sender: &str, byte: u8, len: usize) -> Event {
    let key = Key::Slot(Slot([byte; 16]));
    let record = Record::new(key, Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![byte; len]);
    let check = file::encode(&record).unwrap().1;
    Event { id: id.to_owned(), sender: sender.to_owned(), at: 0, what: What::Record(record, check) }
}

fn log() -> Log {
    Log::new(&SeededEntropy::new(1))
}

fn all(log: &Log, position: u64) -> Vec<u8> {
    let (batch, _) = log.page(position, &Fetch::new(Place::Own, Keys::All));
    batch.records.iter().map(|record| record.bytes[0]).collect()
}

#[test]
fn nothing_after_a_cursor_is_left_out_and_nothing_comes_twice() {
    let mut log = log();
    assert!(log.take(&event("$1", "@a:x", 1, 1), NOW));
    let (batch, _) = log.page(0, &Fetch::new(Place::Own, Keys::All));
    let cursor = batch.cursor.unwrap();
    assert!(!log.take(&event("$1", "@a:x", 1, 1), NOW));
    assert!(log.take(&event("$2", "@a:x", 2, 1), NOW));
    assert_eq!(all(&log, log.position(Some(&cursor))), [2]);
    let other = Log::new(&SeededEntropy::new(2));
    assert_eq!(other.position(Some(&cursor)), 0);
}

#[test]
fn what_was_taken_back_stays_away_in_whatever_order_it_comes() {
    let mut log = log();
    let gone = |target: &str| Event {
        id: format!("{target}-gone"),
        sender: "@a:x".to_owned(),
        at: 0,
        what: What::Redaction(target.to_owned()),
    };
    log.take(&event("$1", "@a:x", 1, 1), NOW);
    log.take(&gone("$1"), NOW);
    log.take(&gone("$2"), NOW);
    assert!(!log.take(&event("$2", "@a:x", 2, 1), NOW));
    assert!(all(&log, 0).is_empty());
}

#[test]
fn who_floods_the_room_pushes_out_nobody_elses() {
    let mut log = log();
    log.take(&event("$a", "@a:x", 1, 10), NOW);
    let len = 32 * 1024;
    for number in 0..MOST_BYTES / len + 50 {
        log.take(&event(&format!("$m{number}"), "@m:x", 2, len), NOW);
    }
    assert!(log.bytes <= MOST_BYTES);
    assert_eq!(all(&log, 0)[0], 1);
}

#[test]
fn a_copy_is_found_by_its_sender_and_check() {
    let mut log = log();
    let one = event("$1", "@a:x", 1, 1);
    let What::Record(_, check) = &one.what else { panic!() };
    log.take(&one, NOW);
    log.take(&event("$2", "@b:x", 1, 1), NOW);
    assert_eq!(log.events_of("@a:x", check), ["$1"]);
    log.forget_all_of("@a:x");
    assert_eq!(log.events_of("@a:x", check), Vec::<String>::new());
}
