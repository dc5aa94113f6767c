#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use rand_core::SeedableRng;

use super::*;

/// When tokens to test with are issued.
const NOW: UnixMillis = UnixMillis(1_790_000_000_123);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Rita relays; she lets Ann, who hands it on to Bob, who hands it on to Cid.
fn device(nth: u64) -> DeviceKeys {
    DeviceKeys::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(nth))
}

fn rita() -> DeviceKeys {
    device(1)
}

fn ann() -> DeviceKeys {
    device(2)
}

fn bob() -> DeviceKeys {
    device(3)
}

fn cid() -> DeviceKeys {
    device(4)
}

fn key(device: &DeviceKeys) -> [u8; 32] {
    device.public().sign
}

fn issued(hands: u8) -> Token {
    Token::issue(&rita(), Purpose::Relay, key(&ann()), 7, NOW, NOW.after(WEEK), hands)
}

fn first(change: impl FnOnce(&mut First)) -> (Vec<u8>, [u8; 64]) {
    let mut says = issued(2).first.says;
    change(&mut says);
    let says = codec::encode(&says);
    let signature = rita().sign(TOKEN, &says);
    (says, signature)
}

/// A token whose blocks say anything, each with a good signature by whom it has to be by.
fn forged(first: (Vec<u8>, [u8; 64]), further: &[(&DeviceKeys, Further)]) -> Vec<u8> {
    let mut before = sha256(&[&first.0, &first.1]);
    let mut blocks = vec![SignedBody { says: first.0, signature: first.1 }];
    for (signer, further) in further {
        let signature = signer.sign(HANDED_ON, &handed_on(&before, further));
        let says = codec::encode(further);
        before = sha256(&[&before, &says, &signature]);
        blocks.push(SignedBody { says, signature });
    }
    codec::encode(&blocks)
}

fn further(subject: &DeviceKeys, lasts: Duration, hands: u8) -> Further {
    Further { subject: key(subject), expires: NOW.after(lasts), hands }
}

fn read(bytes: &[u8]) -> Result<Verified, TokenError> {
    Token::from_bytes(bytes)?.verify(&rita().public(), Purpose::Relay, NOW.after(HOUR))
}

fn malformed(why: &'static str) -> Result<Verified, TokenError> {
    Err(TokenError::Malformed(Malformed::new("a token", why)))
}

#[test]
fn a_token_says_whose_it_is_and_so_does_one_that_was_handed_on() {
    let token = issued(2);
    let mut expected = Verified {
        first: key(&ann()),
        last: key(&ann()),
        serial: 7,
        issued: NOW,
        expires: NOW.after(WEEK),
        hands: 2,
    };
    assert_eq!(read(&token.to_bytes()), Ok(expected));
    let bobs = token.hand_on(&ann(), key(&bob()), NOW.after(2 * HOUR)).unwrap();
    expected = Verified { last: key(&bob()), expires: NOW.after(2 * HOUR), hands: 1, ..expected };
    assert_eq!(read(&bobs.to_bytes()), Ok(expected));
    // However long it is meant to last, it lasts no longer than what it was handed on from.
    let cids = bobs.hand_on(&bob(), key(&cid()), NOW.after(WEEK)).unwrap();
    expected = Verified { last: key(&cid()), hands: 0, ..expected };
    assert_eq!(read(&cids.to_bytes()), Ok(expected));
    assert_eq!(Token::from_bytes(&cids.to_bytes()), Ok(cids.clone()));
    assert_eq!((cids.subject(), cids.expires(), cids.hands()), (key(&cid()), NOW.after(2 * HOUR), 0));
    assert_eq!([token, bobs, cids].map(|token| token.to_bytes().len()), [143, 257, 371]);
}

#[test]
fn it_is_the_issuers_alone_and_for_its_purpose_alone() {
    let token = issued(0);
    let (now, rita) = (NOW, rita().public());
    assert_eq!(token.verify(&bob().public(), Purpose::Relay, now), Err(TokenError::Issuer));
    let other_noise = DevicePublic { noise: [9; 32], ..rita };
    assert_eq!(token.verify(&other_noise, Purpose::Relay, now), Err(TokenError::Issuer));
    assert_eq!(token.verify(&rita, Purpose::Meet, now), Err(TokenError::Purpose));
    let of_the_future = forged(first(|says| says.purpose = 2), &[]);
    assert_eq!(read(&of_the_future), Err(TokenError::Purpose));
    // Signed by somebody else in the issuer's name.
    let mut says = token.first.says.clone();
    says.serial += 1;
    let says = codec::encode(&says);
    let signature = ann().sign(TOKEN, &says);
    assert_eq!(read(&forged((says, signature), &[])), Err(TokenError::Signature));
}

