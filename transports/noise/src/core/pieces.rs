//! Message 1, put together from what CRYPTO frames carried of it.

/// What one CRYPTO frame carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: usize,
    pub(crate) bytes: Vec<u8>,
}

/// A framed message of at most `limit` bytes, as far as it is known.
pub(crate) struct Pieces {
    limit: usize,
    bytes: Vec<u8>,
    known: Vec<bool>,
}

/// How far a message has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Incomplete,
    Whole(Vec<u8>),
    /// It can never become a message.
    Wrong,
}

impl Pieces {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), known: Vec::new() }
    }

    /// Takes what is new of a piece; what is known stays as it came first. Whether anything was new.
    pub(crate) fn add(&mut self, piece: &Piece) -> bool {
        let Some(end) = piece.offset.checked_add(piece.bytes.len()) else { return false };
        if end > self.limit + 2 {
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.known.resize(end, false);
        }
        let mut new = false;
        let places = self.bytes.iter_mut().zip(&mut self.known).skip(piece.offset);
        for ((byte, known), sent) in places.zip(&piece.bytes) {
            if !*known {
                (*byte, *known, new) = (*sent, true, true);
            }
        }
        new
    }

    /// The message's first `N` bytes, once they are there.
    pub(crate) fn start<const N: usize>(&self) -> Option<[u8; N]> {
        self.known.get(..N + 2).filter(|known| known.iter().all(|known| *known))?;
        self.bytes.get(2..N + 2)?.try_into().ok()
    }

    pub(crate) fn progress(&self) -> Progress {
        let [Some(true), Some(true)] = [self.known.first(), self.known.get(1)].map(Option::<&bool>::copied)
        else {
            return Progress::Incomplete;
        };
        let Some((length, message)) = self.bytes.split_first_chunk::<2>() else {
            return Progress::Incomplete;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > self.limit || message.len() > length {
            return Progress::Wrong;
        }
        if message.len() < length || self.known.contains(&false) {
            return Progress::Incomplete;
        }
        Progress::Whole(message.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::frames::frame;

    const LIMIT: usize = 100;

    fn piece(offset: usize, bytes: &[u8]) -> Piece {
        Piece { offset, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_message_is_whole_when_every_byte_is_there_and_not_one_more() {
        let mut pieces = Pieces::new(LIMIT);
        assert_eq!(pieces.progress(), Progress::Incomplete);
        assert!(pieces.add(&piece(3, b"llo")));
        assert!(!pieces.add(&piece(4, b"XX")), "nothing new");
        assert!(pieces.add(&piece(0, &[0])));
        assert_eq!(pieces.progress(), Progress::Incomplete);
        assert!(pieces.add(&piece(0, &[9, 4])), "the first byte stays as it came first");
        assert_eq!(pieces.progress(), Progress::Incomplete);
        assert_eq!(pieces.start::<2>(), None);
        assert!(pieces.add(&piece(2, b"eXX")));
        assert_eq!(pieces.start::<2>(), Some(*b"el"));
        assert_eq!(pieces.progress(), Progress::Whole(b"ello".to_vec()));
        assert!(pieces.add(&piece(6, b"!")));
        assert_eq!(pieces.progress(), Progress::Wrong);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut pieces = Pieces::new(LIMIT);
        assert!(!pieces.add(&piece(LIMIT, &[1; 3])));
        assert!(!pieces.add(&piece(usize::MAX, &[1; 3])));
        assert!(pieces.add(&piece(0, &[0, LIMIT as u8 + 1])));
        assert_eq!(pieces.progress(), Progress::Wrong);
    }

    proptest! {
        #[test]
        fn any_order_and_overlap_of_pieces_comes_to_the_message(
            message in prop::collection::vec(any::<u8>(), 0..LIMIT),
            cuts in prop::collection::vec((0..LIMIT + 2, 0..LIMIT), 0..20),
        ) {
            let framed = frame(&message);
            let mut pieces = Pieces::new(LIMIT);
            for (from, length) in cuts {
                let from = from.min(framed.len());
                let to = (from + length).min(framed.len());
                pieces.add(&piece(from, framed.get(from..to).unwrap_or_default()));
                let progress = pieces.progress();
                prop_assert!(progress == Progress::Incomplete || progress == Progress::Whole(message.clone()));
            }
            pieces.add(&piece(0, &framed));
            prop_assert_eq!(pieces.progress(), Progress::Whole(message));
        }
    }
}
