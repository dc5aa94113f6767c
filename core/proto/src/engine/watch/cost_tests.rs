#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! What a look costs somebody with one friend and somebody with a thousand, counted in what a bridge is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::book::{Pair, StoredFriend};
use super::super::store;
use super::*;
use crate::engine::{BridgeProfile, Config, Identity, Input};
use crate::identity::testing::{NOW, Person};
use crate::meet::pair::PairSecret;
use crate::message::CardBytes;
use crate::place::MeetingPoint;
use crate::time::Now;

/// A service as the engine knows it.
fn profile(kind: &str, lists: bool, one_writer: bool, max_keys: Option<usize>) -> BridgeProfile {
    BridgeProfile {
        locators: vec![Locator::new(kind, "ours.example").unwrap()],
        lists,
        one_writer,
        overwrites: false,
        retracts: true,
        max_record: 960,
        max_keys,
        latency: Duration::from_secs(10),
        custody: None,
        present: false,
    }
}

/// What somebody with so many friends has this service watched for, by space.
fn watched(friends: usize, profile: BridgeProfile) -> BTreeMap<Space, BTreeSet<SlotId>> {
    let today = Epoch::of(NOW);
    let stored = (0..friends).map(|number| {
        let mut person = Person::new(number as u64 + 1);
        let locator = Locator::new(profile.locators[0].kind(), &format!("f{number}.example")).unwrap();
        let shared = &profile.locators[0];
        person.points = vec![MeetingPoint {
            locator: if profile.one_writer { locator } else { shared.clone() },
            one_writer: profile.one_writer,
            ..person.points[0].clone()
        }];
        let friend = StoredFriend {
            card: CardBytes(person.card()),
            name: format!("f{number}"),
            alias: false,
            pairs: vec![Pair {
                id: [1; 32],
                secret: PairSecret::new(today.minus(2), Secret::new([2; 32])),
                born: today,
            }],
            seen: BTreeMap::new(),
            blocked: false,
            allows: BTreeSet::new(),
            granted: BTreeSet::new(),
            verified: false,
        };
        (store::friend(&person.account.id()), store::encode(&friend))
    });
    let me = Person::new(0);
    let identity = Identity { account: me.account, device: me.device, name: "me".to_owned() };
    let now = Now { wall: NOW, mono: Duration::ZERO };
    let mut engine = Engine::restore(identity, Config::default(), stored, [3; 32], now).unwrap();
    assert_eq!(engine.friends().count(), friends);
    engine.handle(now, Input::BridgeUp { bridge: BridgeName("it".to_owned()), profile });
    let mut told = BTreeMap::new();
    while let Some(output) = engine.poll_output() {
        if let Output::Watch { slots, .. } = output {
            told = slots;
        }
    }
    told
}

fn names(slots: &BTreeMap<Space, BTreeSet<SlotId>>) -> usize {
    slots.values().map(BTreeSet::len).sum()
}

/// A zone that several write in: a question a name.
#[test]
fn a_shared_zone_is_asked_for_as_many_names_for_a_thousand_friends_as_for_one() {
    let dns = || profile("dns", false, false, Some(64));
    // Four trays for each of three days.
    assert_eq!(names(&watched(1, dns())), 12);
    assert_eq!(names(&watched(1000, dns())), 12);
}

/// Web space that several write in: whatever is looked for, the place is read as a whole, so that a look is a request for the roll and one for each writer.
#[test]
fn shared_web_space_is_read_once_for_a_thousand_friends_as_for_one() {
    let web = || profile("web", true, false, None);
    let (one, thousand) = (watched(1, web()), watched(1000, web()));
    assert_eq!((one.len(), thousand.len()), (1, 1));
    // What is looked for among what was read: 32 offers a friend and day, and costs no request.
    assert_eq!((names(&one), names(&thousand)), (96, 96_000));
}

/// Zones of one writer: three indexes a friend, as far as the bound goes, and beyond it a part at a time.
#[test]
fn friends_own_zones_cost_three_names_each_and_a_look_has_a_bound() {
    let dns = || profile("dns", false, true, Some(64));
    assert_eq!(names(&watched(1, dns())), 3);
    assert_eq!(names(&watched(21, dns())), 63);
    assert_eq!(names(&watched(1000, dns())), 64);
}
