//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Clock, Entropy, Key, Record, Registry, SharedBridge,
    Slot, Timestamp,
};
use wayside_bridge_dir::DirKind;
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

pub fn context(clock: &TestClock, state_dir: Option<PathBuf>) -> BridgeContext {
    BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, state_dir) }
}

pub async fn open_with(path: &Path, context: BridgeContext) -> Result<SharedBridge, BridgeError> {
    open_as(path, [], context).await
}

/// With more options than the path.
pub async fn open_as<const N: usize>(
    path: &Path,
    more: [(&str, String); N],
    context: BridgeContext,
) -> Result<SharedBridge, BridgeError> {
    let path = ("path", path.to_str().unwrap().to_owned());
    let options = BridgeOptions::from_iter([path].into_iter().chain(more));
    Ok(Registry::new().with(DirKind).open("dir", &options, context).await?.bridge)
}

pub async fn open(path: &Path) -> SharedBridge {
    open_with(path, context(&TestClock::new(), None)).await.unwrap()
}

pub fn in_days(days: u32) -> Timestamp {
    TestClock::new().now().saturating_add(DAY * days)
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

/// The names in `.wayside/`, in order.
pub fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(path.join(".wayside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The names of records in `.wayside/`.
pub fn records(path: &Path) -> Vec<String> {
    names(path).into_iter().filter(|name| name.ends_with(".rec")).collect()
}

pub const DAY: Duration = Duration::from_secs(86_400);

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
