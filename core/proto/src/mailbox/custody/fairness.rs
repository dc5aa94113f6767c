//! How room is shared so that nobody's flood takes what others are due.
//!
//! A room of `L` bytes that `n` share has a **part** `p ≤ L / 2n` for each, rounded down, which nobody else takes, and in common what remains, `L − n·p`: half of it or more, first come
//! first served. Where `u` are what each of them uses, something that makes one's use `u` into `u'` is taken in if
//!
//! ```text
//! sum of all u after it           ≤ L                and
//! u' ≤ p   or   sum of all max(0, u − p) after it  ≤ L − n·p
//! ```
//!
//! This holds twice. **A friend's room** (`Limits::friend`) is shared by its queues and, as one more of them, what it has us carry: `n` is the number of its queues and one.
//! **The whole** (`Limits::total`) is shared by friends: `n` is `Limits::friends`, and `P = total / 2n`. So that a friend's quiet queues do not lose to a flood into another of its queues what
//! its own part of the whole could hold, the part of a queue is `p = min(friend, P) / 2n`, and what counts as used by a friend in the whole are the parts of all of its queues, used or not, and
//! what lies beyond them: `n·p + sum of max(0, u − p)`. What stays within a queue's part is then never refused for what others do.
//!
//! Where parts become smaller (more queues, other limits) nothing is deleted: what lies beyond them by then has its place until it is fetched or over.

use minicbor::{Decode, Encode};

use super::Limits;

/// Who shares a room, and how much of what is in common is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Share {
    /// How many share.
    #[n(0)]
    parts: u64,
    /// In bytes, what each has for itself.
    #[n(1)]
    part: u64,
    /// In bytes, what they use beyond that, together.
    #[n(2)]
    over: u64,
}

impl Share {
    /// Between friends, while nobody uses anything.
    pub(super) fn of_friends(limits: &Limits) -> Self {
        Self::between(u64::from(limits.friends), limits.total)
    }

    /// Between a friend's queues and what it has us carry, while nothing is used.
    pub(super) fn of_queues(limits: &Limits, queues: u64) -> Self {
        Self::between(queues.saturating_add(1), limits.friend.min(Self::of_friends(limits).part))
    }

    fn between(parts: u64, room: u64) -> Self {
        let parts = parts.max(1);
        Self { parts, part: room / 2 / parts, over: 0 }
    }

    /// Whether it is shared so, whatever is used.
    pub(super) const fn is_like(&self, other: &Self) -> bool {
        self.parts == other.parts && self.part == other.part
    }

    /// Shared so, while nothing is used.
    #[cfg(test)]
    pub(super) const fn unused(&self) -> Self {
        Self { over: 0, ..*self }
    }

    /// With what each of them uses.
    pub(super) fn used(mut self, uses: impl IntoIterator<Item = u64>) -> Self {
        for used in uses {
            self.moved(0, used);
        }
        self
    }

    /// One of them uses more or less than before.
    pub(super) const fn moved(&mut self, before: u64, after: u64) {
        self.over = self.over_after(before, after);
    }

    /// Whether one of them may use more than before, in a room of so many bytes.
    pub(super) const fn admits(&self, room: u64, before: u64, after: u64) -> bool {
        let common = room.saturating_sub(self.parts.saturating_mul(self.part));
        self.beyond(after) <= self.beyond(before) || self.over_after(before, after) <= common
    }

    /// All parts, used or not, and what is used beyond them.
    pub(super) const fn claimed(&self) -> u64 {
        self.parts.saturating_mul(self.part).saturating_add(self.over)
    }

    const fn over_after(&self, before: u64, after: u64) -> u64 {
        self.over.saturating_sub(self.beyond(before)).saturating_add(self.beyond(after))
    }

    const fn beyond(&self, used: u64) -> u64 {
        used.saturating_sub(self.part)
    }
}
