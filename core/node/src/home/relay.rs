//! `[relay]`: what forwarding for friends may cost this machine. Without a friend who is let (`wayside friend allow relay NAME`) nothing is forwarded at all.

use std::fmt;
use std::path::Path;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use toml_edit::{Item, value};

use super::HomeError;
use super::config::{edit, put};

/// What forwarding may cost. Amounts count each forwarded byte once, as it arrives here; it leaves again, so that a line carries twice as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Relay {
    /// Bytes a second, all friends together; `None`: as many as go.
    #[serde(deserialize_with = "amount")]
    pub rate: Option<u64>,
    /// Bytes a calendar month (UTC), all friends together; `None`: as many as come.
    #[serde(deserialize_with = "amount")]
    pub month: Option<u64>,
    /// The most circuits at a time.
    pub circuits: u32,
    /// Bytes a second of one friend. All share `rate` fairly in any case.
    #[serde(deserialize_with = "amount")]
    pub friend_rate: Option<u64>,
    /// Bytes a calendar month of one friend.
    #[serde(deserialize_with = "amount")]
    pub friend_month: Option<u64>,
    /// The most circuits of one friend at a time.
    pub friend_circuits: u32,
    /// How often a friend may hand on what lets it use this relay, to a friend of its own: 0 is not at all.
    pub hand_on: u8,
}

impl Default for Relay {
    /// What a home connection does not feel much: 2 MB/s is a good video call for several, or 16 Mbit/s; 50 GB a month is a week of calls.
    fn default() -> Self {
        Self {
            rate: Some(2 * MB),
            month: Some(50 * GB),
            circuits: 64,
            friend_rate: None,
            friend_month: Some(20 * GB),
            friend_circuits: 16,
            hand_on: 0,
        }
    }
}

const MB: u64 = 1_000_000;
const GB: u64 = 1_000_000_000;
/// What an amount may be followed by, and how many bytes that is; the larger first.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("GB", GB),
    ("MB", MB),
    ("kB", 1_000),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
/// The word for no bound.
const UNLIMITED: &str = "unlimited";

impl Relay {
    /// Reads an amount, `2 MB/s`, `50GB`, `1.5 MiB`, or a bare number of bytes; `None` is `unlimited`. What `/s` stands behind is up to who reads.
    ///
    /// # Errors
    /// One sentence that says what an amount looks like.
    pub fn parse_amount(text: &str) -> Result<Option<u64>, String> {
        let wrong = || {
            format!(
                "`{text}` is no amount: write 2 MB/s, 50 GB or {UNLIMITED} (kB, MB, GB, TB; KiB, MiB, GiB, TiB)"
            )
        };
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case(UNLIMITED) {
            return Ok(None);
        }
        let amount = trimmed.strip_suffix("/s").unwrap_or(trimmed).trim_end();
        let digits = amount.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(amount.len());
        let (number, unit) = amount.split_at(digits);
        let unit = match unit.trim() {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?.1,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            u32::try_from(part.len()).ok().filter(|digits| (1..=3).contains(digits)).ok_or_else(wrong)?;
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = part.parse().map_err(|_| wrong())?;
        let part = unit.checked_mul(part).ok_or_else(wrong)? / 10u64.pow(digits);
        let bytes = whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part));
        // Nothing at all is no bound on forwarding but its end, for which there is `friend deny`.
        bytes.filter(|bytes| *bytes > 0).map(Some).ok_or_else(wrong)
    }

    /// An amount as it is written: in the largest unit that divides it.
    pub fn write_amount(amount: Option<u64>) -> String {
        let Some(bytes) = amount else { return UNLIMITED.to_owned() };
        let fitting = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
        let (name, unit) = fitting.unwrap_or(&("B", 1));
        format!("{} {name}", bytes / unit)
    }

    /// Writes what differs from `before` into the file, whose comments and order stay as they are.
    pub(crate) fn write_changes(&self, before: &Self, path: &Path) -> Result<(), HomeError> {
        let rate = |amount: Option<u64>| match amount {
            Some(_) => value(format!("{}/s", Self::write_amount(amount))),
            None => value(UNLIMITED),
        };
        let month = |amount| value(Self::write_amount(amount));
        let number = |number: u32| value(i64::from(number));
        let changes = [
            ("rate", self.rate != before.rate, rate(self.rate)),
            ("month", self.month != before.month, month(self.month)),
            ("circuits", self.circuits != before.circuits, number(self.circuits)),
            ("friend_rate", self.friend_rate != before.friend_rate, rate(self.friend_rate)),
            ("friend_month", self.friend_month != before.friend_month, month(self.friend_month)),
            ("friend_circuits", self.friend_circuits != before.friend_circuits, number(self.friend_circuits)),
            ("hand_on", self.hand_on != before.hand_on, number(u32::from(self.hand_on))),
        ];
        write("relay", changes, path)
    }
}

