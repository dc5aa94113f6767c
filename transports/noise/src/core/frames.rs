//! Messages behind their length, as they travel in CRYPTO frames.

use super::handshake::HandshakeError;

/// Collects CRYPTO bytes, which arrive in any chunks, into framed messages of at most `limit` bytes.
pub(crate) struct Frames {
    limit: usize,
    bytes: Vec<u8>,
}

impl Frames {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new() }
    }

    /// Takes what arrived. Beyond one message of the greatest length nothing is kept: no peer of ours sends it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        if self.bytes.len().saturating_add(bytes.len()) > self.limit + 2 {
            return Err(HandshakeError::TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole message, if it is there.
    pub(crate) fn pop(&mut self) -> Result<Option<Vec<u8>>, HandshakeError> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<2>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > self.limit {
            return Err(HandshakeError::TooLong);
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        let message = message.to_vec();
        self.bytes.drain(..length + 2);
        Ok(Some(message))
    }
}

/// A message with its length before it; for messages of ours, which are short.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    debug_assert!(message.len() <= usize::from(u16::MAX));
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1100;

    #[test]
    fn messages_come_whole_from_any_chunks_and_stay_bounded() {
        let sent = [frame(b"one"), frame(b""), frame(b"two")].concat();
        for chunk in 1..sent.len() {
            let (mut frames, mut got) = (Frames::new(LIMIT), Vec::new());
            for bytes in sent.chunks(chunk) {
                frames.push(bytes).unwrap();
                got.extend(std::iter::from_fn(|| frames.pop().unwrap()));
            }
            assert_eq!(got, [b"one".to_vec(), vec![], b"two".to_vec()]);
        }
        let mut frames = Frames::new(LIMIT);
        assert_eq!(frames.push(&[0; LIMIT + 3]), Err(HandshakeError::TooLong));
        frames.push(&[0xff, 0xff]).unwrap();
        assert_eq!(frames.pop(), Err(HandshakeError::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_collected_without_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8)) {
            let mut frames = Frames::new(LIMIT);
            for chunk in chunks {
                if frames.push(&chunk).is_err() {
                    break;
                }
                while let Ok(Some(message)) = frames.pop() {
                    prop_assert!(message.len() <= LIMIT);
                }
            }
        }
    }
}
