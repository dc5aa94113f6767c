#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::time::UnixMillis;

const SECRET: Secret<16> = Secret::new([0x22; 16]);

fn space(address: &str) -> Reply {
    Reply::new(&SECRET, 1, Joined::Space(Locator::new("web", address).unwrap()))
}

fn invite(secret: Secret<16>, own: &[u8]) -> Invite {
    Invite {
        uses: 1,
        expires: UnixMillis::from_secs(1_790_000_000),
        key: [0x11; 32],
        secret,
        points: vec![Locator::new("dir", "x").unwrap(), Locator::new("web", "ann.example/").unwrap()],
        own: own.iter().copied().collect(),
    }
}

#[test]
fn it_is_as_short_as_it_is_said_to_be() {
    let line = space(&"a".repeat(40)).to_string();
    assert_eq!(line.len(), 106, "{line}");
    let longest = Reply::new(&SECRET, 2, Joined::Message(vec![7; Bucket::Large.message()])).to_string();
    assert!(longest.len() <= Reply::MAX, "{}", longest.len());
    assert_eq!(longest.parse::<Reply>().unwrap().to_string(), longest);
}

#[test]
fn it_is_for_one_invite_and_nobody_without_it_can_make_or_change_it() {
    let reply = space("bob.example/");
    assert!(reply.is_for(&invite(SECRET, &[1])));
    assert!(!reply.is_for(&invite(Secret::new([0x23; 16]), &[1])));
    assert!(!reply.is_for(&invite(SECRET, &[0])), "several write there: nothing is replied");
    let elsewhere = Reply { joined: space("eve.example/").joined, ..reply.clone() };
    assert!(!elsewhere.is_for(&invite(SECRET, &[1])), "who sees it cannot point it elsewhere");
    let other = Reply { point: 0, ..reply };
    assert!(!other.is_for(&invite(SECRET, &[0, 1])));
}

#[test]
fn damage_is_told_apart() {
    let line = space("bob.example/").to_string();
    assert_eq!("wayside:AEAW".parse::<Reply>(), Err(ReplyError::NotOne));
    assert_eq!("".parse::<Reply>(), Err(ReplyError::NotOne));
    for length in Reply::SCHEME.len()..line.len() {
        assert_eq!(line[..length].parse::<Reply>(), Err(ReplyError::Damaged), "{length}");
    }
    for at in Reply::SCHEME.len()..line.len() {
        let mut mistyped = line.clone().into_bytes();
        mistyped[at] = if mistyped[at] == b'A' { b'B' } else { b'A' };
        let mistyped = String::from_utf8(mistyped).unwrap();
        assert_eq!(mistyped.parse::<Reply>(), Err(ReplyError::Damaged), "{at}");
    }
    let with = |body: &[u8]| {
        let bytes = [body, &checksum(body)].concat();
        format!("{}{}", Reply::SCHEME, BASE32_NOPAD.encode(&bytes)).parse::<Reply>()
    };
    assert_eq!(with(&[2, 0, 1]), Err(ReplyError::Version(2)));
    for body in [
        &[][..],
        &[1],
        &[1, 0, 1, 1, 1, b'x'],
        &[1, 0, 4, 1, 1, b'x', 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 1, 0x81, 1, b'x', 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 1, 1, 1, b'-', 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 1, 1, 2, b'x', 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert!(with(body).is_err(), "{body:?}");
    }
}

#[test]
fn lines_may_be_broken_and_in_either_case() {
    let reply = space("bob.example/");
    let line = reply.to_string().to_lowercase();
    let (first, second) = line.split_at(40);
    assert_eq!(format!(" {first}\r\n  {second}\n").parse::<Reply>(), Ok(reply));
}

proptest! {
    #[test]
    fn any_reply_comes_back_the_same(point in any::<u8>(), kind in "[a-z][a-z0-9-]{0,15}", address in "[!#-,./0-~][!-~]{0,60}", message in prop::collection::vec(any::<u8>(), 1..928), hands in any::<bool>()) {
        let joined = if hands { Joined::Message(message) } else { Joined::Space(Locator::new(&kind, &address).unwrap()) };
        let reply = Reply::new(&SECRET, point, joined);
        prop_assert_eq!(reply.to_string().parse(), Ok(reply));
    }

    #[test]
    fn arbitrary_text_is_none(text in "\\PC{0,300}") {
        prop_assert!(text.parse::<Reply>().is_err());
        let line = format!("wayside-reply:{text}");
        prop_assert!(line.parse::<Reply>().is_err());
    }
}
