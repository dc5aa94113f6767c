#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

fn pair() -> PairSecret {
    PairSecret::new(Epoch(20_000), Secret::new([5; 32]))
}

#[test]
fn each_epoch_has_a_secret_of_its_own() {
    let pair = pair();
    let secrets: Vec<_> = (0..50).map(|days| pair.at(Epoch(20_000 + days)).unwrap()).collect();
    for (i, secret) in secrets.iter().enumerate() {
        assert!(!secrets[..i].contains(secret));
    }
    assert_eq!(secrets[0], Secret::new([5; 32]));
}

#[test]
fn what_is_forgotten_stays_forgotten_and_what_follows_stays_the_same() {
    let whole = pair();
    let mut pair = pair();
    assert!(!pair.forget_before(Epoch(20_000)));
    assert!(!pair.forget_before(Epoch(19_000)));
    assert!(pair.forget_before(Epoch(20_010)));
    assert!(!pair.forget_before(Epoch(20_005)));
    assert_eq!(pair.oldest(), Epoch(20_010));
    assert_eq!(pair.at(Epoch(20_009)), None);
    assert_eq!(pair.at(Epoch(20_010)), whole.at(Epoch(20_010)));
    assert_eq!(pair.at(Epoch(20_345)), whole.at(Epoch(20_345)));
}

#[test]
fn a_clock_far_off_gets_nothing_and_destroys_nothing() {
    let mut pair = pair();
    let last = Epoch(20_000 + PairSecret::MOST_STEPS);
    assert!(pair.at(last).is_some());
    for far in [last.plus(1), Epoch(u32::MAX)] {
        assert_eq!(pair.at(far), None);
        assert!(!pair.forget_before(far));
    }
    assert_eq!(pair.at(Epoch(0)), None);
    assert_eq!(pair, self::pair());
}

proptest! {
    #[test]
    fn steps_add_up(a in 0u32..300, b in 0u32..300) {
        let mut moved = pair();
        moved.forget_before(Epoch(20_000 + a));
        prop_assert_eq!(moved.at(Epoch(20_000 + a + b)), pair().at(Epoch(20_000 + a + b)));
    }

    #[test]
    fn it_is_stored_and_comes_back(epoch in any::<u32>(), secret in any::<[u8; 32]>()) {
        let pair = PairSecret::new(Epoch(epoch), Secret::new(secret));
        let bytes = crate::codec::encode(&pair);
        prop_assert_eq!(crate::codec::decode::<PairSecret>("a pair secret", &bytes, 100), Ok(pair));
    }
}
