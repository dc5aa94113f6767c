//! Children that misbehave: each costs one clear sentence, a bounded amount of memory, and a restart.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::time::{Duration, Instant};

use futures::StreamExt;
use support::{child, eventually, is_alive, open, record};
use wayside_bridge::{
    BridgeError, ErrorKind, Fault, Fetch, Keys, Place, Receipt, Retry, SharedBridge, Watch,
};

/// The error of opening one of the children.
async fn fails_to_open(name: &str) -> BridgeError {
    open(&child(name), None).await.map(drop).expect_err("this child cannot be opened")
}

/// The error of the first probe of one of the children, and of the one right after it.
async fn fails_at_work(name: &str) -> (SharedBridge, String) {
    let bridge = open(&child(name), None).await.expect("it says a good hello");
    let error = bridge.probe().await.expect_err("it does not get as far as an answer");
    assert_eq!(error.fault(), Fault::Bridge);
    let message = error.to_string();

    // it is down for half a second at least, and says when to come again
    let error = bridge.probe().await.expect_err("it is being restarted");
    assert_eq!(error.to_string(), message);
    assert!(matches!(error.retry(), Retry::After(after) if after <= Duration::from_secs(1)), "{error:?}");
    (bridge, message)
}

#[tokio::test]
async fn no_hello() {
    let error = fails_to_open("mute.sh").await;
    assert_eq!(error.to_string(), "the bridge program `sh` said no hello within 1s");
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_newer_version() {
    let error = fails_to_open("newer.sh").await;
    assert_eq!(
        error.to_string(),
        "the bridge program `sh` speaks version 7 of the exec protocol and this node speaks 1: \
         update the older of the two"
    );
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn a_newer_version_and_ours() {
    let bridge = open(&child("newer_too.sh"), None).await.expect("it speaks version 1 too");
    let probe = bridge.probe().await.expect("it works");
    assert_eq!(probe.note.as_deref(), Some("speaking version 1"));
}

#[tokio::test]
async fn garbage_for_a_hello() {
    let error = fails_to_open("garbage_first.sh").await;
    assert_eq!(
        error.to_string(),
        "the bridge program `sh` printed a line that is not of the exec protocol: \
         `Welcome to the folder bridge!`"
    );
    assert_eq!(error.kind(), ErrorKind::Garbled);
}

#[tokio::test]
async fn a_hello_without_capability() {
    let error = fails_to_open("bad_hello.sh").await;
    assert!(
        error.to_string().contains("hello that makes no sense (hello: missing field `capability`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let error = open("/nowhere/at/all", None).await.map(drop).expect_err("it cannot be started");
    assert_eq!(
        error.to_string(),
        "the bridge program `all` cannot be started: No such file or directory (os error 2)"
    );
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Configuration, Fault::User));
}

#[tokio::test]
async fn command_lines_that_make_no_sense() {
    for (command, says) in [
        ("", "--command is empty"),
        ("bridge 'without end", "--command has a quote that is not closed"),
        ("./bridge.py", "--command names `./bridge.py`, which must be absolute or on the PATH"),
    ] {
        let error = open(command, None).await.map(drop).expect_err("it makes no sense");
        assert_eq!((error.to_string().as_str(), error.kind()), (says, ErrorKind::Configuration));
    }
}

#[tokio::test]
async fn hangs() {
    let (_, message) = fails_at_work("hangs.sh").await;
    assert_eq!(message, "the bridge program `sh` did not answer within 1s");
}

#[tokio::test]
async fn hangs_and_does_not_even_read() {
    let bridge = open(&child("deaf.sh"), None).await.expect("it says a good hello");
    // more than pipe and queue hold: publications wait in line and fail together
    let large = record(1, &[7; 4096]);
    let all = futures::future::join_all((0..200).map(|_| bridge.publish(&large))).await;
    for outcome in all {
        let message = outcome.expect_err("it reads nothing").to_string();
        assert_eq!(message, "the bridge program `sh` did not answer within 1s");
    }
}

#[tokio::test]
async fn dies() {
    let (_, message) = fails_at_work("dies.sh").await;
    assert_eq!(message, "the bridge program `sh` ended (exit status: 3; its log says `no such room`)");
}

#[tokio::test]
async fn prints_garbage() {
    let (_, message) = fails_at_work("garbage.sh").await;
    assert_eq!(
        message,
        "the bridge program `sh` printed a line that is not of the exec protocol: `DEBUG: about to answer`"
    );
}

#[tokio::test]
async fn floods_with_lines() {
    let (_, message) = fails_at_work("floods_lines.sh").await;
    assert_eq!(message, "the bridge program `sh` floods its output with messages that nobody asked for");
    assert_bounded_memory();
}

#[tokio::test]
async fn floods_with_a_line() {
    let (_, message) = fails_at_work("floods_line.sh").await;
    assert_eq!(message, "the bridge program `sh` printed a line longer than 8388608 bytes");
    assert_bounded_memory();
}

#[tokio::test]
async fn floods_its_log_and_works() {
    let bridge = open(&child("floods_log.sh"), None).await.expect("it says a good hello");
    let probe = bridge.probe().await.expect("it works");
    assert_eq!(probe.note.as_deref(), Some("all is well"));
    assert_bounded_memory();
}

/// Far below what the floods would amount to, and above what a few long lines do.
fn assert_bounded_memory() {
    if let Some(peak) = support::peak_memory() {
        assert!(peak < 160 << 20, "this process has had {} MiB", peak >> 20);
    }
}

#[tokio::test]
async fn sends_more_than_it_has_credit_for() {
    let bridge = open(&child("overruns.sh"), None).await.expect("it says a good hello");
    let mut stream = bridge.watch(Watch::new(Place::Own, Keys::All)).await.expect("it answers");
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..4 {
        stream.next().await.expect("a batch").expect("without error");
    }
    let error = stream.next().await.expect("an end").expect_err("with an error");
    assert_eq!(error.to_string(), "the bridge program `sh` sent more records than it had credit for");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn answers_more_than_was_asked_for() {
    let bridge = open(&child("too_many.sh"), None).await.expect("it says a good hello");
    let mut fetch = Fetch::new(Place::Own, [record(1, b"a").key].into_iter().collect());
    let batch = bridge.fetch(fetch.clone()).await.expect("it answers");
    assert_eq!(batch.records.len(), 1);
    assert_eq!(batch.skipped, 2, "one was not asked for, one is no record");

    fetch.limit = 1;
    let error = bridge.fetch(fetch).await.expect_err("two are more than one");
    assert_eq!(error.kind(), ErrorKind::Garbled);
}

#[tokio::test]
async fn answers_make_no_sense() {
    // its answers to publications have no receipt; that fails a request and not the child
    let bridge = open(&child("too_many.sh"), None).await.expect("it says a good hello");
    let error = bridge.publish(&record(1, b"a")).await.expect_err("there is no receipt");
    assert_eq!(error.kind(), ErrorKind::Garbled);
    bridge.retract(&[Receipt::new("x").expect("short")]).await.expect("it still works");
}

#[tokio::test]
async fn dies_once_and_recovers() {
    let state = tempfile::tempdir().expect("a folder");
    let bridge = open(&child("recovers.sh"), Some(state.path())).await.expect("it says a good hello");
    bridge.probe().await.expect_err("it dies");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let probe = bridge.probe().await.expect("it is well");
    assert_eq!(probe.note.as_deref(), Some("well again"));
}

#[tokio::test]
async fn comes_back_with_less() {
    let state = tempfile::tempdir().expect("a folder");
    let bridge = open(&child("changes.sh"), Some(state.path())).await.expect("it says a good hello");
    bridge.probe().await.expect_err("it dies");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let error = bridge.probe().await.expect_err("it has changed");
    assert_eq!(
        error.to_string(),
        "the bridge program `sh` declares another capability than when the bridge was opened \
         (the classes of record): open the bridge again"
    );
}

#[tokio::test]
async fn ignores_that_its_input_is_closed() {
    let state = tempfile::tempdir().expect("a folder");
    let bridge = open(&child("stubborn.sh"), Some(state.path())).await.expect("it says a good hello");
    let pid = std::fs::read_to_string(state.path().join("pid")).expect("its process id");
    assert!(is_alive(&pid));
    let start = Instant::now();
    drop(bridge);
    eventually("the end of a stubborn child", || !is_alive(&pid)).await;
    assert!(start.elapsed() > Duration::from_millis(1500), "it has two seconds to end by itself");
}

#[tokio::test]
async fn a_grandchild_ends_too() {
    let state = tempfile::tempdir().expect("a folder");
    let bridge = open(&child("forks.sh"), Some(state.path())).await.expect("it says a good hello");
    let pid = std::fs::read_to_string(state.path().join("grandchild")).expect("its process id");
    assert!(is_alive(&pid));
    drop(bridge);
    eventually("the end of a grandchild", || !is_alive(&pid)).await;
}

#[test]
fn a_grandchild_ends_with_the_runtime() {
    let state = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bridge =
        runtime.block_on(open(&child("forks.sh"), Some(state.path()))).expect("it says a good hello");
    let pid = std::fs::read_to_string(state.path().join("grandchild")).expect("its process id");
    drop(runtime);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!is_alive(&pid));
    drop(bridge);
}

#[tokio::test]
async fn a_watch_ends_when_the_bridge_is_dropped() {
    let bridge = open(&child("watches.sh"), None).await.expect("it says a good hello");
    let mut stream = bridge.watch(Watch::new(Place::Own, Keys::All)).await.expect("it answers");
    drop(bridge);
    let error = stream.next().await.expect("an end").expect_err("with an error");
    assert_eq!(
        (error.to_string().as_str(), error.retry()),
        ("the bridge program `sh` has been closed", Retry::Never)
    );
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_watch_ends_when_its_child_dies() {
    let bridge = open(&child("watches.sh"), None).await.expect("it says a good hello");
    let mut stream = bridge.watch(Watch::new(Place::Own, Keys::All)).await.expect("it answers");
    bridge.probe().await.expect_err("it answers nothing else");
    let error = stream.next().await.expect("an end").expect_err("with an error");
    assert_eq!(error.to_string(), "the bridge program `sh` did not answer within 1s");
    assert_eq!(error.retry(), Retry::BackOff);
}

#[tokio::test]
async fn the_environment_is_clean() {
    let state = tempfile::tempdir().expect("a folder");
    let _bridge = open(&child("environment.sh"), Some(state.path())).await.expect("it says a good hello");
    let environment = std::fs::read_to_string(state.path().join("environment")).expect("it wrote it down");
    let has = |name: &str| environment.lines().any(|line| line.split('=').next() == Some(name));
    assert!(has("PATH") && has("WAYSIDE_STATE_DIR") && has("WAYSIDE_EXEC_VERSION"), "{environment}");
    // cargo sets these for us, and they are none of its business
    assert!(!has("CARGO_MANIFEST_DIR") && !has("CARGO_PKG_NAME"), "{environment}");
    let directory = std::fs::read_to_string(state.path().join("directory")).expect("it wrote it down");
    let canonical = state.path().canonicalize().expect("it is there");
    assert_eq!(directory.trim(), canonical.display().to_string());
}
