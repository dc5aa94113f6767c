//! What a room's owner decides, and what the room says of somebody.

use std::time::Duration;

/// The limits of a [`RoomIntroducer`](super::RoomIntroducer). The defaults suit a room of some hundred people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most members on the list (2,000).
    pub members: usize,
    /// The most pairs who are asked or met at once (4,096).
    pub pairs: usize,
    /// The most that one member has asked for and nobody has answered (8).
    pub asks_of_one: usize,
    /// The most that wait for one member's answer (16).
    pub asks_to_one: usize,
    /// How long somebody who is asked may take, and how long the card of somebody who was met is told again (7 days).
    pub open: Duration,
    /// For how long nobody is asked by the same member again (14 days).
    pub again: Duration,
    /// For how long nobody is asked again by a member to whom they said no; that member is not told (90 days).
    pub after_no: Duration,
    /// The most requests of one member a day, all together (60).
    pub requests_a_day: u32,
    /// The most meetings that one member may ask for a day (12).
    pub meets_a_day: u32,
    /// The most requests an hour by all who are not on the list, together: the room is asked of each whether they are in it (600).
    pub newcomers_an_hour: u32,
    /// The most people an hour who are told that they are not in the room (10).
    pub strangers_an_hour: u32,
    /// The most members that `list` names (200).
    pub listed: usize,
    /// How long what one member need not know at once is held back after the last such thing, to be said in one message: other people's attention (0: not at all).
    pub gather: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            members: 2_000,
            pairs: 4_096,
            asks_of_one: 8,
            asks_to_one: 16,
            open: days(7),
            again: days(14),
            after_no: days(90),
            requests_a_day: 60,
            meets_a_day: 12,
            newcomers_an_hour: 600,
            strangers_an_hour: 10,
            listed: 200,
            gather: Duration::ZERO,
        }
    }
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// What somebody is in the room, as the service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Shut out of it.
    Banned,
    /// Not in it.
    Stranger,
    /// In it.
    Member,
    /// In it, and may remove others.
    Moderator,
}

impl Standing {
    /// Whether they are in the room.
    pub fn is_member(self) -> bool {
        self >= Self::Member
    }
}
