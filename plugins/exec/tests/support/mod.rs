//! What the tests hand a bridge, and how they open one.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests may")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, Class, Key, Record, SharedBridge, Slot, Timestamp,
};
use wayside_bridge_exec::{ExecBridge, ExecKind, Launch, Started, serve_on};
use wayside_conformance::support::TestClock;

/// A context of real time.
pub(crate) fn context(state_dir: Option<&Path>) -> BridgeContext {
    wayside_conformance::support::context(&TestClock::new(), 1, state_dir.map(Path::to_path_buf))
}

/// Opens the bridge that this command line is, which has a second for each answer.
pub(crate) async fn open(command: &str, state_dir: Option<&Path>) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter([("command", command), ("timeout", "1")]);
    Ok(ExecKind.open(&options, context(state_dir)).await?.bridge)
}

/// A bridge served at the other end of a pipe, and served anew whenever that ends.
pub(crate) struct Served(pub(crate) SharedBridge);

impl Launch for Served {
    fn name(&self) -> &str {
        "served"
    }

    fn launch(&self, _context: &BridgeContext) -> io::Result<Started> {
        let (ours, theirs) = tokio::io::duplex(16 << 10);
        let (output, input) = tokio::io::split(ours);
        let bridge = self.0.clone();
        tokio::spawn(async move {
            let (input, output) = tokio::io::split(theirs);
            serve_on(&*bridge, input, output).await.expect("the pipe holds");
        });
        Ok(Started { output: Box::new(output), input: Box::new(input), process: None })
    }
}

/// A bridge through a pipe.
pub(crate) async fn served(bridge: SharedBridge, context: BridgeContext) -> Result<ExecBridge, BridgeError> {
    ExecBridge::open(Served(bridge), Duration::from_secs(30), context).await
}

/// The command line of one of `tests/children`.
pub(crate) fn child(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/children").join(name);
    format!("sh '{}'", path.display())
}

/// The command line of the example in Python, on this folder; nothing where there is no Python, which is said, and
/// an error where the run is meant to be whole.
pub(crate) fn python_example(folder: &Path) -> Option<String> {
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "there is no python3, and CI runs everything");
        eprintln!("skipped: there is no python3 here");
        return None;
    }
    Some(example("python3", "exec-python/folder_bridge.py", folder))
}

/// The command line of the example in shell, on this folder, run by this shell.
pub(crate) fn shell_example(shell: &str, folder: &Path) -> String {
    example(shell, "exec-shell/folder_bridge.sh", folder)
}

fn example(interpreter: &str, script: &str, folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(script);
    format!("{interpreter} '{}' '{}'", script.display(), folder.display())
}

pub(crate) fn record(slot: u8, bytes: &[u8]) -> Record {
    let not_after = Timestamp::from_secs(2_000_000_000);
    Record::new(Key::Slot(Slot([slot; 16])), Class::Meeting, not_after, bytes.to_vec())
}

/// Whether a process of this id is there and no zombie.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The most memory that this process has had resident, in bytes.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Waits until this is so, for ten seconds at most.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not happen");
}
