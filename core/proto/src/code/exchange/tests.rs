#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::crypto::envelope::Bucket;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn points(count: usize) -> Vec<Locator> {
    (0..count).map(|at| Locator::new("dir", &format!("place{at}")).unwrap()).collect()
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

fn caller(seed: u64, said: &str) -> Caller {
    Caller::new(&code(said), UnixMillis::from_secs(1_800_000_000), points(2), &mut rng(seed)).unwrap()
}

/// As it comes over a bridge.
fn carried(call: &Call) -> Call {
    match Heard::from_bytes(&call.to_bytes()).unwrap() {
        Heard::Call(call) => *call,
        Heard::Burnt => panic!(),
    }
}

const RIGHT: &str = "7-crossover-clockwork-amulet";
const WRONG: &str = "7-crossover-clockwork-amusement";

#[test]
fn the_right_words_make_the_same_invite() {
    for index in 0..GUESSES {
        let mut caller = caller(1, RIGHT);
        let heard = carried(caller.call());
        let (response, theirs) = heard.respond(&code(RIGHT), index, rng(2)).unwrap();
        let response = Response::from_bytes(&response.to_bytes()).unwrap();
        let Judged::Right(ours, key) = caller.judge(index, &response) else { panic!() };
        assert_eq!(*ours, theirs);
        assert_eq!(ours.hash(), theirs.hash());
        assert_eq!(NoiseKey::from_secret(key).public(), theirs.key);
        assert_eq!(theirs.to_string().parse::<Invite>().unwrap(), theirs, "it is an invite as any");
    }
}

#[test]
fn a_wrong_word_uses_a_guess_up() {
    let mut caller = caller(1, RIGHT);
    let heard = carried(caller.call());
    for index in 0..GUESSES {
        let (response, _) = heard.respond(&code(WRONG), index, rng(u64::from(index))).unwrap();
        let Judged::Wrong(verdict) = caller.judge(index, &response) else { panic!() };
        assert_eq!(verdict, Verdict { of: response.name(), left: GUESSES - 1 - index });
        assert_eq!(Verdict::from_bytes(&verdict.to_bytes()), Ok(verdict));
        // Also where the right one comes after it.
        let (right, _) = heard.respond(&code(RIGHT), index, rng(3)).unwrap();
        assert!(matches!(caller.judge(index, &right), Judged::Spent));
    }
    assert_eq!(caller.left(), 0);
    assert!(heard.respond(&code(RIGHT), GUESSES, rng(4)).is_none());
    assert!(matches!(caller.judge(GUESSES, &Response { element: [0; 32], mac: [0; 16] }), Judged::Spent));
}

#[test]
fn the_nameplate_is_no_secret_and_no_password() {
    let mut caller = caller(1, RIGHT);
    let heard = carried(caller.call());
    let (response, _) = heard.respond(&code("8-crossover-clockwork-amulet"), 0, rng(2)).unwrap();
    assert!(matches!(caller.judge(0, &response), Judged::Right(..)));
}

/// Somebody in the place changes the call: leads elsewhere, to a key of its own, or makes it last longer.
#[test]
fn a_call_that_was_changed_fits_no_words() {
    type Change = fn(&mut Call);
    let changes: [Change; 4] = [
        |call| call.expires = call.expires.after(std::time::Duration::from_secs(1)),
        |call| call.key[0] ^= 1,
        |call| call.points = points(1),
        |call| call.elements.swap(0, 1),
    ];
    for change in changes {
        let mut caller = caller(1, RIGHT);
        let mut heard = carried(caller.call());
        change(&mut heard);
        let (response, _) = heard.respond(&code(RIGHT), 0, rng(2)).unwrap();
        assert!(matches!(caller.judge(0, &response), Judged::Wrong(_)));
    }
}

#[test]
fn what_stands_elsewhere_is_no_element() {
    let mut caller = caller(1, RIGHT);
    let heard = carried(caller.call());
    let (response, _) = heard.respond(&code(RIGHT), 0, rng(2)).unwrap();
    // To another element, with another mac, reflected.
    assert!(matches!(caller.judge(1, &response), Judged::Wrong(_)));
    assert!(matches!(caller.judge(2, &Response { mac: [7; 16], ..response.clone() }), Judged::Wrong(_)));
    let reflected = Response { element: heard.elements[3], ..response };
    assert!(matches!(caller.judge(3, &reflected), Judged::Wrong(_)));
    // Half of all strings are no point of the curve.
    let mut junk = heard.clone();
    let mut answered = [2, 3, 4, 5, 6, 7, 8, 9].map(|first| {
        junk.elements[4] = [0; 32];
        junk.elements[4][0] = first;
        junk.respond(&code(RIGHT), 4, rng(2)).is_some()
    });
    answered.sort_unstable();
    assert_eq!((answered[0], answered[7]), (false, true));
}

#[test]
fn nothing_of_it_tells_the_words() {
    let (mut words, mut others) = (caller(1, RIGHT), caller(1, WRONG));
    assert_ne!(words.call().elements, others.call().elements);
    for shown in [format!("{words:?}"), format!("{:?}", words.call())] {
        assert!(!shown.contains("crossover"), "{shown}");
    }
    // Whoever guesses against one call learns nothing for another.
    let (response, _) = carried(others.call()).respond(&code(WRONG), 0, rng(2)).unwrap();
    assert!(matches!(words.judge(0, &response), Judged::Wrong(_)));
    assert!(matches!(others.judge(0, &response), Judged::Right(..)));
}

#[test]
fn a_call_fits_a_record() {
    let longest = "x".repeat(Locator::MAX - 3);
    let call = |points| {
        Caller::new(&code(RIGHT), UnixMillis::from_secs(1), points, &mut rng(1)).unwrap().call().to_bytes()
    };
    let one = call(vec![Locator::new("dir", &"x".repeat(40)).unwrap()]);
    assert_eq!(Bucket::holding(one.len(), 0), Some(Bucket::Small));
    let most = call(vec![Locator::new("dir", &longest).unwrap(); 3]);
    assert_eq!(Bucket::holding(most.len(), 0), Some(Bucket::Large));
}

proptest! {
    #[test]
    fn anything_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), version in 0_u8..4) {
        for bytes in [bytes.clone(), [&[version], &bytes[..]].concat()] {
            if let Ok(Heard::Call(call)) = Heard::from_bytes(&bytes) {
                prop_assert_eq!(call.to_bytes(), bytes.clone());
            }
            if let Ok(response) = Response::from_bytes(&bytes) {
                prop_assert_eq!(response.to_bytes(), bytes.clone());
            }
            if let Ok(verdict) = Verdict::from_bytes(&bytes) {
                prop_assert_eq!(verdict.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_cut_call_is_none(seed: u64, keep in 0_usize..293) {
        let bytes = caller(seed, RIGHT).call().to_bytes();
        prop_assert!(Heard::from_bytes(&bytes[..keep]).is_err());
    }
}