#[test]
fn it_counts_from_a_day_before_its_date_until_its_end() {
    let (token, rita) = (issued(1), rita().public());
    let at = |moment| token.verify(&rita, Purpose::Relay, moment).map(|_| ());
    let day = Token::SKEW;
    assert_eq!(at(UnixMillis(NOW.after(WEEK).0 - 1)), Ok(()));
    assert_eq!(at(NOW.after(WEEK)), Err(TokenError::Expired));
    let early = UnixMillis(NOW.0 - day.as_millis() as u64);
    assert_eq!(at(early), Ok(()));
    assert_eq!(at(UnixMillis(early.0 - 1)), Err(TokenError::NotYet));
    let bobs = token.hand_on(&ann(), key(&bob()), NOW.after(HOUR)).unwrap();
    assert_eq!(bobs.verify(&rita, Purpose::Relay, NOW.after(HOUR)), Err(TokenError::Expired));
}

#[test]
fn it_is_handed_on_by_whom_it_is_for_and_no_more_often_than_it_may() {
    let token = issued(1);
    assert_eq!(token.hand_on(&bob(), key(&cid()), NOW.after(HOUR)), Err(TokenError::NotYours));
    let bobs = token.hand_on(&ann(), key(&bob()), NOW.after(HOUR)).unwrap();
    assert_eq!(bobs.hand_on(&bob(), key(&cid()), NOW.after(HOUR)), Err(TokenError::HandedOn));
    assert_eq!(bobs.hand_on(&ann(), key(&cid()), NOW.after(HOUR)), Err(TokenError::NotYours));
    // Whoever does it all the same is found out.
    let (ann, bob, cid) = (ann(), bob(), cid());
    for hands in [2, 3, 255] {
        let forged = forged(first(|_| ()), &[(&ann, further(&bob, HOUR, hands))]);
        assert_eq!(read(&forged), Err(TokenError::HandedOn), "{hands}");
    }
    let twice = [(&ann, further(&bob, HOUR, 0)), (&bob, further(&cid, HOUR, 0))];
    assert_eq!(read(&forged(first(|_| ()), &twice)), Err(TokenError::HandedOn));
    assert_eq!(read(&forged(first(|says| says.hands = 4), &[])), Err(TokenError::HandedOn));
    // By somebody whom it is not for.
    let stolen = [(&bob, further(&cid, HOUR, 0))];
    assert_eq!(read(&forged(first(|_| ()), &stolen)), Err(TokenError::Signature));
}

#[test]
fn what_is_handed_on_does_not_last_longer() {
    let longer = [(&ann(), further(&bob(), WEEK + Duration::from_millis(1), 0))];
    assert_eq!(read(&forged(first(|_| ()), &longer)), Err(TokenError::Outlives));
    let again = [(&ann(), further(&bob(), HOUR * 2, 1)), (&bob(), further(&cid(), HOUR * 3, 0))];
    assert_eq!(read(&forged(first(|_| ()), &again)), Err(TokenError::Outlives));
    let month = Token::LIFETIME + Duration::from_millis(1);
    assert_eq!(
        read(&forged(first(|says| says.expires = says.issued.after(month)), &[])),
        Err(TokenError::TooLong)
    );
    assert_eq!(
        read(&forged(first(|says| says.expires = says.issued), &[])),
        malformed("it ends before it begins")
    );
    let long = Token::issue(&rita(), Purpose::Meet, key(&ann()), 1, NOW, UnixMillis(u64::MAX), 200);
    assert_eq!((long.expires(), long.hands()), (NOW.after(Token::LIFETIME), Token::MOST_HANDS));
}

#[test]
fn a_block_is_part_of_one_token_only() {
    // Ann was given two; what she handed on from one is not to be had from the other.
    let one = issued(1).hand_on(&ann(), key(&bob()), NOW.after(HOUR)).unwrap();
    let other = Token::issue(&rita(), Purpose::Relay, key(&ann()), 8, NOW, NOW.after(WEEK), 1);
    let grafted = Token { first: other.first, handed_on: one.handed_on };
    assert_eq!(read(&grafted.to_bytes()), Err(TokenError::Signature));
}

