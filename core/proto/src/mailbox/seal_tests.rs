#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::super::Age;
use super::super::prekeys::{PUBLISHED, RETENTION, WEEK};
use super::super::wire::MAX_LIFETIME;
use super::*;
use crate::crypto::keys::DeviceKeys;

/// Anna writes, Ben reads on up to eight devices.
struct Scene {
    anna: AccountId,
    laptop: DeviceKeys,
    ben: AccountId,
    devices: Vec<(DeviceId, Prekeys)>,
    rng: ChaCha20Rng,
}

impl Scene {
    fn new(devices: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(17);
        let device = |rng: &mut ChaCha20Rng| {
            let mut prekeys = Prekeys::default();
            prekeys.rotate(Age(0), || Secret::random(rng));
            (DeviceKeys::generate(rng).public().id(), prekeys)
        };
        let devices = (0..devices).map(|_| device(&mut rng)).collect();
        let laptop = DeviceKeys::generate(&mut rng);
        Self { anna: AccountId([1; 32]), laptop, ben: AccountId([2; 32]), devices, rng }
    }

    /// What it takes to seal for all devices, to their `week`-th published prekey at `now`.
    fn known(&self, now: Age, week: usize) -> Vec<(DeviceId, u32, [u8; 32], Secret)> {
        let of = |(device, prekeys): &(DeviceId, Prekeys)| {
            let (first, keys) = prekeys.published(now);
            (*device, first + week as u32, keys[week], prekeys.psks(now, &self.anna)[week].psk.clone())
        };
        self.devices.iter().map(of).collect()
    }

    fn seal_at(&mut self, now: Age, week: usize, item: &[u8]) -> Vec<u8> {
        let known = self.known(now, week);
        let from = (&self.anna, self.laptop.noise());
        seal(from, &self.ben, &recipients(&known), item, &mut self.rng).unwrap()
    }

    fn seal(&mut self, item: &[u8]) -> Vec<u8> {
        self.seal_at(Age(0), 0, item)
    }

    fn open(&self, device: usize, blob: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (id, prekeys) = &self.devices[device];
        open((&self.ben, *id), prekeys, &self.anna, &[self.laptop.noise().public()], blob)
    }
}

fn recipients(known: &[(DeviceId, u32, [u8; 32], Secret)]) -> Vec<Recipient<'_>> {
    known
        .iter()
        .map(|(device, prekey, key, psk)| Recipient { device: *device, prekey: *prekey, key: *key, psk })
        .collect()
}

#[test]
fn each_device_opens_it_and_nobody_else() {
    let mut scene = Scene::new(8);
    let blob = scene.seal(b"hello");
    for device in 0..8 {
        assert_eq!(scene.open(device, &blob).unwrap(), b"hello");
    }
    let noise = scene.laptop.noise().public();
    let (id, prekeys) = &scene.devices[0];
    let (ben, anna) = (&scene.ben, &scene.anna);
    // Another sender's device, another friend, another account, another device of ours. The keys of the other seven are none of ours, which might as well be destroyed ones.
    assert_eq!(open((ben, *id), prekeys, anna, &[[9; 32]], &blob), Err(OpenError::KeyGone));
    assert_eq!(open((ben, *id), prekeys, anna, &[], &blob), Err(OpenError::KeyGone));
    assert_eq!(open((ben, *id), prekeys, &AccountId([3; 32]), &[noise], &blob), Err(OpenError::KeyGone));
    assert_eq!(open((&AccountId([3; 32]), *id), prekeys, anna, &[noise], &blob), Err(OpenError::Forged));
    assert_eq!(open((ben, DeviceId([0; 16])), prekeys, anna, &[noise], &blob), Err(OpenError::KeyGone));
    // Which of a friend's devices wrote it is found among eight, and no further.
    let mut senders = vec![[9; 32]; 7];
    senders.push(noise);
    assert_eq!(open((ben, *id), prekeys, anna, &senders, &blob).unwrap(), b"hello");
    senders.insert(0, [9; 32]);
    assert!(open((ben, *id), prekeys, anna, &senders, &blob).is_err());
}

