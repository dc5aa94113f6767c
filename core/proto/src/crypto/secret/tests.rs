#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use rand_core::SeedableRng;

use super::*;
use crate::crypto::keys::{AccountKey, DeviceKeys, NoiseKey};
use crate::crypto::noise::{Handshake, Pattern};
use crate::identity::testing::Person;
use crate::invite::Invite;
use crate::meet::pair::PairSecret;
use crate::meet::slot;
use crate::place::{Locator, PlaceTag};
use crate::time::{Epoch, UnixMillis};

/// No value that holds this secret may print a run of its bytes in any of the usual notations.
const MARK: u8 = 0xa7;

fn prints_nothing(value: &dyn fmt::Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let dense: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let marks = ["167167", "a7a7", "A7A7", "0xa70xa7", "U6T2PJ5", "u6t2pj5", "p6enp6en", "p6e"];
        for mark in marks {
            assert!(!dense.contains(mark), "{mark} in {text}");
        }
    }
}

#[test]
fn the_check_itself_finds_what_is_printed() {
    let leak = std::panic::catch_unwind(|| prints_nothing(&[MARK; 32]));
    assert!(leak.is_err());
}

#[test]
fn nothing_that_holds_a_secret_prints_it() {
    let secret = || Secret::<32>::new([MARK; 32]);
    prints_nothing(&secret());
    prints_nothing(&PairSecret::new(Epoch(3), secret()));
    prints_nothing(&AccountKey::from_secret(&secret()));
    prints_nothing(&DeviceKeys::from_secrets(&secret(), &secret()));
    prints_nothing(&NoiseKey::from_secret(secret()));
    prints_nothing(&slot::Slot { id: slot::SlotId([0; 16]), siv: secret() });
    let key = NoiseKey::from_secret(secret());
    let handshake =
        Handshake::initiator(Pattern::Meeting, &key, &key.public(), &secret(), b"", &secret()).unwrap();
    prints_nothing(&handshake);
    prints_nothing(&Invite {
        uses: 1,
        expires: UnixMillis(0),
        key: key.public(),
        secret: Secret::new([MARK; 16]),
        points: vec![Locator::new("dir", "x").unwrap()],
        own: Default::default(),
    });
    let mut person = Person::new(1);
    for point in &mut person.points {
        point.tag = PlaceTag([1; 8]);
        point.tray = secret();
    }
    prints_nothing(person.card().status(&person.device.public().id()).unwrap());
}

#[test]
fn secrets_differ_in_any_byte() {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let secret = Secret::<32>::random(&mut rng);
    assert_eq!(secret, secret.clone());
    for at in 0..32 {
        let mut other = *secret.expose();
        other[at] ^= 1;
        assert_ne!(secret, Secret::new(other));
    }
}

#[test]
fn a_secret_is_a_byte_string_of_its_length() {
    let bytes = minicbor::to_vec(Secret::<4>::new([1, 2, 3, 4])).unwrap();
    assert_eq!(bytes, [0x44, 1, 2, 3, 4]);
    assert!(minicbor::decode::<Secret<4>>(&bytes).is_ok());
    assert!(minicbor::decode::<Secret<5>>(&bytes).is_err());
    assert!(minicbor::decode::<Secret<3>>(&bytes).is_err());
}
