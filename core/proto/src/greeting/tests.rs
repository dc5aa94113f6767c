#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::crypto::Secret;
use crate::identity::testing::{NOW, Person, points};
use crate::place::{Candidate, CandidateKind, Locator, Transport};

fn invite(places: usize) -> Invite {
    Invite {
        uses: 1,
        expires: UnixMillis::from_secs(1_790_000_000),
        key: [0x11; 32],
        secret: Secret::new([0x22; 16]),
        points: (0..places).map(|at| Locator::new("dir", &format!("{at}")).unwrap()).collect(),
        own: BTreeSet::new(),
    }
}

fn maker(person: &Person, candidates: usize) -> Maker {
    let candidate = |port: usize| Candidate {
        kind: CandidateKind::Host,
        transport: Transport::Udp,
        address: format!("[2001:db8::1]:{}", port + 1).parse().unwrap(),
    };
    Maker {
        card: person.card().brief(&person.device.public().id()).unwrap(),
        epoch: Epoch(20_000),
        sent: NOW,
        reach: Reach::of(Candidates::new((0..candidates).map(candidate))),
        relays: RelayTags::default(),
    }
}

fn greeting(places: usize) -> Greeting {
    let person = Person::new(1);
    Greeting::sign(&person.device, &invite(places), maker(&person, 2)).unwrap()
}

#[test]
fn it_comes_back_the_same_however_its_text_is_laid_out() {
    for places in 0..=3 {
        let made = greeting(places);
        let text = made.to_string();
        assert_eq!(text.parse(), Ok(made.clone()));
        let lower = text.to_lowercase();
        let (first, second) = lower.split_at(70);
        assert_eq!(format!("# from Ann\r\n {first}\r\n  {second}\n\n# end").parse(), Ok(made.clone()));
        assert_eq!(made.invite(), &invite(places));
        assert!(Greeting::is_one(&text) && Greeting::is_one(&format!("\n# x\n{lower}")));
        assert!(
            !Greeting::is_one("wayside:AAAA")
                && !Greeting::is_one("# wayside-invite:")
                && !Greeting::is_one("")
        );
        assert!(!format!("{made:?}").contains("34343434"), "it does not print its secrets");
    }
}

#[test]
fn it_is_as_long_as_it_is_said_to_be() {
    // One place of 40 bytes, a name of twelve, two addresses.
    let length = greeting(1).to_string().len();
    assert!((1100..1250).contains(&length), "{length} characters");
    let mut person = Person::new(1);
    person.points = points(8, 190);
    let mut longest = invite(0);
    longest.points =
        (0..3).map(|at| Locator::new("matrix", &format!("{at}{}", "a".repeat(190))).unwrap()).collect();
    let longest = Greeting::sign(&person.device, &longest, maker(&person, 6)).unwrap();
    assert!(longest.bytes().len() <= Greeting::MAX && longest.to_string().len() < Greeting::MAX_TEXT - 2048);
}

#[test]
fn damage_is_told_apart_from_forgery() {
    let made = greeting(0);
    let text = made.to_string();
    assert_eq!("wayside:AEAW".parse::<Greeting>(), Err(GreetingError::NotOne));
    for length in Greeting::SCHEME.len()..text.len() {
        assert_eq!(text[..length].parse::<Greeting>(), Err(GreetingError::Damaged), "{length}");
    }
    for at in Greeting::SCHEME.len()..text.len() {
        let mut mistyped = text.clone().into_bytes();
        mistyped[at] = if mistyped[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            String::from_utf8(mistyped).unwrap().parse::<Greeting>(),
            Err(GreetingError::Damaged),
            "{at}"
        );
    }
    let whole: Whole = codec::decode("it", made.bytes(), Greeting::MAX).unwrap();
    // Whoever changes what it says and makes another checksum has no signature for it.
    for at in 0..whole.says.len() {
        let mut says = whole.says.clone();
        says[at] ^= 1;
        let forged = codec::encode(&Whole { says, signature: whole.signature });
        assert!(Greeting::from_bytes(&forged).is_err(), "{at}");
    }
    let mut signature = whole.signature;
    signature[40] ^= 1;
    let forged = codec::encode(&Whole { says: whole.says.clone(), signature });
    assert_eq!(Greeting::from_bytes(&forged), Err(GreetingError::Unsigned));
    // Nor is it believed of a device that its card does not list.
    let (ann, eve) = (Person::new(1), Person::new(2));
    assert_eq!(Greeting::sign(&eve.device, &invite(0), maker(&ann, 1)), None);
}

#[test]
fn a_newer_one_says_that_it_is() {
    let whole: Whole = codec::decode("it", greeting(0).bytes(), Greeting::MAX).unwrap();
    let mut says = whole.says;
    assert_eq!(says[1], 1, "the version follows the array's head");
    says[1] = 9;
    let newer = codec::encode(&Whole { says, signature: whole.signature });
    assert_eq!(Greeting::from_bytes(&newer), Err(GreetingError::Version(9)));
}

proptest! {
    #[test]
    fn arbitrary_text_and_bytes_are_none(text in "\\PC{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(text.parse::<Greeting>().is_err());
        let text = format!("wayside-invite:{text}");
        prop_assert!(text.parse::<Greeting>().is_err());
        prop_assert!(Greeting::from_bytes(&bytes).is_err());
    }
}
