#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

fn invite(points: &[(&str, &str)]) -> Invite {
    Invite {
        uses: 1,
        expires: UnixMillis::from_secs(1_790_000_000),
        key: [0x11; 32],
        secret: Secret::new([0x22; 16]),
        points: points.iter().map(|(kind, address)| Locator::new(kind, address).unwrap()).collect(),
        own: BTreeSet::new(),
    }
}

fn three() -> Invite {
    invite(&[
        ("matrix", "#wayside:example.org"),
        ("git", "https://example.org/x.git"),
        ("nostr", "wss://relay.example.org"),
    ])
}

/// The link of these bytes with a checksum that fits.
fn link(body: &[u8]) -> String {
    format!("wayside:{}", BASE32_NOPAD.encode(&[body, &checksum(body)].concat()))
}

#[test]
fn an_address_of_56_bytes_gives_at_most_200_characters() {
    let length = |n: usize| invite(&[("matrix", &"a".repeat(n))]).to_string().len();
    assert_eq!(length(30), 152);
    assert!(length(56) <= 200, "{}", length(56));
    let longest = "a".repeat(Locator::MAX - 3);
    let largest = invite(&[("dir", &longest), ("dir", &longest), ("xyz", &longest)]).to_string();
    assert!(largest.len() <= Invite::MAX, "{}", largest.len());
    assert!(largest.parse::<Invite>().is_ok());
}

#[test]
fn a_link_survives_mail_and_hands() {
    let invite = three();
    let link = invite.to_string();
    let wrapped: String = link
        .chars()
        .enumerate()
        .flat_map(|(i, c)| [c].into_iter().chain((i % 40 == 39).then_some('\n')))
        .collect();
    for text in [&link, &wrapped, &link.to_lowercase(), &format!("  {link}\r\n"), &link.replace(':', "://")] {
        assert_eq!(text.parse::<Invite>().as_ref(), Ok(&invite), "{text:?}");
        assert_eq!(text.parse::<Invite>().unwrap().hash(), invite.hash());
    }
}

#[test]
fn what_is_no_link_is_told_apart() {
    for text in ["", "hello", "https://example.org", "waysid", "wayside", "ẃayside:AAAA"] {
        assert_eq!(text.parse::<Invite>(), Err(InviteError::NotOne), "{text:?}");
    }
    assert_eq!("wayside:".parse::<Invite>(), Err(InviteError::Cut));
    assert_eq!("wayside:A?A".parse::<Invite>(), Err(InviteError::Mistyped));
    assert_eq!(format!("wayside:{}", "A".repeat(2000)).parse::<Invite>(), Err(InviteError::Nonsense));
    assert_eq!(link(&[9; 60]).parse::<Invite>(), Err(InviteError::Version(9)));
}

#[test]
fn a_link_cut_anywhere_is_refused_and_mostly_called_cut() {
    for invite in [three(), invite(&[("matrix", "#wayside:example.org")])] {
        let link = invite.to_string();
        let errors: Vec<_> = (8..link.len()).map(|cut| link[..cut].parse::<Invite>().unwrap_err()).collect();
        assert!(errors.iter().all(|error| matches!(error, InviteError::Cut | InviteError::Mistyped)));
        let called_cut = errors.iter().filter(|error| **error == InviteError::Cut).count();
        assert!(called_cut * 20 >= errors.len() * 19, "{called_cut} of {}", errors.len());
    }
}

