//! What a note says: a record, or that records are taken back.
//!
//! ```text
//! offset  bytes  what
//!      0      1  kind: 1 record, 2 taken back
//!      1     16  check: SHA-256 of the kind and everything after the check, the first 16 bytes
//!     17      …  record: id 16 ‖ the record's file, as wayside_bridge::file writes it
//!                taken back: not after, seconds since 1970, 8 bytes big endian ‖ tokens, 16 bytes each
//! ```
//!
//! A record's id is the first 16 bytes of the SHA-256 of a token that its publisher alone knows. Who shows the token published it, whatever the
//! sender of a mail may be.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use wayside_bridge::{Record, Timestamp, file};

const RECORD: u8 = 1;
const TAKEN_BACK: u8 = 2;
const HEADER: usize = 17;
/// The most tokens in one note.
pub(crate) const MOST_TOKENS: usize = 256;

/// What only the publisher of a record knows until it takes it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) [u8; 16]);

impl Token {
    /// The id of its record.
    pub(crate) fn id(&self) -> Id {
        Id(first(&Sha256::digest(self.0)))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").field(&self.id()).finish()
    }
}

/// By what a record's mail is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 16]);

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Record { id: Id, record: Record },
    TakenBack { not_after: Timestamp, tokens: Vec<Token> },
}

impl Note {
    /// Its bytes; `None` where a record is larger than its class allows.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let (kind, body) = match self {
            Self::Record { id, record } => (RECORD, [&id.0[..], &file::encode(record)?.0].concat()),
            Self::TakenBack { not_after, tokens } => {
                let tokens = tokens.iter().flat_map(|token| token.0);
                (TAKEN_BACK, not_after.as_secs().to_be_bytes().into_iter().chain(tokens).collect())
            }
        };
        let mut bytes = vec![kind];
        bytes.extend(check(kind, &body));
        bytes.extend(body);
        Some(bytes)
    }

    /// The note in these bytes; `None` where it is not whole, or none at all.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER)?;
        let (&kind, stored) = header.split_first()?;
        if check(kind, body) != *stored {
            return None;
        }
        match kind {
            RECORD => {
                let (id, contents) = body.split_first_chunk::<16>()?;
                let record = file::decode(&Bytes::copy_from_slice(contents))?.record;
                Some(Self::Record { id: Id(*id), record })
            }
            TAKEN_BACK => {
                let (not_after, tokens) = body.split_first_chunk::<8>()?;
                let (tokens, rest) = tokens.as_chunks::<16>();
                if !rest.is_empty() || tokens.len() > MOST_TOKENS {
                    return None;
                }
                let not_after = Timestamp::from_secs(u64::from_be_bytes(*not_after));
                Some(Self::TakenBack { not_after, tokens: tokens.iter().copied().map(Token).collect() })
            }
            _ => None,
        }
    }
}

fn check(kind: u8, body: &[u8]) -> [u8; 16] {
    first(&Sha256::new().chain_update([kind]).chain_update(body).finalize())
}

/// The first 16 bytes of a digest.
pub(crate) fn first(digest: &[u8]) -> [u8; 16] {
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use wayside_bridge::{Class, Key, Slot};

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let token = Token([7; 16]);
        let slot = Key::Slot(Slot([9; 16]));
        let record = Record::new(slot, Class::Meeting, Timestamp::from_secs(1_800_000_000), vec![1; 376]);
        let taken_back =
            Note::TakenBack { not_after: Timestamp::from_secs(5), tokens: vec![token, Token([8; 16])] };
        for note in [Note::Record { id: token.id(), record }, taken_back] {
            let bytes = note.encode().unwrap();
            assert_eq!(Note::decode(&bytes), Some(note));
            for at in 0..bytes.len() {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1;
                assert_eq!(Note::decode(&wrong), None, "byte {at}");
                assert_eq!(Note::decode(&bytes[..at]), None, "cut at {at}");
            }
        }
        assert!(!format!("{token:?}").contains("7, 7"), "a token is not shown");
    }
}
