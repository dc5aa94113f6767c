//! What snow is built from: X25519, ML-KEM and entropy by aws-lc, ChaCha20-Poly1305 and SHA-256 by snow's own choice.
//!
//! aws-lc's X25519 halves the time of a handshake against curve25519-dalek (measured in the study that led here).

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    rand,
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice, KemChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Kem, Random},
};

use super::kem::{FixedKem, MlKem768};
use crate::secret::{Secret32, public_key};

/// Resolves the primitives of the protocols that this crate speaks.
pub(crate) struct Resolver {
    pub(crate) fixed_kem: Option<FixedKem>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SystemRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<X25519Pair>::default() as Box<dyn Dh>)
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

#[derive(Default)]
struct X25519Pair(Option<Pair>);

struct Pair {
    key: PrivateKey,
    secret: Secret32,
    public: [u8; 32],
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
        let pair = |bytes: &[u8; 32]| {
            let key = PrivateKey::from_private_key(&X25519, bytes).ok()?;
            let secret = Secret32::written(|secret| secret.copy_from_slice(bytes));
            Some(Pair { key, public: public_key(bytes)?, secret })
        };
        self.0 = privkey.try_into().ok().and_then(pair);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *bytes)?;
        self.set(&*bytes);
        self.0.as_ref().map(|_| ()).ok_or(Error::Dh)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.as_ref().map_or(&[0; 32], |pair| &pair.public)
    }

    fn privkey(&self) -> &[u8] {
        self.0.as_ref().map_or(&[0; 32], |pair| pair.secret.as_bytes())
    }

    /// Refuses a low-order public key, whose shared secret is all zero (RFC 7748, section 6.1).
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let pair = self.0.as_ref().ok_or(Error::Dh)?;
        let peer = pubkey.get(..32).ok_or(Error::Dh)?;
        agree(&pair.key, UnparsedPublicKey::new(&X25519, peer), Error::Dh, |shared| {
            out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(shared);
            Ok(())
        })
    }
}
