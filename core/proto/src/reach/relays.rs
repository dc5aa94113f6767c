//! Relays: how one is named to somebody who may be able to use it too, and which of them both sides can use.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::crypto::keys::DeviceId;
use crate::crypto::{Secret, derive};

/// A relay's name in one handshake. Whoever knows the relay's device and the handshake's psk recognises it; to everybody else it is six random bytes, and in the
/// next meeting it is others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayTag(pub [u8; RelayTag::LENGTH]);

impl RelayTag {
    /// Bytes of one: with three tags on one side and eight relays on the other, two relays are taken for one once in 10^13 meetings, and then a circuit is
    /// asked for in vain.
    pub const LENGTH: usize = 6;

    /// What this relay is called under this key: the handshake's psk, or in an update the meeting's secret.
    pub fn of(key: &Secret, relay: &DeviceId) -> Self {
        Self(*derive(key.expose(), "relay", &[&relay.0]).expose())
    }
}

/// At most [`RelayTags::MOST`] relays that the sender can use, the preferred first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayTags(Vec<RelayTag>);

impl RelayTags {
    /// The most in one message.
    pub const MOST: usize = 3;

    /// The first [`RelayTags::MOST`] of these relays.
    pub fn of<'a>(key: &Secret, relays: impl IntoIterator<Item = &'a DeviceId>) -> Self {
        Self(relays.into_iter().take(Self::MOST).map(|relay| RelayTag::of(key, relay)).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At which place this relay is named, from 0.
    pub fn position(&self, key: &Secret, relay: &DeviceId) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let tag = RelayTag::of(key, relay);
        self.0.iter().position(|named| *named == tag)
    }

    /// Those of the relays that we named which the peer named too, its tags being under this key. The order is by the sum of the places in both lists, and where
    /// that is the same by the device's id: both sides get the same list.
    pub fn in_common(&self, key: &Secret, told: &[DeviceId]) -> Vec<DeviceId> {
        let places = told.iter().enumerate();
        let mut common: Vec<_> =
            places.filter_map(|(at, relay)| Some((at + self.position(key, relay)?, *relay))).collect();
        common.sort();
        common.into_iter().map(|(_, relay)| relay).collect()
    }
}

// ---- bytes
//
// relays = [1*3 bytes: tag 6] / null, where there are none

impl<C> Encode<C> for RelayTags {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        if self.is_empty() {
            return e.null()?.ok();
        }
        e.array(self.0.len() as u64)?;
        for RelayTag(tag) in &self.0 {
            e.bytes(tag)?;
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        self.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for RelayTags {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::default());
        }
        let wrong = || decode::Error::message("not a list of relays");
        let count = d.array()?.filter(|count| *count <= Self::MOST as u64).ok_or_else(wrong)?;
        let mut tags = Vec::new();
        for _ in 0..count {
            tags.push(RelayTag(d.bytes()?.try_into().map_err(|_| wrong())?));
        }
        Ok(Self(tags))
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
#[path = "relays_tests.rs"]
mod tests;
