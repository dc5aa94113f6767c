//! A value with the signature over its exact bytes.

use std::marker::PhantomData;

use minicbor::{Decode, Encode};

use super::DeviceEntry;
use crate::codec::{self, Malformed};
use crate::crypto::sha256;

/// A value's CBOR and the signature over exactly these bytes, so that fields which a newer version added survive being handed on.
///
/// A roster's body names devices by their ids, and their entries travel beside it, all or only some of them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Signed<T> {
    #[cbor(n(0), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
    #[n(2)]
    beside: Vec<DeviceEntry>,
    #[cbor(skip)]
    of: PhantomData<T>,
}

impl<T> Signed<T> {
    /// Encodes and signs.
    pub(super) fn new(value: &impl Encode<()>, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Self {
        let body = codec::encode(value);
        let signature = sign(&body);
        Self { body, signature, beside: Vec::new(), of: PhantomData }
    }

    /// Signs bytes that a newer version might have written.
    #[cfg(test)]
    pub(super) fn of_bytes(body: Vec<u8>, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Self {
        let signature = sign(&body);
        Self { body, signature, beside: Vec::new(), of: PhantomData }
    }

    /// The same with these entries beside it.
    pub(super) fn with(self, beside: Vec<DeviceEntry>) -> Self {
        Self { beside, ..self }
    }

    /// The entries beside it.
    pub(super) fn beside(&self) -> &[DeviceEntry] {
        &self.beside
    }

    /// What was signed, whoever signed it.
    pub(super) fn decode<B: for<'b> Decode<'b, ()>>(
        &self,
        what: &'static str,
        most: usize,
    ) -> Result<B, Malformed> {
        codec::decode(what, &self.body, most)
    }

    /// What was signed.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The signature over it.
    pub(super) const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// SHA-256 of the signed bytes: how the next roster names the one before.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.body])
    }
}
