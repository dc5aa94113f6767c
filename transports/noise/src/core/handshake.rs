//! The two Noise messages, and the two confirmations that close the handshake.
//!
//! ```text
//! <- s
//! -> psk, e, es, s, ss   {ciphers on offer, initiator's transport parameters}     Initial space
//! <- e, ee, se           {the cipher chosen, responder's transport parameters}    Initial space
//! <- confirmation of the responder                             Handshake space
//! -> confirmation of the initiator                             Handshake space
//! ```
//!
//! From a guest, who has no key to show, the two lines are `psk, e, es` and `e, ee` (NKpsk0). With ML-KEM, `e1` follows
//! `es`, and `ekem1` follows `ee`.
//!
//! Each of the four travels in CRYPTO frames as a length in two bytes, big endian, then that many bytes.

use snow::{Builder, HandshakeState};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{
    VERSION,
    agreement::Resolver,
    cipher::{Offer, PacketCipher},
    kem::FixedKem,
    schedule::LinkSecrets,
    suite::{Pattern, Suite},
};
use crate::{
    Ciphers, Expectation, Whom,
    secret::{Secret32, StaticKey},
};

/// Why a handshake went no further. Deliberately coarse: nothing of it is ever told to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the peer's message does not authenticate")]
    Unauthentic,
    #[error("the initiator is not the peer that this gate is for")]
    WrongPeer,
    #[error("a message is too long")]
    TooLong,
    #[error("there is no packet cipher that both sides allow")]
    NoCipher,
    #[error("the Noise library refused its own input")]
    Internal,
}

/// Who shakes hands with whom, and how.
pub(crate) struct Parties<'a> {
    pub(crate) suite: Suite,
    /// A guest has none.
    pub(crate) local: Option<&'a StaticKey>,
    /// An initiator knows its peer; a responder lets in this device only, or whoever has the psk.
    pub(crate) peer: Option<&'a [u8; 32]>,
    pub(crate) psk: &'a Secret32,
    /// The packet ciphers that this side is willing to use.
    pub(crate) ciphers: Offer,
    pub(crate) fixed: Option<Fixed<'a>>,
}

/// What is otherwise drawn at random, given by test vectors.
#[derive(Clone, Copy)]
pub(crate) struct Fixed<'a> {
    pub(crate) ephemeral: &'a [u8; 32],
    pub(crate) kem: Option<&'a FixedKem>,
}

impl<'a> Parties<'a> {
    /// As client; `None` where the expectation names nobody to dial.
    pub(crate) fn dialling(local: &'a StaticKey, e: &'a Expectation, ciphers: Ciphers) -> Option<Self> {
        let (local, peer) = match &e.whom {
            Whom::Device(peer) => (Some(local), Some(peer)),
            Whom::Host(peer) => (None, Some(peer)),
            Whom::Anyone | Whom::Guests(_) => return None,
        };
        let (suite, ciphers) = (Suite::of(e), ciphers.into());
        Some(Self { suite, local, peer, psk: &e.psk, ciphers, fixed: None })
    }

    /// As server; `None` where the expectation is only to be dialled.
    pub(crate) fn expecting(local: &'a StaticKey, e: &'a Expectation, ciphers: Ciphers) -> Option<Self> {
        let (local, peer) = match &e.whom {
            Whom::Device(peer) => (local, Some(peer)),
            Whom::Anyone => (local, None),
            Whom::Guests(local) => (local, None),
            Whom::Host(_) => return None,
        };
        let (suite, ciphers) = (Suite::of(e), ciphers.into());
        Some(Self { suite, local: Some(local), peer, psk: &e.psk, ciphers, fixed: None })
    }
}

/// Who turned out to be at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A device, by its static key.
    Device([u8; 32]),
    /// A guest, by the ephemeral key that it made for this handshake.
    Guest([u8; 32]),
}

/// The initiator after it wrote message 1.
pub(crate) struct Initiator {
    /// Some kilobytes, which nothing that outlives the handshake is to have room for.
    state: Box<HandshakeState>,
    suite: Suite,
    peer: [u8; 32],
    offer: Offer,
}

impl Initiator {
    /// Writes message 1 around the ciphers on offer and the initiator's transport parameters.
    pub(crate) fn start(parties: &Parties<'_>, parameters: &[u8]) -> Result<(Self, Vec<u8>), HandshakeError> {
        let peer = *parties.peer.ok_or(HandshakeError::Internal)?;
        let builder = builder(parties)?.remote_public_key(&peer);
        let mut state = builder.and_then(Builder::build_initiator).map_err(|_| HandshakeError::Internal)?;
        let message = write(&mut state, parties.suite, parties.ciphers.byte(), parameters)?;
        let state = Box::new(state);
        Ok((Self { state, suite: parties.suite, peer, offer: parties.ciphers }, message))
    }

    /// Whom message 1 is for.
    pub(crate) fn peer(&self) -> Peer {
        Peer::Device(self.peer)
    }

    /// Reads message 2; returns the responder's transport parameters and the link's secrets.
    pub(crate) fn finish(mut self, message: &[u8]) -> Result<(Vec<u8>, LinkSecrets), HandshakeError> {
        let (chosen, parameters) = read(&mut self.state, self.suite, message)?;
        let cipher = self.offer.chosen(chosen).ok_or(HandshakeError::NoCipher)?;
        Ok((parameters, secrets(*self.state, cipher)?))
    }
}

