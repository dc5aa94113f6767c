//! What can be configured: the one table of it, what it is set to, and how one option is changed.

use toml_edit::{Array, DocumentMut, Item, Value};

use super::config::{self, put};
use super::relay::Relay;
use super::{Config, Home, HomeError, Listen, Portmap, Stun};
use crate::api::types::{ConfigOption, ConfigSource};

/// An option of `config.toml` outside `[bridges]`, whose options are each kind's own.
struct Known {
    key: &'static str,
    /// As it stands in the file.
    default: Option<&'static str>,
    about: &'static str,
    value: fn(&Config) -> Option<Value>,
}

impl Home {
    /// Every option with its meaning, its default, and what it is set to. The bridges are not among them.
    ///
    /// # Errors
    /// The file makes no sense.
    pub fn options(&self) -> Result<Vec<ConfigOption>, HomeError> {
        let path = self.config_path();
        let text = config::read_text(&path)?;
        let (document, config) = (config::document(&path, &text)?, Config::parse(&path, &text)?);
        Ok(OPTIONS.iter().map(|known| known.view(&document, &config)).collect())
    }

    /// Sets an option (`network.stun`) in the file, whose comments and order stay as they are, and returns it as it is now. The value is TOML; text may stand without quotes,
    /// and a list as its elements between commas. A node goes by it from its next start on.
    ///
    /// # Errors
    /// There is no such option, the value makes no sense, or the disk refuses.
    pub fn set_option(&self, key: &str, value: &str) -> Result<ConfigOption, HomeError> {
        let known = self.known(key)?;
        let value = known.read(value);
        self.change_option(known, |document, section, name| put(document, section, name, value.into()))
    }

    /// Takes an option out of the file: it is the default again.
    ///
    /// # Errors
    /// There is no such option, or the disk refuses.
    pub fn unset_option(&self, key: &str) -> Result<ConfigOption, HomeError> {
        let known = self.known(key)?;
        self.change_option(known, |document, section, name| {
            if let Some(table) = document.get_mut(section).and_then(Item::as_table_like_mut) {
                table.remove(name);
            }
        })
    }

    fn known(&self, key: &str) -> Result<&'static Known, HomeError> {
        let wanted = key.trim();
        OPTIONS.iter().find(|known| known.key == wanted).ok_or_else(|| HomeError::NoOption(key.to_owned()))
    }

    fn change_option(
        &self,
        known: &Known,
        change: impl FnOnce(&mut DocumentMut, &str, &str),
    ) -> Result<ConfigOption, HomeError> {
        let path = self.config_path();
        let (section, name) = known.names();
        let mut view = None;
        config::try_edit(&path, |document| {
            let was_sound = Config::parse(&path, &document.to_string()).is_ok();
            change(document, section, name);
            let config = Config::parse(&path, &document.to_string()).map_err(|error| match error {
                HomeError::Config { why, .. } if was_sound => {
                    HomeError::Value { key: known.key.to_owned(), why }
                }
                other => other,
            })?;
            // The rest is of types that hold nothing wrong.
            Listen::parse(&config.network.listen)
                .map_err(|why| HomeError::Value { key: known.key.to_owned(), why })?;
            view = Some(known.view(document, &config));
            Ok(())
        })?;
        view.ok_or_else(|| HomeError::NoOption(known.key.to_owned()))
    }
}

impl Known {
    fn names(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }

    fn view(&self, document: &DocumentMut, config: &Config) -> ConfigOption {
        let (section, name) = self.names();
        let set = document.get(section).and_then(Item::as_table_like).and_then(|table| table.get(name));
        ConfigOption {
            key: self.key.to_owned(),
            about: self.about.to_owned(),
            default: self.default.map(str::to_owned),
            value: (self.value)(config).map(|value| value.to_string()),
            from: if set.is_some() { ConfigSource::File } else { ConfigSource::Default },
        }
    }

    /// What somebody typed.
    fn read(&self, text: &str) -> Value {
        let text = text.trim();
        let value = text.parse::<Value>().unwrap_or_else(|_| Value::from(text));
        let is_list = self.default.is_some_and(|default| default.starts_with('['));
        if !is_list || value.is_array() {
            return value;
        }
        text.split(',').map(str::trim).filter(|element| !element.is_empty()).collect::<Array>().into()
    }
}

