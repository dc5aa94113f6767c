//! What the tests hand a bridge, and how they open one.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, Class, Clock, Key, Monotonic, Record,
    SeededEntropy, SharedBridge, Slot, Spawner, Timestamp,
};
use wayside_bridge_exec::ExecKind;

/// The real time.
struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + self.0.elapsed().as_secs())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.0.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}

pub fn context(state_dir: Option<&Path>) -> BridgeContext {
    BridgeContext {
        clock: Arc::new(RealClock(Instant::now())),
        entropy: Arc::new(SeededEntropy::new(1)),
        spawner: Arc::new(TokioSpawner),
        state_dir: state_dir.map(Path::to_path_buf),
    }
}

/// Opens the bridge that this command line is, which has a second for each answer.
pub async fn open(command: &str, state_dir: Option<&Path>) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter([("command", command), ("timeout", "1")]);
    ExecKind.open(&options, context(state_dir)).await
}

/// The command line of one of `tests/children`.
pub fn child(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/children").join(name);
    format!("sh '{}'", path.display())
}

/// The command line of the example in Python, on this folder; nothing where there is no Python, which is said, and
/// an error where the run is meant to be whole.
pub fn python_example(folder: &Path) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/exec-python/folder_bridge.py");
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "there is no python3, and CI runs everything");
        eprintln!("skipped: there is no python3 here");
        return None;
    }
    Some(format!("python3 '{}' '{}'", script.display(), folder.display()))
}

pub fn record(slot: u8, bytes: &[u8]) -> Record {
    let not_after = Timestamp::from_secs(2_000_000_000);
    Record::new(Key::Slot(Slot([slot; 16])), Class::Meeting, not_after, bytes.to_vec())
}

/// Whether a process of this id is there and no zombie.
pub fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The most memory that this process has had resident, in bytes.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Waits until this is so, for ten seconds at most.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not happen");
}