#[test]
fn any_flipped_bit_and_any_cut_is_refused() {
    let mut scene = Scene::new(2);
    let blob = scene.seal(b"hello");
    for at in 0..blob.len() {
        let mut flipped = blob.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(scene.open(0, &flipped).is_err(), "byte {at}");
        assert!(scene.open(1, &flipped).is_err(), "byte {at}");
        assert!(scene.open(0, &blob[..at]).is_err(), "cut at {at}");
    }
    assert!(scene.open(0, &[&blob[..], &[0]].concat()).is_err());
}

#[test]
fn each_wrong_thing_has_its_reason() {
    let mut scene = Scene::new(1);
    let blob = scene.seal(b"hello");
    let changed = |at: usize, to: u8| {
        let mut changed = blob.clone();
        changed[at] = to;
        scene.open(0, &changed).unwrap_err()
    };
    let malformed = |why| OpenError::Malformed(Malformed::new(WHAT, why));
    assert_eq!(changed(0, 2), malformed("of another version"));
    assert_eq!(changed(1, 0), malformed("it is for nobody"));
    assert_eq!(changed(1, 9), malformed("too many entries"));
    assert_eq!(changed(1, 8), malformed("too short"));
    assert_eq!(changed(2, blob[2] ^ 1), OpenError::NotForUs);
    assert_eq!(changed(10, blob[10] ^ 1), OpenError::KeyGone);
    assert_eq!(changed(14, blob[14] ^ 1), OpenError::NotForUs);
    assert_eq!(changed(50, blob[50] ^ 1), OpenError::Forged);
    assert_eq!(changed(blob.len() - 1, blob[blob.len() - 1] ^ 1), OpenError::Forged);
    assert_eq!(scene.open(0, &[]), Err(malformed("too short")));
    assert_eq!(scene.open(0, &vec![1; MAX_BLOB]), Err(OpenError::KeyGone));
    assert_eq!(scene.open(0, &vec![1; MAX_BLOB + 1]), Err(malformed("too long")));
}

#[test]
fn padding_has_one_form() {
    let mut scene = Scene::new(1);
    let good = pad(b"hello");
    assert_eq!(unpad(good.to_vec()).unwrap(), b"hello");
    let mut hidden = good.to_vec();
    *hidden.last_mut().unwrap() = 1;
    let mut long = good.to_vec();
    long[..4].copy_from_slice(&509_u32.to_be_bytes());
    let more = [&good[..], &[0; 64]].concat();
    let full = [&508_u32.to_be_bytes()[..], &[7; 508]].concat();
    assert_eq!(unpad(full).unwrap(), [7; 508]);
    for wrong in [hidden, long, more, good[..511].to_vec(), vec![0; 3], vec![255; 512]] {
        assert!(unpad(wrong).is_err());
    }
    let _ = scene.seal(b"");
}

#[test]
fn only_one_to_eight_get_one_and_none_is_too_long() {
    let mut scene = Scene::new(1);
    let (device, prekeys) = scene.devices[0].clone();
    let (prekey, keys) = prekeys.published(Age(0));
    let psks = prekeys.psks(Age(0), &scene.anna);
    let to = Recipient { device, prekey, key: keys[0], psk: &psks[0].psk };
    let from = (&scene.anna, scene.laptop.noise());
    let mut sealed =
        |count: usize, item: &[u8]| seal(from, &scene.ben, &vec![to.clone(); count], item, &mut scene.rng);
    assert!(sealed(0, b"").is_err());
    assert!(sealed(9, b"").is_err());
    assert!(sealed(1, &vec![0; MAX_ITEM + 1]).is_err());
    let longest = vec![5; MAX_ITEM];
    let blob = sealed(8, &longest).unwrap();
    assert!(blob.len() <= MAX_BLOB && blob.len() > MAX_BLOB - 2048, "{}", blob.len());
    assert_eq!(scene.open(0, &blob).unwrap(), longest);
}

