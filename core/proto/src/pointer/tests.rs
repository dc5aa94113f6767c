#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::crypto::Secret;

const DAY: u64 = 86_400;
const NOW: UnixMillis = UnixMillis::from_secs(1_790_000_000);

fn key(seed: u8) -> AccountKey {
    AccountKey::from_secret(&Secret::new([seed; 32]))
}

fn claims(name: &str, points: &[&str]) -> Claims {
    Claims {
        name: PointerName::new(name).unwrap(),
        seq: 1_790_000_000,
        expires: NOW.after(Duration::from_secs(90 * DAY)),
        key: [0x11; 32],
        public: [0x22; 16],
        points: points.iter().map(|point| Locator::parse(point).unwrap()).collect(),
    }
}

fn pointer() -> Pointer {
    Pointer::sign(&key(1), claims("alice", &["git:git.example.org/team/project", "dir:/srv/shared"])).unwrap()
}

#[test]
fn names_are_plain() {
    for name in ["a", "alice", "a.b-c_d", "0", "_x", &"a".repeat(64)] {
        assert!(PointerName::new(name).is_some(), "{name:?}");
    }
    for name in ["", ".", "..", ".git", "-x", "Alice", "a/b", "a b", "ä", "a\0", &"a".repeat(65)] {
        assert!(PointerName::new(name).is_none(), "{name:?}");
    }
}

#[test]
fn a_usual_one_fits_into_a_small_record_and_the_largest_is_read() {
    assert!(pointer().to_bytes().len() < 376, "{}", pointer().to_bytes().len());
    let longest = |kind: &str| format!("{kind}:{}", "a".repeat(Locator::MAX - kind.len()));
    let points = ["a", "b", "c"].map(longest);
    let mut largest = claims(&"n".repeat(64), &points.each_ref().map(String::as_str));
    (largest.seq, largest.expires) = (u64::MAX, UnixMillis(u64::MAX));
    let largest = Pointer::sign(&key(1), largest).unwrap();
    assert!(largest.to_bytes().len() <= Pointer::MAX, "{}", largest.to_bytes().len());
    assert_eq!(Pointer::read(&largest.to_bytes()).as_ref(), Ok(&largest));
    assert_eq!(Pointer::read(largest.to_string().as_bytes()), Ok(largest));
}

#[test]
fn the_text_survives_editors_and_hands() {
    let (pointer, text) = (pointer(), pointer().to_string());
    let wrapped: String = text
        .chars()
        .enumerate()
        .flat_map(|(i, c)| [c].into_iter().chain((i % 60 == 59).then_some('\n')))
        .collect();
    let remarked = format!("# Alice, who reviews\r\n  # wayside-card: is no scheme here\n\n{wrapped}\n#end");
    for text in [&text, &wrapped, &text.to_lowercase(), &format!("  {text}\r\n"), &remarked] {
        assert_eq!(Pointer::read(text.as_bytes()).as_ref(), Ok(&pointer), "{text:?}");
    }
}

#[test]
fn what_is_none_says_why() {
    let text = pointer().to_string();
    let is = |contents: &str, why: &'static str| {
        assert_eq!(Pointer::read(contents.as_bytes()), Err(PointerError::Malformed(why)), "{contents:?}");
    };
    for contents in ["", "# nothing", "hello", "wayside:AAAA", "<<<<<<< HEAD"] {
        is(contents, "one begins with `wayside-card:`");
    }
    is(&format!("{text}\n{text}"), "it holds a character that belongs in none");
    is(&text[..text.len() - 3], "it is cut short");
    is(&" ".repeat(Pointer::MAX_TEXT + 1), "it is too long");
    assert!(matches!(Pointer::read(&[0x82]), Err(PointerError::Malformed(_))));
    assert!(matches!(Pointer::read(&[0xff; 100]), Err(PointerError::Malformed("it is no text"))));
}

