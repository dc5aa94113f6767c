#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|bytes| Key::Slot(Slot(bytes))),
        "[a-z0-9_][a-z0-9._-]{0,63}".prop_map(|name| Key::name(&name).unwrap()),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let class = prop_oneof![Just(Class::Meeting), Just(Class::Custody), Just(Class::Pointer)];
    (key(), class, any::<u64>(), prop::collection::vec(any::<u8>(), 0..2000))
        .prop_map(|(key, class, secs, bytes)| Record::new(key, class, Timestamp::from_secs(secs), bytes))
}

/// So that another implementation can be checked against this one, and this one against its past.
#[test]
fn golden() {
    let record = Record::new(
        Key::Slot(Slot([0x11; 16])),
        Class::Meeting,
        Timestamp::from_secs(1_800_000_000),
        &b"sealed"[..],
    );
    let (file, check) = encode(&record).unwrap();
    let expected = concat!(
        "776179736964650a",
        "01010110",
        "000000006b49d200",
        "00000006",
        "CHECK",
        "11111111111111111111111111111111",
        "7365616c6564",
    );
    let check_hex = data_encoding::HEXLOWER.encode(&check);
    assert_eq!(data_encoding::HEXLOWER.encode(&file), expected.replace("CHECK", &check_hex));
    assert_eq!(check_hex, "fa4e4de46c6bcf0bd93cb9308db2af0a");
}

#[test]
fn limits() {
    for class in Class::ALL {
        let of = |len| Record::new(Key::Slot(Slot([0; 16])), class, Timestamp::from_secs(1), vec![7; len]);
        let (largest, _) = encode(&of(max_record(class))).unwrap();
        assert!(largest.len() <= max_file(class));
        assert_eq!(decode(&largest.into()).unwrap().record, of(max_record(class)));
        assert_eq!(encode(&of(max_record(class) + 1)), None);
    }
}

proptest! {
    #[test]
    fn round_trip(record in record()) {
        let (file, check) = encode(&record).unwrap();
        prop_assert_eq!(length(&[file.as_slice(), b"more"].concat()), Some(file.len()));
        prop_assert_eq!(decode(&file.into()), Some(Found { record, check }));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(decode(&bytes.into()), None);
    }

    #[test]
    fn any_bytes_after_a_true_beginning_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let file = [MAGIC.as_slice(), &[VERSION], &bytes].concat();
        prop_assert_eq!(decode(&file.into()), None);
    }

    /// No cut, no changed bit, nothing added goes unseen.
    #[test]
    fn damage_is_seen(record in record(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (file, _) = encode(&record).unwrap();
        let at = at.index(file.len());
        let mut flipped = file.clone();
        flipped[at] ^= 1 << bit;
        prop_assert_eq!(decode(&flipped.into()), None);
        prop_assert_eq!(decode(&file[..at].to_vec().into()), None);
        prop_assert_eq!(decode(&[file.as_slice(), &[0]].concat().into()), None);
    }
}
