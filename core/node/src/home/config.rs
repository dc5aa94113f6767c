//! The one file of configuration: TOML, written by `wayside` and by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};
use wayside_proto::introducer::Person;

use super::{
    Api, HomeError, files, mailbox::Mailbox, network::Network, relay::Relay, rendezvous::Rendezvous,
};

/// What the user configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Where and how to listen, and how to find out how one is reached.
    pub network: Network,
    /// The bridges, by name.
    pub bridges: Vec<BridgeConfig>,
    /// What things may cost.
    pub limits: Limits,
    /// What forwarding for friends may cost.
    pub relay: Relay,
    /// What keeping friends' mail may cost, and how our own is kept.
    pub mailbox: Mailbox,
    /// Whether anybody may leave records here, and what that may cost.
    pub rendezvous: Rendezvous,
    /// Whether the node may be asked over TCP on this machine.
    pub api: Api,
}

/// A bridge that the user configured.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeConfig {
    /// What the user calls it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The kind's options by name.
    pub options: BTreeMap<String, String>,
    /// Whether mail for friends may lie there. The node's option, of which the bridge knows nothing.
    pub mail: bool,
    /// The bot of its room. The node's option, too.
    pub bot: Option<BotConfig>,
}

/// A bot that introduces members of a bridge's room to one another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BotConfig {
    /// Who it is, as the room names it.
    pub who: Person,
    /// Whether we are to be on its list.
    pub listed: bool,
}

impl fmt::Debug for BridgeConfig {
    /// Options may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What things may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// After how many days a message that nobody fetched is given up.
    pub message_days: u32,
    /// The most messages that wait for one friend.
    pub queue: u32,
    /// The most messages here that were not read yet, from one friend.
    pub inbox: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_days: 30, queue: 10_000, inbox: 10_000 }
    }
}

impl Limits {
    /// After how long a message that nobody fetched is given up.
    pub fn message_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.message_days) * 86_400)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    network: Network,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    relay: Relay,
    #[serde(default)]
    mailbox: Mailbox,
    #[serde(default)]
    rendezvous: Rendezvous,
    #[serde(default)]
    api: Api,
    #[serde(default)]
    bridges: BTreeMap<String, BridgeTable>,
}

#[derive(Deserialize)]
struct BridgeTable {
    kind: String,
    #[serde(default)]
    mail: bool,
    bot: Option<String>,
    listed: Option<bool>,
    #[serde(flatten)]
    options: BTreeMap<String, String>,
}

impl Config {
    /// Reads the file; a missing one is the default.
    pub(super) fn read(path: &Path) -> Result<Self, HomeError> {
        Self::parse(path, &read_text(path)?)
    }

    /// What this text says, which stands in the file there or is to.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, HomeError> {
        let file: File = toml_edit::de::from_str(text).map_err(|error| nonsense(path, error.message()))?;
        let bridges = file.bridges.into_iter().map(|(name, table)| {
            check_bridge_name(&name).map_err(|why| nonsense(path, why))?;
            let bot = bot(table.bot, table.listed)
                .map_err(|why| nonsense(path, format!("the bridge `{name}`: {why}")))?;
            Ok(BridgeConfig { name, kind: table.kind, options: table.options, mail: table.mail, bot })
        });
        Ok(Self {
            network: file.network,
            limits: file.limits,
            relay: file.relay,
            mailbox: file.mailbox,
            rendezvous: file.rendezvous,
            api: file.api,
            bridges: bridges.collect::<Result<_, HomeError>>()?,
        })
    }

    /// Writes a first configuration, with what there is to configure.
    pub(super) fn write_new(&self, path: &Path) -> Result<(), HomeError> {
        files::replace(path, TEMPLATE.as_bytes()).map_err(|error| HomeError::io(path, error))
    }
}

