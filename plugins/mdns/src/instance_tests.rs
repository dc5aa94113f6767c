#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;

fn record(length: usize) -> Record {
    Record::new(
        Key::Slot(Slot([7; 16])),
        Class::Meeting,
        Timestamp::from_secs(4_000_000_000),
        (0..length).map(|byte| byte as u8).collect::<Vec<_>>(),
    )
}

fn read(instance: &Instance, strings: &[Vec<u8>]) -> Option<Record> {
    decode(instance, strings.iter().map(Vec::as_slice))
}

#[test]
fn a_record_comes_back_as_it_was() {
    for length in [0, 1, 252, 253, 254, 376, 506, 960] {
        let (instance, strings) = encode(&record(length)).unwrap();
        assert!(strings.iter().all(|string| string.len() <= 255));
        assert_eq!(read(&instance, &strings), Some(record(length)), "{length} bytes");
        assert_eq!(Instance::parse(instance.label().as_bytes()), Some(instance));
        assert_eq!(Instance::parse(instance.label().to_uppercase().as_bytes()), Some(instance));
        assert_eq!(instance.label().len(), LABEL);
    }
}

#[test]
fn a_card_comes_back_under_its_name() {
    let card = |name: &str, length| Record {
        key: Key::name(name).unwrap(),
        class: Class::Pointer,
        ..record(length)
    };
    for (name, length) in [("ada", 300), (&"x".repeat(Key::MAX_NAME), 960), ("n", 0)] {
        let (instance, strings) = encode(&card(name, length)).unwrap();
        assert_eq!(read(&instance, &strings), Some(card(name, length)));
        let mut other = strings.clone();
        other[2] = b"n=bob".to_vec();
        assert_eq!(read(&instance, &other), None);
    }
}

#[test]
fn what_is_not_carried_has_no_name() {
    assert_eq!(encode(&record(961)), None);
    assert_eq!(encode(&Record { class: Class::Custody, ..record(1) }), None);
    assert_eq!(encode(&Record { class: Class::Pointer, ..record(1) }), None);
    assert_eq!(encode(&Record { key: Key::name("ada").unwrap(), ..record(1) }), None);
}

#[test]
fn a_name_stands_for_one_content() {
    let (instance, strings) = encode(&record(376)).unwrap();
    for at in 0..strings.len() {
        let mut changed = strings.clone();
        changed[at].push(b'1');
        assert_eq!(read(&instance, &changed), None, "a byte more in string {at}");
        changed.remove(at);
        assert_eq!(read(&instance, &changed), None, "without string {at}");
    }
    let mut more = strings.clone();
    more.push(b"2=".to_vec());
    assert_eq!(read(&instance, &more), None);
    let (other, _) = encode(&record(375)).unwrap();
    assert_eq!(read(&other, &strings), None);
    assert_ne!(other, instance);
}

#[test]
fn junk_is_no_record() {
    let (instance, _) = encode(&record(4)).unwrap();
    for junk in ["", "v=1", "v=2", "e=", "v=1\ne=x", "v=1\ne=-1\n0=", "v=1\ne=99999999999999999999\n0="] {
        let strings: Vec<Vec<u8>> = junk.split('\n').map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(read(&instance, &strings), None, "{junk:?}");
    }
    for label in [&b""[..], b"-", &[b'-'; LABEL], &[0xff; LABEL], b"printer"] {
        assert_eq!(Instance::parse(label), None);
    }
}
