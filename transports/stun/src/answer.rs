//! What comes back to a client.

use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{ErrorCode, UnknownAttributes, XorMappedAddress};
use stun_types::message::MessageClass;
use stun_types::prelude::AttributeStaticType;

use crate::attributes;
use crate::secret::Attestation;
use crate::wire::Message;

/// The longest reason that is kept of a refusal, in characters (RFC 8489, section 14.8: fewer than 128).
const LONGEST_REASON: usize = 127;

/// A success response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where the server saw the request come from: XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of servers that know only that.
    pub mapped: SocketAddr,
    /// Where else the server listens: OTHER-ADDRESS, or CHANGED-ADDRESS by its old name. An address of zeros means that which was asked, as a friend
    /// answers who does not know its own.
    pub other: Option<SocketAddr>,
    /// The responder's word on the IP address of `mapped`, to be shown to others who know the responder.
    pub attestation: Option<Attestation>,
    /// The attestation that was asked about is good.
    pub attested: bool,
}

/// Why a transaction came to no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody answered: there is no server, it does not know the token, or packets are lost. Worth another try later.
    #[error("no answer after {sent} requests")]
    TimedOut {
        /// How often the request was sent.
        sent: u32,
    },
    /// The server answered with an error. 300: ask another server. 420: it does not know the attributes named. 5xx: try later.
    #[error("refused with {code} {reason}")]
    Refused {
        /// 300 to 699 (RFC 8489, section 14.8).
        code: u16,
        /// What the server says to it, without control characters.
        reason: String,
        /// The attributes that it does not know.
        unknown: Vec<u16>,
    },
    /// The server answered without an address that can be read, or with an error without a number.
    #[error("the server's answer says nothing")]
    Empty,
    /// The answer has attributes that one must understand and that nobody here knows (RFC 8489, section 6.3.3).
    #[error("the server's answer needs attributes {0:04x?} understood")]
    NotUnderstood(Vec<u16>),
}

/// Reads a response. `asked`: the IP address that the request went to. `None`: it is no response.
pub(crate) fn read(message: &Message<'_>, asked: IpAddr) -> Option<Result<Answer, Failure>> {
    match message.class {
        MessageClass::Success => Some(success(message, asked)),
        MessageClass::Error => Some(Err(refusal(message))),
        MessageClass::Request | MessageClass::Indication => None,
    }
}

fn success(message: &Message<'_>, asked: IpAddr) -> Result<Answer, Failure> {
    // Servers of RFC 3489 send SOURCE-ADDRESS (4) and CHANGED-ADDRESS (5), from times when everything had to be understood.
    let unknown = message
        .unknown(|kind| attributes::is_base(kind) || kind == attributes::CHANGED_ADDRESS || kind == 0x0004);
    if !unknown.is_empty() {
        return Err(Failure::NotUnderstood(unknown));
    }
    let mapped = match message.typed::<XorMappedAddress>() {
        Some(address) => Some(address.addr(message.id.wire())),
        None => message.address(attributes::MAPPED_ADDRESS),
    };
    let other = message
        .address(attributes::OTHER_ADDRESS)
        .or_else(|| message.address(attributes::CHANGED_ADDRESS))
        .filter(|address| address.port() != 0)
        .map(|address| {
            let ip = if address.ip().is_unspecified() { asked } else { address.ip() };
            SocketAddr::new(ip, address.port())
        });
    Ok(Answer {
        mapped: mapped.map(canonical).ok_or(Failure::Empty)?,
        other: other.map(canonical),
        attestation: message
            .value(attributes::WAYSIDE_ATTEST)
            .and_then(|mac| mac.try_into().ok())
            .map(Attestation),
        attested: message.value(attributes::WAYSIDE_ATTEST_OK).is_some(),
    })
}

fn refusal(message: &Message<'_>) -> Failure {
    let Some(error) = message.typed::<ErrorCode>() else { return Failure::Empty };
    let reason = error.reason().chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    let unknown = message.value(UnknownAttributes::TYPE.value()).unwrap_or_default();
    let unknown = unknown.as_chunks::<2>().0.iter().map(|kind| u16::from_be_bytes(*kind)).collect();
    Failure::Refused { code: error.code(), reason, unknown }
}

/// IPv4 as IPv4, also where a socket of both families shows it as IPv6; and nothing of IPv6 but address and port.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
