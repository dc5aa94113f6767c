//! How somebody may be reached: its candidates, and what is known of the NAT in front of it. What a welcome says of where to ask for that.

mod relays;

use std::fmt;
use std::net::SocketAddr;

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

pub use relays::{RelayTag, RelayTags};

use crate::place::{Candidates, address_bytes, address_from, reachable};

/// What one side tells the other of how it may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Where.
    pub candidates: Candidates,
    /// What is in front of it.
    pub nat: NatReport,
}

impl Reach {
    /// These candidates, behind nobody knows what.
    pub fn of(candidates: Candidates) -> Self {
        Self { candidates, nat: NatReport::default() }
    }

    /// Without what would not be said anyway, so that two that say the same are equal.
    pub(crate) fn bounded(mut self) -> Self {
        self.nat.attestations.retain_mut(Attestation::make_canonical);
        self.nat.attestations.truncate(NatReport::MOST_ATTESTATIONS);
        self
    }
}

/// What is known of the address translation in front of a machine. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatReport {
    /// Which external ports it gives.
    pub mapping: Mapping,
    /// Whom it lets in.
    pub filtering: Filtering,
    /// Who can confirm where the machine is; of more than [`NatReport::MOST_ATTESTATIONS`] the first are said.
    pub attestations: Vec<Attestation>,
}

impl NatReport {
    /// The most attestations in one report.
    pub const MOST_ATTESTATIONS: usize = 2;

    /// This with its first few attestations.
    pub(crate) fn with_attestations(&self, most: usize) -> Self {
        let attestations = self.attestations.iter().take(most).copied().collect();
        Self { mapping: self.mapping, filtering: self.filtering, attestations }
    }
}

/// Which external port the packets of one socket get (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Nobody has measured it.
    #[default]
    Unknown,
    /// There is no translation: the machine has its public address itself.
    None,
    /// The same one towards everybody.
    Independent,
    /// Another one towards each destination, one after the other.
    Sequential {
        /// The one that was given last, as far as is known.
        last: u16,
        /// From one to the next; not zero.
        step: i16,
    },
    /// Another one towards each destination, and nobody can tell which.
    Random,
}

/// Whose packets a mapping lets in (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filtering {
    /// Nobody has measured it.
    #[default]
    Unknown,
    /// Everybody's.
    EndpointIndependent,
    /// Those from addresses that something was sent to.
    AddressDependent,
    /// Those from addresses and ports that something was sent to.
    AddressAndPortDependent,
}

/// Somebody's word that a machine was seen at its address lately: whoever knows `by` too can ask there whether it is true.
///
/// Attack input: `by` is compared with addresses that one knows oneself, and nothing is ever sent to it because it stands here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attestation {
    /// Where the witness answers.
    pub by: SocketAddr,
    /// What only the witness can make and check.
    pub mac: [u8; 8],
}

impl fmt::Debug for Attestation {
    /// Whoever has the MAC can show it as its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attestation").field("by", &self.by).finish_non_exhaustive()
    }
}

impl Attestation {
    /// The canonical form of `by`. `false` where nobody is there.
    fn make_canonical(&mut self) -> bool {
        let canonical = reachable(self.by);
        self.by = canonical.unwrap_or(self.by);
        canonical.is_some()
    }
}

/// A friend of the inviter's who tells a newcomer how it is seen from outside (STUN, RFC 8489).
#[derive(Clone, PartialEq, Eq)]
pub struct Reflector {
    /// Where it answers: at most [`Reflector::MOST_ADDRESSES`] are said.
    pub addresses: Vec<SocketAddr>,
    /// What it answers to.
    pub token: [u8; 8],
}

impl fmt::Debug for Reflector {
    /// Whoever has the token is answered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reflector").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Reflector {
    /// The most addresses of one reflector: one of each family.
    pub const MOST_ADDRESSES: usize = 2;
    /// The most reflectors in one welcome.
    pub const MOST: usize = 2;

    /// Without addresses at which nobody is; `None` where none is left.
    fn bounded(mut self) -> Option<Self> {
        self.addresses =
            self.addresses.into_iter().filter_map(reachable).take(Self::MOST_ADDRESSES).collect();
        (!self.addresses.is_empty()).then_some(self)
    }
}

/// At most [`Reflector::MOST`] reflectors, as a welcome names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reflectors(Vec<Reflector>);

impl Reflectors {
    /// The first [`Reflector::MOST`] of these that can be asked at all.
    pub fn new(reflectors: impl IntoIterator<Item = Reflector>) -> Self {
        Self(reflectors.into_iter().filter_map(Reflector::bounded).take(Reflector::MOST).collect())
    }

    /// In the order to ask them.
    pub fn into_vec(self) -> Vec<Reflector> {
        self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self, most: usize) -> Self {
        Self(self.0.iter().take(most).cloned().collect())
    }
}

// ---- bytes
//
// nat         = [mapping, [* attestation]] / null, where nothing is known
// mapping     = 0 / 1 / 2 / [3, last, step] / 4
// attestation = bytes: mac 8, address
// reflector   = [token: bytes, [1*2 address]]
// address     = bytes: IPv4 4 or IPv6 16, port 2

