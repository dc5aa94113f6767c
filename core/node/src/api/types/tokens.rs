//! Tokens: what a program shows that is to ask the node less than its owner may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Time;

/// What a token may ask. `admin` may ask everything; none of the others has another in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// See how things are and what happens: no message, no secret.
    Read,
    /// Send messages, and read those that came.
    Messages,
    /// Make, change and remove friends.
    Friends,
    /// Everything, which is running programs as well: many kinds of bridges are told one to start.
    Admin,
}

impl Scope {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Messages, Self::Friends, Self::Admin];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Messages => "messages",
            Self::Friends => "friends",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.word() == text)
            .ok_or_else(|| format!("`{text}` is no scope: it is read, messages, friends or admin"))
    }
}

/// `POST /v1/tokens`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// What it is called: 1 to 32 letters, digits, `-` and `_`.
    pub name: String,
    /// What it may ask; at least one.
    pub scopes: Vec<Scope>,
    /// How long it is good for; until it is revoked, if not given.
    #[serde(default)]
    pub expires_in_secs: Option<u64>,
}

/// A token, without what proves it: an element of `GET /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// What it is called.
    pub name: String,
    /// What it may ask, the least first.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub made: Time,
    /// When it ends; `null`: when it is revoked.
    pub expires: Option<Time>,
    /// Whether it has ended.
    pub expired: bool,
}

/// The answer to [`NewToken`]: the only time that the token itself is said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeToken {
    /// What it is called.
    pub name: String,
    /// What it may ask, the least first.
    pub scopes: Vec<Scope>,
    /// When it ends; `null`: when it is revoked.
    pub expires: Option<Time>,
    /// What a program sends as `Authorization: Bearer …`: a secret.
    pub token: String,
}

impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeToken")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
