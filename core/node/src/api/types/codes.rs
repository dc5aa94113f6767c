//! Spoken codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Time;

/// `POST /v1/codes`: a code that a person says to another, who types it. In memory only: it ends with the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCode {
    /// Where answers are looked for, up to three; empty: over those that work. Others have to be able to write there.
    #[serde(default)]
    pub bridges: Vec<String>,
    /// How long it lasts: a minute to a day, cut to that.
    pub expires_in_secs: u64,
    /// How many words, 2 to 4; `null`: two where few read the place, else three.
    #[serde(default)]
    pub words: Option<u8>,
}

/// A code of ours: the answer to [`NewCode`], and of `GET /v1/codes/{id}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeView {
    /// What it is asked about by.
    pub id: String,
    /// What is said; only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Until when; only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// How far it has got.
    pub state: CodeState,
    /// How many guesses are left, of eight, while it is open.
    pub left: u8,
    /// What the friend is called here, once somebody used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub friend: Option<String>,
    /// The friend's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl fmt::Debug for CodeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeView")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// How far a code has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CodeState {
    /// Nobody has said the right words yet.
    Open,
    /// Somebody has, and will be a friend in a moment.
    Answered,
    /// Somebody used it, and is a friend.
    Done,
    /// The words were wrong eight times: somebody interferes. It works for nobody any more.
    Burnt,
}

/// `POST /v1/codes/accept`: a code that somebody said to us. Answered by [`Accepted`](super::Accepted).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptCode {
    /// The code, with hyphens or spaces.
    pub code: String,
    /// Where it is looked for; empty: over every bridge.
    #[serde(default)]
    pub bridges: Vec<String>,
    /// What to call the friend.
    pub name: Option<String>,
    /// How long to wait for whoever said it.
    pub wait_ms: u64,
}

impl fmt::Debug for AcceptCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptCode")
            .field("bridges", &self.bridges)
            .field("name", &self.name)
            .field("wait_ms", &self.wait_ms)
            .finish_non_exhaustive()
    }
}
