//! What the tests of the bridge have in common.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

pub mod hostile;
pub mod lan;

use std::path::PathBuf;
use std::sync::Arc;

use wayside_bridge::{BridgeContext, BridgeError, BridgeOptions, Entropy, Registry, SharedBridge};
use wayside_bridge_mdns::MdnsKind;
use wayside_conformance::support::TestClock;

/// Why nothing is tried.
pub const REASON: &str = "no network namespaces are to be made here: `tests/run lan` says so";

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// Opens the bridge in a host's runtime.
pub async fn open(
    runtime: &tokio::runtime::Handle,
    options: BridgeOptions,
    state_dir: Option<PathBuf>,
) -> Result<SharedBridge, BridgeError> {
    let opening = async move {
        let context = wayside_conformance::support::context(&TestClock::new(), 0, state_dir);
        let context = BridgeContext { entropy: Arc::new(Random), ..context };
        Registry::new().with(MdnsKind).open("mdns", &options, context).await
    };
    Ok(runtime.spawn(opening).await.unwrap()?.bridge)
}

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}
