#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

fn random(seed: u64, words: u8) -> Code {
    Code::random(&mut ChaCha20Rng::seed_from_u64(seed), words, |_| false)
}

#[test]
fn words_are_told_apart() {
    let all: BTreeSet<&str> = words::THREE.iter().chain(&words::TWO).copied().collect();
    assert_eq!(all.len(), 512);
    assert!(all.iter().all(|word| word.len() >= 4 && word.bytes().all(|b| b.is_ascii_lowercase())));
    // As they were published.
    assert_eq!((words::TWO[0], words::THREE[0]), ("aardvark", "adroitness"));
    assert_eq!((words::TWO[255], words::THREE[255]), ("zulu", "yucatan"));
    assert_eq!((words::TWO[0xe5], words::THREE[0x82]), ("topmost", "istanbul"));
}

proptest! {
    #[test]
    fn what_is_said_is_what_is_typed(seed: u64, words in FEWEST_WORDS..=MOST_WORDS) {
        let code = random(seed, words);
        let text = code.to_string();
        prop_assert!((1..=LAST_NAMEPLATE).contains(&code.nameplate()));
        prop_assert!(Code::is_like(&text));
        prop_assert_eq!(text.split('-').count(), usize::from(words) + 1);
        for typed in [text.clone(), text.to_uppercase(), text.replace('-', " "), format!(" {}. ", text.replace('-', ", "))] {
            prop_assert_eq!(typed.parse::<Code>().unwrap(), code.clone());
        }
        prop_assert!(!format!("{code:?}").contains(code.spelt().next().unwrap()), "words are secret");
    }

    #[test]
    fn anything_is_read_without_harm(text in "\\PC{0,200}") {
        let _ = text.parse::<Code>();
        let _ = Code::completions(&text);
    }
}

#[test]
fn a_nameplate_of_ours_is_not_given_out_twice() {
    let code = Code::random(&mut ChaCha20Rng::seed_from_u64(1), 3, |number| number != 500);
    assert_eq!(code.nameplate(), 500);
}

#[test]
fn what_was_mistyped_is_said() {
    let error = |text: &str| text.parse::<Code>().unwrap_err().to_string();
    assert!(error("7-crosover-clockwork").contains("did you mean \"crossover\"?"));
    assert!(error("7-clockwork-crossover").contains("changed places"));
    assert_eq!(error("7-xyzzy-clockwork"), "\"xyzzy\" is in no code");
    assert!(error("7-crossover").contains("and this has 1"));
    assert!(error("7-crossover-clockwork-amulet-clockwork-amulet").contains("and this has 5"));
    for text in
        ["", "7", "0-crossover-clockwork", "1000-crossover-clockwork", "crossover-clockwork", "wayside:AE"]
    {
        assert!(error(text).contains("not a code"), "{text}");
    }
    assert!(error(&"7-crossover-".repeat(50)).contains("not a code"));
}

#[test]
fn a_shell_completes_words() {
    assert_eq!(Code::completions("7-crossov"), ["7-crossover"]);
    assert_eq!(Code::completions("7-crossover-clockw"), ["7-crossover-clockwork"]);
    assert_eq!(
        Code::completions("7-crossover-clockwork-amu"),
        ["7-crossover-clockwork-amulet", "7-crossover-clockwork-amusement"]
    );
    assert_eq!(Code::completions("7-").len(), 256);
    for nothing in ["", "7", "-", "7-xyz", "7-a-b-c-d-e", "7-cro\u{fffd}-a", "x-cro", "7--cro", "1234-cro"] {
        assert!(Code::completions(nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn distances() {
    for (a, b, count) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("same", "same", 0)] {
        assert_eq!(distance(a, b), count);
    }
}
