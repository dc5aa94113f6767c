//! What the tests open bridges with, and how they look at the server from behind.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

pub mod fake;

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Fetch, Key, Keys, Place, Record, Registry,
    SharedBridge, Slot, Timestamp,
};
use wayside_bridge_dns::{DnsKind, Pace};
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// A server of our own on loopback, which need not be spared.
pub const FAST: Pace =
    Pace { poll: Duration::from_millis(20), ttl: Duration::from_secs(1), patience: Duration::from_secs(5) };

/// Why there is no server.
pub const NONE: &str = "no BIND is started: `tests/run dns` does that";

pub fn context(clock: &TestClock) -> BridgeContext {
    BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, None) }
}

/// Opens a bridge with these options, at this pace.
pub async fn open(
    options: &[(&str, String)],
    pace: Pace,
    clock: &TestClock,
) -> Result<SharedBridge, BridgeError> {
    open_kind(DnsKind::at_pace(pace), options, clock).await
}

/// The same with a kind of one's own.
pub async fn open_kind(
    kind: DnsKind,
    options: &[(&str, String)],
    clock: &TestClock,
) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter(options.iter().map(|(name, value)| (*name, value.clone())));
    Ok(Registry::new().with(kind).open("dns", &options, context(clock)).await?.bridge)
}

/// The servers of the recipe.
#[derive(Clone, Debug)]
pub struct Server {
    pub at: String,
    pub cache: String,
    pub keys: String,
}

impl Server {
    /// Where the recipe says that they are.
    pub fn started() -> Option<Self> {
        let said = |name: &str| std::env::var(name).ok();
        Some(Self {
            at: said("WAYSIDE_DNS_SERVER")?,
            cache: said("WAYSIDE_DNS_CACHE")?,
            keys: said("WAYSIDE_DNS_KEYS")?,
        })
    }

    pub fn key(&self, of: &str) -> String {
        format!("{}/{of}.key", self.keys)
    }

    /// The options of who writes into a zone with this key.
    pub fn options(&self, zone: &str, key: &str) -> Vec<(&'static str, String)> {
        vec![("zone", zone.to_owned()), ("server", self.at.clone()), ("tsig-file", self.key(key))]
    }

    /// Says this to `nsupdate`.
    pub async fn nsupdate(&self, zone: &str, lines: &str) {
        let (host, port) = self.at.rsplit_once(':').unwrap();
        let script = format!("server {host} {port}\nzone {zone}\n{lines}send\n");
        let mut child = Command::new("nsupdate")
            .args(["-v", "-k", &self.key("ada")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nsupdate: {said}");
    }

    /// What `dig` says, in short.
    pub async fn dig(&self, at: &str, args: &[&str]) -> String {
        let (host, port) = at.rsplit_once(':').unwrap();
        let output =
            Command::new("dig").args([&format!("@{host}"), "-p", port]).args(args).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// All TXT records at or below a name, as the zone itself has them.
    pub async fn listed(&self, zone: &str, below: &str) -> Vec<String> {
        let text = self.dig(&self.at, &["+noall", "+answer", "AXFR", zone]).await;
        let below = format!("{below}.");
        let lines = text.lines().filter(|line| {
            let mut words = line.split_whitespace();
            words.next().is_some_and(|name| name.ends_with(&below)) && words.nth(2) == Some("TXT")
        });
        lines.map(str::to_owned).collect()
    }
}

/// A name below this zone that nobody has used.
pub fn fresh(zone: &str) -> String {
    let mut bytes = [0; 8];
    Random.fill(&mut bytes);
    format!("n{}.{zone}", data_encoding::HEXLOWER.encode(&bytes))
}

/// Where the record is, written down once more.
pub fn name_of(zone: &str, key: &Key) -> String {
    match key {
        Key::Slot(slot) => format!("{slot}._wayside.{zone}"),
        Key::Name(name) => format!("_wayside.{name}.{zone}"),
    }
}

/// What it is there, written down once more.
pub fn text_of(record: &Record) -> String {
    let class = if record.class == Class::Pointer { 'p' } else { 'm' };
    let end = u32::try_from(record.not_after.as_secs()).unwrap().to_be_bytes();
    format!("w{class}{}{}", BASE64URL_NOPAD.encode(&end), BASE64URL_NOPAD.encode(&record.bytes))
}

/// A text as zone files have it, in strings of at most 255 bytes.
pub fn quoted(text: &[u8]) -> String {
    let strings: Vec<&[u8]> = if text.is_empty() { vec![&[]] } else { text.chunks(255).collect() };
    let mut quoted = String::new();
    for string in strings {
        quoted.push('"');
        for byte in string {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' ') {
                quoted.push(char::from(*byte));
            } else {
                write!(quoted, "\\{byte:03}").unwrap();
            }
        }
        quoted.push_str("\" ");
    }
    quoted
}

pub fn slot(byte: u8) -> Key {
    Key::Slot(Slot([byte; 16]))
}

/// The end of most records here.
pub const LATE: Timestamp = Timestamp::from_secs(4_000_000_000);

pub fn meeting(byte: u8, bytes: &[u8]) -> Record {
    Record::new(slot(byte), Class::Meeting, LATE, bytes.to_vec())
}

pub fn pointer(name: &str, bytes: &[u8]) -> Record {
    Record::new(Key::name(name).unwrap(), Class::Pointer, LATE, bytes.to_vec())
}

/// Everything of this key in one's own place.
pub fn just(key: &Key) -> Fetch {
    Fetch::new(Place::Own, [key.clone()].into_iter().collect::<Keys>())
}

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
