//! Numbers of attributes: those of the standards, and wayside's own.
//!
//! Wayside's are in private use: IANA's registry of STUN attributes has assigned numbers of the comprehension-optional range up to 0xC071
//! (2025), and nothing near these. A server that does not know them ignores them and answers as ever.

/// MAPPED-ADDRESS (RFC 8489, section 14.1): what servers of RFC 3489 answer with.
pub const MAPPED_ADDRESS: u16 = 0x0001;
/// CHANGE-REQUEST (RFC 5780, section 7.2): from which address the answer is to come.
pub const CHANGE_REQUEST: u16 = 0x0003;
/// CHANGED-ADDRESS (RFC 3489, section 11.2.3): OTHER-ADDRESS by its old number.
pub const CHANGED_ADDRESS: u16 = 0x0005;
/// PADDING (RFC 5780, section 7.6). It must be understood, and means something about MTUs, so that wayside pads with its own.
pub const PADDING: u16 = 0x0026;
/// RESPONSE-PORT (RFC 5780, section 7.5): to which port of the asker's address the answer is to go.
pub const RESPONSE_PORT: u16 = 0x0027;
/// OTHER-ADDRESS (RFC 5780, section 7.4): where else the server listens.
pub const OTHER_ADDRESS: u16 = 0x802c;

/// WAYSIDE-TOKEN: the eight bytes of a [`Token`](crate::Token).
pub const WAYSIDE_TOKEN: u16 = 0xd750;
/// WAYSIDE-ATTEST, in an answer: the eight bytes of an [`Attestation`](crate::Attestation) of the address that the request came from.
pub const WAYSIDE_ATTEST: u16 = 0xd751;
/// WAYSIDE-ATTEST-CHECK, in a request: an IP address (16 bytes, IPv4 mapped into IPv6) and the attestation that is said to be of it.
pub const WAYSIDE_ATTEST_CHECK: u16 = 0xd752;
/// WAYSIDE-ATTEST-OK, in an answer, empty: the attestation asked about is ours, of that address, and of this hour or the one before.
pub const WAYSIDE_ATTEST_OK: u16 = 0xd753;
/// WAYSIDE-PADDING, in a request: zeros, so that no answer is longer than what it answers.
pub const WAYSIDE_PADDING: u16 = 0xd754;

/// The bit of CHANGE-REQUEST that asks for an answer from another IP address.
pub(crate) const CHANGE_IP: u32 = 0x4;
/// The bit of CHANGE-REQUEST that asks for an answer from another port.
pub(crate) const CHANGE_PORT: u32 = 0x2;

/// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256, after which nothing but FINGERPRINT counts.
pub(crate) const SEALS: [u16; 2] = [0x0008, 0x001c];

/// What RFC 8489, section 18.3, defines and one must understand. Where it has no meaning it is passed over: nobody logs in here.
const BASE: [u16; 11] =
    [MAPPED_ADDRESS, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, 0x0020];

/// Whether a plain server or client of RFC 8489 understands it.
pub(crate) fn is_base(kind: u16) -> bool {
    BASE.contains(&kind)
}

/// Whether it is of RFC 5780 and understood from those who have a token.
pub(crate) fn is_behaviour(kind: u16) -> bool {
    [CHANGE_REQUEST, RESPONSE_PORT, PADDING].contains(&kind)
}
