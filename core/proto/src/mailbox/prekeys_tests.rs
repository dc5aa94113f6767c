#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::super::wire::MAX_LIFETIME;
use super::*;

const FRIEND: AccountId = AccountId([7; 32]);

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn fresh(rng: &mut ChaCha20Rng) -> Prekeys {
    let mut prekeys = Prekeys::default();
    prekeys.rotate(Age(0), || Secret::random(rng));
    prekeys
}

fn ids(prekeys: &Prekeys) -> Vec<u32> {
    prekeys.weeks().map(|week| week.id).collect()
}

#[test]
fn eight_are_published_and_one_more_each_week() {
    let mut rng = rng(1);
    let mut prekeys = fresh(&mut rng);
    let first = ids(&prekeys)[0];
    assert!((1..=65_536).contains(&first));
    assert_eq!(ids(&prekeys), (first..first + 8).collect::<Vec<_>>());
    assert_eq!(prekeys.due(Age(0)), Some(Age(WEEK)));
    let mut most = 0;
    for hour in 0..24 * 7 * 30 {
        let (now, week) = (Age(hour * 3600), (hour / 24 / 7) as u32);
        let due = prekeys.due(Age(now.0.saturating_sub(3600))).unwrap() <= now;
        let rotation = prekeys.rotate(now, || Secret::random(&mut rng));
        assert_eq!(due, rotation != Rotation::default(), "hour {hour}");
        assert_eq!(rotation.keep.len(), usize::from(hour > 0 && hour % (24 * 7) == 0));
        let (id, keys) = prekeys.published(now);
        assert_eq!((id, keys.len()), (first + week, PUBLISHED));
        most = most.max(prekeys.weeks().count());
    }
    assert_eq!(most, MOST);
}

#[test]
fn keys_and_psks_of_a_week_belong_together() {
    let prekeys = fresh(&mut rng(2));
    let (first, keys) = prekeys.published(Age(0));
    let (ours, others) = (prekeys.psks(Age(0), &FRIEND), prekeys.psks(Age(0), &AccountId([8; 32])));
    for (i, key) in keys.iter().enumerate() {
        let id = first + i as u32;
        let (pair, psk) = prekeys.open_with(id, &FRIEND).unwrap();
        assert_eq!((pair.public(), id, psk), (*key, ours[i].id, ours[i].psk.clone()));
        assert_ne!(ours[i].psk, others[i].psk);
    }
    assert!(prekeys.open_with(first - 1, &FRIEND).is_none());
    assert!(prekeys.open_with(first + 8, &FRIEND).is_none());
}

#[test]
fn what_was_kept_is_what_there_was() {
    let prekeys = fresh(&mut rng(3));
    let mut weeks: Vec<_> = prekeys.weeks().cloned().collect();
    weeks.reverse();
    weeks.push(weeks[3].clone());
    assert_eq!(Prekeys::new(weeks), prekeys);
    assert_eq!(Prekeys::new(vec![]), Prekeys::default());
    assert_eq!(Prekeys::default().published(Age(9)), (0, vec![]));
    assert_eq!(Prekeys::default().due(Age(9)), None);
}

#[test]
fn a_device_that_was_off_for_three_weeks_goes_on_with_what_it_published() {
    let mut rng = rng(4);
    let mut prekeys = fresh(&mut rng);
    let before = ids(&prekeys);
    // Its age goes on by a week at most, but even with all three:
    let now = Age(3 * WEEK + 5);
    let rotation = prekeys.rotate(now, || Secret::random(&mut rng));
    assert_eq!(rotation.destroy, Vec::<u32>::new());
    assert_eq!(
        rotation.keep.iter().map(|week| week.id).collect::<Vec<_>>(),
        [8, 9, 10].map(|n| before[0] + n)
    );
    assert_eq!(prekeys.published(now).0, before[3]);
}

#[test]
fn after_twenty_weeks_the_next_number_is_the_present_week() {
    let mut rng = rng(5);
    let mut prekeys = fresh(&mut rng);
    let first = ids(&prekeys)[0];
    let now = Age(20 * WEEK + 5);
    let rotation = prekeys.rotate(now, || Secret::random(&mut rng));
    assert_eq!(rotation.destroy, (first..first + 8).collect::<Vec<_>>());
    assert_eq!(prekeys.published(now).0, first + 8);
    assert_eq!(ids(&prekeys), (first + 8..first + 16).collect::<Vec<_>>());
    assert_eq!(rotation.keep[0].begins, Age(20 * WEEK), "weeks begin as they always did");
    assert_eq!(prekeys.due(now), Some(Age(21 * WEEK)));
}