fn text(text: impl ToString) -> Option<Value> {
    Some(text.to_string().into())
}

fn number(number: impl Into<u64>) -> Option<Value> {
    Some(i64::try_from(number.into()).unwrap_or(i64::MAX).into())
}

fn list<T: ToString>(elements: &[T]) -> Option<Value> {
    Some(elements.iter().map(ToString::to_string).collect::<Array>().into())
}

fn amount(bytes: u64) -> Option<Value> {
    text(Relay::write_amount(Some(bytes)))
}

fn rate(bytes: u64) -> Option<Value> {
    text(format!("{}/s", Relay::write_amount(Some(bytes))))
}

fn bound(bytes: Option<u64>, written: fn(u64) -> Option<Value>) -> Option<Value> {
    bytes.map_or_else(|| text(Relay::write_amount(None)), written)
}

const fn stun(stun: Stun) -> &'static str {
    match stun {
        Stun::Off => "off",
        Stun::Friends => "friends",
        Stun::Anyone => "anyone",
    }
}

const fn portmap(portmap: &Portmap) -> &'static str {
    match portmap {
        Portmap::Pcp => "pcp",
        Portmap::NatPmp => "nat-pmp",
        Portmap::Upnp => "upnp",
    }
}

const fn known(
    key: &'static str,
    default: Option<&'static str>,
    value: fn(&Config) -> Option<Value>,
    about: &'static str,
) -> Known {
    Known { key, default, about, value }
}

