//! Messages as bytes: which datagram is STUN, and what is in it.
//!
//! The attributes are `stun-types`' own; walking over them is done here, since that crate's walk goes on after the length that the header
//! says, and warns in the log about whatever a stranger sends.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeFromRaw, AttributeWrite, Fingerprint, MappedSocketAddr, RawAttribute};
use stun_types::message::{BINDING, MessageClass, MessageHeader, MessageType, MessageWriteVec};
use stun_types::prelude::{AttributeExt, AttributeStaticType, MessageWrite, MessageWriteExt};

use crate::attributes;

/// The fixed part of every message (RFC 8489, section 5), in bytes.
pub const HEADER: usize = 20;

/// The longest message that is read, in bytes: nothing that is asked or answered here comes near. Servers send one datagram of a path's MTU.
pub const LONGEST: usize = 1500;

/// The most attributes of one message that are looked at. Binding has a dozen; a message with more is none of ours.
const MOST_ATTRIBUTES: usize = 64;

/// What makes a message STUN, after type and length (RFC 8489, section 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Whether a datagram is a STUN message, on a socket where QUIC arrives too: the first two bits are zero (RFC 9443), the magic cookie is in its
/// place, and the length is exactly what the header says, in fours (RFC 8489, section 5).
///
/// QUIC sets the second bit. Random bytes pass once in 2^34 datagrams of the right length. Clients of RFC 3489, which knew of no cookie, do not pass.
pub fn is_stun(datagram: &[u8]) -> bool {
    let Some((header, body)) = datagram.split_first_chunk::<HEADER>() else { return false };
    let [t0, _, l0, l1, c0, c1, c2, c3, ..] = *header;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    t0 & 0xc0 == 0 && [c0, c1, c2, c3] == COOKIE && length == body.len() && length.is_multiple_of(4)
}

/// The name of one transaction: 96 bits that nobody else can guess. The caller draws them; retransmissions of a request have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl TransactionId {
    pub(crate) fn wire(self) -> stun_types::message::TransactionId {
        let mut wide = [0; 16];
        wide.iter_mut().skip(4).zip(self.0).for_each(|(to, byte)| *to = byte);
        u128::from_be_bytes(wide).into()
    }

    fn of(header: &MessageHeader) -> Self {
        let wide = u128::from(header.transaction_id()).to_be_bytes();
        let mut id = [0; 12];
        id.iter_mut().zip(wide.iter().skip(4)).for_each(|(to, byte)| *to = *byte);
        Self(id)
    }
}

/// A Binding message that was read: its class, its id, and its attributes up to FINGERPRINT or a MESSAGE-INTEGRITY.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) class: MessageClass,
    pub(crate) id: TransactionId,
    /// Whether it has a FINGERPRINT, which is then right.
    pub(crate) fingerprint: bool,
    attributes: Vec<RawAttribute<'a>>,
}

impl<'a> Message<'a> {
    /// Reads a datagram. `None`: not STUN, not Binding, longer than [`LONGEST`], cut short, or with a FINGERPRINT that is wrong.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() > LONGEST || !is_stun(datagram) {
            return None;
        }
        let header = MessageHeader::from_bytes(datagram).ok()?;
        if header.get_type().method() != BINDING {
            return None;
        }
        let mut message = Self {
            class: header.get_type().class(),
            id: TransactionId::of(&header),
            fingerprint: false,
            attributes: Vec::new(),
        };
        let mut at = HEADER;
        let mut sealed = false;
        while let Some(rest) = datagram.get(at..).filter(|rest| !rest.is_empty()) {
            let attribute = RawAttribute::from_bytes(rest).ok()?;
            let kind = attribute.header.get_type().value();
            let next = at.checked_add(attribute.padded_len()).filter(|next| *next <= datagram.len())?;
            if kind == Fingerprint::TYPE.value() {
                verify_fingerprint(datagram.get(..at)?, &attribute)?;
                message.fingerprint = true;
                // "FINGERPRINT MUST be the last attribute" (RFC 8489, section 14.7); what follows is not looked at.
                break;
            }
            // After a MESSAGE-INTEGRITY only FINGERPRINT counts (RFC 8489, section 14.5).
            if !sealed {
                if message.attributes.len() >= MOST_ATTRIBUTES {
                    return None;
                }
                sealed = attributes::SEALS.contains(&kind);
                message.attributes.push(attribute);
            }
            at = next;
        }
        Some(message)
    }

    /// The first attribute of this kind: where one comes twice, the first counts (RFC 8489, section 14).
    pub(crate) fn first(&self, kind: u16) -> Option<&RawAttribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.header.get_type().value() == kind)
    }

    /// Its bytes.
    pub(crate) fn value(&self, kind: u16) -> Option<&[u8]> {
        self.first(kind).map(|attribute| &*attribute.value)
    }

    /// An attribute that is an address in the clear.
    pub(crate) fn address(&self, kind: u16) -> Option<SocketAddr> {
        MappedSocketAddr::from_raw(self.first(kind)?).ok().map(|address| address.addr())
    }

    /// An attribute as `stun-types` has it.
    pub(crate) fn typed<A: AttributeFromRaw<'a> + AttributeStaticType>(&self) -> Option<A> {
        A::from_raw_ref(self.first(A::TYPE.value())?).ok()
    }

    /// The attributes that one must understand (below 0x8000) and that are not among `known`, each once.
    pub(crate) fn unknown(&self, known: impl Fn(u16) -> bool) -> Vec<u16> {
        let mut unknown = Vec::new();
        for attribute in &self.attributes {
            let kind = attribute.header.get_type();
            if kind.comprehension_required() && !known(kind.value()) && !unknown.contains(&kind.value()) {
                unknown.push(kind.value());
            }
        }
        unknown
    }
}

/// `before`: the message up to the attribute. The checksum is over a header whose length counts the attribute and nothing behind it.
fn verify_fingerprint(before: &[u8], attribute: &RawAttribute<'_>) -> Option<()> {
    let claimed = Fingerprint::from_raw_ref(attribute).ok()?;
    let length = u16::try_from(before.len().checked_sub(HEADER)?.checked_add(8)?).ok()?.to_be_bytes();
    let (kind, rest) = (before.get(..2)?, before.get(4..)?);
    (Fingerprint::compute(&[kind, &length, rest]) == *claimed.fingerprint()).then_some(())
}

/// Writes a Binding message, attribute by attribute.
pub(crate) struct Writer(MessageWriteVec);

impl Writer {
    pub(crate) fn new(class: MessageClass, id: TransactionId) -> Self {
        let kind = MessageType::from_class_method(class, BINDING);
        Self(stun_types::message::Message::builder(kind, id.wire(), MessageWriteVec::with_capacity(128)))
    }

    /// What does not fit into 65,535 bytes is left out; nothing here comes near.
    pub(crate) fn add(&mut self, attribute: &dyn AttributeWrite) {
        self.0.add_attribute(attribute).ok();
    }

    pub(crate) fn raw(&mut self, kind: u16, value: &[u8]) {
        self.add(&RawAttribute::new(kind.into(), value));
    }

    pub(crate) fn address(&mut self, kind: u16, address: SocketAddr) {
        self.add(&MappedSocketAddr::new(address).to_raw(kind.into()));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn finish(mut self, fingerprint: bool) -> Vec<u8> {
        if fingerprint {
            self.0.add_fingerprint().ok();
        }
        self.0.finish()
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
