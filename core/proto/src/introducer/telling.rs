//! What is to be said to a member, and has not been said yet.

use minicbor::{Decode, Encode};

use super::{Notice, Person, Unmet};
use crate::pointer::Pointer;
use crate::time::UnixMillis;

/// Something to say to one member.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Entry {
    #[n(0)]
    pub(super) number: u64,
    #[n(1)]
    pub(super) to: Person,
    #[n(2)]
    pub(super) telling: Telling,
    /// The id of the message that it answers.
    #[n(3)]
    pub(super) answers: Option<String>,
    #[n(4)]
    pub(super) at: UnixMillis,
    /// How often it was handed out without our having heard that it was said.
    #[n(5)]
    pub(super) tries: u8,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Telling {
    /// What one can say to the bot.
    #[n(0)]
    Help,
    /// Who is on the list, after this one.
    #[n(1)]
    List(#[n(0)] Option<Person>),
    /// The card of somebody, who also said yes.
    #[n(2)]
    Meet(#[n(0)] Person, #[n(1)] bool),
    /// What needs nothing that may have changed until it is said.
    #[n(3)]
    Text(#[n(0)] Text),
}

/// Words, and what a program reads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Text {
    #[n(0)]
    pub(super) words: String,
    /// The notice as a line.
    #[n(1)]
    pub(super) notice: Option<String>,
    /// Whom it is about.
    #[n(2)]
    pub(super) about: Option<Person>,
    /// Whether it answers nothing that its reader has just said, so that it may wait for others.
    #[n(3)]
    pub(super) news: bool,
}

impl Telling {
    /// Whether it may wait, and be said with others.
    pub(super) fn may_wait(&self) -> bool {
        matches!(self, Self::Text(text) if text.news)
    }

    /// Whom it is about.
    pub(super) fn about(&self) -> Option<&Person> {
        match self {
            Self::Meet(who, _) => Some(who),
            Self::Text(text) => text.about.as_ref(),
            Self::Help | Self::List(_) => None,
        }
    }

    pub(super) fn words(words: impl Into<String>) -> Self {
        Self::Text(Text { words: words.into(), notice: None, about: None, news: false })
    }

    fn with(words: String, notice: &Notice) -> Self {
        Self::Text(Text { words, notice: Some(notice.to_string()), about: None, news: false })
    }

    fn news(words: String, notice: &Notice, about: &Person) -> Self {
        let (notice, about) = (Some(notice.to_string()), Some(about.clone()));
        Self::Text(Text { words, notice, about, news: true })
    }

    pub(super) fn joined(again: bool) -> Self {
        let words = if again {
            "You are on the list, with this card."
        } else {
            "You are on the list now. Others here can ask to meet you, and you are asked each time; `leave` takes you off."
        };
        Self::with(words.to_owned(), &Notice::Joined)
    }

    pub(super) fn left() -> Self {
        Self::with("You are not on the list, and nothing of yours is kept.".to_owned(), &Notice::Left)
    }

    pub(super) fn card_ended() -> Self {
        let words =
            "Your card has ended, so you are off the list: say `join` with a new one to be on it again.";
        Self::with(words.to_owned(), &Notice::Left)
    }

    pub(super) fn shut_out() -> Self {
        Self::with("A moderator has taken you off the list.".to_owned(), &Notice::Left)
    }

    pub(super) fn asking(who: &Person) -> Self {
        let words = format!("{who} is asked. You hear from me if they say yes.");
        Self::with(words, &Notice::Asking(who.clone()))
    }

    pub(super) fn asked(who: &Person) -> Self {
        let words = format!(
            "{who} would like to meet you, for a direct link between your machines. Say `yes {who}` and each of you gets the other's card; say `no {who}`, or \
             nothing, and they are not told which."
        );
        Self::news(words, &Notice::Asked(who.clone()), who)
    }

    pub(super) fn unmet(who: &Person, why: Unmet) -> Self {
        let words = match why {
            Unmet::Absent => {
                format!("I cannot ask {who}: they are not on the list, or do not want to be asked.")
            }
            Unmet::Unlisted => {
                "You are not on the list yourself: say `join` with your card first.".to_owned()
            }
            Unmet::Limited => {
                format!("You have asked for much, or for {who}, lately: try again in some days.")
            }
            Unmet::Paused => "A moderator has paused introductions: try again later.".to_owned(),
            Unmet::Over => {
                format!("Nothing has come of meeting {who}: nobody answered in time, or it was taken back.")
            }
        };
        Self::with(words, &Notice::Unmet(who.clone(), why))
    }

    /// The same, unasked.
    pub(super) fn unmet_now(who: &Person) -> Self {
        match Self::unmet(who, Unmet::Over) {
            Self::Text(text) => Self::Text(Text { about: Some(who.clone()), news: true, ..text }),
            other => other,
        }
    }

    pub(super) fn over(who: &Person) -> Self {
        Self::with(format!("You are not introduced to {who}."), &Notice::Over(who.clone()))
    }

    pub(super) fn over_now(who: &Person) -> Self {
        let words = format!("That {who} wanted to meet you is over.");
        Self::news(words, &Notice::Over(who.clone()), who)
    }
}

/// What one can say to the bot.
pub(super) const HELP: &str = "\
I introduce people of this room to each other, who want a direct encrypted link between their machines with wayside. I pass cards, to two people who both said yes, and see \
nothing of what they then say to each other.

!join CARD: be on the list, with the card that `wayside pointer publish` gives you (wayside-card:…)
!list: who is on it
!meet WHO: ask to meet somebody; they are asked first
!yes WHO, !no WHO: when I ask you
!quiet, !quiet off: not to be asked, nor listed; or again
!leave: off the list, and forgotten

To me alone the ! may be left out. Moderators also have !forget WHO, !allow WHO, !pause and !pause off. Who has this room as a bridge of wayside needs none of it: `wayside introduce WHO`.";

/// Somebody's card, for one of the two who both said yes.
pub(super) fn meet(who: &Person, card: &Pointer, asked: bool) -> String {
    let words = if asked {
        format!(
            "You and {who} both said yes. Their card, as you use it with wayside:\n\nwayside accept {card}"
        )
    } else {
        format!(
            "You and {who} both said yes, and they have your card. When they knock, `wayside requests` shows it, and you let them in. Should they not, their card is below."
        )
    };
    let notice = Notice::Meet { who: who.clone(), card: Box::new(card.clone()), asked };
    format!("{words}\n\n{notice}")
}

/// What several tellings come to in one message.
pub(super) fn together(texts: &[&Text]) -> String {
    let words = texts.iter().map(|text| text.words.as_str());
    let notices: Vec<_> = texts.iter().filter_map(|text| text.notice.as_deref()).collect();
    let mut paragraphs: Vec<_> = words.collect();
    let notices = notices.join("\n");
    if !notices.is_empty() {
        paragraphs.push(&notices);
    }
    paragraphs.join("\n\n")
}
