//! What a first datagram looks like, and that nothing else is taken for one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::core::{
    compose::{compose, compose_frames},
    gate_keys::GateKeys,
};

fn keys() -> GateKeys {
    GateKeys::new(&[3; 32].into())
}

fn opened(datagram: &[u8], keys: &GateKeys) -> Option<Vec<Piece>> {
    match Header::parse(datagram)? {
        Header::Opening(opening) => opening.pieces(&keys.initial(opening.id)),
        _ => None,
    }
}

fn piece(offset: usize, bytes: &[u8]) -> Piece {
    Piece { offset, bytes: bytes.to_vec() }
}

#[test]
fn a_first_datagram_gives_up_its_message() {
    let keys = keys();
    let datagram = compose(&keys, &keys.mint(), b"message 1");
    assert_eq!(datagram.len(), MIN_DATAGRAM);
    assert_eq!(opened(&datagram, &keys).as_deref(), Some(&[piece(0, b"\0\x09message 1")][..]));
    assert_eq!(opened(&datagram, &GateKeys::new(&[4; 32].into())), None);
}

#[test]
fn only_the_frames_our_client_sends_are_taken() {
    let keys = keys();
    let id = keys.mint();
    let ok = [FRAME_PING, FRAME_PADDING, FRAME_CRYPTO, 0, 3, 0, 1, 7, FRAME_CRYPTO, 5, 1, 8];
    let pieces = vec![piece(0, &[0, 1, 7]), piece(5, &[8])];
    assert_eq!(opened(&compose_frames(&keys, &id, &ok), &keys), Some(pieces));
    let refused: [&[u8]; 5] = [
        &[],
        &[FRAME_PING],
        &[FRAME_CRYPTO, 0, 0x7f, 0xff],
        // CONNECTION_CLOSE
        &[FRAME_CRYPTO, 0, 3, 0, 1, 7, 0x1c, 0, 0, 0],
        &[FRAME_CRYPTO, 0, 0].repeat(MAX_PIECES + 1),
    ];
    for frames in refused {
        assert_eq!(opened(&compose_frames(&keys, &id, frames), &keys), None, "{frames:?}");
    }
}

#[test]
fn what_quic_would_answer_is_no_header_of_ours() {
    let keys = keys();
    let datagram = compose(&keys, &keys.mint(), b"message 1");
    let with = |at: usize, byte: u8| {
        let mut changed = datagram.clone();
        changed[at] = byte;
        changed
    };
    assert_eq!(Header::parse(&with(1, 0)), None, "another version");
    assert_eq!(Header::parse(&[with(0, 0xf0), vec![0; 16]].concat()), None, "a Retry");
    assert_eq!(Header::parse(&with(0, 0xd0)), None, "0-RTT");
    assert_eq!(Header::parse(&with(0, 0x80)), None, "no fixed bit");
    assert_eq!(Header::parse(&datagram[..1199]), None, "too small");
    let token_at = 1 + 4 + 1 + 20 + 1 + 12;
    assert_eq!(Header::parse(&with(token_at, 1)), None, "a token");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..1400), long: bool) {
        let mut bytes = bytes;
        if long && bytes.len() > 5 {
            bytes[0] |= LONG_FORM | FIXED_BIT;
            bytes[1..5].copy_from_slice(&VERSION.to_be_bytes());
        }
        prop_assert_eq!(opened(&bytes, &keys()), None);
    }

    #[test]
    fn any_frames_are_read_without_panic(frames in prop::collection::vec(any::<u8>(), 0..64)) {
        let keys = keys();
        let _ = opened(&compose_frames(&keys, &keys.mint(), &frames), &keys);
    }

    #[test]
    fn any_flipped_bit_is_refused(at in 0..MIN_DATAGRAM * 8) {
        let keys = keys();
        let mut datagram = compose(&keys, &keys.mint(), b"message 1");
        datagram[at / 8] ^= 1 << (at % 8);
        prop_assert_eq!(opened(&datagram, &keys), None);
    }
}
