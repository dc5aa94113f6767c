//! First datagrams as our client writes them, for tests: the QUIC library writes them in earnest.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

use super::{
    GATE_ID_LEN, VERSION,
    cipher::PacketCipher::ChaCha20Poly1305,
    frames::frame,
    gate_keys::GateKeys,
    initial::MIN_DATAGRAM,
    packet::{HeaderKey, PacketKey, TAG_LEN},
};

/// An Initial packet in the long form, with the fixed bit and a packet number of one byte.
const FIRST_BYTE: u8 = 0xc0;
const FRAME_CRYPTO: u8 = 0x06;

/// A first datagram around a Noise message.
pub(crate) fn compose(keys: &GateKeys, id: &[u8; GATE_ID_LEN], message: &[u8]) -> Vec<u8> {
    compose_frames(keys, id, &crypto_frame(0, &frame(message)))
}

/// The datagrams of a first flight around a Noise message that takes several, with `size` bytes of it in each.
pub(crate) fn compose_flight(
    keys: &GateKeys,
    id: &[u8; GATE_ID_LEN],
    message: &[u8],
    size: usize,
) -> Vec<Vec<u8>> {
    let pieces = frame(message);
    let pieces = pieces.chunks(size).enumerate();
    pieces.map(|(i, piece)| compose_frames(keys, id, &crypto_frame(i * size, piece))).collect()
}

pub(crate) fn crypto_frame(offset: usize, bytes: &[u8]) -> Vec<u8> {
    // RFC 9000, section 16, in one byte or two.
    let varint = |n: usize| match u8::try_from(n) {
        Ok(n) if n < 64 => vec![n],
        _ => (0x4000 | n as u16).to_be_bytes().to_vec(),
    };
    [&[FRAME_CRYPTO][..], &varint(offset), &varint(bytes.len()), bytes].concat()
}

/// A first datagram around any frames that fit.
pub(crate) fn compose_frames(keys: &GateKeys, id: &[u8; GATE_ID_LEN], frames: &[u8]) -> Vec<u8> {
    let secrets = keys.initial(id);
    let mut packet = vec![FIRST_BYTE];
    packet.extend_from_slice(&VERSION.to_be_bytes());
    packet.push(20);
    packet.extend_from_slice(id);
    packet.push(12);
    packet.extend_from_slice(b"twelve bytes");
    packet.push(0);
    let number_at = packet.len() + 2;
    packet.extend_from_slice(&(0x4000 | (MIN_DATAGRAM - number_at) as u16).to_be_bytes());
    packet.push(0);
    let header = packet.clone();
    packet.extend_from_slice(frames);
    packet.resize(MIN_DATAGRAM - TAG_LEN, 0);
    let key = PacketKey::new(ChaCha20Poly1305, &secrets.initiator);
    let tag = key.seal(0, 0, &header, &mut packet[header.len()..]).expect("a payload of any length seals");
    packet.extend_from_slice(&tag);
    HeaderKey::new(ChaCha20Poly1305, &secrets.initiator).protect(number_at, &mut packet);
    packet
}
