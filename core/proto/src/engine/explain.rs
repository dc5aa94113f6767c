//! The last meeting with a friend, in plain words.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Engine;
use super::io::SessionId;
use crate::crypto::keys::AccountId;
use crate::time::{Now, UnixMillis};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, as we estimate the time: the estimate may change by seconds from one step to the next.
    pub at: UnixMillis,
    /// The same by the monotonic clock of this run: how long it took from one step to another.
    pub mono: Duration,
    /// What sort of thing.
    pub kind: StepKind,
    /// A short sentence for a person.
    pub what: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// What sort of thing happened: a word that stays, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum StepKind {
            $($(#[$doc])* $kind,)*
        }

        impl StepKind {
            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// What this word says; [`StepKind::Other`] for one that is not known.
            pub fn of_word(word: &str) -> Self {
                match word { $($word => Self::$kind,)* _ => Self::Other }
            }
        }
    };
}

kinds! {
    /// Our offer was left.
    Offered = "offered",
    /// Nobody answered, and an offer was left anew.
    OfferedAnew = "offered-anew",
    /// No offer could be left: no bridge reaches the friend.
    NoBridge = "no-bridge",
    /// No offer could be made: the clock is wrong.
    ClockWrong = "clock-wrong",
    /// A bridge did not take a record.
    NotTaken = "not-taken",
    /// The friend's offer was read.
    OfferRead = "offer-read",
    /// The friend came with our invite.
    JoinRead = "join-read",
    /// Both offered.
    BothOffered = "both-offered",
    /// Our answer, or our welcome, was left. From here on this side waits to be reached.
    Answered = "answered",
    /// The friend's answer was read. From here on this side dials.
    AnswerRead = "answer-read",
    /// The friend's welcome was read. From here on this side dials.
    WelcomeRead = "welcome-read",
    /// Somebody whom the welcome named is asked how this machine is seen from outside.
    Measuring = "measuring",
    /// That was done.
    Measured = "measured",
    /// How this machine is reached was told anew.
    UpdateLeft = "update-left",
    /// The friend told anew how it is reached.
    UpdateRead = "update-read",
    /// The friend's machine answers somewhere.
    Reached = "reached",
    /// Ports are being guessed at.
    Guessing = "guessing",
    /// Somebody known confirms where the friend's machine is.
    Attested = "attested",
    /// Nobody known does.
    NotAttested = "not-attested",
    /// A relay forwards between the two sides.
    Relay = "relay",
    /// A relay that both sides know does not.
    NoRelay = "no-relay",
    /// There is no way so far.
    NoWay = "no-way",
    /// Dialling was given up.
    DialFailed = "dial-failed",
    /// No link came within the time of the meeting.
    NoLink = "no-link",
    /// The link is up.
    Linked = "linked",
    /// By which path the link went first.
    Path = "path",
    /// The first data came over the link.
    FirstData = "first-data",
    /// The link is gone.
    LinkGone = "link-gone",
    /// Something that this version has no word for.
    Other = "other",
}

/// Keeps the last steps of each friend, in memory only.
#[derive(Debug, Default)]
pub(super) struct Log(BTreeMap<AccountId, VecDeque<Step>>);

impl Log {
    /// The most steps kept for a friend; older ones go.
    const MOST: usize = 64;

    pub(super) fn add(&mut self, account: AccountId, step: Step) {
        let steps = self.0.entry(account).or_default();
        if steps.len() >= Self::MOST {
            steps.pop_front();
        }
        steps.push_back(step);
    }

    pub(super) fn of(&self, account: &AccountId) -> Vec<Step> {
        self.0.get(account).map(|steps| steps.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn forget(&mut self, account: &AccountId) {
        self.0.remove(account);
    }
}

impl Engine {
    /// Something that the driver saw of a session's way to a link, for [`Engine::explain`] to tell. Of one that is over nothing is kept.
    pub fn observed(&mut self, now: Now, session: &SessionId, kind: StepKind, what: String) {
        self.begin(now);
        if let Some(account) = self.sessions.get(session).map(|live| live.account) {
            self.note(account, kind, what);
        }
    }

    pub(super) fn note(&mut self, account: AccountId, kind: StepKind, what: String) {
        let at = self.time_now();
        self.log.add(account, Step { at, mono: self.now.mono, kind, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay() {
        for kind in [StepKind::Offered, StepKind::AnswerRead, StepKind::Path, StepKind::Other] {
            assert_eq!(StepKind::of_word(kind.word()), kind);
        }
        assert_eq!(StepKind::of_word("of the future"), StepKind::Other);
    }
}
