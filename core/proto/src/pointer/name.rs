//! The names that pointers are for.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder};

/// A public name: 1 to 64 of `a-z 0-9 - _ .`, not beginning with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointerName(String);

impl PointerName {
    /// The name of the card of whoever a place belongs to, where none is said: `https://alice.example` is hers under this one.
    pub const OWNER: &'static str = "me";

    /// That name.
    pub fn owner() -> Self {
        Self(Self::OWNER.to_owned())
    }

    /// The name, or `None` where it is none.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        let first = *name.as_bytes().first()?;
        (name.len() <= 64 && name.bytes().all(allowed) && !matches!(first, b'.' | b'-'))
            .then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PointerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> Encode<C> for PointerName {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PointerName {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a name"))
    }
}
