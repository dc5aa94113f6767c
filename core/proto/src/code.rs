//! Spoken codes: `7-crossover-clockwork-amulet`. What two people say to each other in place of a link.
//!
//! A code is a **nameplate**, which says where to look and is no secret, and a few **words**, which are the password of a key exchange ([`exchange`]) from which both derive an
//! [`Invite`](crate::invite::Invite). From there everything is as with any invite.

pub mod exchange;
mod words;

use std::fmt;
use std::str::FromStr;

use rand_core::RngCore;

/// A spoken code. Whoever hears it in time can use it, so it does not print itself in `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    nameplate: u16,
    /// A byte a word.
    words: Vec<u8>,
}

/// The fewest words: 16 bits, for a place whose readers are few.
pub const FEWEST_WORDS: u8 = 2;
/// The most that are read: 32 bits.
pub const MOST_WORDS: u8 = 4;
/// The words of a code for a place that anybody may read: 24 bits.
pub const USUAL_WORDS: u8 = 3;
/// The largest nameplate; the smallest is 1.
pub const LAST_NAMEPLATE: u16 = 999;
/// The longest text that is looked at, in characters.
const LONGEST: usize = 100;

impl Code {
    /// A fresh code of so many words ([`FEWEST_WORDS`] to [`MOST_WORDS`]; what is beyond is cut to that), under a nameplate that is none of `taken`.
    pub fn random(rng: &mut impl RngCore, words: u8, taken: impl Fn(u16) -> bool) -> Self {
        let mut draw = || 1 + u16::try_from(rng.next_u64() % u64::from(LAST_NAMEPLATE)).unwrap_or_default();
        let mut nameplate = draw();
        // There are far fewer codes of our own at once than nameplates.
        while taken(nameplate) {
            nameplate = draw();
        }
        let mut bytes = vec![0; words.clamp(FEWEST_WORDS, MOST_WORDS).into()];
        rng.fill_bytes(&mut bytes);
        Self { nameplate, words: bytes }
    }

    /// Where to look. No secret.
    pub const fn nameplate(&self) -> u16 {
        self.nameplate
    }

    /// What the key exchange goes by: the words as they are written, whatever way they were typed.
    fn password(&self) -> String {
        self.spelt().collect::<Vec<_>>().join("-")
    }

    fn spelt(&self) -> impl Iterator<Item = &'static str> {
        let lists = [&words::THREE, &words::TWO].into_iter().cycle();
        self.words.iter().zip(lists).filter_map(|(byte, list)| list.get(usize::from(*byte)).copied())
    }

    /// Whether a text looks like a code, well typed or not: a nameplate and something behind it.
    pub fn is_like(text: &str) -> bool {
        let mut parts = parts(text);
        parts.next().is_some_and(|first| first.len() <= 3 && first.bytes().all(|b| b.is_ascii_digit()))
            && parts.next().is_some_and(|word| word.bytes().all(|b| b.is_ascii_alphabetic()))
    }

    /// What a shell may complete a code to that was typed so far, in the alphabet's order: each with all that was typed before its last word.
    pub fn completions(typed: &str) -> Vec<String> {
        let Some((before, last)) = typed.rsplit_once('-') else { return Vec::new() };
        let mut parts = before.split('-');
        let number = parts.next().unwrap_or_default();
        let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let before_it: Vec<&str> = parts.collect();
        let are_words =
            before_it.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()));
        if !is_number || !are_words || before_it.len() >= usize::from(MOST_WORDS) || typed.len() > LONGEST {
            return Vec::new();
        }
        let list = if before_it.len().is_multiple_of(2) { &words::THREE } else { &words::TWO };
        let last = last.to_ascii_lowercase();
        let fitting = list.iter().filter(|word| word.starts_with(&last));
        fitting.map(|word| format!("{before}-{word}")).collect()
    }
}

/// A code's parts, by whatever people put between them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '-' | ',' | '.' | '_'))
        .filter(|part| !part.is_empty())
}

impl fmt::Display for Code {
    /// The code itself: a secret. For the person who asked for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.nameplate)?;
        self.spelt().try_for_each(|word| write!(f, "-{word}"))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("nameplate", &self.nameplate).finish_non_exhaustive()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Upper or lower case, with hyphens, spaces, commas or dots between the parts.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        if text.chars().count() > LONGEST || !Self::is_like(text) {
            return Err(CodeError::NotOne);
        }
        let mut parts = parts(text);
        let nameplate = parts.next().and_then(|number| number.parse().ok()).ok_or(CodeError::NotOne)?;
        if !(1..=LAST_NAMEPLATE).contains(&nameplate) {
            return Err(CodeError::NotOne);
        }
        let mut bytes = Vec::new();
        for (number, word) in parts.enumerate() {
            let word = word.to_ascii_lowercase();
            let (list, other) =
                if number % 2 == 0 { (&words::THREE, &words::TWO) } else { (&words::TWO, &words::THREE) };
            let place = |list: &[&str; 256]| list.iter().position(|known| *known == word);
            match place(list).and_then(|at| u8::try_from(at).ok()) {
                Some(byte) => bytes.push(byte),
                None if place(other).is_some() => return Err(CodeError::Order(word)),
                None => return Err(CodeError::Word { like: like(&word, list), word }),
            }
        }
        if !(usize::from(FEWEST_WORDS)..=usize::from(MOST_WORDS)).contains(&bytes.len()) {
            return Err(CodeError::Length(bytes.len()));
        }
        Ok(Self { nameplate, words: bytes })
    }
}

/// The word of a list that is nearest to what was typed, if one is near.
fn like(word: &str, list: &[&'static str; 256]) -> Option<&'static str> {
    let near = list.iter().map(|known| (distance(word, known), *known)).min()?;
    (near.0 <= 2).then_some(near.1)
}

/// How many letters have to be added, left out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut before = i + 1;
        let mut next = vec![before];
        for ((to, left_out), changed) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            before = (before + 1).min(left_out + 1).min(changed + usize::from(from != *to));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Why a text is no code, each with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It does not look like one.
    #[error("this is not a code: one is a number up to 999 and words, such as 7-crossover-clockwork-amulet")]
    NotOne,
    /// A word that is in no code.
    #[error("{word:?} is in no code{}", .like.map(|like| format!(": did you mean {like:?}?")).unwrap_or_default())]
    Word {
        /// What was typed.
        word: String,
        /// What it may have been.
        like: Option<&'static str>,
    },
    /// A word that stands where it cannot.
    #[error("{0:?} cannot stand there: a word before it is missing, or two have changed places")]
    Order(String),
    /// Too few words, or too many.
    #[error("a code has two to four words, and this has {0}: ask for it again")]
    Length(usize),
}

#[cfg(test)]
mod tests;
