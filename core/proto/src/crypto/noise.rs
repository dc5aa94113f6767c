//! The Noise handshakes that travel in records: two messages, the ephemeral key handed in.
//!
//! snow cannot store a handshake, and a restart must not make a second message 1 under the same keys. So the
//! ephemeral key is drawn by the caller, stored with the exact payload before anything is published, and the same
//! state is rebuilt from both.

use snow::params::NoiseParams;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};

use super::Secret;
use super::keys::NoiseKey;

/// Which handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// First contact: `Noise_IKpsk0_25519_ChaChaPoly_SHA256`. Message 1 is 96 bytes longer than its payload, message 2 48.
    Contact,
    /// Friends meet: `Noise_KKpsk0_25519_ChaChaPoly_SHA256`. Both messages are 48 bytes longer than their payloads.
    Meeting,
    /// A guest knocks at a door: `Noise_NKpsk0_25519_ChaChaPoly_SHA256`. Both messages are 48 bytes longer than their payloads; the guest has no key to show.
    Guest,
}

impl Pattern {
    /// Bytes that message 1 adds to its payload.
    pub const fn overhead1(self) -> usize {
        match self {
            Self::Contact => 32 + 48 + 16,
            Self::Meeting | Self::Guest => 32 + 16,
        }
    }

    /// Bytes that message 2 adds to its payload.
    pub const fn overhead2(self) -> usize {
        32 + 16
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Contact => "Noise_IKpsk0_25519_ChaChaPoly_SHA256",
            Self::Meeting => "Noise_KKpsk0_25519_ChaChaPoly_SHA256",
            Self::Guest => "Noise_NKpsk0_25519_ChaChaPoly_SHA256",
        }
    }
}

/// The handshake did not verify: tampered with, not for us, or not under this key. Deliberately without detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handshake does not verify")]
pub struct NoiseError;

/// One handshake under way.
pub struct Handshake(HandshakeState);

impl Handshake {
    /// The side that writes message 1.
    pub fn initiator(
        pattern: Pattern,
        local: &NoiseKey,
        remote: &[u8; 32],
        psk: &Secret,
        prologue: &[u8],
        ephemeral: &Secret,
    ) -> Result<Self, NoiseError> {
        let builder = builder(pattern, Some(local), psk, prologue, ephemeral)?;
        let state = builder.remote_public_key(remote).and_then(Builder::build_initiator);
        state.map(Self).map_err(|_| NoiseError)
    }

    /// The same in [`Pattern::Guest`], where that side has no key of its own.
    pub fn guest(
        remote: &[u8; 32],
        psk: &Secret,
        prologue: &[u8],
        ephemeral: &Secret,
    ) -> Result<Self, NoiseError> {
        let builder = builder(Pattern::Guest, None, psk, prologue, ephemeral)?;
        let state = builder.remote_public_key(remote).and_then(Builder::build_initiator);
        state.map(Self).map_err(|_| NoiseError)
    }

    /// The side that reads message 1. `remote` is known beforehand in [`Pattern::Meeting`], learnt from message 1 in [`Pattern::Contact`], and nobody's in
    /// [`Pattern::Guest`].
    pub fn responder(
        pattern: Pattern,
        local: &NoiseKey,
        remote: Option<&[u8; 32]>,
        psk: &Secret,
        prologue: &[u8],
        ephemeral: &Secret,
    ) -> Result<Self, NoiseError> {
        let mut builder = builder(pattern, Some(local), psk, prologue, ephemeral)?;
        if let Some(remote) = remote {
            builder = builder.remote_public_key(remote).map_err(|_| NoiseError)?;
        }
        builder.build_responder().map(Self).map_err(|_| NoiseError)
    }

    /// The next message, with this payload.
    pub fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let mut message = vec![0; payload.len() + 128];
        let length = self.0.write_message(payload, &mut message).map_err(|_| NoiseError)?;
        message.truncate(length);
        Ok(message)
    }

    /// The payload of the other side's message.
    pub fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let mut payload = vec![0; message.len()];
        let length = self.0.read_message(message, &mut payload).map_err(|_| NoiseError)?;
        payload.truncate(length);
        Ok(payload)
    }

    /// The handshake hash: `h1` after message 1, `h2` after message 2.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.iter_mut().zip(self.0.get_handshake_hash()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// The other side's static key, once it is known.
    pub fn remote(&self) -> Option<[u8; 32]> {
        self.0.get_remote_static().and_then(|key| key.try_into().ok())
    }

    /// `HKDF(raw split, label, h2)`: a secret of this finished handshake. `None` before message 2.
    pub fn secret(&mut self, label: &str) -> Option<Secret> {
        if !self.0.is_handshake_finished() {
            return None;
        }
        let (first, second) = self.0.dangerously_get_raw_split();
        let split = Secret::<64>::new(std::array::from_fn(|i| {
            first.get(i).or_else(|| second.get(i.wrapping_sub(32))).copied().unwrap_or_default()
        }));
        drop((zeroize::Zeroizing::new(first), zeroize::Zeroizing::new(second)));
        Some(super::derive(split.expose(), label, &[&self.hash()]))
    }
}

