//! Connection ids, and what QUIC keeps for resets and Retry, neither of which our links have.

use aws_lc_rs::hmac;
use noq_proto::{
    ConnectionId, ConnectionIdGenerator, InvalidCid,
    crypto::{CryptoError, HandshakeTokenKey, HmacKey},
};

use crate::{
    core::{GATE_ID_LEN, agreement::fill_random, gate_keys::GateKeys},
    gate::{LOCAL_ID_LEN, OwnIds},
};

impl ConnectionIdGenerator for OwnIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.mint())
    }

    /// Always refuses: noq asks only about packets to ids it does not know, and would answer them with a stateless
    /// reset. That must not happen, whoever sent them.
    fn validate(&self, _id: ConnectionId) -> Result<(), InvalidCid> {
        Err(InvalidCid)
    }

    fn cid_len(&self) -> usize {
        LOCAL_ID_LEN
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

/// A first destination id for noq's client.
pub(crate) fn first_id(keys: &GateKeys) -> ConnectionId {
    let id: [u8; GATE_ID_LEN] = keys.mint();
    ConnectionId::new(&id)
}

/// The key of stateless reset tokens, which noq wants and we never send in earnest; random for the process.
pub(crate) struct ResetKey(hmac::Key);

impl ResetKey {
    pub(crate) fn random() -> Self {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        fill_random(&mut *bytes);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &*bytes))
    }
}

impl ResetKey {
    #[cfg(feature = "quinn")]
    pub(crate) fn key(&self) -> &hmac::Key {
        &self.0
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let tag = hmac::sign(&self.0, data);
        signature_out.iter_mut().zip(tag.as_ref()).for_each(|(out, byte)| *out = *byte);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        hmac::verify(&self.0, data, signature).map_err(|_| CryptoError)
    }
}

/// Neither Retry nor address tokens exist on our links.
pub(crate) struct NoTokens;

impl HandshakeTokenKey for NoTokens {
    fn seal(&self, _nonce: u128, _data: &mut Vec<u8>) -> Result<(), CryptoError> {
        Err(CryptoError)
    }

    fn open<'a>(&self, _nonce: u128, _data: &'a mut [u8]) -> Result<&'a [u8], CryptoError> {
        Err(CryptoError)
    }
}
