//! Rings: left, heard, bounded, and led nowhere.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use wayside_bridge::{BridgeOptions, ErrorKind, RingTarget, SharedBridge};
use wayside_bridge_dir::DirKind;
use wayside_conformance::support::TestClock;

use crate::common::{context, meeting, open, open_as, open_with};

const SOON: Duration = Duration::from_secs(10);

/// Waits until a file is there, and tells what is in it.
async fn appears(path: &Path) -> String {
    let look = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(SOON, look).await.unwrap_or_else(|_| panic!("{} never came", path.display()))
}

async fn goes(path: &Path) {
    let look = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, look).await.unwrap_or_else(|_| panic!("{} stays", path.display()));
}

async fn ring(bridge: &SharedBridge, name: &str) {
    bridge.ring(&RingTarget(name.to_owned())).await.unwrap();
}

/// A folder that is shared, and one that is not.
fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (shared, own) = (root.path().join("shared"), root.path().join("own"));
    std::fs::create_dir(&shared).unwrap();
    std::fs::create_dir(&own).unwrap();
    (root, shared, own)
}

async fn with_hook(shared: &Path, name: &str, hook: String, clock: &TestClock) -> SharedBridge {
    let bell = [("ring-name", name.to_owned()), ("on-ring", hook)];
    open_as(shared, bell, context(clock, None)).await.unwrap()
}

#[tokio::test]
async fn a_ring_runs_the_hook_and_goes() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let hook = format!("echo \"$WAYSIDE_RING\" >>'{}'", heard.display());
    let _ann = with_hook(&shared, "ann-desk", hook, &TestClock::new()).await;
    let bob = open(&shared).await;
    ring(&bob, "ann-desk").await;
    assert_eq!(appears(&heard).await, "ann-desk\n");
    goes(&shared.join(".wayside/rings/ann-desk")).await;
    // Nobody else's bell was meant, and records go on.
    ring(&bob, "carol").await;
    bob.publish(&meeting(1, b"sealed")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "ann-desk\n");
    let left = std::fs::metadata(shared.join(".wayside/rings/carol")).unwrap();
    assert_eq!(left.len(), 0, "a ring says nothing");
}

#[tokio::test]
async fn a_ring_that_was_left_while_nobody_listened_counts() {
    let (_root, shared, own) = folders();
    ring(&open(&shared).await, "ann").await;
    let heard = own.join("heard");
    let _ann = with_hook(&shared, "ann", format!("echo yes >'{}'", heard.display()), &TestClock::new()).await;
    appears(&heard).await;
}

#[tokio::test]
async fn many_rings_are_one_in_a_minute() {
    let (_root, shared, own) = folders();
    let clock = TestClock::new();
    let heard = own.join("heard");
    let _ann = with_hook(&shared, "ann", format!("echo yes >>'{}'", heard.display()), &clock).await;
    let bob = open_with(&shared, context(&clock, None)).await.unwrap();
    for _ in 0..50 {
        ring(&bob, "ann").await;
    }
    appears(&heard).await;
    goes(&shared.join(".wayside/rings/ann")).await;
    ring(&bob, "ann").await;
    assert!(!shared.join(".wayside/rings/ann").exists(), "the same minute is the same ring");
    clock.advance(Duration::from_secs(61));
    ring(&bob, "ann").await;
    goes(&shared.join(".wayside/rings/ann")).await;
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "yes\nyes\n");
}

/// Somebody else who writes in the folder rings without end.
#[tokio::test]
async fn the_hook_is_not_run_more_than_once_a_minute() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let _ann =
        with_hook(&shared, "ann", format!("echo yes >>'{}'", heard.display()), &TestClock::new()).await;
    let bell = shared.join(".wayside/rings/ann");
    std::fs::create_dir(shared.join(".wayside/rings")).unwrap();
    for _ in 0..20 {
        std::fs::write(&bell, b"").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    appears(&heard).await;
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "yes\n");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let (_root, shared, _) = folders();
    let bridge = open(&shared).await;
    let long = "x".repeat(65);
    for target in
        ["", ".", "..", "../own/x", "a/b", "a b", "$(id)", "Ann", "-rf", ".hidden", "ä", "a\0b", &long]
    {
        let error = bridge.ring(&RingTarget(target.to_owned())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{target:?}");
    }
    bridge.ring(&RingTarget("x".repeat(64))).await.unwrap();
}

/// A folder of rings, or a ring, that is a link is not followed.
#[tokio::test]
async fn links_are_not_followed() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let bob = open(&shared).await;
    std::os::unix::fs::symlink(&own, shared.join(".wayside/rings")).unwrap();
    assert!(bob.ring(&RingTarget("ann".to_owned())).await.is_err());
    assert!(!own.join("ann").exists());

    std::fs::remove_file(shared.join(".wayside/rings")).unwrap();
    std::fs::create_dir(shared.join(".wayside/rings")).unwrap();
    std::fs::write(own.join("precious"), b"keep").unwrap();
    std::os::unix::fs::symlink(own.join("precious"), shared.join(".wayside/rings/ann")).unwrap();
    let _ann = with_hook(&shared, "ann", format!("echo yes >'{}'", heard.display()), &TestClock::new()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!heard.exists(), "a link is no ring");
    ring(&bob, "ann").await;
    appears(&heard).await;
    assert_eq!(std::fs::read(own.join("precious")).unwrap(), b"keep");
}

#[tokio::test]
async fn a_hook_that_hangs_or_fails_takes_nothing_with_it() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let hook = format!("echo yes >>'{}'; head -c 1000000 /dev/zero; sleep 30 & exit 3", heard.display());
    let _ann = with_hook(&shared, "ann", hook, &TestClock::new()).await;
    ring(&open(&shared).await, "ann").await;
    appears(&heard).await;
    // It has ended, though something of it still holds its output.
    goes(&shared.join(".wayside/rings/ann")).await;
}

#[tokio::test]
async fn a_closed_bridge_hears_nothing() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let ann = with_hook(&shared, "ann", format!("echo yes >'{}'", heard.display()), &TestClock::new()).await;
    drop(ann);
    ring(&open(&shared).await, "ann").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!heard.exists());
    assert!(shared.join(".wayside/rings/ann").exists(), "it waits for whoever hears it");
}

/// What `wayside bell` does: no bridge, no node.
#[tokio::test]
async fn a_bell_alone_is_rung_too() {
    let (_root, shared, own) = folders();
    let heard = own.join("heard");
    let options = [
        ("path", shared.to_str().unwrap().to_owned()),
        ("ring-name", "ann".to_owned()),
        ("on-ring", format!("echo yes >'{}'", heard.display())),
    ];
    let mut bell = DirKind::bell(&options.into_iter().collect(), context(&TestClock::new(), None)).unwrap();
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0, "waiting leaves nothing");
    let waiting = tokio::spawn(async move { bell.rung().await });
    ring(&open(&shared).await, "ann").await;
    tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(heard.exists(), "the hook has run when the ring was heard");
}

#[tokio::test]
async fn options_that_make_no_sense_are_named() {
    let (_root, shared, _) = folders();
    let wrong = [
        vec![("on-ring", "true")],
        vec![("ring-name", "An Ann"), ("on-ring", "true")],
        vec![("ring-name", "ann"), ("on-ring", "  ")],
    ];
    for mut options in wrong {
        let last = options.last().unwrap().0.to_owned();
        options.push(("path", shared.to_str().unwrap()));
        let options: BridgeOptions = options.into_iter().collect();
        let error = DirKind::bell(&options, context(&TestClock::new(), None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("ring"), "{last}: {}", error.message());
    }
}
