//! CBOR (RFC 8949) as this protocol writes it: a struct is an array of its fields in the order of their numbers, an enum an array
//! of its number and the array of its fields; definite lengths, shortest integers.
//!
//! Arrays rather than maps because a card has to fit a record of 960 bytes. What a newer version appends to an array is skipped.
//! The reader is not strict about the form: whatever is signed or hashed is kept as the bytes that it came in.

use minicbor::{Decode, Encode};

/// Bytes from outside that are not what they should be. Carries where, never what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed: {why}")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Malformed {
    pub(crate) const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}

/// The bytes of a value.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Writing to a vector cannot fail, and no encoder here has errors of its own.
    minicbor::to_vec(value).unwrap_or_default()
}

/// The value of exactly these bytes: at most `most` of them, none left over.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(
    what: &'static str,
    bytes: &'b [u8],
    most: usize,
) -> Result<T, Malformed> {
    if bytes.len() > most {
        return Err(Malformed::new(what, "too long"));
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| {
        let bound = std::error::Error::source(&error).and_then(|error| error.downcast_ref::<Malformed>());
        bound.cloned().unwrap_or(Malformed::new(what, "not the CBOR that it should be"))
    })?;
    if decoder.position() != bytes.len() {
        return Err(Malformed::new(what, "bytes are left over"));
    }
    Ok(value)
}

/// What a part says of itself while it is decoded, so that it is refused by whoever decodes what it stands in; [`decode`] hands it on.
pub(crate) fn wrong(what: &'static str, why: &'static str) -> minicbor::decode::Error {
    minicbor::decode::Error::custom(Malformed::new(what, why))
}

/// A list of at most `most` members; what is beyond is not read any more.
pub(crate) fn list<'b, C, T: Decode<'b, C>>(
    what: &'static str,
    most: usize,
    d: &mut minicbor::Decoder<'b>,
    ctx: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let mut members = Vec::new();
    for member in d.array_iter_with(ctx)? {
        if members.len() >= most {
            return Err(wrong(what, "too many entries"));
        }
        members.push(member?);
    }
    Ok(members)
}

/// At most `most` bytes.
pub(crate) fn bytes(
    what: &'static str,
    most: usize,
    d: &mut minicbor::Decoder<'_>,
) -> Result<Vec<u8>, minicbor::decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > most { Err(wrong(what, "too long")) } else { Ok(bytes.to_vec()) }
}

/// A text of so many bytes.
pub(crate) fn text(
    what: &'static str,
    lengths: std::ops::RangeInclusive<usize>,
    d: &mut minicbor::Decoder<'_>,
) -> Result<String, minicbor::decode::Error> {
    let text = d.str()?;
    if lengths.contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(wrong(what, "too long or too short"))
    }
}

/// Fails where a list has more members than allowed.
pub(crate) const fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), Malformed> {
    if count > most { Err(Malformed::new(what, "too many entries")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
