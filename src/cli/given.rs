//! What a person hands to `accept` or `complete`, read and told apart once.

use super::exit::Failure;
use super::source::{self, begins};
use wayside::code::Code;
use wayside::greeting::Greeting;
use wayside::reply::Reply;

/// Something that was handed over, by what it begins with. What is wrong with it is said by whoever takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// An invite's line.
    Link(String),
    /// What stands in an invite file.
    File(String),
    /// A reply to an invite of ours.
    Reply(String),
    /// A code that somebody said.
    Code(String),
    /// A card or where one lies; and whatever is nothing else.
    Card(String),
}

impl Given {
    /// What an argument stands for: itself, or what is in a file, or on stdin for `-`.
    pub(super) fn named(argument: &str) -> Result<Self, Failure> {
        if Code::is_like(argument) {
            return Ok(Self::Code(argument.to_owned()));
        }
        source::read(argument).map(Self::of_text)
    }

    /// What a text is.
    pub(super) fn of_text(text: String) -> Self {
        if Greeting::is_one(&text) {
            return Self::File(text);
        }
        let first = source::first_line(&text);
        if Code::is_like(text.trim()) {
            Self::Code(text)
        } else if begins(first, source::INVITE) {
            Self::Link(text)
        } else if begins(first, Reply::SCHEME) {
            Self::Reply(text)
        } else {
            Self::Card(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Given;

    #[test]
    fn each_is_known_by_what_it_begins_with() {
        let given = |text: &str| Given::of_text(text.to_owned());
        assert!(matches!(given("WAYSIDE:AEAW"), Given::Link(_)));
        assert!(matches!(given("# from Ann\n\n wayside-invite:AEAW\nBBBB"), Given::File(_)));
        for code in ["7-crossover-clockwork", " 12 Crossover clockwork\n", "7-crosover"] {
            assert!(matches!(given(code), Given::Code(_)), "{code}");
        }
        assert!(matches!(given("# from Ben\nWayside-Reply:AEAW"), Given::Reply(_)));
        for card in ["wayside-card:AA", "# one\nwayside-card:AA", "https://ann.example", "hello", ""] {
            assert!(matches!(given(card), Given::Card(_)), "{card}");
        }
    }
}
