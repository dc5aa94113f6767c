//! Why a relay refuses a circuit or ends one: numbers for the wire, words for people.

use std::fmt;
use std::time::Duration;

/// Why a circuit was refused or is over. Numbers are for ever: a meaning that changes gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// The relay's owner does not let this friend use it.
    NotAllowed = 1,
    /// The token is not of this relay, or was not made for who shows it.
    BadToken = 2,
    /// The token's time is over.
    Expired = 3,
    /// The relay's owner has taken the permission back.
    Revoked = 4,
    /// The relay has as many circuits as its owner lets it.
    Circuits = 5,
    /// The friend has as many circuits as the relay's owner lets one friend have.
    FriendCircuits = 6,
    /// The relay has forwarded as much as its owner lets it in a month.
    Month = 7,
    /// The relay has forwarded as much for this friend as its owner lets one friend have in a month.
    FriendMonth = 8,
    /// Two ends have met at this tag already.
    Taken = 9,
    /// The relay is being shut down, or its owner no longer lets it forward anything.
    Ending = 10,
    /// The other end was asked for over the same link.
    SameLink = 11,
    /// Nobody came to the other end in time.
    Alone = 12,
    /// The other end is gone.
    Left = 13,
}

impl Reason {
    const ALL: [Self; 13] = [
        Self::NotAllowed,
        Self::BadToken,
        Self::Expired,
        Self::Revoked,
        Self::Circuits,
        Self::FriendCircuits,
        Self::Month,
        Self::FriendMonth,
        Self::Taken,
        Self::Ending,
        Self::SameLink,
        Self::Alone,
        Self::Left,
    ];

    /// The number for the wire, 1 to 255.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What a peer's number stands for. `None` for one that a later version may have added.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "its owner does not let us use it as a relay",
            Self::BadToken => "the token is not good there",
            Self::Expired => "the token has expired",
            Self::Revoked => "its owner no longer lets us use it as a relay",
            Self::Circuits => "it relays as many links as its owner allows",
            Self::FriendCircuits => "it relays as many links for us as its owner allows one friend",
            Self::Month => "it has relayed as much this month as its owner allows",
            Self::FriendMonth => "it has relayed as much for us this month as its owner allows one friend",
            Self::Taken => "two others have met there already",
            Self::Ending => "it stops relaying",
            Self::SameLink => "both ends were asked for over one link",
            Self::Alone => "nobody came to the other end in time",
            Self::Left => "the other end is gone",
        })
    }
}

/// A circuit that is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// After how long it may be worth asking again. `None`: not until something else has changed.
    pub retry: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_ever() {
        let numbers: Vec<u8> = Reason::ALL.into_iter().map(Reason::number).collect();
        assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
        assert_eq!((Reason::NotAllowed.number(), Reason::Month.number(), Reason::Left.number()), (1, 7, 13));
        for number in 0..=u8::MAX {
            assert_eq!(
                Reason::from_number(number).map(Reason::number),
                numbers.contains(&number).then_some(number)
            );
        }
    }

    #[test]
    fn no_two_have_the_same_words() {
        let words: std::collections::BTreeSet<String> =
            Reason::ALL.into_iter().map(|reason| reason.to_string()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
