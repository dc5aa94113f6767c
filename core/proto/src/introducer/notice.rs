//! What the bot says that a program acts on.

use std::fmt;

use super::Person;
use crate::pointer::Pointer;

/// What the bot says to one member in a form that a program reads: one line of its message, beside words for people.
///
/// ```text
/// notice = "wayside-bot:" SP word *(SP argument)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// You are on the list.
    Joined,
    /// You are not on the list any more.
    Left,
    /// This one was asked whether they want to meet you.
    Asking(Person),
    /// You will not meet this one by what you asked, as things are.
    Unmet(Person, Unmet),
    /// This one wants to meet you: say yes or no.
    Asked(Person),
    /// What was asked of you by this one is over.
    Over(Person),
    /// Both said yes: this is their card. Whoever asked first knocks by it; the other lets in who knocks with the account that it names.
    Meet {
        /// Who.
        who: Person,
        /// Their card.
        card: Box<Pointer>,
        /// Whether it was you who asked.
        asked: bool,
    },
}

/// Why somebody is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet {
    /// They are not on the list, or do not want to be asked, or are not in the room: it is not told which.
    Absent,
    /// You are not on the list yourself.
    Unlisted,
    /// You have asked much lately: ask again tomorrow.
    Limited,
    /// Nobody is introduced just now.
    Paused,
    /// Nobody answered in time, or it was taken back.
    Over,
}

impl Notice {
    /// What every one begins with.
    pub const MARK: &'static str = "wayside-bot:";

    /// The first one in a message.
    pub fn find(text: &str) -> Option<Self> {
        Self::all(text).next()
    }

    /// Those in a message, which has several where a room's bot gathers what it says. A line that begins as one and is none is passed over: a later version's.
    pub fn all(text: &str) -> impl Iterator<Item = Self> {
        text.lines().filter_map(|line| Self::of_line(line.trim()))
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(Self::MARK)?.split_whitespace();
        let word = words.next()?;
        let mut person = || Person::new(words.next()?);
        Some(match word {
            "joined" => Self::Joined,
            "left" => Self::Left,
            "asking" => Self::Asking(person()?),
            "unmet" => Self::Unmet(person()?, Unmet::of_word(words.next()?)?),
            "asked" => Self::Asked(person()?),
            "over" => Self::Over(person()?),
            "meet" => {
                let who = person()?;
                let asked = match words.next()? {
                    "you-asked" => true,
                    "they-asked" => false,
                    _ => return None,
                };
                Self::Meet { who, card: Box::new(Pointer::read(words.next()?.as_bytes()).ok()?), asked }
            }
            _ => return None,
        })
    }
}

impl Unmet {
    const ALL: [Self; 5] = [Self::Absent, Self::Unlisted, Self::Limited, Self::Paused, Self::Over];

    const fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unlisted => "unlisted",
            Self::Limited => "limited",
            Self::Paused => "paused",
            Self::Over => "over",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unmet| unmet.word() == word)
    }
}

impl fmt::Display for Notice {
    /// The line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MARK)?;
        match self {
            Self::Joined => f.write_str(" joined"),
            Self::Left => f.write_str(" left"),
            Self::Asking(who) => write!(f, " asking {who}"),
            Self::Unmet(who, why) => write!(f, " unmet {who} {}", why.word()),
            Self::Asked(who) => write!(f, " asked {who}"),
            Self::Over(who) => write!(f, " over {who}"),
            Self::Meet { who, card, asked } => {
                let by = if *asked { "you-asked" } else { "they-asked" };
                write!(f, " meet {who} {by} {card}")
            }
        }
    }
}