/// Any other account, any bit of what is signed, any bit of the signature.
#[test]
fn nothing_in_it_can_be_changed() {
    let bytes = pointer().to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Pointer::read(&changed).is_err(), "bit {bit}");
    }
    for end in 0..bytes.len() {
        assert!(Pointer::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(Pointer::read(&[&bytes[..], &[0]].concat()).is_err());
}

/// Signed well, and not as it is written here.
#[test]
fn one_has_one_form() {
    let sign = |says: Vec<u8>| {
        let signature = key(1).sign(CONTEXT, &says);
        Pointer::read(&codec::encode(&Whole { says, signature }))
    };
    let says = |version: u64| Says { version, account: key(1).id(), claims: pointer().claims };
    let good = codec::encode(&says(1));
    assert_eq!(sign(good.clone()), Ok(pointer()));
    let update = "it is of another version than this wayside knows: update it";
    assert_eq!(sign(codec::encode(&says(2))), Err(PointerError::Malformed(update)));
    // A field appended, a number written long, places that are none, several times the same, too many.
    let mut appended = good.clone();
    appended[0] += 1;
    appended.push(0);
    let mut long = good.clone();
    long.splice(1..2, [0x18, 1]);
    let with_points = |points: &[&str]| {
        let points = points.iter().map(|point| Locator::parse(point).unwrap()).collect();
        codec::encode(&Says { claims: Claims { points, ..pointer().claims }, ..says(1) })
    };
    for says in [
        appended,
        long,
        with_points(&[]),
        with_points(&["dir:/a", "dir:/a"]),
        with_points(&["dir:/a", "dir:/b", "dir:/c", "dir:/d"]),
    ] {
        assert!(matches!(sign(says), Err(PointerError::Malformed(_))));
    }
    assert_eq!(Pointer::sign(&key(1), claims("alice", &[])), None);
    assert_eq!(Pointer::sign(&key(1), claims("alice", &["dir:/a", "dir:/a"])), None);
    // A signature in another context is none.
    let other = key(1).sign("roster", &good);
    let read = Pointer::read(&codec::encode(&Whole { says: good, signature: other }));
    assert_eq!(read, Err(PointerError::Unsigned));
}

#[test]
fn it_stands_in_for_an_earlier_one_of_the_same_account_and_name_alone() {
    let earlier = pointer();
    let with = |seed: u8, change: &dyn Fn(&mut Claims)| {
        let mut claims = pointer().claims;
        change(&mut claims);
        Pointer::sign(&key(seed), claims).unwrap()
    };
    let name = |name| PointerName::new(name).unwrap();
    let alice = name("alice");
    let check = |pointer: &Pointer| pointer.check(NOW, Some(&alice), Some(&earlier));
    assert_eq!(check(&earlier), Ok(()), "equal bytes are the same pointer");
    assert_eq!(check(&with(1, &|claims| claims.seq += 1)), Ok(()));
    assert_eq!(check(&with(1, &|claims| claims.seq -= 1)), Err(PointerError::Older));
    assert_eq!(check(&with(1, &|claims| claims.key[0] ^= 1)), Err(PointerError::Older), "the same number");
    assert_eq!(check(&with(2, &|claims| claims.seq += 1)), Err(PointerError::OtherAccount));
    let other = with(1, &|claims| claims.name = name("bob"));
    assert_eq!(check(&other), Err(PointerError::OtherName(name("bob"))));
    assert_eq!(other.check(NOW, None, None), Ok(()));
    assert_eq!(earlier.check(earlier.expires(), None, None), Err(PointerError::Expired));
    let long = with(1, &|claims| claims.expires = NOW.after(Duration::from_secs(368 * DAY)));
    assert_eq!(long.check(NOW, None, None), Err(PointerError::TooLong));
}

/// What knocks are keyed by stays as long as account, key and public bytes do.
#[test]
fn a_renewed_one_answers_whoever_has_the_copy_before() {
    let (old, mut claims) = (pointer(), pointer().claims);
    (claims.seq, claims.expires) = (claims.seq + 1, claims.expires.after(Duration::from_secs(DAY)));
    claims.points.reverse();
    let new = Pointer::sign(&key(1), claims.clone()).unwrap();
    let (tag, day) = (Pointer::tag(&old.points()[0]), Epoch(20_717));
    let keyed = |pointer: &Pointer| (pointer.prologue(), pointer.psk(), pointer.knock_slot(tag, day, 3));
    assert_eq!(keyed(&old), keyed(&new));
    assert_ne!(old.prologue(), Pointer::sign(&key(2), claims.clone()).unwrap().prologue());
    let other_key = Claims { key: [9; 32], ..claims.clone() };
    assert_ne!(old.prologue(), Pointer::sign(&key(1), other_key).unwrap().prologue());
    let other = Pointer::sign(&key(1), Claims { public: [9; 16], ..claims }).unwrap();
    assert_ne!(old.prologue(), other.prologue());
    assert_ne!(old.psk(), other.psk());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        name in "[a-z0-9_][a-z0-9._-]{0,63}",
        (seq, expires) in (any::<u64>(), any::<u64>()),
        (key_of, public) in (any::<[u8; 32]>(), any::<[u8; 16]>()),
        points in proptest::collection::btree_set("[a-z][a-z0-9-]{0,15}:[!-,.-~]{1,150}", 1..=3),
        seed in any::<u8>(),
    ) {
        let claims = Claims {
            name: PointerName::new(&name).unwrap(),
            seq,
            expires: UnixMillis(expires),
            key: key_of,
            public,
            points: points.iter().map(|point| Locator::parse(point).unwrap()).collect(),
        };
        let pointer = Pointer::sign(&key(seed), claims.clone()).unwrap();
        prop_assert_eq!(pointer.claims(), &claims);
        let read = [Pointer::read(&pointer.to_bytes()), Pointer::read(pointer.to_string().as_bytes())];
        prop_assert_eq!(read, [Ok(pointer.clone()), Ok(pointer)]);
    }

    #[test]
    fn anything_at_all_may_be_read(contents in proptest::collection::vec(any::<u8>(), 0..1000)) {
        let _ = Pointer::read(&contents);
        let _ = Pointer::read(&[&[ARRAY_OF_TWO][..], &contents].concat());
    }
}
