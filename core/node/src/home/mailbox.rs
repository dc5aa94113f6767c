//! `[mailbox]`: what keeping friends' mail may cost this machine, and how our own is kept by friends. Without a friend who is let (`wayside friend allow mailbox NAME`)
//! nothing is kept for anybody.

use std::fmt;
use std::path::Path;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use toml_edit::value;
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::wire::{HostEntry, MAX_LIFETIME};

use super::HomeError;
use super::relay::{self, Relay};

/// What mailboxes may cost. The first five are of what is kept here for friends, the others of our own mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Mailbox {
    /// Bytes kept for all friends together.
    #[serde(deserialize_with = "amount")]
    pub total: u64,
    /// Bytes kept for one friend.
    #[serde(deserialize_with = "amount")]
    pub friend: u64,
    /// Bytes that one sender may leave for one friend.
    #[serde(deserialize_with = "amount")]
    pub queue: u64,
    /// How much one sender may leave for one friend, counted in messages.
    pub queue_items: u64,
    /// For how many days it is kept, 1 to 30; a sender may want less.
    #[serde(deserialize_with = "days")]
    pub days: u32,
    /// With how many friends of the recipient's each of our messages is left, 1 to 4, where there are as many.
    #[serde(deserialize_with = "copies")]
    pub copies: u8,
    /// Whether friends of ours carry our messages where the recipient names too few.
    pub couriers: bool,
    /// The largest attachment that is sent or taken by way of mailboxes, in bytes.
    #[serde(deserialize_with = "amount")]
    pub attach: u64,
}

impl Default for Mailbox {
    /// A gigabyte is little on a disk, and a million messages; a friend that fills what one may have leaves room for others.
    fn default() -> Self {
        Self {
            total: 1_000_000_000,
            friend: 100_000_000,
            queue: 20_000_000,
            queue_items: 10_000,
            days: 30,
            copies: 2,
            couriers: true,
            attach: 16 << 20,
        }
    }
}

impl Mailbox {
    /// The longest that anything is kept, in days.
    pub(crate) const MOST_DAYS: u32 = MAX_LIFETIME / 86_400;

    /// Writes what differs from `before` into the configuration, whose comments and order stay as they are.
    pub(crate) fn write_changes(&self, before: &Self, path: &Path) -> Result<(), HomeError> {
        let bytes = |amount: u64| value(Relay::write_amount(Some(amount)));
        let number = |number: u64| value(i64::try_from(number).unwrap_or(i64::MAX));
        let changes = [
            ("total", self.total != before.total, bytes(self.total)),
            ("friend", self.friend != before.friend, bytes(self.friend)),
            ("queue", self.queue != before.queue, bytes(self.queue)),
            ("queue_items", self.queue_items != before.queue_items, number(self.queue_items)),
            ("days", self.days != before.days, number(self.days.into())),
        ];
        relay::write("mailbox", changes, path)
    }

    /// The same as what custody goes by, where so many friends share it.
    pub(crate) fn limits(&self, friends: u32) -> custody::Limits {
        custody::Limits {
            total: self.total,
            friend: self.friend,
            queue: self.queue,
            queue_items: self.queue_items,
            lifetime: self.days.saturating_mul(86_400),
            friends,
        }
    }
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    struct Amount;
    impl Visitor<'_> for Amount {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount, `20 MB` or `1 GB`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            // A disk has an end.
            Relay::parse_amount(text)
                .map_err(E::custom)?
                .ok_or_else(|| E::custom("there is a bound to what is kept"))
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
            let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
            bytes.ok_or_else(|| E::custom("an amount is more than nothing"))
        }
    }
    from.deserialize_any(Amount)
}

fn days<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let days = u32::deserialize(from)?;
    if (1..=Mailbox::MOST_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err(D::Error::custom(format!("`days` is 1 to {}", Mailbox::MOST_DAYS)))
    }
}

fn copies<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let copies = u8::deserialize(from)?;
    if (1..=HostEntry::MOST).contains(&usize::from(copies)) {
        Ok(copies)
    } else {
        Err(D::Error::custom(format!("`copies` is 1 to {}", HostEntry::MOST)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mailbox, toml_edit::de::Error> {
        toml_edit::de::from_str(text)
    }

    #[test]
    fn what_is_not_said_is_the_default_and_wrong_words_are_named() {
        assert_eq!(read("").unwrap(), Mailbox::default());
        let read_in = read("total = '2 GB'\nfriend = 5000\ndays = 1\ncopies = 4\ncouriers = false").unwrap();
        let expected = Mailbox {
            total: 2_000_000_000,
            friend: 5000,
            days: 1,
            copies: 4,
            couriers: false,
            ..Mailbox::default()
        };
        assert_eq!(read_in, expected);
        for wrong in [
            "total = 'unlimited'",
            "friend = 0",
            "queue = 'much'",
            "queue_items = -1",
            "days = 0",
            "days = 31",
            "copies = 0",
            "copies = 5",
            "room = 1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
