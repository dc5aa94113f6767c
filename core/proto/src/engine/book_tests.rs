#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::super::store;
use super::*;
use crate::identity::testing::Person;

fn friend() -> StoredFriend {
    StoredFriend {
        card: CardBytes(Person::new(1).card()),
        name: "Anna".into(),
        alias: false,
        pairs: Vec::new(),
        seen: BTreeMap::new(),
        blocked: false,
        allows: [Grant::Meet].into(),
        granted: [Grant::Relay, Grant::Meet].into(),
        verified: false,
    }
}

#[test]
fn grants_have_the_numbers_that_are_stored() {
    let bytes = store::encode(&friend());
    assert!(bytes.ends_with(&[0x81, 3, 0x82, 0, 3, 0xf4]), "{bytes:?}");
    assert_eq!(store::decode::<StoredFriend>("friend/x", &bytes), Ok(friend()));
}

#[test]
fn grants_of_a_later_version_are_skipped_and_the_friend_stays() {
    let bytes = store::encode(&friend());
    let known = bytes.strip_suffix(&[0x81, 3, 0x82, 0, 3, 0xf4]).unwrap();
    let later = [known, &[0x83, 4, 3, 0x18, 99, 0x83, 0, 0x19, 1, 0, 3, 0xf4]].concat();
    assert_eq!(store::decode::<StoredFriend>("friend/x", &later), Ok(friend()));
    for damaged in [
        &[0x81, 0x41, 3, 0x80, 0xf4][..],
        &[0x9f, 3, 0xff, 0x80, 0xf4],
        &[0x82, 3, 0x80, 0xf4],
        &[3, 0x80, 0xf4],
    ] {
        assert!(store::decode::<StoredFriend>("friend/x", &[known, damaged].concat()).is_err());
    }
}

#[test]
fn a_friend_of_an_earlier_version_was_never_compared() {
    let mut earlier = store::encode(&friend());
    assert_eq!((earlier.pop(), earlier.get(1).copied()), (Some(0xf4), Some(0x89)));
    // Behind the version's byte: an array of one less.
    *earlier.get_mut(1).unwrap() = 0x88;
    assert_eq!(store::decode::<StoredFriend>("friend/x", &earlier), Ok(friend()));
}
