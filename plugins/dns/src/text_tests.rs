#![allow(clippy::unwrap_used)]

use wayside_bridge::Slot;

use super::*;

const SLOT: Key = Key::Slot(Slot([7; 16]));

fn sample(len: usize) -> Record {
    let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
    Record::new(SLOT, Class::Meeting, Timestamp::from_secs(1_800_000_000), bytes)
}

#[test]
fn what_goes_in_comes_out() {
    for len in [0, 1, 2, 3, 376, 960, 1024] {
        let record = sample(len);
        let text = encode(&record).unwrap();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')), "{text}");
        let txt = txt(text.as_bytes());
        assert_eq!(decode(&SLOT, &of_txt(&txt)), Held::Record(record));
    }
}

#[test]
fn a_usual_record_is_two_full_strings() {
    let text = encode(&sample(376)).unwrap();
    let lengths: Vec<usize> = txt(text.as_bytes()).txt_data.iter().map(|string| string.len()).collect();
    assert_eq!(lengths, [255, 255]);
}

#[test]
fn the_form_stays_as_it_is() {
    let record = Record::new(SLOT, Class::Meeting, Timestamp::from_secs(1_800_000_000), &b"sealed"[..]);
    assert_eq!(encode(&record).unwrap(), "wma0nSAAc2VhbGVk");
}

#[test]
fn what_is_no_record_is_none() {
    let name = Key::name("ada").unwrap();
    let meeting = encode(&sample(9)).unwrap();
    assert_eq!(decode(&name, meeting.as_bytes()), Held::Other, "a public name holds pointers alone");
    assert_eq!(decode(&SLOT, PLACEHOLDER), Held::Placeholder);
    for other in [
        "",
        "w",
        "wm",
        "wm12345",
        "v=spf1 -all",
        "wma0nSAA=",
        "wxa0nSAAc2VhbGVk",
        "wma0nSAAc2VhbGV",
        "wma0nSAA c2Vh",
    ] {
        assert_eq!(decode(&SLOT, other.as_bytes()), Held::Other, "{other}");
    }
    assert_eq!(decode(&name, b"Wayside-card:QUBFR"), Held::Card);
    assert_eq!(decode(&SLOT, b"wayside-card:QUBFR"), Held::Other, "a card has a public name");
    let late = Record { not_after: Timestamp::from_secs(1 << 32), ..sample(1) };
    assert_eq!(encode(&late), None);
}
