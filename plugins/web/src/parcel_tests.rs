#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use wayside_bridge::{Class, Key, Record, Slot, Timestamp};

use super::*;

fn found(byte: u8) -> Found {
    let record = Record::new(
        Key::Slot(Slot([byte; 16])),
        Class::Meeting,
        Timestamp::from_secs(4_000_000_000),
        vec![byte; 9],
    );
    let (_, check) = file::encode(&record).unwrap();
    Found { record, check }
}

fn file_of(byte: u8) -> Vec<u8> {
    file::encode(&found(byte).record).unwrap().0
}

#[test]
fn no_size_comes_twice_in_succession() {
    let mut sizes = Sizes::default();
    let parcels: Vec<Parcel> =
        (0..40).map(|number| Parcel { records: vec![found(number)], junk: 0 }).collect();
    let written: Vec<Bytes> = parcels.iter().map(|parcel| parcel.write(&mut sizes)).collect();
    for (number, bytes) in written.iter().enumerate() {
        assert_eq!(Parcel::read(bytes), parcels[number]);
        let lately = &written[number.saturating_sub(16)..number];
        assert!(lately.iter().all(|before| before.len() != bytes.len()), "{number}");
    }
    assert!(Parcel::default().write(&mut Sizes::default()).len() == 1);
}

#[test]
fn junk_between_records_costs_itself_alone() {
    let bytes = [
        b"junk".to_vec(),
        file_of(1),
        b"\0\0".to_vec(),
        file_of(2)[..20].to_vec(),
        file_of(3),
        b"wayside\n".to_vec(),
    ]
    .concat();
    let parcel = Parcel::read(&bytes.into());
    assert_eq!(parcel.records, [found(1), found(3)]);
    assert_eq!(parcel.junk, 3);
}

#[test]
fn a_roll_is_read_as_far_as_it_makes_sense() {
    let roll = Roll([WriterId([1; 8]), WriterId([2; 8])].into());
    assert_eq!(Roll::read(&roll.write()), roll);
    assert_eq!(Roll::read(b"wayside-roll 1\n0101010101010101\n../../etc\n\xff\n0202020202020202"), roll);
    for other in [&b""[..], b"<html>", b"wayside-roll 2\n0101010101010101\n"] {
        assert_eq!(Roll::read(other), Roll::default());
    }
    let many: String = (0..200_u64).map(|number| format!("{number:016x}\n")).collect();
    assert_eq!(Roll::read(format!("wayside-roll 1\n{many}").as_bytes()).0.len(), MOST_WRITERS);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Parcel::read(&bytes.clone().into());
        let _ = Roll::read(&bytes);
    }

    #[test]
    fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let parcel = Parcel { records: bytes.into_iter().map(found).collect(), junk: 0 };
        prop_assert_eq!(Parcel::read(&parcel.write(&mut Sizes::default())), parcel);
    }
}
