//! What is kept here for friends who are away, and what friends keep for us.

use serde::{Deserialize, Serialize};

/// `GET /v1/mailbox`: what this machine keeps for friends, and who keeps for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxView {
    /// What keeping may cost.
    pub limits: MailboxLimits,
    /// Bytes that are kept, for all friends together, with what is carried for them.
    pub bytes: u64,
    /// The friends who may have a mailbox here, and those for whom something is kept, by name.
    pub friends: Vec<KeptView>,
    /// Friends' machines that would keep for this one, by name.
    pub hosts: Vec<MailboxHostView>,
    /// With how many of a recipient's friends each message of ours is left, where there are as many.
    pub copies: u8,
    /// Whether friends of ours carry our messages where the recipient names too few who keep them.
    pub couriers: bool,
    /// The largest attachments of one message, in bytes.
    pub attach_bytes: u64,
    /// How friends who keep our mail may ring: the bridge's place and the name there, where one was hung.
    pub bell: Option<String>,
}

/// A friend for whom this machine keeps what comes while it is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptView {
    /// Who.
    pub friend: String,
    /// Whether it may have a mailbox here now.
    pub allowed: bool,
    /// How much is kept, in messages, receipts and parts of attachments: which of them it is this machine does not know.
    pub items: u64,
    /// The same in bytes, each counted as at least 512.
    pub bytes: u64,
}

/// A friend's machine that would keep for this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxHostView {
    /// Whose.
    pub friend: String,
    /// Which machine: its device.
    pub device: String,
    /// How much it keeps, in bytes.
    pub bytes: u64,
    /// Whether the link with it is up.
    pub linked: bool,
}

/// What keeping friends' mail may cost: `[mailbox]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxLimits {
    /// Bytes kept for all friends together.
    pub total_bytes: u64,
    /// Bytes kept for one friend.
    pub friend_bytes: u64,
    /// Bytes that one sender may leave for one friend.
    pub queue_bytes: u64,
    /// The same, in items.
    pub queue_items: u64,
    /// For how many days something is kept.
    pub days: u32,
}

/// `PATCH /v1/mailbox`: what is given is changed, in the configuration and at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMailbox {
    /// Bytes for all friends together.
    pub total_bytes: Option<u64>,
    /// Bytes for one friend.
    pub friend_bytes: Option<u64>,
    /// Bytes from one sender for one friend.
    pub queue_bytes: Option<u64>,
    /// The same, in messages.
    pub queue_items: Option<u64>,
    /// For how many days, 1 to 30.
    pub days: Option<u32>,
}
