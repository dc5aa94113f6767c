#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn slot() -> Key {
    Key::Slot(Slot([0xab; 16]))
}

fn record(key: Key, class: Class) -> Record {
    Record::new(key, class, Timestamp::from_secs(1_800_000_000), &b"sealed"[..])
}

#[test]
fn names_say_what_they_hold() {
    let of = |key, class| Name::of(&record(key, class), [7; 16]).map(|name| name.file_name());
    let fixed = "abababababababababababababababab-1800000000-07070707070707070707070707070707.rec";
    assert_eq!(of(slot(), Class::Meeting), Some(format!("meeting-{fixed}")));
    assert_eq!(of(slot(), Class::Custody), Some(format!("custody-{fixed}")));
    assert_eq!(of(slot(), Class::Pointer), Some("pointer-abababababababababababababababab.rec".into()));
    assert_eq!(of(Key::name("ann").unwrap(), Class::Pointer), Some("name-ann.rec".into()));
    assert_eq!(of(Key::name("ann").unwrap(), Class::Meeting), None);
    for wrong in ["", ".ann", "-a", "a/b", "../a", "Ann", "a\0"] {
        assert_eq!(of(Key::Name(wrong.to_owned()), Class::Pointer), None, "{wrong:?}");
    }
}

#[test]
fn names_read_back() {
    for (key, class) in [
        (slot(), Class::Meeting),
        (slot(), Class::Custody),
        (slot(), Class::Pointer),
        (Key::name("a-b_c.d").unwrap(), Class::Pointer),
    ] {
        let name = Name::of(&record(key, class), [7; 16]).unwrap();
        assert_eq!(Name::parse(&name.file_name()), Some(name));
    }
}

proptest! {
    #[test]
    fn any_text_is_a_name_or_none(text in "\\PC{0,140}") {
        let _ = Name::parse(&text);
    }

    /// One record has one name: whatever parses is written back letter by letter.
    #[test]
    fn what_parses_is_canonical(text in "(meeting|custody|pointer|name)-[0-9a-c-]{0,8}[a-f0-9]{32}(-[0-9]{1,4}-[a-f0-9]{32})?.rec") {
        if let Some(name) = Name::parse(&text) {
            prop_assert_eq!(name.file_name(), text);
        }
    }
}
