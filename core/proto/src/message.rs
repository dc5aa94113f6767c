//! What the sealed records say: the payloads of the four handshake messages.

use minicbor::{Decode, Encode};

use crate::codec::{self, Malformed};
use crate::crypto::envelope::Bucket;
use crate::crypto::noise::Pattern;
use crate::identity::Card;
use crate::place::Candidates;
use crate::reach::{NatReport, Reach, Reflectors, RelayTags};
use crate::time::{Epoch, UnixMillis};

/// What joins, welcomes and refusals, offers, answers and updates have in common.
pub trait Payload: Encode<()> + for<'b> Decode<'b, ()> {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The longest encoding, in bytes: what the larger bucket holds under the handshake's overhead.
    const MAX: usize = Bucket::Large.payload(Pattern::Meeting.overhead2());

    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The payload of these bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode(Self::NAME, bytes, Self::MAX)
    }
}

/// First contact, message 1: who I am and where I can be reached. The device is the handshake's static key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Join {
    /// The joiner's card, verified when decoded: [brief](Card::brief), and with as few places as it takes to fit.
    #[n(0)]
    pub card: CardBytes,
    /// Where to reach the joiner directly.
    #[n(1)]
    pub candidates: Candidates,
    /// The joiner's clock.
    #[n(2)]
    pub sent: UnixMillis,
    /// What is in front of the joiner.
    #[n(3)]
    pub nat: NatReport,
    /// Relays that the joiner can use.
    #[n(4)]
    pub relays: RelayTags,
}

/// First contact, message 2.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is short-lived")]
pub enum Welcome {
    /// You are in.
    #[n(0)]
    Accepted {
        /// The inviter's card, like that in [`Join`].
        #[n(0)]
        card: CardBytes,
        /// The inviter's Noise static key: which of the card's devices made the invite.
        #[cbor(n(1), with = "minicbor::bytes")]
        device: [u8; 32],
        /// That device's signature over the invite's key and this handshake's `h1`: the one-time key speaks for the account.
        #[cbor(n(2), with = "minicbor::bytes")]
        proof: [u8; 64],
        /// Where to reach the inviter directly.
        #[n(3)]
        candidates: Candidates,
        /// The epoch of `K_0`.
        #[n(4)]
        epoch: Epoch,
        /// The inviter's clock.
        #[n(5)]
        sent: UnixMillis,
        /// What is in front of the inviter.
        #[n(6)]
        nat: NatReport,
        /// Who tells the joiner how it is seen from outside, where it has nobody else to ask.
        #[n(7)]
        reflectors: Reflectors,
        /// Relays that the inviter can use.
        #[n(8)]
        relays: RelayTags,
    },
    /// You are not, and why.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

/// Why an invite does not work any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Refusal {
    /// Somebody else used it.
    #[n(0)]
    Used,
    /// It has ended or was withdrawn.
    #[n(1)]
    Expired,
    /// The inviter does not want this account.
    #[n(2)]
    Unwelcome,
}

/// Friends meet, message 1.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// `max(last + 1, unix_ms)`: greater than every earlier one of this pair of devices, against replay.
    #[n(0)]
    pub no: u64,
    /// How long, in seconds, the offerer listens for an answer and a link.
    #[n(1)]
    pub lifetime: u32,
    /// Where to reach the offerer directly.
    #[n(2)]
    pub candidates: Candidates,
    /// The roster's and the status's number, so that the other side sees whether its card is old.
    #[n(3)]
    pub roster_seq: u64,
    /// See `roster_seq`.
    #[n(4)]
    pub status_seq: u64,
    /// What is in front of the offerer.
    #[n(5)]
    pub nat: NatReport,
    /// Relays that the offerer can use.
    #[n(6)]
    pub relays: RelayTags,
}

/// Friends meet, message 2.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// How long, in seconds, the answerer listens for the link.
    #[n(0)]
    pub lifetime: u32,
    /// Where to reach the answerer directly.
    #[n(1)]
    pub candidates: Candidates,
    /// See [`Offer::roster_seq`].
    #[n(2)]
    pub roster_seq: u64,
    /// See [`Offer::roster_seq`].
    #[n(3)]
    pub status_seq: u64,
    /// The answerer's clock.
    #[n(4)]
    pub sent: UnixMillis,
    /// What is in front of the answerer.
    #[n(5)]
    pub nat: NatReport,
    /// Relays that the answerer can use.
    #[n(6)]
    pub relays: RelayTags,
}

/// After a meeting, once a side: what was found out meanwhile of how it is reached. Sealed under the meeting's secret.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Update {
    /// All candidates that hold now.
    #[n(0)]
    pub candidates: Candidates,
    /// What is in front of the sender.
    #[n(1)]
    pub nat: NatReport,
    /// Relays that the sender can use.
    #[n(2)]
    pub relays: RelayTags,
}

/// At a door, both messages: how whoever says it is reached. Witnesses are named by neither, since they would show who one's friends are.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Knock {
    /// Where.
    #[n(0)]
    pub candidates: Candidates,
    /// What is in front of it.
    #[n(1)]
    pub nat: NatReport,
}

impl Knock {
    /// What is told at a door of how one is reached.
    pub fn of(reach: &Reach) -> Self {
        Self { candidates: reach.candidates.clone(), nat: reach.nat.with_attestations(0) }
    }

    /// How whoever said it is reached. A witness that it names is not asked.
    pub fn reach(&self) -> Reach {
        Reach { candidates: self.candidates.clone(), nat: self.nat.with_attestations(0) }
    }
}

impl Join {
    /// How the joiner is reached.
    pub fn reach(&self) -> Reach {
        Reach { candidates: self.candidates.clone(), nat: self.nat.clone() }
    }
}

impl Offer {
    /// How the offerer is reached.
    pub fn reach(&self) -> Reach {
        Reach { candidates: self.candidates.clone(), nat: self.nat.clone() }
    }
}

impl Payload for Join {
    const NAME: &'static str = "a join";
    const MAX: usize = Bucket::Large.payload(Pattern::Contact.overhead1());
}
impl Payload for Welcome {
    const NAME: &'static str = "a welcome";
}
impl Payload for Offer {
    const NAME: &'static str = "an offer";
}
impl Payload for Answer {
    const NAME: &'static str = "an answer";
}
impl Payload for Knock {
    const NAME: &'static str = "a knock";
    const MAX: usize = Bucket::Small.payload(Pattern::Guest.overhead1());
}
impl Payload for Update {
    const NAME: &'static str = "an update";
}

/// A card inside a payload: verified as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardBytes(pub Card);

impl<C> Encode<C> for CardBytes {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CardBytes {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Card::from_bytes(d.bytes()?).map(Self).map_err(|_| minicbor::decode::Error::message("not a card"))
    }
}

#[cfg(test)]
mod tests;
