//! ML-KEM-768 (FIPS 203) by aws-lc, as snow's "hybrid forward secrecy" wants it.

use aws_lc_rs::kem::{Algorithm, AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use snow::{
    Error,
    types::{Kem, Random},
};

// FIPS 203, table 3, in bytes.
pub(crate) const ENCAPSULATION_KEY_LEN: usize = 1184;
pub(crate) const CIPHERTEXT_LEN: usize = 1088;
const SHARED_SECRET_LEN: usize = 32;

static ALGORITHM: &Algorithm<AlgorithmId> = &ML_KEM_768;

/// The key pair of an initiator; for a responder, what it takes to encapsulate.
#[derive(Default)]
pub(crate) struct MlKem768 {
    pair: Option<(DecapsulationKey, Vec<u8>)>,
    fixed: Option<FixedKem>,
}

/// What the library would draw at random, given by test vectors.
#[derive(Clone, Debug)]
pub(crate) struct FixedKem {
    pub(crate) decapsulation_key: Vec<u8>,
    pub(crate) encapsulation_key: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) shared_secret: [u8; SHARED_SECRET_LEN],
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
impl FixedKem {
    /// A key pair, and what was encapsulated to it.
    pub(crate) fn generate() -> Self {
        let key = DecapsulationKey::generate(ALGORITHM).unwrap();
        let public = key.encapsulation_key().unwrap();
        let (ciphertext, shared_secret) = public.encapsulate().unwrap();
        Self {
            decapsulation_key: key.key_bytes().unwrap().as_ref().to_vec(),
            encapsulation_key: public.key_bytes().unwrap().as_ref().to_vec(),
            ciphertext: ciphertext.as_ref().to_vec(),
            shared_secret: shared_secret.as_ref().try_into().unwrap(),
        }
    }
}

impl MlKem768 {
    pub(crate) fn new(fixed: Option<FixedKem>) -> Self {
        Self { pair: None, fixed }
    }

    fn make_pair(&self) -> Option<(DecapsulationKey, Vec<u8>)> {
        if let Some(fixed) = &self.fixed {
            let key = DecapsulationKey::new(ALGORITHM, &fixed.decapsulation_key).ok()?;
            return Some((key, fixed.encapsulation_key.clone()));
        }
        let key = DecapsulationKey::generate(ALGORITHM).ok()?;
        let public = key.encapsulation_key().ok()?.key_bytes().ok()?.as_ref().to_vec();
        Some((key, public))
    }
}

impl Kem for MlKem768 {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        ENCAPSULATION_KEY_LEN
    }

    fn ciphertext_len(&self) -> usize {
        CIPHERTEXT_LEN
    }

    fn shared_secret_len(&self) -> usize {
        SHARED_SECRET_LEN
    }

    /// The entropy is aws-lc's own, which is the operating system's.
    fn generate(&mut self, _rng: &mut dyn Random) {
        self.pair = self.make_pair();
        // Fails only if there is no entropy or no memory; the trait has no word for it.
        assert!(self.pair.is_some(), "a key pair of ML-KEM-768 can be made");
    }

    fn pubkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[0; ENCAPSULATION_KEY_LEN], |(_, public)| public)
    }

    fn encapsulate(
        &self,
        pubkey: &[u8],
        shared_secret_out: &mut [u8],
        ciphertext_out: &mut [u8],
    ) -> Result<(usize, usize), Error> {
        if let Some(fixed) = &self.fixed {
            put(&fixed.shared_secret, shared_secret_out)?;
            put(&fixed.ciphertext, ciphertext_out)?;
        } else {
            // Refuses a key that is not reduced (FIPS 203, section 7.2).
            let key = EncapsulationKey::new(ALGORITHM, pubkey).map_err(|_| Error::Kem)?;
            let (ciphertext, shared_secret) = key.encapsulate().map_err(|_| Error::Kem)?;
            put(shared_secret.as_ref(), shared_secret_out)?;
            put(ciphertext.as_ref(), ciphertext_out)?;
        }
        Ok((SHARED_SECRET_LEN, CIPHERTEXT_LEN))
    }

    /// A ciphertext that was tampered with gives another secret, and no error (implicit rejection).
    fn decapsulate(&self, ciphertext: &[u8], shared_secret_out: &mut [u8]) -> Result<usize, Error> {
        let (key, _) = self.pair.as_ref().ok_or(Error::Kem)?;
        let shared_secret = key.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| Error::Kem)?;
        put(shared_secret.as_ref(), shared_secret_out)?;
        Ok(SHARED_SECRET_LEN)
    }
}

fn put(bytes: &[u8], out: &mut [u8]) -> Result<(), Error> {
    out.get_mut(..bytes.len()).ok_or(Error::Kem)?.copy_from_slice(bytes);
    Ok(())
}
