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
//! Each of the four travels in CRYPTO frames as a length in two bytes, big endian, then that many bytes.

use snow::{Builder, HandshakeState};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{
    VERSION,
    agreement::Resolver,
    cipher::{Offer, PacketCipher},
    schedule::LinkSecrets,
};
use crate::{
    Ciphers, Expectation,
    secret::{Secret32, StaticKey},
};

/// The Noise protocol name; hashed first into every transcript.
pub(crate) const PATTERN: &str = "Noise_IKpsk0_25519_ChaChaPoly_SHA256";
/// The largest framed message in bytes. Message 1 must fit one Initial packet of 1200 bytes beside headers and tag.
pub(crate) const MAX_MESSAGE: usize = 1100;

/// Why a handshake went no further. Deliberately coarse: nothing of it is ever told to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the peer's message does not authenticate")]
    Unauthentic,
    #[error("the initiator is not the peer that this gate is for")]
    WrongPeer,
    #[error("a message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    #[error("there is no packet cipher that both sides allow")]
    NoCipher,
    #[error("the Noise library refused its own input")]
    Internal,
}

/// Whom we shake hands with.
pub(crate) struct Parties<'a> {
    pub(crate) local: &'a StaticKey,
    pub(crate) peer: &'a [u8; 32],
    pub(crate) psk: &'a Secret32,
    /// The packet ciphers that this side is willing to use.
    pub(crate) ciphers: Offer,
    /// Fixed only by test vectors.
    pub(crate) ephemeral: Option<&'a [u8; 32]>,
}

impl<'a> Parties<'a> {
    pub(crate) fn new(local: &'a StaticKey, expectation: &'a Expectation, ciphers: Ciphers) -> Self {
        let ciphers = ciphers.into();
        Self { local, peer: &expectation.peer, psk: &expectation.psk, ciphers, ephemeral: None }
    }
}

/// The initiator after it wrote message 1.
pub(crate) struct Initiator {
    state: HandshakeState,
    offer: Offer,
}

impl Initiator {
    /// Writes message 1 around the ciphers on offer and the initiator's transport parameters.
    pub(crate) fn start(parties: &Parties<'_>, parameters: &[u8]) -> Result<(Self, Vec<u8>), HandshakeError> {
        let builder = builder(parties)?.remote_public_key(parties.peer);
        let mut state = builder.and_then(Builder::build_initiator).map_err(|_| HandshakeError::Internal)?;
        let message = write(&mut state, parties.ciphers.byte(), parameters)?;
        Ok((Self { state, offer: parties.ciphers }, message))
    }

    /// Reads message 2; returns the responder's transport parameters and the link's secrets.
    pub(crate) fn finish(mut self, message: &[u8]) -> Result<(Vec<u8>, LinkSecrets), HandshakeError> {
        let (chosen, parameters) = read(&mut self.state, message)?;
        let cipher = self.offer.chosen(chosen).ok_or(HandshakeError::NoCipher)?;
        Ok((parameters, secrets(self.state, cipher)?))
    }
}

/// The responder after it read and verified message 1.
pub(crate) struct Responder {
    state: HandshakeState,
    message: Vec<u8>,
    parameters: Vec<u8>,
    cipher: PacketCipher,
}

impl Responder {
    /// Reads message 1. Whoever passes holds the psk and the expected peer's static key, or replays what that peer
    /// once sent.
    pub(crate) fn receive(parties: &Parties<'_>, message: Vec<u8>) -> Result<Self, HandshakeError> {
        let mut state = builder(parties)?.build_responder().map_err(|_| HandshakeError::Internal)?;
        let (offer, parameters) = read(&mut state, &message)?;
        let initiator = state.get_remote_static().ok_or(HandshakeError::Unauthentic)?;
        if !bool::from(initiator.ct_eq(parties.peer)) {
            return Err(HandshakeError::WrongPeer);
        }
        let cipher = parties.ciphers.choose(Offer::from_byte(offer)).ok_or(HandshakeError::NoCipher)?;
        Ok(Self { state, message, parameters, cipher })
    }

    /// Message 1 as it was read.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The initiator's transport parameters.
    pub(crate) fn parameters(&self) -> &[u8] {
        &self.parameters
    }

    /// Writes message 2 around the cipher chosen and the responder's transport parameters; returns it and the link's
    /// secrets.
    pub(crate) fn reply(mut self, parameters: &[u8]) -> Result<(Vec<u8>, LinkSecrets), HandshakeError> {
        let message = write(&mut self.state, self.cipher.bit(), parameters)?;
        Ok((message, secrets(self.state, self.cipher)?))
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
    let pattern = PATTERN.parse().map_err(|_| HandshakeError::Internal)?;
    let mut builder = Builder::with_resolver(pattern, Box::new(Resolver));
    // snow keeps a reference; the prologue is the same for the life of the process.
    static PROLOGUE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(prologue);
    if let Some(ephemeral) = parties.ephemeral {
        builder = builder.fixed_ephemeral_key_for_testing_only(ephemeral);
    }
    builder
        .prologue(&PROLOGUE)
        .and_then(|b| b.local_private_key(parties.local.secret()))
        .and_then(|b| b.psk(0, parties.psk.as_bytes()))
        .map_err(|_| HandshakeError::Internal)
}

/// A message whose payload is one byte about ciphers, then transport parameters.
fn write(state: &mut HandshakeState, cipher: u8, parameters: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let payload = [&[cipher], parameters].concat();
    let mut message = vec![0; MAX_MESSAGE];
    let length = state.write_message(&payload, &mut message).map_err(|error| match error {
        snow::Error::Input => HandshakeError::TooLong,
        // A low-order key of the peer's is the peer's fault.
        snow::Error::Dh => HandshakeError::Unauthentic,
        _ => HandshakeError::Internal,
    })?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<(u8, Vec<u8>), HandshakeError> {
    if message.len() > MAX_MESSAGE {
        return Err(HandshakeError::TooLong);
    }
    let mut payload = vec![0; MAX_MESSAGE];
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
