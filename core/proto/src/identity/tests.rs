#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::time::Duration;

use proptest::prelude::*;

use super::testing::{NOW, Person, points};
use super::*;
use crate::codec::Malformed;
use crate::crypto::keys::{AccountKey, DeviceKeys};
use crate::time::UnixMillis;

fn signed(person: &Person, change: impl FnOnce(&mut Roster)) -> Result<Roster, CardError> {
    let mut roster = person.roster(1);
    change(&mut roster);
    roster.sign(&person.account).verify()
}

#[test]
fn a_roster_keeps_its_limits() {
    let person = Person::with_devices(1, 8);
    assert_eq!(signed(&person, |_| ()), Ok(person.roster(1)));
    let malformed = |change: fn(&mut Roster)| {
        assert!(matches!(signed(&person, change), Err(CardError::Malformed(Malformed { .. }))));
    };
    malformed(|roster| roster.devices.clear());
    malformed(|roster| roster.seq = 0);
    malformed(|roster| roster.name.clear());
    malformed(|roster| roster.name = "x".repeat(65));
    malformed(|roster| roster.name = "two\nlines".into());
    malformed(|roster| roster.name = "moc.elpmaxe\u{202e}".into());
    malformed(|roster| roster.expires = roster.issued);
    malformed(|roster| roster.devices[1] = roster.devices[0].clone());
    assert_eq!(
        signed(&person, |roster| roster.expires = roster.expires.after(Duration::from_millis(1))),
        Err(CardError::TooLong)
    );
    let crowd = Person::with_devices(1, 9);
    assert!(matches!(signed(&crowd, |_| ()), Err(CardError::Malformed(_))));
    assert!(signed(&person, |roster| roster.name = "x".repeat(64)).is_ok());
}

#[test]
fn a_device_consents_to_one_account_with_both_its_keys() {
    let (person, other) = (Person::with_devices(1, 2), Person::new(2));
    let refused =
        |change: &dyn Fn(&mut Roster)| assert_eq!(signed(&person, change), Err(CardError::Signature));
    refused(&|roster| roster.devices[0] = DeviceEntry::new(&other.device, &other.account.id()));
    refused(&|roster| roster.devices[0].keys.noise = other.device.public().noise);
    refused(&|roster| roster.devices[0].keys.sign = other.device.public().sign);
    refused(&|roster| roster.devices[0].consent[0] ^= 1);
    refused(&|roster| roster.account = other.account.id());
}

#[test]
fn a_roster_is_in_force_from_a_day_before_until_it_expires() {
    let roster = Person::new(1).roster(1);
    assert!(roster.in_force(NOW));
    assert!(roster.in_force(UnixMillis(NOW.0 - 86_400_000)));
    assert!(!roster.in_force(UnixMillis(NOW.0 - 86_400_001)));
    assert!(roster.in_force(UnixMillis(roster.expires.0 - 1)));
    assert!(!roster.in_force(roster.expires));
}

#[test]
fn a_status_is_signed_by_its_device() {
    let person = Person::with_devices(1, 2);
    let status = person.status(&person.device, 1);
    assert!(status.verify(&person.device.public()).is_ok());
    assert_eq!(status.verify(&person.others[0].public()), Err(CardError::Signature));
    let borrowed =
        Status { device: person.device.public().id(), seq: 1, issued: NOW, points: vec![], mailbox: None };
    let forged = borrowed.sign(&person.others[0]);
    assert_eq!(forged.verify(&person.device.public()), Err(CardError::Signature));
    assert_eq!(forged.verify(&person.others[0].public()), Err(CardError::Signature));
    let crowded = Status { points: points(9, 30), ..borrowed.clone() }.sign(&person.device);
    assert!(matches!(crowded.verify(&person.device.public()), Err(CardError::Malformed(_))));
    let excerpt = Status { seq: 0, ..borrowed }.sign(&person.device);
    assert!(
        excerpt.verify(&person.device.public()).is_ok(),
        "a first contact carries an excerpt without a number"
    );
}

#[test]
fn a_card_holds_one_status_a_device_and_none_of_strangers() {
    let (person, stranger) = (Person::new(1), Person::new(2));
    let roster = person.roster(1).sign(&person.account);
    let status = person.status(&person.device, 1);
    assert!(Card::new(roster.clone(), vec![]).is_ok());
    assert!(matches!(Card::new(roster.clone(), vec![status.clone(), status]), Err(CardError::Malformed(_))));
    let theirs = stranger.status(&stranger.device, 1);
    assert_eq!(Card::new(roster, vec![theirs]).unwrap_err(), CardError::Signature);
}

