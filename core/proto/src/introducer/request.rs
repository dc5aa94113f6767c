//! What a member says to the bot.

use std::fmt;

use super::Person;
use crate::pointer::Pointer;

/// What a member wants of the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// To be told what there is to say.
    Help,
    /// To be on the list, with this card.
    Join(Box<Pointer>),
    /// Who is on the list.
    List,
    /// To meet this one.
    Meet(Person),
    /// Yes, this one may meet me.
    Yes(Person),
    /// No.
    No(Person),
    /// To be forgotten.
    Leave,
    /// Not to be asked any more, nor listed; or again.
    Quiet(bool),
    /// A moderator: this one is to be forgotten, and not let on the list again until `Allow`.
    Forget(Person),
    /// A moderator: this one may join again.
    Allow(Person),
    /// A moderator: nobody is introduced, until `false`.
    Pause(bool),
}

/// How requests are told from talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// They begin with `!`: among people who talk.
    Marked,
    /// The `!` may be left out: to the bot alone.
    Bare,
}

/// Why something that is meant for the bot is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no such word.
    #[error("I do not know `{0}`")]
    Unknown(String),
    /// It lacks who is meant.
    #[error("say who is meant: `{0} WHO`, as the room names them")]
    Who(&'static str),
    /// It lacks a card, or that is none.
    #[error("say it with your card, `join wayside-card:…`: {0}")]
    Card(String),
}

impl Request {
    /// The request in a message, where there is one; talk is `None`. White space around and between words and the case of the first word do not matter; what follows a
    /// whole request is ignored, but for a card, which may go on over several lines up to an empty one.
    pub fn parse(text: &str, spelling: Spelling) -> Option<Result<Self, RequestError>> {
        let text = text.trim_start();
        let rest = match (text.strip_prefix('!'), spelling) {
            (Some(rest), _) => rest,
            (None, Spelling::Bare) => text,
            (None, Spelling::Marked) => return None,
        };
        let word: String =
            rest.chars().take_while(|c| c.is_ascii_alphabetic()).take(LONGEST_WORD + 1).collect();
        if word.is_empty() {
            return None;
        }
        let after = rest.get(word.len()..).unwrap_or_default();
        // `!important!!!` is talk.
        if !after.is_empty() && !after.starts_with(char::is_whitespace) && spelling == Spelling::Marked {
            return None;
        }
        Some(Self::of_words(&word.to_ascii_lowercase(), after.trim_start()))
    }

    fn of_words(word: &str, after: &str) -> Result<Self, RequestError> {
        let first = after.split_whitespace().next().unwrap_or_default();
        let who = |word: &'static str| Person::new(first).ok_or(RequestError::Who(word));
        Ok(match word {
            "help" => Self::Help,
            "join" => Self::Join(Box::new(card(after)?)),
            "list" => Self::List,
            "meet" => Self::Meet(who("meet")?),
            "yes" => Self::Yes(who("yes")?),
            "no" => Self::No(who("no")?),
            "leave" => Self::Leave,
            "quiet" => Self::Quiet(!first.eq_ignore_ascii_case("off")),
            "forget" => Self::Forget(who("forget")?),
            "allow" => Self::Allow(who("allow")?),
            "pause" => Self::Pause(!first.eq_ignore_ascii_case("off")),
            word => return Err(RequestError::Unknown(word.to_owned())),
        })
    }
}

/// A card, up to an empty line or a footer.
fn card(after: &str) -> Result<Pointer, RequestError> {
    let lines = after.lines().take_while(|line| !line.trim().is_empty() && !line.starts_with("--"));
    let text: Vec<_> = lines.collect();
    Pointer::read(text.join("\n").as_bytes()).map_err(|error| RequestError::Card(error.to_string()))
}

/// No word is longer.
const LONGEST_WORD: usize = 16;

impl fmt::Display for Request {
    /// As it is said, in a form that every spelling reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let off = |on: &bool| if *on { "" } else { " off" };
        match self {
            Self::Help => f.write_str("!help"),
            Self::Join(card) => write!(f, "!join {card}"),
            Self::List => f.write_str("!list"),
            Self::Meet(who) => write!(f, "!meet {who}"),
            Self::Yes(who) => write!(f, "!yes {who}"),
            Self::No(who) => write!(f, "!no {who}"),
            Self::Leave => f.write_str("!leave"),
            Self::Quiet(on) => write!(f, "!quiet{}", off(on)),
            Self::Forget(who) => write!(f, "!forget {who}"),
            Self::Allow(who) => write!(f, "!allow {who}"),
            Self::Pause(on) => write!(f, "!pause{}", off(on)),
        }
    }
}
