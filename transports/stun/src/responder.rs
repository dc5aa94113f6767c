//! Answering: Binding requests of friends, or of anyone.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use stun_types::attribute::{ErrorCode, UnknownAttributes, XorMappedAddress};
use stun_types::message::MessageClass;

use crate::answer::canonical;
use crate::attributes;
use crate::budget::{Budgets, Rate};
use crate::request::Request;
use crate::secret::{Holder, Secret};
use crate::wire::{Message, Writer};

/// The most attributes that a refusal names. A request with more unknown ones is longer than the refusal anyhow.
const MOST_NAMED: usize = 8;
/// The sources of plain requests that are remembered at a time: more than [`Limits::default`] lets be answered within the time a source refills.
const MOST_SOURCES: usize = 2048;
/// The holders of tokens that are remembered at a time.
const MOST_HOLDERS: usize = 2048;

/// Whom a responder answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those who have a token. Everybody else hears nothing, not even an error.
    Friends,
    /// Anyone, as a plain server of RFC 8489; those who have a token get more.
    Anyone,
}

/// One of the responder's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// That which everybody knows: where the link's traffic arrives too.
    First,
    /// The other one, for telling NATs apart.
    Second,
}

impl Port {
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// How much is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Plain requests of one source: an IPv4 address, or an IPv6 network of 64 bits.
    pub source: Rate,
    /// Plain requests in all.
    pub plain: Rate,
    /// Requests under one friend's tokens. A friend who learns its NAT's habits asks from some dozens of sockets at once.
    pub holder: Rate,
    /// Requests under tokens in all.
    pub tokens: Rate,
}

impl Default for Limits {
    /// Ten at once and one a second for a source, 100 a second in all; 64 at once and eight a second for a friend, 200 a second in all.
    /// That is at most some 30 kB/s of answers.
    fn default() -> Self {
        Self {
            source: Rate { per_second: 1, burst: 10 },
            plain: Rate { per_second: 100, burst: 200 },
            holder: Rate { per_second: 8, burst: 64 },
            tokens: Rate { per_second: 200, burst: 400 },
        }
    }
}

/// Where one of the two sockets can be reached from outside, in each family. An address of zeros stands for "the one that you asked": for a node
/// that knows the port outside and not the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Over IPv4.
    pub v4: Option<SocketAddr>,
    /// Over IPv6.
    pub v6: Option<SocketAddr>,
}

/// What is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// From which socket.
    pub via: Port,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub datagram: Vec<u8>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply {{ via: {:?}, to: {}, {} bytes }}", self.via, self.to, self.datagram.len())
    }
}

/// Why nothing is answered. For counters and tests; the asker hears none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// Not a Binding message, or not a whole one.
    #[error("not a Binding message")]
    NotBinding,
    /// An indication or a response.
    #[error("not a request")]
    NotRequest,
    /// An attribute is malformed, of somebody without a token.
    #[error("malformed")]
    Malformed,
    /// Without a token, and only friends are answered.
    #[error("no token")]
    NoToken,
    /// The token is not ours, or has expired.
    #[error("not a valid token")]
    BadToken,
    /// With a token, and shorter than its answer would be.
    #[error("shorter than its answer")]
    TooShort,
    /// The asker, or all of them, have asked too much.
    #[error("over the budget")]
    OverBudget,
}

/// Answers Binding requests at one socket or two.
///
/// Without sockets and without state but for budgets: each datagram is answered at once or never.
#[derive(Debug)]
pub struct Responder {
    mode: Mode,
    secret: Secret,
    first: Outside,
    second: Option<Outside>,
    sources: Budgets<Source>,
    holders: Budgets<Holder>,
}

impl Responder {
    /// With one socket.
    pub fn new(mode: Mode, secret: Secret, limits: Limits) -> Self {
        Self {
            mode,
            secret,
            first: Outside::default(),
            second: None,
            sources: Budgets::new(limits.source, limits.plain, MOST_SOURCES),
            holders: Budgets::new(limits.holder, limits.tokens, MOST_HOLDERS),
        }
    }

    /// Says where its sockets can be reached, and whether there are two. Call it again when that has changed.
    ///
    /// An answer at one socket names the other in OTHER-ADDRESS, where the asker has a token and it is known in its family.
    pub fn set_ports(&mut self, first: Outside, second: Option<Outside>) {
        self.first = first;
        self.second = second;
    }

