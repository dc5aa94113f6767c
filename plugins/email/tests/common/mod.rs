//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

pub mod cutter;
pub mod maildir;
pub mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Fetch, Key, Keys, Opened, Place, Record,
    Registry, SharedBridge, Slot, Timestamp,
};
use wayside_bridge_email::{EmailKind, Pace};
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// A server of our own on loopback answers soon, or not at all.
pub const FAST: Pace = Pace {
    patience: Duration::from_secs(20),
    idle: Duration::from_secs(60),
    poll: Duration::from_millis(300),
    linger: Duration::from_secs(5),
};

/// For tests that wait until patience is over.
pub const IMPATIENT: Pace = Pace { patience: Duration::from_secs(2), idle: Duration::from_secs(2), ..FAST };

pub fn context(clock: &TestClock, folder: Option<PathBuf>) -> BridgeContext {
    BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, folder) }
}

/// Opens a bridge with these options, at this pace.
pub async fn open(
    options: &[(&str, String)],
    pace: Pace,
    clock: &TestClock,
    folder: Option<PathBuf>,
) -> Result<Opened, BridgeError> {
    let options = BridgeOptions::from_iter(options.iter().map(|(name, value)| (*name, value.clone())));
    Registry::new().with(EmailKind::at_pace(pace)).open("email", &options, context(clock, folder)).await
}

pub fn slot(byte: u8) -> Key {
    Key::Slot(Slot([byte; 16]))
}

pub const LATER: Timestamp = Timestamp::from_secs(4_000_000_000);

pub fn meeting(byte: u8, bytes: &[u8]) -> Record {
    Record::new(slot(byte), Class::Meeting, LATER, bytes.to_vec())
}

pub fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// Everything that is found now.
pub async fn found(bridge: &SharedBridge) -> Vec<Record> {
    let mut request = all();
    let mut found = Vec::new();
    loop {
        let batch = bridge.fetch(request.clone()).await.unwrap();
        found.extend(batch.records);
        if !batch.more {
            return found;
        }
        request.cursor = batch.cursor;
    }
}

/// Looks until a record is found.
pub async fn until_found(bridge: &SharedBridge, record: &Record) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !found(bridge).await.contains(record) {
        assert!(tokio::time::Instant::now() < deadline, "{record:?} is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
