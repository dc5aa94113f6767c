//! Reading a first datagram as far as the gate must: a whole Initial packet, and what it carries of message 1.
//!
//! Stricter than QUIC where our own client never differs: no token, and nothing but PADDING and PING beside CRYPTO.

use super::{
    GATE_ID_LEN, VERSION,
    cipher::PacketCipher::ChaCha20Poly1305,
    packet::{HeaderKey, PacketKey},
    pieces::Piece,
    schedule::Directions,
};

/// The least size in bytes of a datagram that opens a link (RFC 9000, section 14.1).
pub(crate) const MIN_DATAGRAM: usize = 1200;

/// CRYPTO frames in one packet; after losses a client may repeat several pieces in one.
const MAX_PIECES: usize = 8;

/// What the public part of a packet header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header<'a> {
    /// A 1-RTT packet; the connection id starts here, its length is the reader's affair.
    Short { from_id: &'a [u8] },
    /// A Handshake packet, or an Initial one to an id that the server chose.
    Long { id: &'a [u8] },
    /// An Initial packet to an id of a gate's length.
    Opening(Opening<'a>),
}

/// An Initial packet that may open a link: its parts, still protected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opening<'a> {
    pub(crate) id: &'a [u8; GATE_ID_LEN],
    /// The packet without what is coalesced behind it.
    packet: &'a [u8],
    number_at: usize,
}

impl<'a> Header<'a> {
    /// Reads a header; `None` for everything that our peers never send: other versions, version negotiation, 0-RTT,
    /// Retry, an unset fixed bit, a token, what is cut short.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (&first, mut rest) = datagram.split_first()?;
        if first & FIXED_BIT == 0 {
            return None;
        }
        if first & LONG_FORM == 0 {
            return Some(Self::Short { from_id: rest });
        }
        let version = take(&mut rest, 4)?;
        if version != VERSION.to_be_bytes() {
            return None;
        }
        let id = take_short(&mut rest)?;
        let _source = take_short(&mut rest)?;
        match first & TYPE_BITS {
            TYPE_HANDSHAKE => Some(Self::Long { id }),
            TYPE_INITIAL => {
                let token_len = take_varint(&mut rest)?;
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                if token_len != 0 || rest.len() < length {
                    return None;
                }
                let number_at = datagram.len() - rest.len();
                let packet = datagram.get(..number_at.checked_add(length)?)?;
                Some(match id.try_into() {
                    Ok(id) if datagram.len() >= MIN_DATAGRAM => {
                        Self::Opening(Opening { id, packet, number_at })
                    }
                    Ok(_) => return None,
                    Err(_) => Self::Long { id },
                })
            }
            _ => None,
        }
    }
}

impl Opening<'_> {
    /// Opens the packet under a gate's Initial secrets and returns what it carries of the Noise message, in the order of
    /// its frames: at least one piece.
    pub(crate) fn pieces(&self, secrets: &Directions) -> Option<Vec<Piece>> {
        let mut packet = self.packet.to_vec();
        HeaderKey::new(ChaCha20Poly1305, &secrets.initiator).unprotect(self.number_at, &mut packet);
        let number_len = usize::from(packet.first()? & 0x03) + 1;
        let (header, payload) = packet.split_at_mut_checked(self.number_at + number_len)?;
        let number =
            header.get(self.number_at..)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let plain =
            PacketKey::new(ChaCha20Poly1305, &secrets.initiator).open(0, number, header, payload).ok()?;
        crypto_pieces(plain).filter(|pieces| !pieces.is_empty())
    }
}

fn crypto_pieces(mut frames: &[u8]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    while let Some((kind, rest)) = frames.split_first() {
        frames = rest;
        match *kind {
            FRAME_PADDING | FRAME_PING => {}
            FRAME_CRYPTO => {
                let offset = usize::try_from(take_varint(&mut frames)?).ok()?;
                let length = usize::try_from(take_varint(&mut frames)?).ok()?;
                let bytes = take(&mut frames, length)?.to_vec();
                pieces.push(Piece { offset, bytes });
                if pieces.len() > MAX_PIECES {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(pieces)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// A connection id behind its length byte.
fn take_short<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(*take(rest, 1)?.first()?);
    if length > MAX_ID_LEN { None } else { take(rest, length) }
}

/// A variable-length integer (RFC 9000, section 16).
fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let first = *rest.first()?;
    let bytes = take(rest, 1 << (first >> 6))?;
    let (first, more) = bytes.split_first()?;
    Some(more.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte)))
}

// RFC 9000, sections 17.2 and 17.3.
const LONG_FORM: u8 = 0x80;
const FIXED_BIT: u8 = 0x40;
const TYPE_BITS: u8 = 0x30;
const TYPE_INITIAL: u8 = 0x00;
const TYPE_HANDSHAKE: u8 = 0x20;
const MAX_ID_LEN: usize = 20;
// RFC 9000, section 19.
const FRAME_PADDING: u8 = 0x00;
const FRAME_PING: u8 = 0x01;
const FRAME_CRYPTO: u8 = 0x06;

#[cfg(test)]
#[path = "initial_tests.rs"]
pub(crate) mod tests;
