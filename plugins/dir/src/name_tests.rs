#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use wayside_bridge::{Class, Key, Record, Slot};

use super::*;

fn slot() -> Key {
    Key::Slot(Slot([0xab; 16]))
}

fn record(key: Key, class: Class) -> Record {
    Record::new(key, class, Timestamp::from_secs(1_800_000_000), &b"sealed"[..])
}

#[test]
fn names_read_back() {
    for (key, class) in [
        (slot(), Class::Meeting),
        (slot(), Class::Custody),
        (slot(), Class::Pointer),
        (Key::name("a-b_c.d").unwrap(), Class::Pointer),
    ] {
        let name = file::Name::of(&record(key, class), [7; 16]).unwrap();
        assert_eq!(Entry::of(&name.file_name()), Entry::Record(name));
    }
    let id = PlaceId([1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(Entry::of("place-0102030405060708"), Entry::Marker(id));
    assert_eq!(Entry::of(&id.file_name()), Entry::Marker(id));
    assert_eq!(Entry::of(&temporary(&Zero)), Entry::Temporary);
}

#[test]
fn copies_are_told_from_records() {
    let name = file::Name::of(&record(slot(), Class::Meeting), [7; 16]).unwrap().file_name();
    let stem = name.strip_suffix(".rec").unwrap();
    let until = Some(Timestamp::from_secs(1_800_000_000));
    for copy in [
        format!("{stem}.sync-conflict-20261123-120000-ABCDEFG.rec"),
        format!("{stem} (conflicted copy 2026-11-23).rec"),
        format!("{stem} (1).rec"),
        format!("{name}~"),
    ] {
        assert_eq!(Entry::of(&copy), Entry::Copy { not_after: until }, "{copy}");
    }
    let pointer = "name-ann.sync-conflict-20261123-120000-ABCDEFG.rec";
    assert_eq!(Entry::of(pointer), Entry::Copy { not_after: None });
}

#[test]
fn everything_else_is_unknown() {
    let name = file::Name::of(&record(slot(), Class::Meeting), [7; 16]).unwrap().file_name();
    for junk in [
        "",
        ".",
        "name-.rec",
        "name-..rec",
        "name-A.rec",
        "place-",
        "place-01020304050607",
        "place-010203040506070G",
        "place-ABABABABABABABAB",
        "pointer-ab.rec",
        &name.to_uppercase(),
        &name.replace("-1800000000-", "-01800000000-"),
        &name.replace("-1800000000-", "-+1800000000-"),
        &name.replace("-1800000000-", "-99999999999999999999999-"),
        &name.replace("meeting", "letter"),
    ] {
        assert_eq!(Entry::of(junk), Entry::Unknown, "{junk:?}");
    }
}

proptest! {
    #[test]
    fn any_name_is_some_entry(name in "\\PC{0,140}") {
        let _ = Entry::of(&name);
    }
}

struct Zero;

impl Entropy for Zero {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