/// The responder after it read and verified message 1.
pub(crate) struct Responder {
    state: Box<HandshakeState>,
    suite: Suite,
    message: Vec<u8>,
    parameters: Vec<u8>,
    peer: Peer,
    cipher: PacketCipher,
}

impl Responder {
    /// Reads message 1. Whoever passes holds the psk and, between devices, the static key that it shows, or replays what
    /// such a one once sent.
    pub(crate) fn receive(parties: &Parties<'_>, message: Vec<u8>) -> Result<Self, HandshakeError> {
        let mut state = builder(parties)?.build_responder().map_err(|_| HandshakeError::Internal)?;
        let (offer, parameters) = read(&mut state, parties.suite, &message)?;
        let peer = match parties.suite.pattern {
            Pattern::Ik => Peer::Device(key(state.get_remote_static())?),
            Pattern::Nk => Peer::Guest(key(message.get(..32))?),
        };
        if let (Some(expected), Peer::Device(shown)) = (parties.peer, &peer)
            && !bool::from(shown.ct_eq(expected))
        {
            return Err(HandshakeError::WrongPeer);
        }
        let cipher = parties.ciphers.choose(Offer::from_byte(offer)).ok_or(HandshakeError::NoCipher)?;
        Ok(Self { state: Box::new(state), suite: parties.suite, message, parameters, peer, cipher })
    }

    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// Message 1 as it was read.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Who sent it.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The initiator's transport parameters.
    pub(crate) fn parameters(&self) -> &[u8] {
        &self.parameters
    }

    /// Writes message 2 around the cipher chosen and the responder's transport parameters; returns it and the link's
    /// secrets.
    pub(crate) fn reply(mut self, parameters: &[u8]) -> Result<(Vec<u8>, LinkSecrets), HandshakeError> {
        let message = write(&mut self.state, self.suite, self.cipher.bit(), parameters)?;
        Ok((message, secrets(*self.state, self.cipher)?))
    }
}

/// Verifies a confirmation in constant time.
pub(crate) fn confirms(expected: &Secret32, message: &[u8]) -> bool {
    expected.as_bytes().ct_eq(message).into()
}

/// "wayside link", then the QUIC version, which names the suite: what both must agree on before message 1.
pub(crate) fn prologue() -> Vec<u8> {
    [b"wayside link".as_slice(), &VERSION.to_be_bytes()].concat()
}

fn builder<'a>(parties: &Parties<'a>) -> Result<Builder<'a>, HandshakeError> {
    let fixed_kem = parties.fixed.and_then(|fixed| fixed.kem.cloned());
    let resolver = Box::new(Resolver { fixed_kem, local: parties.local.cloned() });
    let mut builder = Builder::with_resolver(parties.suite.params(), resolver);
    // snow keeps a reference; the prologue is the same for the life of the process.
    static PROLOGUE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(prologue);
    if let Some(fixed) = parties.fixed {
        builder = builder.fixed_ephemeral_key_for_testing_only(fixed.ephemeral);
    }
    let builder = builder.prologue(&PROLOGUE).and_then(|b| b.psk(0, parties.psk.as_bytes()));
    match parties.local {
        Some(local) => builder.and_then(|b| b.local_private_key(local.secret())),
        None => builder,
    }
    .map_err(|_| HandshakeError::Internal)
}

fn key(bytes: Option<&[u8]>) -> Result<[u8; 32], HandshakeError> {
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(HandshakeError::Unauthentic)
}

/// A message whose payload is one byte about ciphers, then transport parameters.
fn write(
    state: &mut HandshakeState,
    suite: Suite,
    cipher: u8,
    parameters: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    let payload = [&[cipher], parameters].concat();
    let mut message = vec![0; suite.max_message()];
    let length = state.write_message(&payload, &mut message).map_err(|error| match error {
        snow::Error::Input => HandshakeError::TooLong,
        // A low-order key of the peer's is the peer's fault, and so is one that is none of ML-KEM.
        snow::Error::Dh | snow::Error::Kem => HandshakeError::Unauthentic,
        _ => HandshakeError::Internal,
    })?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, suite: Suite, message: &[u8]) -> Result<(u8, Vec<u8>), HandshakeError> {
    if message.len() > suite.max_message() {
        return Err(HandshakeError::TooLong);
    }
    let mut payload = vec![0; message.len()];
    let length = state.read_message(message, &mut payload).map_err(|_| HandshakeError::Unauthentic)?;
    let (cipher, parameters) =
        payload.get(..length).and_then(<[u8]>::split_first).ok_or(HandshakeError::NoCipher)?;
    Ok((*cipher, parameters.to_vec()))
}

fn secrets(mut state: HandshakeState, cipher: PacketCipher) -> Result<LinkSecrets, HandshakeError> {
    let hash = state.get_handshake_hash().try_into().map_err(|_| HandshakeError::Internal)?;
    let (mut initiator, mut responder) = state.dangerously_get_raw_split();
    let split = Zeroizing::new([initiator, responder]);
    initiator.zeroize();
    responder.zeroize();
    Ok(LinkSecrets::derive(cipher, &hash, &split))
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