#[test]
fn two_blobs_have_nothing_in_common_but_the_prekeys_numbers() {
    let mut scene = Scene::new(2);
    let (one, two) = (scene.seal(b"hello"), scene.seal(b"hello"));
    assert_eq!(one.len(), two.len());
    for header in 0..2 {
        let at = 2 + header * HEADER;
        assert_eq!(one[at + 8..at + 12], two[at + 8..at + 12]);
        for range in [at..at + 8, at + 12..at + 44, at + 44..at + 92] {
            assert_ne!(one[range.clone()], two[range]);
        }
    }
    let windows: std::collections::BTreeSet<_> = one[2 + 2 * HEADER..].windows(8).collect();
    assert!(two[2 + 2 * HEADER..].windows(8).all(|window| !windows.contains(window)));
}

#[test]
fn a_header_is_of_no_use_around_another_body() {
    let mut scene = Scene::new(1);
    let (one, two) = (scene.seal(b"one"), scene.seal(b"two"));
    let head = 2 + HEADER;
    assert_eq!(scene.open(0, &[&one[..head], &two[head..]].concat()), Err(OpenError::Forged));
    // And another header beside it spoils it, though the body is the same.
    let more = [&[1, 2], &one[2..head], &two[2..head], &one[head..]].concat();
    assert_eq!(scene.open(0, &more), Err(OpenError::Forged));
}

#[test]
fn padme_is_as_it_was_published() {
    // From the paper's formula, worked out by hand.
    for (length, expected) in [
        (0, 512),
        (1, 512),
        (512, 512),
        (513, 544),
        (1000, 1024),
        (1024, 1024),
        (1025, 1088),
        (61_440, 61_440),
        (61_441, 63_488),
        (65_537, 67_584),
        (79_872, 79_872),
    ] {
        assert_eq!(padded(length), expected, "{length}");
    }
    let lengths: std::collections::BTreeSet<_> = (0..MAX_ITEM).map(padded).collect();
    assert!(lengths.len() < 130, "{}", lengths.len());
    let _ = padded(usize::MAX);
}

proptest! {
    #[test]
    fn padding_grows_by_a_sixteenth_at_most(length in 512_usize..1 << 40) {
        let padded = padded(length);
        prop_assert!(padded >= length && padded - length <= length / 16);
        prop_assert_eq!(super::padded(padded), padded);
        prop_assert!(super::padded(length + 1) >= padded);
    }

    #[test]
    fn junk_does_no_harm(mut junk in prop::collection::vec(any::<u8>(), 0..1500), count in 0..10_u8) {
        let scene = Scene::new(1);
        prop_assert!(scene.open(0, &junk).is_err());
        if let [version, n, ..] = &mut junk[..] {
            (*version, *n) = (1, count);
        }
        prop_assert!(scene.open(0, &junk).is_err());
    }
}

#[test]
fn a_home_that_is_seized_opens_nothing_of_periods_that_are_over() {
    let mut scene = Scene::new(1);
    let mut draws = ChaCha20Rng::seed_from_u64(1);
    let mut captured = Vec::new();
    for week in 0..=20_u64 {
        let now = Age(week * WEEK);
        scene.devices[0].1.rotate(now, || Secret::random(&mut draws));
        let blob = scene.seal_at(now, 0, format!("week {week}").as_bytes());
        assert_eq!(scene.open(0, &blob).unwrap(), format!("week {week}").as_bytes());
        captured.push((week, blob));
    }
    // All that is left at week 20, as a file would keep it.
    let left: Vec<_> = scene.devices[0].1.weeks().cloned().collect();
    scene.devices[0].1 = Prekeys::new(left);
    let mut opened = Vec::new();
    for (week, blob) in &captured {
        let over = (week + 1) * WEEK + RETENTION <= 20 * WEEK;
        match scene.open(0, blob) {
            Ok(item) => {
                assert!(!over, "week {week} is over");
                assert_eq!(item, format!("week {week}").as_bytes());
                opened.push(*week);
            }
            Err(error) => {
                assert!(over, "week {week} is not over: {error}");
                assert_eq!(error, OpenError::KeyGone);
            }
        }
    }
    // Both kinds were there: 13 is the first whose retention has not passed.
    assert_eq!(opened, (13..=20).collect::<Vec<_>>());
    assert!(u64::from(MAX_LIFETIME) < RETENTION && PUBLISHED == 8);
}

