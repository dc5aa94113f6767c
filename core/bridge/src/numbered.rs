//! Cursors for services that have no order of arrival a cursor could rely on.
//!
//! Files carry no dates that can be believed, comments are edited and deleted, mails are moved. So a bridge numbers what it finds in the order in which it
//! *finds* it, and a cursor is such a number: whatever turns up later, however old it claims to be, has a higher one than any cursor given before. The
//! numbers live as long as the bridge; a cursor of another one, or for other keys, means the beginning.

use sha2::{Digest, Sha256};

use crate::{Cursor, Entropy, Key, Keys};

/// One bridge's cursors, told from every other's.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    epoch: [u8; 8],
}

/// Tells what was asked for from other questions, in a cursor's few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question([u8; 8]);

impl Numbered {
    /// Cursors that no bridge has given yet.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut epoch = [0; 8];
        entropy.fill(&mut epoch);
        Self { epoch }
    }

    /// The cursor of somebody who got all of this up to this number.
    pub fn cursor(&self, number: u64, question: Question) -> Option<Cursor> {
        Cursor::new([self.epoch, question.0, number.to_be_bytes()].concat())
    }

    /// The number that a cursor stands for, at most the last one given: zero for one of another bridge, or for another question.
    pub fn number(&self, cursor: Option<&Cursor>, question: Question, last: u64) -> u64 {
        let read = || {
            let (epoch, rest) = cursor?.as_bytes().split_first_chunk::<8>()?;
            let (asked, number) = rest.split_first_chunk::<8>()?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            (*epoch == self.epoch && *asked == question.0 && number <= last).then_some(number)
        };
        read().unwrap_or(0)
    }
}

impl From<&Keys> for Question {
    fn from(keys: &Keys) -> Self {
        let mut digest = Sha256::new();
        match keys {
            Keys::All => digest.update([0]),
            Keys::These(keys) => {
                for key in keys {
                    match key {
                        Key::Slot(slot) => digest.update([&[1], slot.0.as_slice()].concat()),
                        // Names hold no zero byte, so none runs into the next.
                        Key::Name(name) => digest.update([&[2], name.as_bytes(), &[0]].concat()),
                    }
                }
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::{SeededEntropy, Slot};

    #[test]
    fn a_cursor_is_good_for_its_bridge_and_its_question() {
        let entropy = SeededEntropy::new(1);
        let (ours, others) = (Numbered::new(&entropy), Numbered::new(&entropy));
        let all = Question::from(&Keys::All);
        let one = Question::from(&Keys::These([Key::Slot(Slot([1; 16]))].into()));
        let cursor = ours.cursor(7, one);
        assert_eq!(ours.number(cursor.as_ref(), one, 7), 7);
        assert_eq!(ours.number(cursor.as_ref(), all, 7), 0);
        assert_eq!(ours.number(cursor.as_ref(), one, 6), 0, "it is of a number not given yet");
        assert_eq!(others.number(cursor.as_ref(), one, 7), 0);
        assert_eq!(ours.number(Cursor::new(vec![1; 3]).as_ref(), one, 7), 0);
        assert_eq!(ours.number(None, one, 7), 0);
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        let of = |names: &[&str]| {
            Question::from(&Keys::These(names.iter().map(|name| Key::Name((*name).to_owned())).collect()))
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }
}