/// Adds a bridge to the file, whose comments and order stay as they are.
pub(crate) fn add_bridge(path: &Path, bridge: &BridgeConfig) -> Result<(), HomeError> {
    edit(path, |document| {
        let bridges = document.entry("bridges").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let mut table = Table::new();
        table.insert("kind", value(&bridge.kind));
        if bridge.mail {
            table.insert("mail", value(true));
        }
        set_bot(&mut table, bridge.bot.as_ref());
        for (name, text) in &bridge.options {
            table.insert(name, value(text));
        }
        if let Some(bridges) = bridges.as_table_like_mut() {
            bridges.insert(&bridge.name, Item::Table(table));
        }
    })
}

/// Writes who a bridge's bot is.
pub(crate) fn change_bot(path: &Path, bridge: &str, bot: &BotConfig) -> Result<(), HomeError> {
    edit(path, |document| {
        let bridges = document.get_mut("bridges").and_then(Item::as_table_like_mut);
        let table = bridges.and_then(|bridges| bridges.get_mut(bridge)).and_then(Item::as_table_like_mut);
        if let Some(table) = table {
            set_bot(table, Some(bot));
        }
    })
}

fn set_bot(table: &mut dyn TableLike, bot: Option<&BotConfig>) {
    if let Some(bot) = bot {
        table.insert("bot", value(bot.who.as_str()));
        table.insert("listed", value(bot.listed));
    }
}

/// The bot of a bridge's table.
fn bot(who: Option<String>, listed: Option<bool>) -> Result<Option<BotConfig>, String> {
    let Some(who) = who else {
        return match listed {
            Some(_) => Err("`listed` says nothing without `bot`".to_owned()),
            None => Ok(None),
        };
    };
    let who = Person::new(&who).ok_or("`bot` is nobody: write who it is, as its room names it")?;
    Ok(Some(BotConfig { who, listed: listed.unwrap_or(true) }))
}

/// Takes a bridge out of the file.
pub(crate) fn remove_bridge(path: &Path, name: &str) -> Result<(), HomeError> {
    edit(path, |document| {
        if let Some(bridges) = document.get_mut("bridges").and_then(Item::as_table_like_mut) {
            bridges.remove(name);
        }
    })
}

/// A name that a person or account may have.
pub(super) fn check_name(name: &str) -> Result<&str, HomeError> {
    let name = name.trim();
    if wayside_proto::identity::Roster::is_name(name) { Ok(name) } else { Err(HomeError::Name) }
}

/// A bridge's name is a folder's name too.
pub(crate) fn check_bridge_name(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=32).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-') {
        Ok(())
    } else {
        Err(format!("`{name}` cannot name a bridge: use 1 to 32 letters, digits, - and _"))
    }
}

pub(super) fn edit(path: &Path, change: impl FnOnce(&mut DocumentMut)) -> Result<(), HomeError> {
    try_edit(path, |document| {
        change(document);
        Ok(())
    })
}

/// Changes the file, or leaves it as it is where that fails. A node and `wayside config` may both be about to: one waits for the other.
pub(super) fn try_edit(
    path: &Path,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), HomeError>,
) -> Result<(), HomeError> {
    let failed = |error| HomeError::io(path, error);
    let lock = files::private_file(&path.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut document = document(path, &read_text(path)?)?;
    change(&mut document)?;
    files::replace(path, document.to_string().as_bytes()).map_err(failed)
}

/// Sets a value of a section, with what stands around it.
pub(super) fn put(document: &mut DocumentMut, section: &str, name: &str, item: Item) {
    let table = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = table.as_table_like_mut() else { return };
    match (table.get_mut(name), item.into_value()) {
        (Some(Item::Value(old)), Ok(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, Ok(new)) => drop(table.insert(name, Item::Value(new))),
        (_, Err(_)) => {}
    }
}

pub(super) fn document(path: &Path, text: &str) -> Result<DocumentMut, HomeError> {
    text.parse().map_err(|error: toml_edit::TomlError| nonsense(path, error.message()))
}

pub(super) fn read_text(path: &Path) -> Result<String, HomeError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(nonsense(path, "it is not text"))
        }
        Err(error) => Err(HomeError::io(path, error)),
    }
}