#[test]
fn a_token_that_was_changed_anywhere_does_not_count() {
    let token = issued(2).hand_on(&ann(), key(&bob()), NOW.after(2 * HOUR)).unwrap();
    let bytes = token.to_bytes();
    assert!(read(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read(&changed).is_err(), "byte {at}");
        assert!(read(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_token_has_one_form_of_bounded_length() {
    let bytes = issued(0).to_bytes();
    assert_eq!(read(&[&bytes[..], &[0]].concat()), malformed("bytes are left over"));
    assert_eq!(read(&[&[0x81][..], &vec![0; Token::MAX]].concat()), malformed("too long"));
    assert_eq!(read(&[0x80]), malformed("it has no block, or more than four"));
    assert_eq!(read(&[]), malformed("not a list of blocks"));
    assert_eq!(read(&[&[0x98, 1][..], &bytes[1..]].concat()), malformed("not in the one form that it has"));
    assert_eq!(read(&[&[0x9f][..], &bytes[1..], &[0xff]].concat()), malformed("not a list of blocks"));
    // Four blocks are the most, and the longest that there are.
    let (ann, bob, cid) = (ann(), bob(), cid());
    let far = |hands| Further { expires: NOW.after(WEEK), ..further(&bob, WEEK, hands) };
    let widest = first(|says| (says.hands, says.serial) = (3, u64::MAX));
    let chain = [(&ann, far(2)), (&bob, far(1)), (&bob, far(0))];
    let four = forged(widest.clone(), &chain);
    assert!(read(&four).is_ok() && four.len() == 493, "{}", four.len());
    let five = forged(widest, &[&chain[..], &[(&cid, far(0))]].concat());
    assert_eq!(read(&five), malformed("it has no block, or more than four"));
    // What a later version appends might restrict what is granted: it is not passed over, though it is signed.
    let mut says = codec::encode(&issued(0).first.says);
    says[0] += 1;
    says.push(0xf6);
    let signature = rita().sign(TOKEN, &says);
    assert_eq!(read(&forged((says, signature), &[])), malformed("not in the one form that it has"));
}

#[test]
fn whoever_shows_it_has_to_be_whom_it_is_for() {
    let token = issued(1).hand_on(&ann(), key(&bob()), NOW.after(HOUR)).unwrap();
    let exported = [5; 32];
    let proof = Proof::sign(&bob(), &exported);
    assert!(proof.verify(&token.subject(), &exported));
    assert!(!proof.verify(&token.subject(), &[6; 32]), "on another link");
    assert!(!Proof::sign(&ann(), &exported).verify(&token.subject(), &exported), "by another subject");
    assert!(!Proof(bob().sign(TOKEN, &exported)).verify(&token.subject(), &exported), "for another purpose");
    for at in 0..Proof::LENGTH {
        let mut changed = proof;
        changed.0[at] ^= 1;
        assert!(!changed.verify(&token.subject(), &exported), "byte {at}");
    }
    let bytes = codec::encode(&proof);
    assert_eq!(codec::decode("a proof", &bytes, 100), Ok(proof));
    assert!(codec::decode::<Proof>("a proof", &[&[0x41], &bytes[2..3]].concat(), 100).is_err());
}

#[test]
fn errors_are_plain_words() {
    let all = [
        TokenError::Issuer,
        TokenError::Purpose,
        TokenError::Signature,
        TokenError::NotYet,
        TokenError::Expired,
        TokenError::TooLong,
        TokenError::Outlives,
        TokenError::HandedOn,
        TokenError::NotYours,
    ];
    assert!(all.iter().all(|error| error.to_string().contains("token")));
    let shown = format!("{:?}", issued(0));
    assert!(shown.contains("serial: 7") && !shown.contains("signature"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn whatever_is_issued_and_handed_on_is_read(
        serial in any::<u64>(), issued in any::<u64>(), lasts in 1..u64::from(u32::MAX), hands in any::<u8>(), later in any::<u64>(),
    ) {
        let issued = UnixMillis(issued.min(u64::MAX - lasts));
        let mut token = Token::issue(&rita(), Purpose::Meet, key(&ann()), serial, issued, issued.after(Duration::from_millis(lasts)), hands);
        for _ in 0..token.hands() {
            token = token.hand_on(&ann(), key(&ann()), UnixMillis(later)).unwrap();
        }
        prop_assert_eq!(token.hands(), 0);
        prop_assert_eq!(Token::from_bytes(&token.to_bytes()), Ok(token.clone()));
        let now = UnixMillis(token.expires().0.saturating_sub(1));
        let held = token.verify(&rita().public(), Purpose::Meet, now).is_ok();
        prop_assert_eq!(held, token.expires() > UnixMillis(0) && issued <= now.after(Token::SKEW));
    }
}