#[test]
fn any_flipped_bit_and_any_mistyped_character_is_refused() {
    let invite = three();
    let bytes = invite.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Invite::from_bytes(&flipped).is_err(), "bit {bit}");
    }
    let link = invite.to_string();
    for at in 8..link.len() {
        for other in ["A", "7", "1", "?", "ß"] {
            let typed = format!("{}{other}{}", &link[..at], &link[at + 1..]);
            assert!(typed == link || typed.parse::<Invite>().is_err(), "{other} at {at}");
        }
    }
    for at in 8..link.len() - 1 {
        let (a, b) = (&link[at..=at], &link[at + 1..at + 2]);
        let swapped = format!("{}{b}{a}{}", &link[..at], &link[at + 2..]);
        assert!(a == b || swapped.parse::<Invite>().is_err(), "swapped at {at}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_under_a_good_checksum() {
    let good = three().to_bytes();
    let body = &good[..good.len() - 4];
    assert!(link(body).parse::<Invite>().is_ok());
    let nonsense = |body: &[u8]| assert_eq!(link(body).parse::<Invite>(), Err(InviteError::Nonsense));
    let with = |at: usize, byte: u8| {
        let mut body = body.to_vec();
        body[at] = byte;
        body
    };
    nonsense(&with(1, 0));
    nonsense(&with(1, 128));
    nonsense(&body[..54]);
    let head = &body[..54];
    nonsense(&[head, &[1]].concat());
    nonsense(&[head, &[1, 5, b'x']].concat());
    nonsense(&[head, &[1, 0]].concat());
    nonsense(&[head, &[1, 2, 0xff, 0xff]].concat());
    nonsense(&[head, &[1, 1, b'-']].concat());
    nonsense(&[head, &[1, 1, b'x'].repeat(4)].concat());
    // Written otherwise than we would: it would hash otherwise too.
    nonsense(&[head, &[0, 5], &b"dir:x"[..]].concat());
    nonsense(&[head, &[0, 8], &b"kind-9:x"[..]].concat());
    for length in 0..54 {
        assert!(link(&body[..length]).parse::<Invite>().is_err());
    }
}

#[test]
fn a_point_of_a_kind_of_the_future_leaves_the_others_usable() {
    let body = three().to_bytes();
    let body = [&body[..54], &[100, 3], b"abc", &[1, 1, b'x']].concat();
    let invite: Invite = link(&body).parse().unwrap();
    assert_eq!(invite.points, [Locator::new("kind-100", "abc").unwrap(), Locator::new("dir", "x").unwrap()]);
    assert_eq!(invite.to_string(), link(&body), "and hashes as its maker hashed it");
    // Names that only look like a number's.
    for kind in ["kind-0", "kind-1", "kind-09", "kind-128", "kind-200", "kind-256", "kind-"] {
        let invite = self::invite(&[(kind, "x")]);
        assert_eq!(invite.to_string().parse(), Ok(invite));
    }
}

#[test]
fn a_space_of_the_inviters_own_is_marked() {
    let shared = three();
    let own = Invite { own: [0, 2].into(), ..shared.clone() };
    let (bytes, before) = (own.to_bytes(), shared.to_bytes());
    let changed: Vec<_> = (0..before.len() - 4).filter(|at| bytes[*at] != before[*at]).collect();
    assert_eq!(changed.len(), 2, "one bit a point");
    assert!(changed.iter().all(|at| bytes[*at] == before[*at] | 0x80));
    assert_eq!(own.to_string().parse(), Ok(own.clone()));
    assert_ne!(own.hash(), shared.hash());
}

#[test]
fn every_error_says_what_to_do() {
    let errors = [
        InviteError::NotOne,
        InviteError::Cut,
        InviteError::Mistyped,
        InviteError::Version(3),
        InviteError::Nonsense,
    ];
    for error in errors {
        assert!(error.to_string().contains(':'), "{error}");
    }
}

proptest! {
    #[test]
    fn any_invite_comes_back_the_same(uses in 1u8..=127, expires in any::<u32>(), key in any::<[u8; 32]>(), secret in any::<[u8; 16]>(), points in prop::collection::vec(("[a-z][a-z0-9-]{0,15}", "[!#-,./0-~][!-~]{0,60}"), 1..=3), own in prop::collection::btree_set(0u8..3, 0..3)) {
        let points: Vec<_> = points.iter().map(|(kind, address)| Locator::new(kind, address).unwrap()).collect();
        let own = own.into_iter().filter(|number| usize::from(*number) < points.len()).collect();
        let invite = Invite { uses, expires: UnixMillis::from_secs(u64::from(expires)), key, secret: Secret::new(secret), points, own };
        let parsed: Invite = invite.to_string().parse().unwrap();
        prop_assert_eq!(parsed.hash(), invite.hash());
        prop_assert_eq!(parsed, invite);
    }

    #[test]
    fn arbitrary_bytes_and_text_are_no_invite(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,300}") {
        prop_assert!(Invite::from_bytes(&bytes).is_err());
        prop_assert!(text.parse::<Invite>().is_err());
        let link = format!("wayside:{text}");
        prop_assert!(link.parse::<Invite>().is_err());
    }

    #[test]
    fn arbitrary_bodies_with_a_good_checksum_do_no_harm(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let body = [&[1, 1][..], &[7; 52], &tail].concat();
        if let Ok(invite) = link(&body).parse::<Invite>() {
            prop_assert_eq!(invite.to_string(), link(&body));
        }
    }
}
