//! Communities: rooms with a bot that introduces their members to one another.

use serde::{Deserialize, Serialize};

use super::Time;

/// The bot of a bridge's room, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomBot {
    /// Who it is, as the room names it: nobody else is believed.
    pub bot: String,
    /// Whether we are on its list, so that others may ask for us.
    #[serde(default = "listed")]
    pub listed: bool,
}

const fn listed() -> bool {
    true
}

/// `PATCH /v1/communities/{name}`: what is given is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCommunity {
    /// Who the bot is. Another one than before knows nothing of us yet.
    #[serde(default)]
    pub bot: Option<String>,
    /// Whether we are to be on its list.
    #[serde(default)]
    pub listed: Option<bool>,
}

/// A community: an element of `GET /v1/communities`, the answer to [`ChangeCommunity`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunityView {
    /// The bridge to its room.
    pub bridge: String,
    /// Its bot.
    pub bot: String,
    /// What the room is called, where the bridge works.
    pub title: Option<String>,
    /// Who we are there, where the bridge works.
    pub own: Option<String>,
    /// Whether we are on the bot's list.
    pub list: ListState,
    /// The card of ours that the bot has, where it has one: `GET /v1/pointers` has it.
    pub pointer: Option<String>,
    /// What is in the way, one sentence.
    pub hint: Option<String>,
}

/// Whether we are on a bot's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListState {
    /// We are, as the bot said.
    Listed,
    /// We want to be, and it has not said yet that we are.
    Joining,
    /// We were, and the bot took us off its list: it is asked again later.
    Dropped,
    /// We do not want to be any more, and it was not told yet.
    Leaving,
    /// We are not, and do not want to be.
    Unlisted,
}

/// `POST /v1/encounters`: a community's bot is asked to introduce us to one of its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskToMeet {
    /// Whom, as the room names them.
    pub person: String,
    /// The bridge to the room; not needed where there is one community.
    #[serde(default)]
    pub bridge: Option<String>,
    /// What to call the new friend.
    #[serde(default)]
    pub name: Option<String>,
}

/// Somebody whom we asked a bot to meet: an element of `GET /v1/encounters`, the answer to [`AskToMeet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncounterView {
    /// Whom, as the room names them.
    pub person: String,
    /// The bridge to the room.
    pub bridge: String,
    /// How far it has got.
    pub state: EncounterState,
    /// The same in a sentence, with the reason where it came to nothing.
    pub text: String,
    /// The account that the bot named as theirs.
    pub account: Option<String>,
    /// What that account is called here, where it is a friend.
    pub friend: Option<String>,
    /// When we asked.
    pub asked: Time,
    /// When it ends, whatever has come of it.
    pub expires: Time,
}

/// How far a meeting through a bot has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncounterState {
    /// The bot is to be asked: it has not answered yet.
    Asked,
    /// The bot has asked the other.
    Waiting,
    /// The other agreed, and we knock by their card.
    Met,
    /// They are our friend.
    Friends,
    /// It came to nothing.
    Unmet,
}
