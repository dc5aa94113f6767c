//! Frames: what verifies, and everything that does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

fn key(byte: u8) -> Key {
    Key::new([byte; 16])
}

fn id(low: u32) -> CircuitId {
    CircuitId::from_bits(MARK | low).unwrap()
}

fn frame(key: &Key, circuit: CircuitId, datagram: &[u8]) -> Vec<u8> {
    [&header(key, circuit, datagram)[..], datagram].concat()
}

#[test]
fn the_hash_is_siphash_2_4() {
    // The last vector of the paper's appendix: key 00..0f, message 00..0e.
    let key: [u8; 16] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    assert_eq!(SipHasher24::new_with_key(&key).hash(&key[..15]), 0xa129_ca61_49be_45e5);
}

#[test]
fn numbers_begin_with_10_whatever_is_drawn() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    for _ in 0..1_000 {
        let id = CircuitId::random(&mut rng);
        assert_eq!(CircuitId::from_bits(id.bits()), Some(id));
        assert_eq!(id.bits() >> 30, 0b10);
    }
    for bits in [0, 1 << 30, 3 << 30, u32::MAX] {
        assert_eq!(CircuitId::from_bits(bits), None);
    }
}

#[test]
fn quic_stun_and_stubs_are_no_frames() {
    assert!(!may_be_frame(&[0x40; 100]), "QUIC, short header");
    assert!(!may_be_frame(&[0xc0; 100]), "QUIC, long header");
    assert!(!may_be_frame(&[0x00; 100]), "STUN");
    for length in 0..=HEADER {
        assert!(!may_be_frame(&[0x80; HEADER][..length]));
    }
    assert!(may_be_frame(&[0x80; HEADER + 1]));
    assert!(may_be_frame(&[0xbf; HEADER + LONGEST]));
    assert!(!may_be_frame(&[0xbf; HEADER + LONGEST + 1]));
}

#[test]
fn no_key_is_shown() {
    let keys = Keys::from_bytes([0x5a; 32]);
    let shown = format!("{keys:?}");
    assert_eq!(shown, "Keys { up: Key(…), down: Key(…) }");
}

#[test]
fn keys_survive_the_wire_and_the_directions_differ() {
    let keys = Keys::random(&mut ChaCha20Rng::from_seed([1; 32]));
    assert_eq!(Keys::from_bytes(keys.to_bytes()), keys);
    assert_ne!(keys.up, keys.down);
    let sent = frame(&keys.up, id(1), b"hello");
    assert_eq!(open(&keys.up, &sent), Some(&b"hello"[..]));
    assert_eq!(open(&keys.down, &sent), None, "a frame does not count when it comes back");
}

#[test]
fn a_batch_of_nothing_is_nothing() {
    let mut out = Vec::new();
    seal_all(&key(1), id(1), &[], 0, &mut out);
    seal_all(&key(1), id(1), &[], 1_200, &mut out);
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn what_is_framed_opens(bits in 0u32..1 << 30, k in any::<[u8; 16]>(), datagram in prop::collection::vec(any::<u8>(), 1..200)) {
        let key = Key::new(k);
        let sent = frame(&key, id(bits), &datagram);
        prop_assert_eq!(circuit_of(&sent), Some(id(bits)));
        prop_assert_eq!(open(&key, &sent), Some(&datagram[..]));
    }

    #[test]
    fn no_bit_of_the_header_or_the_first_64_bytes_can_change(
        datagram in prop::collection::vec(any::<u8>(), 1..200), at in 0usize..HEADER + COVERED, bit in 0u8..8,
    ) {
        let mut sent = frame(&key(7), id(9), &datagram);
        let at = at % sent.len().min(HEADER + COVERED);
        sent[at] ^= 1 << bit;
        prop_assert_eq!(open(&key(7), &sent), None);
    }

    #[test]
    fn no_length_can_change(datagram in prop::collection::vec(any::<u8>(), 2..200), more in 1usize..100) {
        let sent = frame(&key(7), id(9), &datagram);
        prop_assert_eq!(open(&key(7), &sent[..sent.len() - 1]), None);
        let longer = [&sent[..], &vec![0; more]].concat();
        prop_assert_eq!(open(&key(7), &longer), None);
    }

    #[test]
    fn a_batch_is_its_datagrams_one_by_one(
        datagrams in prop::collection::vec(any::<u8>(), 1..2_000), segment in 0usize..500, before in 0usize..3,
    ) {
        let mut out = vec![1; before];
        let framed = seal_all(&key(7), id(9), &datagrams, segment, &mut out);
        let opened: Vec<u8> = out[before..].chunks(framed).flat_map(|one| open(&key(7), one).unwrap()).copied().collect();
        prop_assert_eq!(opened, datagrams);
    }

    #[test]
    fn strangers_bytes_open_nowhere(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(open(&key(7), &bytes), None);
    }
}
