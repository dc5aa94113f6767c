#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::codec;

fn key() -> Secret {
    Secret::new([7; 32])
}

fn relay(nth: u8) -> DeviceId {
    DeviceId([nth; 16])
}

fn relays(nth: &[u8]) -> Vec<DeviceId> {
    nth.iter().copied().map(relay).collect()
}

fn read(bytes: &[u8]) -> Result<RelayTags, crate::Malformed> {
    codec::decode("relays", bytes, 100)
}

#[test]
fn a_tag_is_recognised_under_its_key_alone() {
    let tags = RelayTags::of(&key(), &relays(&[1, 2, 3, 4]));
    assert_eq!(tags.len(), RelayTags::MOST);
    assert_eq!([1, 2, 3, 4].map(|nth| tags.position(&key(), &relay(nth))), [Some(0), Some(1), Some(2), None]);
    assert!((0..=255).all(|nth| tags.position(&Secret::new([8; 32]), &relay(nth)).is_none()));
}

#[test]
fn both_sides_order_what_they_have_in_common_alike() {
    let common = |ours: &[u8], theirs: &[u8]| {
        let (ours, theirs) = (relays(ours), relays(theirs));
        // In an update the tags are under another key.
        let (one, other) = (key(), Secret::new([9; 32]));
        let here = RelayTags::of(&one, &theirs).in_common(&one, &ours);
        let there = RelayTags::of(&other, &ours).in_common(&other, &theirs);
        assert_eq!(here, there);
        here
    };
    assert_eq!(common(&[1, 2, 3], &[4, 5, 6]), []);
    assert_eq!(common(&[1, 2, 3], &[]), []);
    assert_eq!(common(&[3, 2, 1], &[3, 2, 1]), relays(&[3, 2, 1]));
    assert_eq!(common(&[1, 2, 3], &[3, 2, 1]), relays(&[1, 2, 3]), "all alike: by their ids");
    assert_eq!(common(&[1, 2, 3], &[2, 4, 1]), relays(&[2, 1]));
    assert_eq!(common(&[9, 1], &[1, 9]), relays(&[1, 9]));
}

#[test]
fn tags_are_few_and_of_one_length() {
    assert_eq!(codec::encode(&RelayTags::of(&key(), &relays(&[1, 2, 3]))).len(), 22);
    let tag = |length: u8| [vec![0x40 + length], vec![5; usize::from(length)]].concat();
    let list = |head: u8, tags: &[u8], count: usize| read(&[vec![head], tags.repeat(count)].concat());
    assert_eq!(list(0x83, &tag(6), 3).unwrap().len(), 3);
    assert_eq!(read(&[0x80]), Ok(RelayTags::default()));
    assert_eq!(read(&[0xf6]), Ok(RelayTags::default()));
    for wrong in [
        list(0x84, &tag(6), 4),
        list(0x81, &tag(5), 1),
        list(0x81, &tag(7), 1),
        list(0x81, &tag(0), 1),
        list(0x81, &[0x01], 1),
        list(0x9f, &tag(6), 1),
        list(0x9b, &[0xff; 8], 1),
        read(&[0x41, 0]),
    ] {
        assert!(wrong.is_err());
    }
}

proptest! {
    #[test]
    fn whatever_each_side_named_both_know_the_same(
        ours in prop::collection::btree_set(0_u8..8, 0..6), theirs in prop::collection::btree_set(0_u8..8, 0..6), turn in 0_usize..6,
    ) {
        let turned = |set: std::collections::BTreeSet<u8>| {
            let mut relays: Vec<_> = set.into_iter().map(relay).collect();
            let by = turn % relays.len().max(1);
            relays.rotate_left(by);
            relays.truncate(RelayTags::MOST);
            relays
        };
        let (ours, theirs) = (turned(ours), turned(theirs));
        let (our_tags, their_tags) = (RelayTags::of(&key(), &ours), RelayTags::of(&key(), &theirs));
        let here = their_tags.in_common(&key(), &ours);
        prop_assert_eq!(&here, &our_tags.in_common(&key(), &theirs));
        prop_assert_eq!(here.len(), ours.iter().filter(|relay| theirs.contains(relay)).count());
        prop_assert_eq!(read(&codec::encode(&our_tags)), Ok(our_tags));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(tags) = read(&bytes) {
            prop_assert!(tags.len() <= RelayTags::MOST);
            prop_assert_eq!(read(&codec::encode(&tags)), Ok(tags));
        }
    }
}
