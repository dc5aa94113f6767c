//! Messages: sent, on their way, in the inbox.

use std::fmt;

use serde::{Deserialize, Serialize};
use wayside_bridge::Entropy;

use super::Time;
use crate::clock::SystemEntropy;

/// `POST /v1/messages`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// To which friend.
    pub to: String,
    /// At most [`Send::MAX_TEXT`] bytes.
    pub text: String,
    /// Names the message: 32 hexadecimal digits, drawn at random by who asks. Asked again under the same id, it is sent once. Without one the
    /// node draws it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How long to wait for its delivery; without, the answer comes once it is on disk.
    pub wait_ms: Option<u64>,
    /// What is attached. The node reads each file once, before it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SendFile>,
}

/// A file to attach to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendFile {
    /// What the recipient is to call it: 1 to 255 bytes, no path.
    pub name: String,
    /// Where the node finds it: an absolute path on its machine.
    pub path: String,
}

impl Send {
    /// The longest text, in bytes.
    pub const MAX_TEXT: usize = 65_536;

    /// A message under an id of its own, so that it may be asked for again where no answer came.
    pub fn new(to: String, text: String) -> Self {
        let mut id = [0; 16];
        SystemEntropy.fill(&mut id);
        Self { to, text, id: Some(data_encoding::HEXLOWER.encode(&id)), wait_ms: None, files: Vec::new() }
    }
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("to", &self.to).field("len", &self.text.len()).finish_non_exhaustive()
    }
}

/// The answer to [`Send`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The message's id: 32 hexadecimal digits.
    pub id: String,
    /// How far it has come.
    pub state: MessageState,
    /// Who holds it for the recipient.
    pub held_by: Vec<String>,
}

/// `GET /v1/messages`: a message of ours that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingView {
    /// The message's id: 32 hexadecimal digits.
    pub id: String,
    /// What the friend is called here.
    pub to: String,
    /// How far it has come: queued or held.
    pub state: MessageState,
    /// Who holds all of it for the recipient.
    pub held_by: Vec<String>,
    /// When it was accepted.
    pub sent: Time,
    /// How much it takes here, in bytes; 0 once it is given to nobody any more and only waited for whether it arrived.
    pub bytes: u64,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// On our disk.
    Queued,
    /// With somebody who holds it for the recipient.
    Held,
    /// On the recipient's disk.
    Delivered,
    /// Given up.
    Expired,
}

/// A line of `GET /v1/inbox?follow=&all=`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxView {
    /// The message's id.
    pub id: String,
    /// Who sent it: what the friend is called here.
    pub from: String,
    /// What it says.
    pub text: String,
    /// When it was sent, by the sender's clock.
    pub sent: Time,
    /// When it came.
    pub received: Time,
    /// What was attached.
    #[serde(default)]
    pub files: Vec<InboxFileView>,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxFileView {
    /// What its sender calls it, made harmless.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Where it lies; `null` where it did not come as it was sent.
    pub path: Option<String>,
}

impl fmt::Debug for InboxView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxView").field("id", &self.id).field("from", &self.from).finish_non_exhaustive()
    }
}

/// `POST /v1/inbox/read`: these were shown; they are not listed again without `all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRead {
    /// The messages' ids.
    pub ids: Vec<String>,
}
