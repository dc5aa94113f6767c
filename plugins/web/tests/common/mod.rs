//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

pub mod fake;
pub mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Fetch, Key, Keys, Place, Record, Registry,
    SharedBridge, Slot, Timestamp,
};
use wayside_bridge_web::{Pace, WebKind};
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// A server of our own on loopback, which need not be spared.
pub const FAST: Pace = Pace {
    poll: Duration::from_millis(20),
    patience: Duration::from_secs(30),
    linger: Duration::from_millis(10),
};

/// Opens a bridge with these options; what it keeps is in the folder.
pub async fn open(
    options: &[(&str, String)],
    pace: Pace,
    clock: &TestClock,
    state: Option<&Path>,
) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter(options.iter().map(|(name, value)| (*name, value.clone())));
    let context = wayside_conformance::support::context(clock, 0, state.map(Path::to_owned));
    let context = BridgeContext { entropy: Arc::new(Random), ..context };
    Ok(Registry::new().with(WebKind::at_pace(pace)).open("web", &options, context).await?.bridge)
}

/// A file with a password, which only its owner may read.
pub fn password_file(dir: &Path, password: &str) -> String {
    let path: PathBuf = dir.join(format!("password-{password}"));
    std::fs::write(&path, format!("{password}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    path.to_str().unwrap().to_owned()
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

pub fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

pub fn named(name: &str) -> Fetch {
    Fetch::new(Place::Own, [Key::name(name).unwrap()].into_iter().collect())
}

pub const DAY: Duration = Duration::from_secs(86_400);

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