#[test]
fn a_clock_that_jumps_costs_no_more_than_the_week_of_grace() {
    // Nothing that anybody may still keep is destroyed, though the age is a week ahead.
    let mut rng = rng(6);
    let mut prekeys = fresh(&mut rng);
    let first = ids(&prekeys)[0];
    // From a card that was signed in the last second of the week, sealed a second before another has passed, kept for as long as it may be.
    let opens = WEEK - 1 + WEEK - 1 + u64::from(MAX_LIFETIME);
    prekeys.rotate(Age(opens + WEEK), || Secret::random(&mut rng));
    assert!(prekeys.open_with(first, &FRIEND).is_some());
    prekeys.rotate(Age(opens + WEEK + 2), || Secret::random(&mut rng));
    assert!(prekeys.open_with(first, &FRIEND).is_none());
}

#[test]
fn an_age_that_is_absurd_ends_and_one_that_went_back_destroys_nothing() {
    let mut rng = rng(7);
    let mut prekeys = fresh(&mut rng);
    prekeys.rotate(Age(u64::MAX), || Secret::random(&mut rng));
    assert!(prekeys.weeks().count() <= 2 * MOST);
    let mut prekeys = fresh(&mut rng);
    prekeys.rotate(Age(10 * WEEK), || Secret::random(&mut rng));
    let before = prekeys.clone();
    assert_eq!(prekeys.rotate(Age(0), || Secret::random(&mut rng)), Rotation::default());
    assert_eq!(prekeys, before);
    assert_eq!(prekeys.published(Age(0)).1.len(), PUBLISHED);
    let last = Week { id: u32::MAX, seed: Secret::random(&mut rng), begins: Age(0) };
    let mut prekeys = Prekeys::new(vec![last]);
    assert_eq!(prekeys.rotate(Age(0), || Secret::random(&mut rng)), Rotation::default());
}

fn target(prekeys: &Prekeys, now: Age, read: Age, issued: UnixMillis) -> Target {
    let (first, keys) = prekeys.published(now);
    let weeks = prekeys.psks(now, &FRIEND);
    let device = crate::crypto::keys::DeviceId([1; 16]);
    let access = Access { device, root: Secret::new([0; 32]), weeks };
    Target { access, first, keys: keys.into_iter().map(Key).collect(), read, issued, seq: 1 }
}

#[test]
fn a_sender_follows_the_weeks_by_age_or_clock_whichever_is_more() {
    let prekeys = fresh(&mut rng(8));
    let issued = UnixMillis::from_secs(1_790_000_000);
    let target = target(&prekeys, Age(0), Age(500), issued);
    let first = target.first;
    let wall = |secs: u64| UnixMillis::from_secs(1_790_000_000 + secs);
    let id = |age: u64, wall| target.current(Age(500 + age), wall).unwrap().0 - first;
    assert_eq!(id(0, wall(0)), 0);
    assert_eq!(id(WEEK - 1, wall(WEEK - 1)), 0);
    assert_eq!(id(WEEK, wall(0)), 1);
    assert_eq!(id(0, wall(2 * WEEK)), 2);
    // A clock in 1970 is outvoted by the age, one a year ahead ends at the last.
    assert_eq!(id(3 * WEEK, UnixMillis(0)), 3);
    assert_eq!(id(0, wall(53 * WEEK)), 7);
    assert_eq!(id(u64::MAX - 500, UnixMillis(u64::MAX)), 7);
    let (id, key, psk) = target.current(Age(500), wall(0)).unwrap();
    assert_eq!((id, key), (first, target.keys[0].0));
    assert_eq!(psk, &target.access.weeks[0].psk);
}

#[test]
fn where_card_and_access_are_of_different_weeks_the_next_that_is_in_both_is_taken() {
    let prekeys = fresh(&mut rng(9));
    let good = target(&prekeys, Age(0), Age(0), UnixMillis(0));
    let first = good.first;
    let mut ahead = good.clone();
    ahead.access.weeks.drain(..3);
    assert_eq!(ahead.current(Age(0), UnixMillis(0)).unwrap().0, first + 3);
    let mut behind = good.clone();
    behind.access.weeks.truncate(3);
    assert_eq!(behind.current(Age(6 * WEEK), UnixMillis(0)).unwrap().0, first + 2);
    let mut none = good.clone();
    none.access.weeks.clear();
    assert_eq!(none.current(Age(0), UnixMillis(0)), None);
    let mut last = good;
    last.first = u32::MAX - 3;
    assert_eq!(last.current(Age(0), UnixMillis(u64::MAX)), None);
}