    /// Answers other people from now on.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// What to answer to a datagram. `now`: see [`Secret`]. `port`: at which socket it arrived.
    ///
    /// # Errors
    /// Where nothing is answered: why.
    pub fn respond(
        &mut self,
        now: Duration,
        port: Port,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<Reply, Silence> {
        let from = canonical(from);
        let message = Message::read(datagram).ok_or(Silence::NotBinding)?;
        if message.class != MessageClass::Request {
            return Err(Silence::NotRequest);
        }
        // Port 0 and addresses of nobody or of many can only be forged.
        if from.port() == 0 || from.ip().is_unspecified() || from.ip().is_multicast() {
            return Err(Silence::NotRequest);
        }
        let request = Request::read(&message);
        let token = message.value(attributes::WAYSIDE_TOKEN).map(TryInto::try_into);
        let holder = match token {
            Some(Ok(token)) => self.secret.holder(now, crate::Token(token)),
            _ => None,
        };
        match (holder, self.mode) {
            (Some(holder), _) => {
                if !self.holders.allows(now, holder) {
                    return Err(Silence::OverBudget);
                }
                let reply = self.answer_friend(now, port, from, &message, request.ok());
                // Whoever forges a friend's address gets nothing multiplied.
                if reply.datagram.len() > datagram.len() {
                    return Err(Silence::TooShort);
                }
                Ok(reply)
            }
            (None, Mode::Friends) if token.is_some() => Err(Silence::BadToken),
            (None, Mode::Friends) => Err(Silence::NoToken),
            (None, Mode::Anyone) => {
                // A token that is not ours is a comprehension-optional attribute like any other.
                if !self.sources.allows(now, Source::of(from.ip())) {
                    return Err(Silence::OverBudget);
                }
                Ok(Reply { via: port, to: from, datagram: plain_answer(from, &message) })
            }
        }
    }

    fn answer_friend(
        &self,
        now: Duration,
        port: Port,
        from: SocketAddr,
        message: &Message<'_>,
        request: Option<Request>,
    ) -> Reply {
        let Some(request) = request else {
            return Reply { via: port, to: from, datagram: refusal(message, ErrorCode::BAD_REQUEST, &[]) };
        };
        let to = SocketAddr::new(from.ip(), request.port().unwrap_or(from.port()));
        let mut unknown = message.unknown(|kind| attributes::is_base(kind) || attributes::is_behaviour(kind));
        // "If the server does not support" a change it answers 420 (RFC 5780, section 6.1). There is no second address here.
        if request.wants_other_ip() || (request.wants_other_port() && self.second.is_none()) {
            unknown.push(attributes::CHANGE_REQUEST);
        }
        if !unknown.is_empty() {
            let datagram = refusal(message, ErrorCode::UNKNOWN_ATTRIBUTE, &unknown);
            return Reply { via: port, to: from, datagram };
        }
        let mut answer = Writer::new(MessageClass::Success, message.id);
        answer.add(&XorMappedAddress::new(from, message.id.wire()));
        if let Some(other) = self.outside(port.other(), from.ip()) {
            answer.address(attributes::OTHER_ADDRESS, other);
        }
        answer.raw(attributes::WAYSIDE_ATTEST, &self.secret.attest(now, from.ip()).0);
        if request.checks().is_some_and(|(ip, mac)| self.secret.is_attested(now, ip, mac)) {
            answer.raw(attributes::WAYSIDE_ATTEST_OK, &[]);
        }
        let via = if request.wants_other_port() { port.other() } else { port };
        Reply { via, to, datagram: answer.finish(message.fingerprint) }
    }

    fn outside(&self, port: Port, family: IpAddr) -> Option<SocketAddr> {
        // With one socket there is no other.
        let second = self.second?;
        let outside = match port {
            Port::First => self.first,
            Port::Second => second,
        };
        match family {
            IpAddr::V4(_) => outside.v4.filter(SocketAddr::is_ipv4),
            IpAddr::V6(_) => outside.v6.filter(SocketAddr::is_ipv6),
        }
    }
}

/// The shortest that RFC 8489 allows: the address, or 420 where something must be understood that is not. What RFC 5780 asks for is not, without a token.
fn plain_answer(from: SocketAddr, message: &Message<'_>) -> Vec<u8> {
    let unknown = message.unknown(attributes::is_base);
    if !unknown.is_empty() {
        return refusal(message, ErrorCode::UNKNOWN_ATTRIBUTE, &unknown);
    }
    let mut answer = Writer::new(MessageClass::Success, message.id);
    answer.add(&XorMappedAddress::new(from, message.id.wire()));
    answer.finish(message.fingerprint)
}

/// An error without words: the number says it all, and each word is a byte that a forged request multiplies.
fn refusal(message: &Message<'_>, code: u16, unknown: &[u16]) -> Vec<u8> {
    let mut answer = Writer::new(MessageClass::Error, message.id);
    if let Ok(error) = ErrorCode::new(code, "") {
        answer.add(&error);
    }
    if !unknown.is_empty() {
        let named: Vec<_> = unknown.iter().take(MOST_NAMED).map(|kind| (*kind).into()).collect();
        answer.add(&UnknownAttributes::new(&named));
    }
    answer.finish(message.fingerprint)
}

/// Who counts as one asker: one address, or one network of IPv6, within which anybody has as many addresses as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source(u128);

impl Source {
    fn of(ip: IpAddr) -> Self {
        let bits = u128::from_be_bytes(crate::secret::ip_bytes(ip));
        match ip {
            IpAddr::V4(_) => Self(bits),
            IpAddr::V6(_) => Self(bits & !u128::from(u64::MAX)),
        }
    }
}

#[cfg(test)]
#[path = "responder_tests.rs"]
mod tests;
