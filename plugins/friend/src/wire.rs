//! What goes over a stream: CBOR frames, each behind four bytes of length, with the number of the request that they belong to.

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use minicbor::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wayside_bridge::{Slot, Timestamp};

pub use crate::limits::{MAX_BATCH, MAX_KEYS, MAX_RECORD, WINDOW};

/// The largest frame of a request, in bytes: a watch of [`MAX_KEYS`] keys, 17 bytes each.
pub const MOST_ASKED: usize = 8 * 1024;
/// The largest frame of an answer, in bytes: [`MAX_BATCH`] of the largest records.
pub const MOST_ANSWERED: usize = 64 * 1024;

/// What is asked of a friend.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// Names the request for as long as the stream lives: greater than any before.
    #[n(0)]
    pub number: u64,
    /// What.
    #[n(1)]
    pub what: Request,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Request {
    /// Whether it is there and lets us.
    #[n(0)]
    Probe,
    /// To hold a record.
    #[n(1)]
    Leave(#[n(0)] Note),
    /// What lies under these keys after a position, at most so many records.
    #[n(2)]
    Look {
        /// At most [`MAX_KEYS`].
        #[n(0)]
        keys: Vec<Id>,
        /// From the beginning, where there is none or it is not known.
        #[n(1)]
        after: Option<Position>,
        /// At most [`MAX_BATCH`] come, whatever it says.
        #[n(2)]
        limit: u32,
    },
    /// The same, and what comes later as it comes.
    #[n(3)]
    Watch {
        /// At most [`MAX_KEYS`].
        #[n(0)]
        keys: Vec<Id>,
        /// From the beginning, where there is none or it is not known.
        #[n(1)]
        after: Option<Position>,
    },
    /// A batch of a watch was taken; has no answer. At most [`WINDOW`] are under way.
    #[n(4)]
    Taken(#[n(0)] u64),
    /// A watch is over; has no answer.
    #[n(5)]
    Unwatch(#[n(0)] u64),
    /// To let go of records of ours.
    #[n(6)]
    Retract(#[n(0)] Vec<Position>),
}

/// What a friend says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// The request's.
    #[n(0)]
    pub number: u64,
    /// What.
    #[n(1)]
    pub what: Reply,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Reply {
    /// To a probe: what the friend's clock reads, in seconds of Unix time.
    #[n(0)]
    Here(#[n(0)] u64),
    /// The record is held; what to let go of it by.
    #[n(1)]
    Left(#[n(0)] Position),
    /// Records.
    #[n(2)]
    Batch {
        /// At most [`MAX_BATCH`].
        #[n(0)]
        records: Vec<Note>,
        /// Where to go on.
        #[n(1)]
        position: Position,
        /// Whether there is more after it.
        #[n(2)]
        more: bool,
        /// What the friend's clock reads, in seconds of Unix time.
        #[n(3)]
        time: u64,
    },
    /// They are gone.
    #[n(3)]
    Done,
    /// No.
    #[n(4)]
    Refused {
        /// The number of a [`Reason`](crate::Reason).
        #[n(0)]
        reason: u32,
        /// In how many seconds to ask again.
        #[n(1)]
        retry: Option<u32>,
    },
}

/// A record.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Note {
    /// Its key.
    #[n(0)]
    pub slot: Id,
    /// When anybody may let go of it, in seconds of Unix time.
    #[n(1)]
    pub not_after: u64,
    /// The sealed bytes.
    #[cbor(n(2), with = "sealed")]
    pub bytes: Bytes,
}

impl fmt::Debug for Note {
    /// Tells the length, not the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, not_after, bytes } = self;
        write!(f, "Note({slot:?}, until {not_after}, {} bytes)", bytes.len())
    }
}

impl Note {
    /// When anybody may let go of it.
    pub const fn expires(&self) -> Timestamp {
        Timestamp::from_secs(self.not_after)
    }
}

/// A slot, as it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Id(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Slot(self.0).fmt(f)
    }
}

impl From<Slot> for Id {
    fn from(slot: Slot) -> Self {
        Self(slot.0)
    }
}

impl From<Id> for Slot {
    fn from(id: Id) -> Self {
        Self(id.0)
    }
}

/// A position among a board's records, and what a record is let go of by: which board 8 ‖ number 8. Opaque to whoever is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Position(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

mod sealed {
    use bytes::Bytes;
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};

    pub(super) fn encode<C, W: Write>(
        bytes: &Bytes,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(bytes)?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Bytes, DecodeError> {
        d.bytes().map(Bytes::copy_from_slice)
    }
}

/// What of a stream makes no sense, or ended it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A frame claims to be longer than any.
    #[error("a frame is longer than {most} bytes")]
    TooLong {
        /// As long as one may be.
        most: usize,
    },
    /// A frame holds something else.
    #[error("a frame is not what it should be")]
    Malformed,
    /// The stream failed, or ended within a frame.
    #[error("the stream failed: {0}")]
    Stream(#[from] io::Error),
}

/// Reads frames. A read that is broken off loses nothing.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    most: usize,
    read: BytesMut,
}

/// Read at once: what a length claims is not allocated before it has come.
const PIECE: usize = 4096;
/// The length before each frame, in bytes.
const LENGTH: usize = 4;

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames of at most `most` bytes.
    pub fn new(from: R, most: usize) -> Self {
        Self { from, most, read: BytesMut::new() }
    }

    /// The next value; `None` where the stream ended before it.
    ///
    /// # Errors
    /// Nothing that follows can be read.
    pub async fn next<T: for<'b> Decode<'b, ()>>(&mut self) -> Result<Option<T>, WireError> {
        loop {
            if let Some(frame) = self.whole()? {
                return minicbor::decode(&frame).map(Some).map_err(|_| WireError::Malformed);
            }
            self.read.reserve(PIECE);
            if self.from.read_buf(&mut self.read).await? == 0 {
                return if self.read.is_empty() {
                    Ok(None)
                } else {
                    Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
                };
            }
        }
    }

    /// The next frame, once all of it is there.
    fn whole(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.read.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(WireError::TooLong { most: self.most });
        }
        if self.read.len() < LENGTH.saturating_add(length) {
            return Ok(None);
        }
        self.read.advance(LENGTH);
        Ok(Some(self.read.split_to(length).freeze()))
    }
}

/// Writes a frame.
///
/// # Errors
/// The stream does not take it.
pub async fn write_frame<T: Encode<()>>(to: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    to.write_all(&frame(value)?).await?;
    to.flush().await
}

/// A frame's bytes: one write, so that a small one is one packet.
fn frame<T: Encode<()>>(value: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    minicbor::encode(value, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len().saturating_sub(LENGTH)).map_err(io::Error::other)?;
    if let Some(head) = bytes.first_chunk_mut::<LENGTH>() {
        *head = length.to_be_bytes();
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
