//! What goes between an end and its relay: a datagram behind the number of its circuit and a short MAC.

use std::fmt;

use rand_core::RngCore;
use siphasher::sip::SipHasher24;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many bytes a frame has before the datagram: circuit 4, MAC 8.
pub const HEADER: usize = 12;
/// The longest datagram that a frame takes, in bytes: with the header, what a u16 can say.
pub const LONGEST: usize = u16::MAX as usize - HEADER;

/// Where the MAC begins.
const MAC: usize = 4;
/// How many bytes of the datagram the MAC is over. They hold the first bytes of QUIC's ciphertext; more would cost time and show nothing.
const COVERED: usize = 64;
/// The two first bits of every number: no QUIC packet of ours has the second one clear, and STUN has the first one clear.
const MARK: u32 = 0b10 << 30;
const MARKED: u32 = 0b11 << 30;

/// The number of one end of a circuit, unique at its relay: 30 random bits behind the bits `10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircuitId(u32);

impl CircuitId {
    /// From the number as it is sent. `None` unless its first bits are `10`.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits & MARKED == MARK).then_some(Self(bits))
    }

    /// Draws one.
    pub fn random(rng: &mut impl RngCore) -> Self {
        Self(rng.next_u32() & !MARKED | MARK)
    }

    /// The number as it is sent, big-endian in the frame.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// What frames of one direction of one end are checked with.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 16]);

impl Key {
    /// Of 16 bytes from a good source.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    fn mac(&self, circuit: CircuitId, datagram: &[u8]) -> [u8; 8] {
        let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
        let covered = datagram.get(..COVERED).unwrap_or(datagram);
        let mut input = [0; MAC + 2 + COVERED];
        let (head, tail) = input.split_at_mut(MAC + 2);
        let fields = circuit.0.to_be_bytes().into_iter().chain(length.to_be_bytes());
        head.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        // Both lengths are `covered`'s: `tail` has COVERED bytes.
        if let Some(tail) = tail.get_mut(..covered.len()) {
            tail.copy_from_slice(covered);
        }
        let input = input.get(..MAC + 2 + covered.len()).unwrap_or(&input);
        SipHasher24::new_with_key(&self.0).hash(input).to_le_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Both keys of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For frames from the end to the relay.
    pub up: Key,
    /// For frames from the relay to the end.
    pub down: Key,
}

impl Keys {
    /// From the bytes that the relay tells its friend: up, then down.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let [mut up, mut down] = [[0; 16]; 2];
        up.iter_mut().chain(&mut down).zip(bytes).for_each(|(to, from)| *to = from);
        Self { up: Key(up), down: Key(down) }
    }

    /// The bytes that the relay tells its friend, over a link and nowhere else.
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.up.0.iter().chain(&self.down.0)).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Draws both.
    pub fn random(rng: &mut impl RngCore) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        let keys = Self::from_bytes(bytes);
        bytes.zeroize();
        keys
    }
}

/// Whether this can be a frame at all: by its first two bits and its length. A probe may look like one; its circuit is then unknown, or its MAC wrong.
pub fn may_be_frame(datagram: &[u8]) -> bool {
    circuit_of(datagram).is_some()
}

/// The circuit that this says it belongs to, where it can be a frame. Nothing is verified yet.
pub fn circuit_of(datagram: &[u8]) -> Option<CircuitId> {
    let bits = datagram.first_chunk()?;
    let id = CircuitId::from_bits(u32::from_be_bytes(*bits))?;
    (datagram.len() > HEADER && datagram.len() <= HEADER + LONGEST).then_some(id)
}

/// What goes before a datagram of 1 to [`LONGEST`] bytes. Nobody takes a frame of another length.
pub fn header(key: &Key, circuit: CircuitId, datagram: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let fields = circuit.0.to_be_bytes().into_iter().chain(key.mac(circuit, datagram));
    header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    header
}

/// The datagram in a frame, where the MAC is right. The number in the frame is under the MAC: whose key it is has to be looked up with
/// [`circuit_of`], and two circuits have two keys.
pub fn open<'a>(key: &Key, frame: &'a [u8]) -> Option<&'a [u8]> {
    let circuit = circuit_of(frame)?;
    let (header, datagram) = frame.split_first_chunk::<HEADER>()?;
    // As numbers: one comparison, which takes the same time wherever they differ.
    let [_, _, _, _, mac @ ..] = header;
    (u64::from_le_bytes(*mac) == u64::from_le_bytes(key.mac(circuit, datagram))).then_some(datagram)
}

/// Frames a batch: datagrams of `segment` bytes one after the other, the last of which may be shorter. They are appended to `out` as a batch of the
/// same kind, of whose segments the size is returned. A `segment` of 0 stands for one datagram.
///
/// Each frame is [`HEADER`] bytes longer than its datagram: who fills batches to what the system takes at once has to leave room.
pub fn seal_all(key: &Key, circuit: CircuitId, datagrams: &[u8], segment: usize, out: &mut Vec<u8>) -> usize {
    let segment = if segment == 0 { datagrams.len() } else { segment };
    if segment == 0 {
        return HEADER;
    }
    out.reserve(datagrams.len() + datagrams.len().div_ceil(segment) * HEADER);
    for datagram in datagrams.chunks(segment) {
        out.extend_from_slice(&header(key, circuit, datagram));
        out.extend_from_slice(datagram);
    }
    segment + HEADER
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
