//! Somebody in a room, as the service names them.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::place::is_deceptive;

/// Somebody in a room, in the service's notation (`@ann:example.org`, `ann@example.org`). As trustworthy as the service is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(String);

impl Person {
    /// The longest, in bytes: what Matrix allows (appendix 4.2.1 of its specification), and RFC 5321 for mail.
    pub const MAX: usize = 255;

    /// The person of this notation; `None` where it is empty, longer than [`Person::MAX`], holds white space or a character that is not seen, or is `@room`, which
    /// calls everybody in a Matrix room.
    pub fn new(text: &str) -> Option<Self> {
        let sound = (1..=Self::MAX).contains(&text.len())
            && !text.contains(|c: char| c.is_whitespace() || is_deceptive(c))
            && !text.eq_ignore_ascii_case("@room");
        sound.then(|| Self(text.to_owned()))
    }

    /// The notation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> Encode<C> for Person {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Person {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a person"))
    }
}
