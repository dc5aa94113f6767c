//! What snow is built from: X25519, ML-KEM and entropy by aws-lc, ChaCha20-Poly1305 and SHA-256 by snow's own choice.
//!
//! aws-lc's X25519 halves the time of a handshake against curve25519-dalek (measured in the study that led here).

use std::sync::Arc;

use aws_lc_rs::{
    agreement::{UnparsedPublicKey, X25519, agree},
    rand,
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice, KemChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Kem, Random},
};

use subtle::ConstantTimeEq;

use super::kem::{FixedKem, MlKem768};
use crate::secret::{KeyPair, Secret32, StaticKey};

/// Resolves the primitives of the protocols that this crate speaks.
pub(crate) struct Resolver {
    pub(crate) fixed_kem: Option<FixedKem>,
    /// Our static key, which snow hands over as bytes: made once, not for every handshake.
    pub(crate) local: Option<StaticKey>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SystemRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let known = self.local.as_ref().map(StaticKey::pair);
        let dh = || Box::new(X25519Pair { known, pair: None }) as Box<dyn Dh>;
        matches!(choice, DHChoice::Curve25519).then(dh)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }

    /// The choice has but one value, which stands for ours: see [`Suite`](super::suite::Suite).
    fn resolve_kem(&self, _choice: &KemChoice) -> Option<Box<dyn Kem>> {
        Some(Box::new(MlKem768::new(self.fixed_kem.clone())))
    }
}

/// Fills `bytes` from the operating system's generator.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    // Fails only if the operating system has no entropy source; nothing secret can be made then.
    assert!(rand::fill(bytes).is_ok(), "the operating system gives no entropy");
}

struct SystemRandom;

impl Random for SystemRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        rand::fill(dest).map_err(|_| Error::Rng)
    }
}

struct X25519Pair {
    known: Option<Arc<KeyPair>>,
    pair: Option<Arc<KeyPair>>,
}

impl Dh for X25519Pair {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, privkey: &[u8]) {
        let known = self.known.take().filter(|known| {
            let same: bool = known.secret.as_bytes().ct_eq(privkey).into();
            same
        });
        self.pair = known.or_else(|| {
            let bytes: &[u8; 32] = privkey.try_into().ok()?;
            let secret = Secret32::written(|secret| secret.copy_from_slice(bytes));
            KeyPair::new(secret).map(Arc::new)
        });
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *bytes)?;
        self.set(&*bytes);
        self.pair.as_ref().map(|_| ()).ok_or(Error::Dh)
    }

    fn pubkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[0; 32], |pair| &pair.public)
    }

    fn privkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[0; 32], |pair| pair.secret.as_bytes())
    }

    /// Refuses a low-order public key, whose shared secret is all zero (RFC 7748, section 6.1).
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let pair = self.pair.as_ref().ok_or(Error::Dh)?;
        let peer = pubkey.get(..32).ok_or(Error::Dh)?;
        agree(&pair.key, UnparsedPublicKey::new(&X25519, peer), Error::Dh, |shared| {
            out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(shared);
            Ok(())
        })
    }
}