/// What one static key says to another in a single message: `Noise_K_25519_ChaChaPoly_SHA256`, 48 bytes longer than its payload. Both know each other's key
/// beforehand; nothing is answered, so that whoever gets hold of the recipient's key later reads it.
pub fn seal_one_way(
    local: &NoiseKey,
    remote: &[u8; 32],
    prologue: &[u8],
    ephemeral: &Secret,
    payload: &[u8],
) -> Result<Vec<u8>, NoiseError> {
    write_one_way(one_way(ONE_WAY, local, remote, prologue)?, ephemeral, payload)
}

/// What [`seal_one_way`] made for us of `remote`.
pub fn open_one_way(
    local: &NoiseKey,
    remote: &[u8; 32],
    prologue: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, NoiseError> {
    read_one_way(one_way(ONE_WAY, local, remote, prologue)?, message)
}

/// The same under a secret of the two as well: `Noise_Kpsk0_25519_ChaChaPoly_SHA256`. Whoever gets hold of the recipient's key alone later neither reads nor forges it.
pub fn seal_one_way_psk(
    local: &NoiseKey,
    remote: &[u8; 32],
    psk: &Secret,
    prologue: &[u8],
    ephemeral: &Secret,
    payload: &[u8],
) -> Result<Vec<u8>, NoiseError> {
    let builder = one_way(ONE_WAY_PSK, local, remote, prologue)?.psk(0, psk.expose());
    write_one_way(builder.map_err(|_| NoiseError)?, ephemeral, payload)
}

/// What [`seal_one_way_psk`] made for us of `remote`.
pub fn open_one_way_psk(
    local: &NoiseKey,
    remote: &[u8; 32],
    psk: &Secret,
    prologue: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, NoiseError> {
    let builder = one_way(ONE_WAY_PSK, local, remote, prologue)?.psk(0, psk.expose());
    read_one_way(builder.map_err(|_| NoiseError)?, message)
}

/// Bytes that sealing one way adds to its payload.
pub const ONE_WAY_OVERHEAD: usize = 32 + 16;

fn write_one_way(builder: Builder<'_>, ephemeral: &Secret, payload: &[u8]) -> Result<Vec<u8>, NoiseError> {
    let builder = builder.fixed_ephemeral_key_for_testing_only(ephemeral.expose());
    Handshake(builder.build_initiator().map_err(|_| NoiseError)?).write(payload)
}

fn read_one_way(builder: Builder<'_>, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
    Handshake(builder.build_responder().map_err(|_| NoiseError)?).read(message)
}

fn one_way<'a>(
    name: &str,
    local: &'a NoiseKey,
    remote: &'a [u8; 32],
    prologue: &'a [u8],
) -> Result<Builder<'a>, NoiseError> {
    let params: NoiseParams = name.parse().map_err(|_| NoiseError)?;
    Builder::with_resolver(params, Box::new(WithoutRng))
        .local_private_key(local.secret().expose())
        .and_then(|builder| builder.remote_public_key(remote))
        .and_then(|builder| builder.prologue(prologue))
        .map_err(|_| NoiseError)
}

const ONE_WAY: &str = "Noise_K_25519_ChaChaPoly_SHA256";
const ONE_WAY_PSK: &str = "Noise_Kpsk0_25519_ChaChaPoly_SHA256";

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshake(…)")
    }
}

fn builder<'a>(
    pattern: Pattern,
    local: Option<&'a NoiseKey>,
    psk: &'a Secret,
    prologue: &'a [u8],
    ephemeral: &'a Secret,
) -> Result<Builder<'a>, NoiseError> {
    let params: NoiseParams = pattern.name().parse().map_err(|_| NoiseError)?;
    let mut builder = Builder::with_resolver(params, Box::new(WithoutRng));
    if let Some(local) = local {
        builder = builder.local_private_key(local.secret().expose()).map_err(|_| NoiseError)?;
    }
    builder
        .psk(0, psk.expose())
        .and_then(|builder| builder.prologue(prologue))
        .map(|builder| builder.fixed_ephemeral_key_for_testing_only(ephemeral.expose()))
        .map_err(|_| NoiseError)
}

/// snow's primitives without its source of randomness: the ephemeral key is always handed in, and a handshake that
/// would draw one fails instead.
struct WithoutRng;

impl CryptoResolver for WithoutRng {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(NoRandomness))
    }

    fn resolve_dh(&self, choice: &snow::params::DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &snow::params::HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &snow::params::CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct NoRandomness;

impl Random for NoRandomness {
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), snow::Error> {
        Err(snow::Error::Rng)
    }
}

#[cfg(test)]
mod tests;
