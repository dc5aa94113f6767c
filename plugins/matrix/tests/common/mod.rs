//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

pub mod proxy;
pub mod server;

use std::path::PathBuf;
use std::sync::Arc;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Key, Opened, Record, Registry, Slot, Timestamp,
};
use wayside_bridge_matrix::MatrixKind;
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// A short name that nobody else has.
pub fn random_name(prefix: &str) -> String {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).unwrap();
    format!("{prefix}{}", data_encoding::HEXLOWER.encode(&bytes))
}

/// Opens the kind with these options.
pub async fn open(
    options: &[(&str, String)],
    state: Option<PathBuf>,
    clock: &TestClock,
) -> Result<Opened, BridgeError> {
    let options = BridgeOptions::from_iter(options.iter().map(|(name, value)| (*name, value.clone())));
    let context =
        BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, state) };
    Registry::new().with(MatrixKind).open("matrix", &options, context).await
}

/// A file with a password or token, which only its owner may read.
pub fn secret_file(folder: &std::path::Path, name: &str, secret: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("{secret}\n")).unwrap();
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

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
