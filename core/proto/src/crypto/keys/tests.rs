#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use rand_core::SeedableRng;

use super::*;

fn device(seed: u64) -> DeviceKeys {
    DeviceKeys::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed))
}

#[test]
fn a_signature_serves_one_context() {
    let keys = device(1);
    let signature = keys.sign("one", b"message");
    let key = keys.public().sign;
    assert!(verify(&key, "one", b"message", &signature));
    assert!(!verify(&key, "two", b"message", &signature));
    assert!(!verify(&key, "one", b"massage", &signature));
    assert!(!verify(&device(2).public().sign, "one", b"message", &signature));
    // The zero byte keeps the context's end from moving.
    assert!(!verify(&key, "on", b"emessage", &signature));
}

#[test]
fn any_flipped_bit_spoils_a_signature() {
    let keys = device(1);
    let (key, signature) = (keys.public().sign, keys.sign("context", b"message"));
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&key, "context", b"message", &flipped), "bit {bit}");
    }
    for bit in 0..256 {
        let mut flipped = key;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&flipped, "context", b"message", &signature), "bit {bit}");
    }
}

#[test]
fn keys_of_small_order_sign_nothing() {
    // The identity as key and as R, s = 0: verifies everything without the strict check.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!verify(&identity, "context", b"anything", &signature));
}

#[test]
fn a_device_is_named_by_both_its_keys() {
    let public = device(1).public();
    assert_ne!(public.id(), DevicePublic { sign: [1; 32], ..public }.id());
    assert_ne!(public.id(), DevicePublic { noise: [1; 32], ..public }.id());
    assert_eq!(public.id().to_string().len(), 26);
}

#[test]
fn stored_keys_come_back_the_same() {
    let keys = device(1);
    let (sign, noise) = keys.secrets();
    assert_eq!(DeviceKeys::from_secrets(&sign, &noise).public(), keys.public());
    let account = AccountKey::from_secret(&sign);
    assert_eq!(AccountKey::from_secret(&account.secret()).id(), account.id());
}

proptest! {
    #[test]
    fn an_account_has_one_text_form_but_for_case(bytes in any::<[u8; 32]>()) {
        let account = AccountId(bytes);
        let text = account.to_string();
        prop_assert_eq!(text.len(), 52);
        prop_assert_eq!(AccountId::parse(&text), Some(account));
        prop_assert_eq!(AccountId::parse(&text.to_uppercase()), Some(account));
        for cut in 0..52 {
            prop_assert_eq!(AccountId::parse(&text[..cut]), None);
        }
    }

    #[test]
    fn any_text_is_parsed_without_harm(text in "\\PC{0,80}") {
        if let Some(account) = AccountId::parse(&text) {
            prop_assert_eq!(account.to_string(), text.to_ascii_lowercase());
        }
    }
}
