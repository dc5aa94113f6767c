//! Probes of a meeting: small sealed datagrams by which two machines get through to each other before there is a link.
//!
//! ```text
//! probe = first ‖ nonce 12 ‖ AEAD(key, nonce, kind ‖ number 8 ‖ address 18 ‖ zeros 8, associated data first)        64 bytes
//! ```
//!
//! They look as random as the probes of a link ([`super::probe`]), but for the length: `first` has QUIC's fixed bit clear, and no two have anything in
//! common. An answer says from where the question was seen to come.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{
    schedule::{Directions, extract},
    sealed,
};
use crate::secret::Secret32;

/// The length of every probe of a meeting, in bytes.
pub(crate) const LEN: usize = BODY_LEN + sealed::OVERHEAD;
/// Kind, number, the address of 16 bytes and its port; and zeros.
const BODY_LEN: usize = 1 + NUMBER_LEN + 16 + 2 + 8;
const NUMBER_LEN: usize = 8;
const ASK: u8 = 0;
const ANSWER: u8 = 1;

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Punch {
    /// Answer this number, to where it came from.
    Ask(u64),
    /// The question of this number arrived, from there.
    Answer(u64, SocketAddr),
}

/// Whether a datagram may be a probe of a meeting; what it says is known to whoever has the key.
pub(crate) fn is_punch(datagram: &[u8]) -> bool {
    sealed::may_be::<LEN>(datagram)
}

/// The keys of one meeting: the initiator is who dials.
pub(crate) fn keys(gate: &Secret32, psk: &Secret32) -> Directions {
    Directions::expand(&extract(gate.as_bytes(), psk.as_bytes()), "punch")
}

impl Punch {
    /// Sealed for the wire.
    pub(crate) fn seal(self, key: &Secret32) -> [u8; LEN] {
        sealed::seal(key, &self.body())
    }

    /// Sealed with a given first byte, whose fixed bit does not count, and a given nonce.
    #[cfg(test)]
    pub(crate) fn seal_with(
        self,
        key: &Secret32,
        first: [u8; 1],
        nonce: [u8; sealed::NONCE_LEN],
    ) -> [u8; LEN] {
        sealed::seal_with(key, first, nonce, &self.body())
    }

    /// Opens what came in; `None` unless it was sealed under this key.
    pub(crate) fn open(key: &Secret32, datagram: &[u8]) -> Option<Self> {
        sealed::open::<LEN, _>(key, datagram, Self::read)
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (kind, body) = body.split_first()?;
        let (number, body) = body.split_first_chunk::<NUMBER_LEN>()?;
        let (ip, body) = body.split_first_chunk::<16>()?;
        let (port, _) = body.split_first_chunk::<2>()?;
        let number = u64::from_be_bytes(*number);
        match *kind {
            ASK => Some(Self::Ask(number)),
            ANSWER => {
                let ip = IpAddr::V6(Ipv6Addr::from(*ip)).to_canonical();
                Some(Self::Answer(number, SocketAddr::new(ip, u16::from_be_bytes(*port))))
            }
            _ => None,
        }
    }

    fn body(self) -> [u8; BODY_LEN] {
        let (kind, number, seen) = match self {
            Self::Ask(number) => (ASK, number, (Ipv6Addr::UNSPECIFIED, 0)),
            Self::Answer(number, seen) => match seen.ip() {
                IpAddr::V4(ip) => (ANSWER, number, (ip.to_ipv6_mapped(), seen.port())),
                IpAddr::V6(ip) => (ANSWER, number, (ip, seen.port())),
            },
        };
        let (ip, port) = (seen.0.octets(), seen.1.to_be_bytes());
        let said = [&[kind][..], &number.to_be_bytes(), &ip, &port].concat();
        let mut body = [0; BODY_LEN];
        body.iter_mut().zip(said).for_each(|(to, byte)| *to = byte);
        body
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::probe;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_probe_is_read_by_whoever_has_the_key() {
        let keys = keys(&[3; 32].into(), &[4; 32].into());
        let (v4, v6) = (at("192.0.2.1:65535"), at("[2001:db8::1]:1"));
        for punch in [Punch::Ask(1), Punch::Answer(u64::MAX, v4), Punch::Answer(0, v6)] {
            let datagram = punch.seal(&keys.initiator);
            assert_eq!(datagram.len(), 64);
            assert!(is_punch(&datagram) && !probe::is_probe(&datagram));
            assert_eq!(Punch::open(&keys.initiator, &datagram), Some(punch));
            assert_eq!(Punch::open(&keys.responder, &datagram), None);
        }
        let one = Punch::Ask(1).seal(&keys.initiator);
        assert_ne!(one, Punch::Ask(1).seal(&keys.initiator), "no two have anything in common");
    }

    #[test]
    fn the_keys_need_both_secrets() {
        let of = |gate: u8, psk: u8| keys(&[gate; 32].into(), &[psk; 32].into());
        let all = [of(3, 4), of(3, 5), of(2, 4), of(4, 3)];
        for (n, one) in all.iter().enumerate() {
            assert!(one.initiator != one.responder);
            assert!(all[n + 1..].iter().all(|other| other.initiator != one.initiator));
        }
    }

    #[test]
    fn a_changed_probe_is_refused() {
        let key = Secret32::from([7; 32]);
        let datagram = Punch::Answer(5, at("192.0.2.1:1")).seal(&key);
        for bit in 0..LEN * 8 {
            let mut changed = datagram;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Punch::open(&key, &changed), None, "bit {bit}");
        }
        assert_eq!(Punch::open(&key, &datagram[1..]), None);
    }

    proptest! {
        #[test]
        fn any_probe_comes_through(number: u64, ip: u128, port: u16, v4: bool, asks: bool, first: u8, nonce: [u8; 12]) {
            let ip = if v4 { IpAddr::V4((ip as u32).into()) } else { IpAddr::V6(ip.into()).to_canonical() };
            let punch = if asks { Punch::Ask(number) } else { Punch::Answer(number, SocketAddr::new(ip, port)) };
            let key = Secret32::from([9; 32]);
            let datagram = punch.seal_with(&key, [first], nonce);
            prop_assert!(is_punch(&datagram));
            prop_assert_eq!(Punch::open(&key, &datagram), Some(punch));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(Punch::open(&Secret32::from([1; 32]), &bytes), None);
        }
    }
}
