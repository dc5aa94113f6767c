//! Invites that are open.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Time;

/// An invite of ours that is not over: an element of `GET /v1/invites`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInvite {
    /// Names it, for withdrawing: 16 hexadecimal digits.
    pub id: String,
    /// The link, as it was made: shown again, it still works. A secret for whom it is meant.
    pub invite: String,
    /// Where its answers are looked for.
    pub places: Vec<String>,
    /// How many accounts may use it.
    pub uses: u8,
    /// Who has used it: friends by what they are called here, others by their account.
    pub used_by: Vec<String>,
    /// When it ends.
    pub expires: Time,
}

impl fmt::Debug for OpenInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenInvite")
            .field("id", &self.id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