/// What happens to a recipient's age between two looks.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![
        5 => 0..WEEK,
        2 => Just(WEEK),
        1 => 0..3 * WEEK,
        1 => 0..40 * WEEK,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_destroyed_early_or_late_and_eight_are_always_published(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut rng = rng(seed);
        let (mut prekeys, mut now) = (Prekeys::default(), Age(0));
        let mut ever: BTreeMap<u32, Week> = BTreeMap::new();
        for passed in std::iter::once(0).chain(steps) {
            let before: Vec<_> = prekeys.weeks().cloned().collect();
            now = now.after(passed);
            let rotation = prekeys.rotate(now, || Secret::random(&mut rng));
            for week in &rotation.keep {
                prop_assert!(ever.insert(week.id, week.clone()).is_none(), "a number is used once");
            }
            // What a file would hold that does as it is told is what there is.
            let mut file = before;
            file.retain(|week| !rotation.destroy.contains(&week.id));
            file.extend(rotation.keep.iter().filter(|week| !rotation.destroy.contains(&week.id)).cloned());
            prop_assert_eq!(&Prekeys::new(file), &prekeys);
            prop_assert!(prekeys.weeks().count() <= MOST);
            // Exactly those are there whose retention is not over.
            for week in ever.values() {
                let over = week.begins.after(WEEK + RETENTION) <= now;
                prop_assert_eq!(prekeys.open_with(week.id, &FRIEND).is_none(), over);
            }
            // The present one and the next seven, a week each.
            let (first, keys) = prekeys.published(now);
            prop_assert_eq!(keys.len(), PUBLISHED);
            let psks = prekeys.psks(now, &FRIEND);
            for (i, psk) in psks.iter().enumerate() {
                prop_assert_eq!(psk.id, first + i as u32);
                let present = ever[&first].begins;
                prop_assert_eq!(ever[&psk.id].begins, present.after(i as u64 * WEEK));
            }
            prop_assert!(ever[&first].begins <= now && now < ever[&first].begins.after(WEEK));
            prop_assert!(prekeys.due(now).unwrap() > now, "nothing is left to do");
            prop_assert_eq!(prekeys.rotate(now, || unreachable!("it is done")), Rotation::default());
        }
    }

    /// Whatever a sender's clocks say, what it seals is opened for as long as it may be kept, as long as the one of them that says more is right or ahead; even if the recipient's age
    /// has jumped. With both behind it is opened for so much less, and if they stood still from the beginning, for a week at least after the first key's.
    #[test]
    fn a_senders_choice_is_held_whatever_its_clocks_say(
        seed in any::<u64>(),
        published in 0..30 * WEEK,
        known in 0..12 * WEEK,
        kept in 0..=u64::from(MAX_LIFETIME),
        age in clock(),
        wall in clock(),
        jumps in any::<bool>(),
        looks in prop::collection::vec(0..WEEK, 0..20),
    ) {
        let mut rng = rng(seed);
        let mut prekeys = fresh(&mut rng);
        prekeys.rotate(Age(published), || Secret::random(&mut rng));
        let target = target(&prekeys, Age(published), Age(1000), UnixMillis::from_secs(1_790_000_000));
        let wall = wall.at(1_790_000_000, known);
        let passed = (age.at(1000, known) - 1000).max(wall.saturating_sub(1_790_000_000));
        let current = target.current(Age(age.at(1000, known)), UnixMillis::from_secs(wall));
        let (id, key, psk) = current.map(|(id, key, psk)| (id, key, psk.clone())).unwrap();
        prop_assert!((target.first..target.first + 8).contains(&id));

        let end = Age(published + known + kept + if jumps { WEEK } else { 0 });
        let mut now = Age(published);
        for look in looks {
            now = now.after(look).min(end);
            prekeys.rotate(now, || Secret::random(&mut rng));
        }
        prekeys.rotate(end, || Secret::random(&mut rng));
        let believed = passed.min(8 * WEEK);
        let held = prekeys.open_with(id, &FRIEND);
        if known <= believed || known + kept <= believed + u64::from(MAX_LIFETIME) {
            prop_assert!(held.is_some(), "destroyed early");
        }
        if let Some((pair, ours)) = held {
            prop_assert_eq!((pair.public(), ours), (key, psk));
        }
    }
}

/// What a clock says that began at some number.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Right,
    Stands,
    Behind(u64),
    Ahead(u64),
    Says(u64),
}

impl Clock {
    fn at(self, begin: u64, passed: u64) -> u64 {
        match self {
            Self::Right => begin + passed,
            Self::Stands => begin,
            Self::Behind(by) => begin + passed.saturating_sub(by),
            Self::Ahead(by) => begin + passed + by,
            Self::Says(seconds) => seconds.max(begin),
        }
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        Just(Clock::Right),
        Just(Clock::Stands),
        (0..8 * WEEK).prop_map(Clock::Behind),
        (0..60 * WEEK).prop_map(Clock::Ahead),
        (0..u64::MAX / 1000).prop_map(Clock::Says),
    ]
}