/// Writes what has changed of a section: name, whether it has, and its value. Comments and order stay as they are.
pub(super) fn write<const N: usize>(
    section: &str,
    changes: [(&str, bool, Item); N],
    path: &Path,
) -> Result<(), HomeError> {
    edit(path, |document| {
        for (name, _, item) in changes.into_iter().filter(|(_, is_changed, _)| *is_changed) {
            put(document, section, name, item);
        }
    })
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    struct Amount;
    impl Visitor<'_> for Amount {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount, `2 MB/s`, `50 GB` or `unlimited`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Relay::parse_amount(text).map_err(E::custom)
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<Self::Value, E> {
            let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
            bytes.map(Some).ok_or_else(|| E::custom("an amount is more than nothing"))
        }
    }
    from.deserialize_any(Amount)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (text, bytes, written) in [
            ("2 MB/s", 2_000_000, "2 MB"),
            ("50GB", 50_000_000_000, "50 GB"),
            ("1.5 mb/s", 1_500_000, "1500 kB"),
            ("0.25 GiB", 1 << 28, "256 MiB"),
            ("1234", 1234, "1234 B"),
        ] {
            assert_eq!(Relay::parse_amount(text), Ok(Some(bytes)), "{text}");
            assert_eq!(Relay::write_amount(Some(bytes)), written);
            assert_eq!(Relay::parse_amount(written), Ok(Some(bytes)));
        }
        assert_eq!(Relay::parse_amount("Unlimited"), Ok(None));
        assert_eq!(Relay::write_amount(None), "unlimited");
        for nonsense in
            ["", "MB", "-1 MB", "0", "0 GB", "1 Mb it", "1.2345 GB", "1..2 GB", "99999999999 TB", "2 MB/m"]
        {
            assert!(Relay::parse_amount(nonsense).unwrap_err().contains("is no amount"), "{nonsense}");
        }
    }

    #[test]
    fn changes_keep_what_stands_around_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let text = "# mine\n[relay]\nrate = \"1 MB/s\" # the line is thin\n\n[limits]\nqueue = 7\n";
        std::fs::write(&path, text).unwrap();
        let before = Relay { rate: Some(1_000_000), ..Relay::default() };
        let after = Relay { rate: Some(3_000_000), month: None, circuits: 8, hand_on: 1, ..before };
        after.write_changes(&before, &path).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("# mine\n[relay]\nrate = \"3 MB/s\" # the line is thin\n"), "{written}");
        assert!(written.contains("queue = 7"), "{written}");
        let read: toml_edit::DocumentMut = written.parse().unwrap();
        let read: Relay = toml_edit::de::from_str(&read["relay"].to_string()).unwrap();
        assert_eq!(read, after);
        after.write_changes(&after, &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    }

    #[test]
    fn what_is_not_said_is_the_default_and_wrong_words_are_named() {
        let read = |text: &str| toml_edit::de::from_str::<Relay>(text);
        assert_eq!(read("").unwrap(), Relay::default());
        assert_eq!(read("rate = 5000").unwrap().rate, Some(5000));
        assert_eq!(read("rate = 'unlimited'").unwrap().rate, None);
        for wrong in
            ["rate = 'much'", "month = 0", "month = -1", "circuits = -1", "hand_on = 300", "speed = 1"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