/// Every option, in the order of the file.
const OPTIONS: &[Known] = &[
    known(
        "network.listen",
        Some(r#"["udp://0.0.0.0:0", "udp://[::]:0"]"#),
        |config| list(&config.network.listen),
        "Where to listen: udp://ADDRESS:PORT or tcp://ADDRESS:PORT, port 0 for any free one. TCP is for friends whose network blocks UDP",
    ),
    known(
        "network.stun",
        Some(r#""off""#),
        |config| text(stun(config.network.stun)),
        "Whose questions how they are seen from outside this machine answers: off, friends (whom `wayside friend allow reflect` lets), or anyone",
    ),
    known(
        "network.stun_servers",
        Some("[]"),
        |config| list(&config.network.stun_servers),
        "STUN servers to ask how this machine is seen from outside. They learn its address, and when it asks",
    ),
    known(
        "network.portmap",
        Some("[]"),
        |config| list(&config.network.portmap.iter().map(portmap).collect::<Vec<_>>()),
        "How to ask the router to let others in: any of pcp, nat-pmp, upnp",
    ),
    known(
        "limits.message_days",
        Some("30"),
        |config| number(config.limits.message_days),
        "After how many days a message that nobody fetched is given up",
    ),
    known(
        "limits.queue",
        Some("10000"),
        |config| number(config.limits.queue),
        "The most messages that wait for one friend",
    ),
    known(
        "limits.inbox",
        Some("10000"),
        |config| number(config.limits.inbox),
        "The most unread messages kept from one friend",
    ),
    known(
        "relay.rate",
        Some(r#""2 MB/s""#),
        |config| bound(config.relay.rate, rate),
        "Forwarding for friends: bytes a second for all together, or unlimited. Each byte is counted once and travels twice",
    ),
    known(
        "relay.month",
        Some(r#""50 GB""#),
        |config| bound(config.relay.month, amount),
        "Forwarding for friends: bytes a calendar month for all together, or unlimited",
    ),
    known(
        "relay.circuits",
        Some("64"),
        |config| number(config.relay.circuits),
        "Forwarding for friends: the most circuits at a time",
    ),
    known(
        "relay.friend_rate",
        Some(r#""unlimited""#),
        |config| bound(config.relay.friend_rate, rate),
        "Forwarding for one friend: bytes a second, or unlimited. What `relay.rate` allows is shared fairly in any case",
    ),
    known(
        "relay.friend_month",
        Some(r#""20 GB""#),
        |config| bound(config.relay.friend_month, amount),
        "Forwarding for one friend: bytes a calendar month, or unlimited",
    ),
    known(
        "relay.friend_circuits",
        Some("16"),
        |config| number(config.relay.friend_circuits),
        "Forwarding for one friend: the most circuits at a time",
    ),
    known(
        "relay.hand_on",
        Some("0"),
        |config| number(config.relay.hand_on),
        "How often a friend may hand on what lets it use this relay, to a friend of its own; 0 is not at all",
    ),
    known(
        "mailbox.total",
        Some(r#""1 GB""#),
        |config| amount(config.mailbox.total),
        "Keeping mail for friends who are away: bytes for all together",
    ),
    known(
        "mailbox.friend",
        Some(r#""100 MB""#),
        |config| amount(config.mailbox.friend),
        "Keeping mail: bytes for one friend",
    ),
    known(
        "mailbox.queue",
        Some(r#""20 MB""#),
        |config| amount(config.mailbox.queue),
        "Keeping mail: bytes that one sender may leave for one friend",
    ),
    known(
        "mailbox.queue_items",
        Some("10000"),
        |config| number(config.mailbox.queue_items),
        "Keeping mail: messages that one sender may leave for one friend",
    ),
    known(
        "mailbox.days",
        Some("30"),
        |config| number(config.mailbox.days),
        "Keeping mail: for how many days, 1 to 30; a sender may want less",
    ),
    known(
        "mailbox.copies",
        Some("2"),
        |config| number(config.mailbox.copies),
        "Our own mail: with how many of the recipient's friends each message is left, 1 to 4",
    ),
    known(
        "mailbox.couriers",
        Some("true"),
        |config| Some(config.mailbox.couriers.into()),
        "Our own mail: whether friends of ours carry it where the recipient names too few who keep mail",
    ),
    known(
        "mailbox.attach",
        Some(r#""16 MiB""#),
        |config| amount(config.mailbox.attach),
        "The largest attachment that is sent or taken by way of mailboxes",
    ),
    known(
        "rendezvous.listen",
        None,
        |config| config.rendezvous.listen.and_then(text),
        "ADDRESS:PORT of a drop for everybody on this machine: TCP for records, UDP for STUN. Nothing is served where it is not set",
    ),
    known(
        "rendezvous.records",
        Some("10000"),
        |config| number(config.rendezvous.records),
        "The drop: the most records in all",
    ),
    known(
        "rendezvous.bytes",
        Some(r#""24 MB""#),
        |config| amount(config.rendezvous.bytes),
        "The drop: bytes in all",
    ),
    known(
        "rendezvous.source_records",
        Some("256"),
        |config| number(config.rendezvous.source_records),
        "The drop: the most records of one source (an IPv4 address, or an IPv6 network of 64 bits)",
    ),
    known(
        "rendezvous.source_bytes",
        Some(r#""512 kB""#),
        |config| amount(config.rendezvous.source_bytes),
        "The drop: bytes of one source",
    ),
    known(
        "rendezvous.space_bytes",
        Some(r#""2 MB""#),
        |config| amount(config.rendezvous.space_bytes),
        "The drop: bytes in one space, which whoever looks is given whole",
    ),
    known(
        "rendezvous.days",
        Some("30"),
        |config| number(config.rendezvous.days),
        "The drop: for how many days a record is kept at most, 1 to 366",
    ),
    known(
        "rendezvous.rate",
        Some(r#""2 MB/s""#),
        |config| rate(config.rendezvous.rate),
        "The drop: bytes a second to and from everybody",
    ),
    known(
        "rendezvous.source_rate",
        Some(r#""200 kB/s""#),
        |config| rate(config.rendezvous.source_rate),
        "The drop: bytes a second to and from one source",
    ),
    known(
        "api.listen",
        None,
        |config| config.api.listen.and_then(text),
        "ADDRESS:PORT on loopback at which programs and web pages on this machine may ask the node, with tokens. Nothing is listened to where it is not set",
    ),
    known(
        "api.origins",
        Some("[]"),
        |config| list(&config.api.origins),
        "The web pages that may ask there, by where they come from: https://app.example",
    ),
];

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