fn nonsense(path: &Path, why: impl ToString) -> HomeError {
    HomeError::Config { path: path.to_owned(), why: why.to_string() }
}

pub(super) const TEMPLATE: &str = r#"# wayside's configuration. Commands change it and keep your comments.

[network]
# Where to listen: UDP over IPv4 and IPv6, port 0 for any free one. For friends whose network blocks UDP add a TCP port that can be
# reached from there, for example "tcp://0.0.0.0:443".
listen = ["udp://0.0.0.0:0", "udp://[::]:0"]
# How this machine finds out how it is seen from outside, which it needs to know behind a router. Friends over a link tell it in any case;
# for more than that nobody is asked unless it stands here.
# Whose questions this machine answers, on its own UDP port and a second one: "off", "friends" (those whom `wayside friend allow reflect NAME`
# lets, and newcomers whom they invite), or "anyone". Useful where it has a public address.
stun = "off"
# STUN servers to ask, for example ["stun:stun.example.org:3478"]. They learn this machine's address, and when it asks.
stun_servers = []
# How to ask the router to let others in: any of "pcp", "nat-pmp", "upnp".
portmap = []

[limits]
# After how many days a message that nobody fetched is given up.
message_days = 30
# The most messages that wait for one friend.
queue = 10000
# The most unread messages kept from one friend.
inbox = 10000

[relay]
# What forwarding for friends may cost, whom `wayside friend allow relay NAME` lets; nobody is let at first. `wayside relay limit` changes these while
# the node runs. Each byte is counted once, as it arrives; it leaves again, so that the line carries twice as much.
# All friends together: bytes a second (2 MB/s are 16 Mbit/s), bytes a month, circuits at a time. "unlimited" is no bound.
rate = "2 MB/s"
month = "50 GB"
circuits = 64
# One friend. What `rate` allows is shared fairly in any case.
friend_rate = "unlimited"
friend_month = "20 GB"
friend_circuits = 16
# How often a friend may hand on what lets it use this relay, to a friend of its own; 0 is not at all.
hand_on = 0

[mailbox]
# What keeping mail for friends who are away may cost, whom `wayside friend allow mailbox NAME` lets; nobody is let at first. Bytes on the disk: for all
# friends together, for one friend, and from one sender for one friend; there also how many messages. For how many days it is kept, 30 at most.
total = "1 GB"
friend = "100 MB"
queue = "20 MB"
queue_items = 10000
days = 30
# Our own mail: with how many of the recipient's friends each message is left, 4 at most; whether friends of ours carry it where the recipient names
# too few; the largest attachment that goes this way.
copies = 2
couriers = true
attach = "16 MiB"

[rendezvous]
# A drop for everybody on a machine with a public address: two people who know it leave each other sealed records there, and need not be friends of yours.
# Off as long as nothing stands here; "0.0.0.0:3480", or "[::]:3480" for IPv6 as well. TCP for records, UDP for STUN.
# listen = "[::]:3480"
# What strangers may use: records and bytes in all, of one source (an IPv4 address, or an IPv6 network of 64 bits), and in one space; for how many days
# a record is kept at most; bytes a second in all and of one source.
records = 10000
bytes = "24 MB"
source_records = 256
source_bytes = "512 kB"
space_bytes = "2 MB"
days = 30
rate = "2 MB/s"
source_rate = "200 kB/s"

[api]
# Programs and web pages on this machine may ask the node over TCP as well, with tokens (`wayside token add`). Off as long as nothing stands here;
# loopback only, for example "127.0.0.1:4650".
# listen = "127.0.0.1:4650"
# The web pages that may ask, for example ["https://app.example"].
origins = []

# Bridges: added by `wayside bridge add`.
"#;
