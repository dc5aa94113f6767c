//! `[rendezvous]`: whether this machine lets anybody leave sealed records here, and what that may cost it. Off unless `listen` stands there.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::relay::Relay;

/// A drop for everybody on this machine, and what strangers may make it hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Rendezvous {
    /// `ADDRESS:PORT`, TCP for records and UDP for STUN, port 0 for any free one; `None`: nothing is served.
    #[serde(deserialize_with = "listen")]
    pub listen: Option<SocketAddr>,
    /// The most records in all.
    #[serde(deserialize_with = "count")]
    pub records: u32,
    /// Bytes in all.
    #[serde(deserialize_with = "amount")]
    pub bytes: u64,
    /// The most records of one source: an IPv4 address, or an IPv6 network of 64 bits. Its neighbours, a /24 or a /48, have four times as much together.
    #[serde(deserialize_with = "count")]
    pub source_records: u32,
    /// Bytes of one source.
    #[serde(deserialize_with = "amount")]
    pub source_bytes: u64,
    /// Bytes in one space, which whoever looks is given whole.
    #[serde(deserialize_with = "amount")]
    pub space_bytes: u64,
    /// For how many days a record is kept after it was put here, 1 to 366; it may say that it is good for less.
    #[serde(deserialize_with = "days")]
    pub days: u32,
    /// Bytes a second to and from everybody.
    #[serde(deserialize_with = "amount")]
    pub rate: u64,
    /// Bytes a second to and from one source.
    #[serde(deserialize_with = "amount")]
    pub source_rate: u64,
}

impl Default for Rendezvous {
    /// What a small machine does not feel: records weigh some two kilobytes, and a source is a household or a firm with perhaps a hundred of them.
    fn default() -> Self {
        Self {
            listen: None,
            records: 10_000,
            bytes: 24_000_000,
            source_records: 256,
            source_bytes: 512_000,
            space_bytes: 2_000_000,
            days: 30,
            rate: 2_000_000,
            source_rate: 200_000,
        }
    }
}

impl Rendezvous {
    /// The longest that anything is kept, in days.
    const MOST_DAYS: u32 = 366;

    /// For how long a record is kept.
    pub fn kept(&self) -> Duration {
        Duration::from_secs(u64::from(self.days) * 86_400)
    }
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    let address = text.parse().map_err(|_| {
        let what = "is no address to listen at: write \"0.0.0.0:3480\", or \"[::]:3480\" for IPv6 as well";
        D::Error::custom(format!("`{text}` {what}"))
    });
    address.map(Some)
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    struct Amount;
    impl Visitor<'_> for Amount {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount, `20 MB` or `200 kB/s`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            // What strangers may do has an end.
            let amount = Relay::parse_amount(text).map_err(E::custom)?;
            amount.ok_or_else(|| E::custom("there is a bound to what strangers may use"))
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
            let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
            bytes.ok_or_else(|| E::custom("an amount is more than nothing"))
        }
    }
    from.deserialize_any(Amount)
}

fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        0 => Err(D::Error::custom("a number of records is more than nothing")),
        count => Ok(count),
    }
}

fn days<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let days = u32::deserialize(from)?;
    if (1..=Rendezvous::MOST_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err(D::Error::custom(format!("`days` is 1 to {}", Rendezvous::MOST_DAYS)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rendezvous, toml_edit::de::Error> {
        toml_edit::de::from_str(text)
    }

    #[test]
    fn nothing_is_served_by_default_and_one_line_serves() {
        assert_eq!(read("").unwrap(), Rendezvous::default());
        assert_eq!(Rendezvous::default().listen, None);
        let served = read("listen = '[::]:3480'").unwrap();
        assert_eq!(served, Rendezvous { listen: "[::]:3480".parse().ok(), ..Rendezvous::default() });
        let read_in = read("bytes = '5 MB'\nsource_rate = '1 MB/s'\ndays = 7\nsource_records = 9").unwrap();
        let expected = Rendezvous {
            bytes: 5_000_000,
            source_rate: 1_000_000,
            days: 7,
            source_records: 9,
            ..Rendezvous::default()
        };
        assert_eq!(read_in, expected);
    }

    #[test]
    fn wrong_words_are_named() {
        for (wrong, named) in [
            ("listen = '3480'", "`3480` is no address to listen at: write \"0.0.0.0:3480\""),
            ("listen = 'udp://0.0.0.0:1'", "is no address to listen at"),
            ("listen = 3480", "invalid type"),
            ("bytes = 'unlimited'", "there is a bound"),
            ("bytes = 0", "more than nothing"),
            ("rate = 'fast'", "is no amount"),
            ("records = 0", "more than nothing"),
            ("days = 0", "`days` is 1 to 366"),
            ("days = 367", "`days` is 1 to 366"),
            ("port = 1", "unknown field"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
