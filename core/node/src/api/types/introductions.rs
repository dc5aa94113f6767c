//! Introductions that we make, and what others ask of us.

use serde::{Deserialize, Serialize};

use super::Time;

/// `POST /v1/introductions`: a friend is introduced to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduce {
    /// The one.
    pub friend: String,
    /// The other.
    pub to: String,
    /// A few words for both: 1 to [`Introduce::MAX_NOTE`] bytes, line ends but no other characters that are not seen.
    pub note: Option<String>,
}

impl Introduce {
    /// The longest note, in bytes.
    pub const MAX_NOTE: usize = wayside_proto::introduction::Note::MAX;
}

/// An introduction that we made: an element of `GET /v1/introductions`, the answer to [`Introduce`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroductionView {
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// The two, in the order in which they were named.
    pub friends: Vec<IntroducedView>,
    /// What was said of it.
    pub note: Option<String>,
    /// How far it has got.
    pub state: IntroductionState,
    /// When it was made.
    pub made: Time,
    /// When it ends, whatever has come of it.
    pub expires: Time,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroducedView {
    /// What the friend is called here.
    pub name: String,
    /// The account.
    pub account: String,
    /// What it has said.
    pub answer: IntroducedAnswer,
}

/// What somebody who is introduced has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntroducedAnswer {
    /// It was not reached yet.
    Unasked,
    /// It has the request and has not consented. Nobody is told of a refusal.
    Asked,
    /// It consents.
    Consented,
}

/// How far an introduction has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntroductionState {
    /// Not both have consented.
    Open,
    /// Both have, and an invite from one to the other is awaited.
    Agreed,
    /// The invite was passed on: what follows is between the two.
    Passed,
}

/// Something that is asked of us: an element of `GET /v1/requests`, the answer of `POST /v1/requests/{id}/accept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// Its name: hexadecimal digits, 16 of a knock's, 32 of others.
    pub id: String,
    /// What is asked, in a sentence, and on whose word.
    pub text: String,
    /// How far it has got.
    pub state: RequestState,
    /// What is to be done about it, or why it does not go on, where there is something to say.
    pub hint: Option<String>,
    /// When it came.
    pub received: Time,
    /// When it ends by itself.
    pub expires: Time,
    /// What it is.
    #[serde(flatten)]
    pub what: RequestKind,
}

/// What is asked. Later versions may know of more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RequestKind {
    /// A friend introduces somebody.
    Introduction {
        /// Who introduces: what the friend is called here.
        by: String,
        /// Its account.
        by_account: String,
        /// What the card of the one who is introduced says.
        name: String,
        /// Its account.
        account: String,
        /// What the friend says of it.
        note: Option<String>,
    },
    /// Somebody came by a pointer of ours and would like to become a friend.
    Knock {
        /// What they call themselves: nobody says that it is so.
        name: String,
        /// Their account: proven.
        account: String,
        /// The pointer's name.
        pointer: String,
        /// The bridge over which it came.
        over: String,
    },
    /// A member of a community would like to become a friend, as its bot says.
    Community {
        /// Who, as the room names them: the bot's word.
        person: String,
        /// The bot, as the room names it.
        bot: String,
        /// The bridge to the room.
        bridge: String,
        /// The account that the bot named as theirs, once both have agreed.
        account: Option<String>,
    },
}

/// How far a request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// It waits for an answer.
    Asked,
    /// It was accepted here, and the other side has not said anything.
    Accepted,
    /// Both sides have accepted: they are meeting.
    Meeting,
    /// It was refused here: it is not listed any more.
    Refused,
}

/// `POST /v1/requests/{id}/accept`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptRequest {
    /// What to call the new friend.
    pub name: Option<String>,
}