#[test]
fn stolen_keys_without_the_psk_neither_read_nor_forge() {
    let mut scene = Scene::new(1);
    let blob = scene.seal(b"hello");
    let (device, prekeys) = scene.devices[0].clone();
    let (id, keys) = prekeys.published(Age(0));
    let (prekey, psk) = prekeys.open_with(id, &scene.anna).unwrap();
    assert_eq!(prekey.public(), keys[0]);
    let anna = scene.laptop.noise().public();
    let prologue = prologue(&scene.anna, &scene.ben, &device, id);
    let noise = &blob[2 + 12..2 + HEADER];
    // The thief has the prekey, what every device of Ben's keeps for ever, and any psk but the pair's.
    let guesses =
        [Secret::new([0; 32]), prekeys.open_with(id, &scene.ben).unwrap().1, prekey.secret().clone()];
    for guess in &guesses {
        assert!(noise::open_one_way_psk(&prekey, &anna, guess, &prologue, noise).is_err());
    }
    assert!(noise::open_one_way(&prekey, &anna, &prologue, noise).is_err());
    // With the psk it would be read: what is missing above is the psk alone.
    assert!(noise::open_one_way_psk(&prekey, &anna, &psk, &prologue, noise).is_ok());

    // In a forgery it poses as Anna, with even her static key stolen, and finds no tag; with a tag that fits (nobody can make it) no header that verifies.
    for guess in &guesses {
        let recipient = Recipient { device, prekey: id, key: keys[0], psk: guess };
        let mut forged =
            seal((&scene.anna, scene.laptop.noise()), &scene.ben, &[recipient], b"forged", &mut scene.rng)
                .unwrap();
        assert_eq!(scene.open(0, &forged), Err(OpenError::NotForUs));
        let ephemeral = forged[14..46].try_into().unwrap();
        forged[2..10].copy_from_slice(&tag(&psk, &anna, &device, &ephemeral));
        assert_eq!(scene.open(0, &forged), Err(OpenError::Forged));
    }
    // And one who has the psk but no key of Anna's cannot pose as her either.
    let mallory = DeviceKeys::generate(&mut scene.rng);
    let recipient = Recipient { device, prekey: id, key: keys[0], psk: &psk };
    let mut forged =
        seal((&scene.anna, mallory.noise()), &scene.ben, &[recipient], b"forged", &mut scene.rng).unwrap();
    assert_eq!(scene.open(0, &forged), Err(OpenError::NotForUs));
    let ephemeral = forged[14..46].try_into().unwrap();
    forged[2..10].copy_from_slice(&tag(&psk, &anna, &device, &ephemeral));
    assert_eq!(scene.open(0, &forged), Err(OpenError::Forged));
}

#[test]
#[ignore = "a measurement of processor time, on Linux: cargo test --release -p wayside-proto --lib what_a_blob_costs -- --ignored --nocapture"]
#[allow(clippy::print_stdout, reason = "a measurement")]
fn what_a_blob_costs() {
    // Nanoseconds that this thread has had a processor: others may be busy.
    let spent = || -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        stat.split(' ').next().unwrap().parse().unwrap()
    };
    for (devices, length) in [(1, 100), (1, 1000), (2, 1000), (8, 1000), (1, 60 * 1024)] {
        let mut scene = Scene::new(devices);
        let item = vec![7; length];
        let known = scene.known(Age(0), 0);
        let recipients = recipients(&known);
        let (from, rounds) = ((&scene.anna, scene.laptop.noise()), 1000);
        let begun = spent();
        let blobs: Vec<_> = (0..rounds)
            .map(|_| seal(from, &scene.ben, &recipients, &item, &mut scene.rng).unwrap())
            .collect();
        let sealed = (spent() - begun) / rounds / 1000;
        let begun = spent();
        for blob in &blobs {
            assert_eq!(scene.open(devices - 1, blob).unwrap().len(), length);
        }
        let opened = (spent() - begun) / rounds / 1000;
        println!("{devices} devices, {length} bytes: sealed in {sealed} µs, opened in {opened} µs");
    }
}