impl<C> Encode<C> for NatReport {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        if *self == Self::default() {
            return e.null()?.ok();
        }
        e.array(if self.filtering == Filtering::Unknown { 2 } else { 3 })?;
        match self.mapping {
            Mapping::Unknown => e.u8(0)?,
            Mapping::None => e.u8(1)?,
            Mapping::Independent => e.u8(2)?,
            Mapping::Sequential { last, step } => e.array(3)?.u8(3)?.u16(last)?.i16(step)?,
            Mapping::Random => e.u8(4)?,
        };
        let attestations = self.attestations.iter().take(Self::MOST_ATTESTATIONS);
        e.array(attestations.len() as u64)?;
        for Attestation { by, mac } in attestations {
            e.bytes(&[&mac[..], &address_bytes(*by)].concat())?;
        }
        match self.filtering {
            Filtering::Unknown => {}
            Filtering::EndpointIndependent => drop(e.u8(1)?),
            Filtering::AddressDependent => drop(e.u8(2)?),
            Filtering::AddressAndPortDependent => drop(e.u8(3)?),
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        *self == Self::default()
    }
}

impl<'b, C> Decode<'b, C> for NatReport {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::default());
        }
        let wrong = || decode::Error::message("not a report of a NAT");
        let fields = d.array()?.ok_or_else(wrong)?;
        let mut report = Self::default();
        for field in 0..fields {
            match field {
                0 => report.mapping = mapping(d)?,
                1 => report.attestations = attestations(d)?,
                2 => report.filtering = filtering(d)?,
                _ => d.skip()?,
            }
        }
        Ok(report)
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

/// What this version does not know is as good as not measured.
fn filtering(d: &mut Decoder<'_>) -> Result<Filtering, decode::Error> {
    Ok(match d.u64()? {
        1 => Filtering::EndpointIndependent,
        2 => Filtering::AddressDependent,
        3 => Filtering::AddressAndPortDependent,
        _ => Filtering::Unknown,
    })
}

/// What this version does not know is as good as not measured.
fn mapping(d: &mut Decoder<'_>) -> Result<Mapping, decode::Error> {
    if d.datatype()? != Type::Array {
        return Ok(match d.u64()? {
            1 => Mapping::None,
            2 => Mapping::Independent,
            4 => Mapping::Random,
            _ => Mapping::Unknown,
        });
    }
    let wrong = || decode::Error::message("not a mapping");
    let fields = d.array()?.filter(|fields| *fields > 0).ok_or_else(wrong)?;
    let number = d.u64()?;
    let mut left = fields - 1;
    let mut mapping = Mapping::Unknown;
    if number == 3 {
        left = left.checked_sub(2).ok_or_else(wrong)?;
        let (last, step) = (d.u16()?, d.i16()?);
        if step != 0 {
            mapping = Mapping::Sequential { last, step };
        }
    }
    for _ in 0..left {
        d.skip()?;
    }
    Ok(mapping)
}

fn attestations(d: &mut Decoder<'_>) -> Result<Vec<Attestation>, decode::Error> {
    let wrong = || decode::Error::message("not a list of attestations");
    let count = d.array()?.filter(|count| *count <= NatReport::MOST_ATTESTATIONS as u64).ok_or_else(wrong)?;
    let mut attestations = Vec::new();
    for _ in 0..count {
        let (mac, by) = d.bytes()?.split_first_chunk::<8>().ok_or_else(wrong)?;
        attestations.push(Attestation { by: address_from(by).ok_or_else(wrong)?, mac: *mac });
    }
    Ok(attestations)
}

impl<C> Encode<C> for Reflectors {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        if self.is_empty() {
            return e.null()?.ok();
        }
        e.array(self.0.len() as u64)?;
        for Reflector { addresses, token } in &self.0 {
            e.array(2)?.bytes(token)?.array(addresses.len() as u64)?;
            for address in addresses {
                e.bytes(&address_bytes(*address))?;
            }
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        self.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Reflectors {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::default());
        }
        let wrong = || decode::Error::message("not a list of reflectors");
        let count = d.array()?.filter(|count| *count <= Reflector::MOST as u64).ok_or_else(wrong)?;
        let mut reflectors = Vec::new();
        for _ in 0..count {
            let later = d.array()?.and_then(|fields| fields.checked_sub(2)).ok_or_else(wrong)?;
            let token = d.bytes()?.try_into().map_err(|_| wrong())?;
            let known = 1..=Reflector::MOST_ADDRESSES as u64;
            let count = d.array()?.filter(|count| known.contains(count)).ok_or_else(wrong)?;
            let mut addresses = Vec::new();
            for _ in 0..count {
                addresses.push(address_from(d.bytes()?).ok_or_else(wrong)?);
            }
            for _ in 0..later {
                d.skip()?;
            }
            reflectors.push(Reflector { addresses, token });
        }
        Ok(Self(reflectors))
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
mod tests;
