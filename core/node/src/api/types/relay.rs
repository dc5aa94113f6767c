//! Relays: what friends forward for us, and what we forward for them.

use serde::{Deserialize, Serialize};

use super::Time;

/// `GET /v1/relay`: what this machine forwards for friends, and who forwards for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayView {
    /// What forwarding may cost.
    pub limits: RelayLimits,
    /// The month that bytes are counted in, in UTC: `2026-11`.
    pub month: String,
    /// Bytes that were forwarded in it, for all friends together.
    pub month_bytes: u64,
    /// Circuits that lead through here now, with those that wait for their other end.
    pub circuits: u64,
    /// Those that wait.
    pub waiting: u64,
    /// The friends who may, and those for whom something was forwarded in this month.
    pub friends: Vec<RelayedView>,
    /// Who forwards for this machine, the best first.
    pub relays: Vec<RelayOfferView>,
}

/// A friend for whom this machine forwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedView {
    /// Who.
    pub friend: String,
    /// Whether it may now.
    pub allowed: bool,
    /// How many circuits it has here now.
    pub circuits: u64,
    /// Bytes that were forwarded for it in this month.
    pub month_bytes: u64,
}

/// A friend's device that forwards for this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayOfferView {
    /// Whose it is.
    pub friend: String,
    /// The device.
    pub device: String,
    /// Until when, unless it is renewed, which any link with the friend does.
    pub until: Time,
    /// Whether it can be reached.
    pub state: RelayState,
    /// The round trip there in milliseconds, where it was measured since the start.
    pub rtt_ms: Option<f64>,
    /// Where it can be reached without a meeting.
    pub addresses: Vec<String>,
}

/// Whether somebody who forwards can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayState {
    /// A link with it is up.
    Linked,
    /// It could be when it was tried last.
    Reachable,
    /// It could not be when it was tried last.
    Away,
    /// It was not tried since the start.
    Unknown,
}

/// What forwarding may cost. Each byte is counted once, as it arrives; `null` is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayLimits {
    /// Bytes a second, all friends together.
    pub rate_bytes_per_sec: Option<u64>,
    /// Bytes a calendar month.
    pub month_bytes: Option<u64>,
    /// Circuits at a time.
    pub circuits: u32,
    /// Bytes a second of one friend.
    pub friend_rate_bytes_per_sec: Option<u64>,
    /// Bytes a calendar month of one friend.
    pub friend_month_bytes: Option<u64>,
    /// Circuits of one friend at a time.
    pub friend_circuits: u32,
    /// How often a friend may hand on what lets it use this relay.
    pub hand_on: u8,
}

/// `PATCH /v1/relay`: what is given is changed, in the configuration and at once. An amount of 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRelay {
    /// Bytes a second, all friends together.
    pub rate_bytes_per_sec: Option<u64>,
    /// Bytes a calendar month.
    pub month_bytes: Option<u64>,
    /// Circuits at a time.
    pub circuits: Option<u32>,
    /// Bytes a second of one friend.
    pub friend_rate_bytes_per_sec: Option<u64>,
    /// Bytes a calendar month of one friend.
    pub friend_month_bytes: Option<u64>,
    /// Circuits of one friend at a time.
    pub friend_circuits: Option<u32>,
    /// How often a friend may hand on what lets it use this relay.
    pub hand_on: Option<u8>,
}
