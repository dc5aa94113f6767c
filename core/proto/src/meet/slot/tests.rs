#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_slot_is_another() {
    let key = Secret::new([1; 32]);
    let short = Secret::new([1; 16]);
    let (anna, ben) = (DeviceId([1; 16]), DeviceId([2; 16]));
    let (mut slots, mut trays) = (Vec::new(), Vec::new());
    for tag in [PlaceTag([1; 8]), PlaceTag([2; 8])] {
        for index in 0..OFFERS {
            slots.push(offer(&key, tag, &anna, &ben, index));
            slots.push(offer(&key, tag, &ben, &anna, index));
        }
        for h1 in [[3; 32], [4; 32]] {
            slots.push(answer(&key, tag, &h1));
        }
        slots.push(update(&key, tag, true));
        slots.push(update(&key, tag, false));
        for epoch in [Epoch(1), Epoch(2)] {
            slots.push(index(&key, tag, epoch));
            for lane in 0..LANES {
                trays.push(tray(&key, tag, epoch, lane));
            }
        }
    }
    for point in 0..3 {
        for lane in 0..8 {
            slots.push(join(&short, point, Epoch(1), lane));
            slots.push(join(&short, point, Epoch(2), lane));
        }
        slots.push(welcome(&short, point, &[3; 32]));
        slots.push(welcome(&short, point, &[4; 32]));
    }
    let ids: BTreeSet<_> = slots.iter().map(|slot| slot.id).chain(trays.iter().copied()).collect();
    assert_eq!(ids.len(), slots.len() + trays.len());
    for (i, slot) in slots.iter().enumerate() {
        assert!(slots[..i].iter().all(|other| other.siv != slot.siv), "slot {i}");
    }
}

#[test]
fn both_sides_find_the_same_slot() {
    let find = || offer(&Secret::new([1; 32]), PlaceTag([2; 8]), &DeviceId([3; 16]), &DeviceId([4; 16]), 5);
    assert_eq!(find(), find());
    assert_ne!(find().siv.expose()[..16], find().id.0, "the key is not the name");
}
