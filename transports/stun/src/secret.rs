//! What only the responder can make: tokens that let friends ask, and attestations of where a request came from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How long a token is made for: it counts in the period of its making and in the next, so for 7 to 14 days. A welcome may lie in a place for days.
pub const TOKEN_PERIOD: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an attestation is made for: it counts in the hour of its making and in the next, so for one to two hours.
pub const ATTEST_PERIOD: Duration = Duration::from_secs(3600);

/// A responder's secret: 32 random bytes that never leave it.
///
/// Nothing is stored of the tokens and attestations made under it. Whoever replaces it takes them all back.
///
/// `now` is everywhere the time since one fixed moment, the same for as long as the secret is used: the beginning of the process where the secret is
/// drawn anew with it, else the Unix epoch.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Of 32 bytes from a good source.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token of the friend with this id (any bytes that stay the same and are another friend's nowhere, such as the account's).
    ///
    /// It is a holder of 16 bits, which is the id under a MAC, and a MAC of 48 bits of holder and period. Two friends may have one holder; then they share
    /// a budget, and nothing else. To guess one takes some 2^47 requests.
    pub fn token(&self, now: Duration, id: &[u8]) -> Token {
        let [h0, h1, ..] = self.mac(&[b"wayside stun holder", id]);
        self.token_of(Holder([h0, h1]), periods(now, TOKEN_PERIOD))
    }

    /// Who has this token, where it is one of ours and of this period or the one before. In constant time.
    pub(crate) fn holder(&self, now: Duration, token: Token) -> Option<Holder> {
        let [h0, h1, ..] = token.0;
        let (holder, period) = (Holder([h0, h1]), periods(now, TOKEN_PERIOD));
        let fresh = self.token_of(holder, period).0.ct_eq(&token.0);
        let older = match period.checked_sub(1) {
            Some(before) => self.token_of(holder, before).0.ct_eq(&token.0),
            None => fresh,
        };
        bool::from(fresh | older).then_some(holder)
    }

    /// That a request came from this IP address, now.
    pub fn attest(&self, now: Duration, ip: IpAddr) -> Attestation {
        self.attestation_of(ip, periods(now, ATTEST_PERIOD))
    }

    /// Whether the attestation is ours, of this address, and of this hour or the one before. In constant time.
    pub fn is_attested(&self, now: Duration, ip: IpAddr, attestation: Attestation) -> bool {
        let hour = periods(now, ATTEST_PERIOD);
        let fresh = self.attestation_of(ip, hour).0.ct_eq(&attestation.0);
        let older = match hour.checked_sub(1) {
            Some(before) => self.attestation_of(ip, before).0.ct_eq(&attestation.0),
            None => fresh,
        };
        (fresh | older).into()
    }

    fn token_of(&self, holder: Holder, period: u64) -> Token {
        let [h0, h1] = holder.0;
        let [m0, m1, m2, m3, m4, m5, ..] =
            self.mac(&[b"wayside stun token", &holder.0, &period.to_be_bytes()]);
        Token([h0, h1, m0, m1, m2, m3, m4, m5])
    }

    fn attestation_of(&self, ip: IpAddr, hour: u64) -> Attestation {
        let [m0, m1, m2, m3, m4, m5, m6, m7, ..] =
            self.mac(&[b"wayside attest", &ip_bytes(ip), &hour.to_be_bytes()]);
        Attestation([m0, m1, m2, m3, m4, m5, m6, m7])
    }

    /// HMAC-SHA256 over the parts one after the other. Each first part is no beginning of another's.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of any length")
        };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What lets its holder ask a responder: eight bytes that the responder made for one friend, and that the friend may hand on where it is allowed to.
///
/// It travels in the clear in every request. Who reads it on the way can ask too, and gains no more than answers about addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token(pub [u8; 8]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Which friend a token was made for, as the responder counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder([u8; 2]);

/// A responder's word that a request came to it from an IP address: eight bytes that it alone can check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attestation(pub [u8; 8]);

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attestation(..)")
    }
}

/// An address as it goes into MACs and onto the wire: 16 bytes, IPv4 mapped into IPv6.
pub(crate) fn ip_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The way back.
pub(crate) fn ip_from_bytes(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}

fn periods(now: Duration, period: Duration) -> u64 {
    now.as_secs().checked_div(period.as_secs()).unwrap_or(0)
}
