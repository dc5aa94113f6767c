//! What is asked, by both sides: a client writes it, a responder reads it.

use std::net::IpAddr;

use stun_types::message::MessageClass;

use crate::attributes::{self, CHANGE_IP, CHANGE_PORT};
use crate::secret::{Attestation, Token, ip_bytes, ip_from_bytes};
use crate::wire::{Message, TransactionId, Writer};

/// How long every request with a token is, in bytes. The longest answer has 92: header 20, XOR-MAPPED-ADDRESS and OTHER-ADDRESS of IPv6 24 each,
/// WAYSIDE-ATTEST 12, WAYSIDE-ATTEST-OK 4, FINGERPRINT 8.
pub const TOKEN_REQUEST: usize = 96;

/// The bytes of an attribute's head, and of FINGERPRINT as a whole.
const ATTRIBUTE_HEAD: usize = 4;
const FINGERPRINT: usize = 8;

/// A Binding request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    token: Option<Token>,
    change_ip: bool,
    change_port: bool,
    response_port: Option<u16>,
    check: Option<(IpAddr, Attestation)>,
    fingerprint: bool,
}

impl Request {
    /// What any server answers: 20 bytes.
    pub fn plain() -> Self {
        Self::default()
    }

    /// What a friend's responder answers: [`TOKEN_REQUEST`] bytes, whatever else it asks.
    pub fn with_token(token: Token) -> Self {
        Self { token: Some(token), ..Self::default() }
    }

    /// With a FINGERPRINT (RFC 8489, section 14.7), so that the answer has one too.
    pub fn fingerprint(mut self) -> Self {
        self.fingerprint = true;
        self
    }

    /// To be answered from the server's other port (CHANGE-REQUEST, RFC 5780, section 7.2).
    pub fn change_port(mut self) -> Self {
        self.change_port = true;
        self
    }

    /// To be answered from the server's other IP address. Servers with one, as friends are, refuse with 420.
    pub fn change_ip(mut self) -> Self {
        self.change_ip = true;
        self
    }

    /// To be answered at this port of the address that the server sees (RESPONSE-PORT, RFC 5780, section 7.5).
    pub fn response_port(mut self, port: u16) -> Self {
        self.response_port = Some(port);
        self
    }

    /// Asks besides whether the attestation of this address is the responder's own and fresh. Counts with a token only.
    pub fn check(mut self, ip: IpAddr, attestation: Attestation) -> Self {
        self.check = Some((ip.to_canonical(), attestation));
        self
    }

    /// As bytes.
    pub fn encode(&self, id: TransactionId) -> Vec<u8> {
        let mut message = Writer::new(MessageClass::Request, id);
        if let Some(token) = self.token {
            message.raw(attributes::WAYSIDE_TOKEN, &token.0);
        }
        let change =
            if self.change_ip { CHANGE_IP } else { 0 } | if self.change_port { CHANGE_PORT } else { 0 };
        if change != 0 {
            message.raw(attributes::CHANGE_REQUEST, &change.to_be_bytes());
        }
        if let Some(port) = self.response_port {
            let [high, low] = port.to_be_bytes();
            message.raw(attributes::RESPONSE_PORT, &[high, low, 0, 0]);
        }
        if let Some((ip, attestation)) = self.check {
            message.raw(attributes::WAYSIDE_ATTEST_CHECK, &[&ip_bytes(ip)[..], &attestation.0].concat());
        }
        if self.token.is_some() {
            let rest = ATTRIBUTE_HEAD + if self.fingerprint { FINGERPRINT } else { 0 };
            let missing = TOKEN_REQUEST.saturating_sub(message.len() + rest);
            message.raw(attributes::WAYSIDE_PADDING, &vec![0; missing]);
        }
        message.finish(self.fingerprint)
    }

    /// What a message asks.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Malformed> {
        let token = match message.value(attributes::WAYSIDE_TOKEN) {
            Some(value) => Some(Token(value.try_into().map_err(|_| Malformed)?)),
            None => None,
        };
        let change = match message.value(attributes::CHANGE_REQUEST) {
            Some(value) => u32::from_be_bytes(value.try_into().map_err(|_| Malformed)?),
            None => 0,
        };
        // Two bytes and two of nothing, of which coturn leaves out the second (RFC 5780, section 7.5).
        let response_port = match message.value(attributes::RESPONSE_PORT) {
            Some(&[high, low] | &[high, low, _, _]) => match u16::from_be_bytes([high, low]) {
                0 => return Err(Malformed),
                port => Some(port),
            },
            Some(_) => return Err(Malformed),
            None => None,
        };
        let check = match message.value(attributes::WAYSIDE_ATTEST_CHECK) {
            Some(value) => {
                let (ip, mac) = value.split_first_chunk::<16>().ok_or(Malformed)?;
                Some((ip_from_bytes(*ip), Attestation(mac.try_into().map_err(|_| Malformed)?)))
            }
            None => None,
        };
        Ok(Self {
            token,
            change_ip: change & CHANGE_IP != 0,
            change_port: change & CHANGE_PORT != 0,
            response_port,
            check,
            fingerprint: message.fingerprint,
        })
    }

    pub(crate) fn wants_other_ip(&self) -> bool {
        self.change_ip
    }

    pub(crate) fn wants_other_port(&self) -> bool {
        self.change_port
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.response_port
    }

    pub(crate) fn checks(&self) -> Option<(IpAddr, Attestation)> {
        self.check
    }
}

/// An attribute is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;