#[test]
fn the_largest_card_comes_back_the_same() {
    let mut person = Person::with_devices(1, Roster::MOST);
    person.points = points(Status::MOST, 190);
    person.name = "x".repeat(Roster::MAX_NAME);
    for (i, point) in person.points.iter_mut().enumerate() {
        point.tray = crate::crypto::Secret::new([i as u8; 32]);
    }
    let card = person.card();
    let bytes = card.to_bytes();
    assert!(bytes.len() <= Card::MAX, "{}", bytes.len());
    assert_eq!(Card::from_bytes(&bytes), Ok(card));
}

#[test]
fn any_flipped_bit_and_any_cut_spoils_a_card() {
    let mut person = Person::new(1);
    person.points = points(2, 30);
    let bytes = person.card().to_bytes();
    for at in 0..bytes.len() {
        for bit in [at % 8, (at + 3) % 8] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Card::from_bytes(&flipped).is_err(), "bit {bit} of byte {at}");
        }
        assert!(Card::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(Card::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_brief_card_shows_one_device_and_grows_whole_again() {
    let person = Person::with_devices(1, 3);
    let whole = person.card();
    let id = person.others[1].public().id();
    let mut brief = whole.brief(&id).unwrap();
    assert_eq!(brief.roster().devices.len(), 1);
    assert_eq!(brief.signed_roster().hash(), whole.signed_roster().hash());
    assert_eq!(brief.status(&id), whole.status(&id));
    assert_eq!(Card::from_bytes(&brief.to_bytes()), Ok(brief.clone()));
    assert!(brief.to_bytes().len() < whole.to_bytes().len());
    assert_eq!(brief.merge(&whole), Ok(true));
    assert_eq!(brief.roster().devices.len(), 3);
    assert_eq!(brief.merge(&whole), Ok(false));
    // A brief one takes nothing away.
    let mut kept = whole.clone();
    assert_eq!(kept.merge(&whole.brief(&id).unwrap()), Ok(false));
    assert_eq!(kept, whole);
    assert!(whole.brief(&DeviceKeys::from_secrets(&[1; 32].into(), &[2; 32].into()).public().id()).is_none());
}

#[test]
fn an_entry_that_the_account_did_not_sign_is_refused() {
    let (two, one) = (Person::with_devices(1, 2), Person::new(1));
    let roster = one.roster(1).sign(&one.account);
    let more = roster.with(two.roster(1).devices);
    assert_eq!(more.verify(), Err(CardError::Signature));
}

#[test]
fn merging_takes_the_newer_of_each() {
    let person = Person::with_devices(1, 2);
    let (first, second) = (person.card_of(1, 5), person.card_of(2, 3));
    let mut card = first.clone();
    assert_eq!(card.merge(&second), Ok(true));
    assert_eq!(card.roster().seq, 2);
    assert!(person.devices().all(|device| card.status(&device.public().id()).unwrap().seq == 5));
    assert_eq!(card.merge(&second), Ok(false));
    assert_eq!(card.merge(&first), Ok(false));
    let mut other_way = second.clone();
    assert_eq!(other_way.merge(&first), Ok(true));
    assert_eq!(other_way, card);
    assert_eq!(Card::from_bytes(&card.to_bytes()), Ok(card));
}

#[test]
fn an_abridged_status_gives_way_to_any_other() {
    let person = Person::new(1);
    let mut card = person.card_of(1, 0);
    assert_eq!(card.merge(&person.card_of(1, 1)), Ok(true));
    assert_eq!(card.merge(&person.card_of(1, 0)), Ok(false));
    assert_eq!(card, person.card_of(1, 1));
    let without = Card::new(person.roster(1).sign(&person.account), vec![]).unwrap();
    assert_eq!(without.clone().merge(&person.card_of(1, 0)), Ok(true));
}

#[test]
fn a_device_that_the_newer_roster_does_not_name_goes() {
    let mut person = Person::with_devices(1, 2);
    let mut card = person.card_of(1, 1);
    let lost = person.others.remove(0).public().id();
    assert!(card.status(&lost).is_some());
    let revoked = person.card_of(2, 2);
    assert_eq!(card.merge(&revoked), Ok(true));
    assert!(card.status(&lost).is_none() && card.roster().devices.len() == 1);
    // And does not come back with an old card.
    let old = Person::with_devices(1, 2).card_of(1, 9);
    assert_eq!(card.merge(&old), Ok(true), "the remaining device's status is newer");
    assert!(card.status(&lost).is_none() && card.roster().seq == 2);
}

#[test]
fn a_fork_and_another_account_are_refused_and_change_nothing() {
    let (mut person, other) = (Person::new(1), Person::new(2));
    let card = person.card_of(3, 1);
    person.name = "Anna M.".into();
    let mut ours = card.clone();
    assert_eq!(ours.merge(&person.card_of(3, 9)), Err(CardError::Fork));
    assert_eq!(ours.merge(&other.card_of(9, 9)), Err(CardError::OtherAccount));
    assert_eq!(ours, card);

    // The next roster follows upon ours, upon another of that number, or does not say.
    person.previous = Some(card.signed_roster().hash());
    assert_eq!(card.clone().merge(&person.card_of(4, 1)), Ok(true));
    person.previous = Some([1; 32]);
    assert_eq!(card.clone().merge(&person.card_of(4, 1)), Err(CardError::Fork));
    assert_eq!(person.card_of(4, 1).merge(&card), Err(CardError::Fork));
    assert_eq!(card.clone().merge(&person.card_of(5, 1)), Ok(true));
    person.previous = None;
    assert_eq!(card.clone().merge(&person.card_of(4, 1)), Ok(true));
}

#[test]
fn what_a_newer_version_adds_survives() {
    // A roster and a status with one more field at the end, signed by the same keys.
    let person = Person::new(1);
    let card = person.card();
    let grown = |bytes: &[u8], fields: u8, absent: &[u8]| {
        assert_eq!(bytes[0], 0x80 | fields);
        let all = fields + absent.len() as u8 + 1;
        [&[0x80 | all], &bytes[1..], absent, b"\x82\x01\x63new"].concat()
    };
    let roster_body = grown(card.signed_roster().body(), 7, &[]);
    // It has no mailbox.
    let status_body = grown(person.status(&person.device, 1).body(), 4, &[0xf6]);
    let roster = Signed::<Roster>::of_bytes(roster_body, |body| person.account.sign("roster", body))
        .with(card.roster().devices.clone());
    let status = Signed::<Status>::of_bytes(status_body, |body| person.device.sign("status", body));
    let newer = Card::new(roster, vec![status]).unwrap();
    let copied = Card::from_bytes(&newer.to_bytes()).unwrap();
    assert_eq!(copied.to_bytes(), newer.to_bytes());
    assert_eq!(copied.roster(), card.roster());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_card(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Card::from_bytes(&bytes).is_err());
    }

    #[test]
    fn merging_in_any_order_gives_the_same(order in Just(vec![(1, 4), (2, 1), (3, 2), (2, 3)]).prop_shuffle()) {
        let person = Person::with_devices(1, 2);
        let mut card = person.card_of(1, 1);
        for (roster, status) in order {
            card.merge(&person.card_of(roster, status)).unwrap();
        }
        prop_assert_eq!(card, person.card_of(3, 4));
    }

    #[test]
    fn a_roster_of_any_values_comes_back_the_same(seq in 1u64.., issued in 0u64..1 << 50, lasts in 1u64..=30 * 86_400_000, name in "[^\\p{C}\\p{Z}]{1,16}", previous in any::<Option<[u8; 32]>>(), seed in any::<[u8; 32]>()) {
        prop_assume!(!name.contains(crate::place::is_deceptive));
        let account = AccountKey::from_secret(&seed.into());
        let device = DeviceKeys::from_secrets(&[3; 32].into(), &seed.into());
        let roster = Roster {
            account: account.id(), seq, previous, issued: UnixMillis(issued), expires: UnixMillis(issued + lasts),
            name, devices: vec![DeviceEntry::new(&device, &account.id())],
        };
        let card = Card::new(roster.sign(&account), vec![]).unwrap();
        let copied = Card::from_bytes(&card.to_bytes()).unwrap();
        prop_assert_eq!(copied.roster(), &roster);
    }
}
