//! A value with the signature over its exact bytes.

use std::marker::PhantomData;

use minicbor::{Decode, Encode};

use crate::codec::{self, Malformed};
use crate::crypto::sha256;

/// A value's CBOR and the signature over exactly these bytes, so that fields which a newer version added survive being handed on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Signed<T> {
    #[cbor(n(0), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
    #[cbor(skip)]
    of: PhantomData<T>,
}

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Signed<T> {
    /// Encodes and signs.
    pub(super) fn new(value: &T, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Self {
        let body = codec::encode(value);
        let signature = sign(&body);
        Self { body, signature, of: PhantomData }
    }

    /// The value, whoever signed it.
    pub(super) fn decode(&self, what: &'static str, most: usize) -> Result<T, Malformed> {
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
