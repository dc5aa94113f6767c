#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::super::{Config, Identity, Input};
use super::*;
use crate::crypto::keys::{AccountKey, DeviceKeys};
use crate::time::Now;

fn engine() -> Engine {
    let secret = |nth| Secret::new([nth; 32]);
    let identity = Identity {
        account: AccountKey::from_secret(&secret(1)),
        device: DeviceKeys::from_secrets(&secret(2), &secret(3)),
        name: "Ann".into(),
    };
    Engine::restore(identity, Config::default(), [], [4; 32], Now::default()).unwrap()
}

fn relays(nth: impl IntoIterator<Item = u8>) -> Vec<DeviceId> {
    nth.into_iter().map(|nth| DeviceId([nth; 16])).collect()
}

fn knowing(nth: impl IntoIterator<Item = u8>) -> Engine {
    let mut engine = engine();
    engine.handle(Now::default(), Input::Relays(relays(nth)));
    engine
}

#[test]
fn the_first_eight_are_kept_once_each_and_never_ourselves() {
    let mut engine = engine();
    assert_eq!(engine.relays, None);
    let mut many = relays([1, 2, 1, 3]);
    many.push(engine.device_id);
    many.extend(relays(4..100));
    engine.handle(Now::default(), Input::Relays(many));
    assert_eq!(engine.relays, Some(relays(1..=8)));
}

#[test]
fn what_the_other_side_named_too_is_named_first() {
    let (engine, key) = (knowing(1..=8), Secret::new([7; 32]));
    let named = |theirs: &[u8]| {
        let tags = RelayTags::of(&key, &relays(theirs.iter().copied()));
        engine.relays_for(None, Some((&key, &tags)))
    };
    assert_eq!(engine.relays_for(None, None), relays([1, 2, 3]));
    assert_eq!(named(&[2, 90, 91]), relays([2, 1, 3]));
    assert_eq!(named(&[8, 5, 90]), relays([5, 8, 1]));
    assert_eq!(named(&[8, 7, 6]), relays([6, 7, 8]));
    // Whoever is met is no relay towards itself.
    assert_eq!(engine.relays_for(Some(DeviceId([2; 16])), None), relays([1, 3, 4]));
}

#[test]
fn whoever_guesses_tags_is_told_what_anybody_is() {
    let (engine, key) = (knowing(1..=8), Secret::new([7; 32]));
    for guess in 0..100_u32 {
        let tag = |nth: u8| [&[0x46, nth][..], &guess.to_be_bytes(), &[nth]].concat();
        let tags = crate::codec::decode("tags", &[vec![0x83], tag(1), tag(2), tag(3)].concat(), 100).unwrap();
        assert_eq!(engine.relays_for(None, Some((&key, &tags))), relays([1, 2, 3]));
    }
    // Tags that were right in another meeting are guesses in this one.
    let replayed = RelayTags::of(&Secret::new([8; 32]), &relays([8, 7, 6]));
    assert_eq!(engine.relays_for(None, Some((&key, &replayed))), relays([1, 2, 3]));
}
