//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

pub mod fake;
pub mod place;
pub mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Key, Record, Registry, SharedBridge, Slot,
    Timestamp,
};
use wayside_bridge_github::{GitHubKind, Pace};
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
    Pace { poll: Duration::from_millis(20), writes: Duration::ZERO, patience: Duration::from_secs(30) };

pub fn context(clock: &TestClock) -> BridgeContext {
    BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, None) }
}

/// Opens a bridge with these options, at this pace.
pub async fn open(
    options: &[(&str, String)],
    pace: Pace,
    clock: &TestClock,
) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter(options.iter().map(|(name, value)| (*name, value.clone())));
    Ok(Registry::new().with(GitHubKind::at_pace(pace)).open("github", &options, context(clock)).await?.bridge)
}

/// A file with a token, which only its owner may read.
pub fn token_file(token: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("token");
    std::fs::write(&path, format!("{token}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

pub fn slot(byte: u8) -> Key {
    Key::Slot(Slot([byte; 16]))
}

pub fn meeting(byte: u8, bytes: &[u8]) -> Record {
    Record::new(slot(byte), Class::Meeting, Timestamp::from_secs(4_000_000_000), bytes.to_vec())
}

pub fn pointer(name: &str, bytes: &[u8]) -> Record {
    let key = Key::name(name).unwrap();
    Record::new(key, Class::Pointer, Timestamp::from_secs(4_000_000_000), bytes.to_vec())
}

pub const DAY: Duration = Duration::from_secs(86_400);

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
