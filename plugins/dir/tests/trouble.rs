//! Folders that are missing, full, not ours, read-only, or pulled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use common::*;
use futures::StreamExt;
use wayside_bridge::{BridgeExt, ErrorKind, Fetch, Keys, Place, Retry, Watch};

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// Something mounted, for a test that runs as root; unmounted at its end.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(arguments).arg(at).stderr(Stdio::null());
        let mounted = command.status().is_ok_and(|status| status.success());
        if !mounted {
            skip("mounting needs root");
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn what_is_no_folder_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let of = async |path: &Path| open_with(path, context(&TestClock::new(), None)).await.unwrap_err();
    let missing = of(&dir.path().join("nowhere")).await;
    assert_eq!(missing.kind(), ErrorKind::Configuration);
    assert!(missing.message().contains("nowhere") && missing.message().contains("--path"), "{missing}");

    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(of(&dir.path().join("file")).await.kind(), ErrorKind::Configuration);
    assert_eq!(of(Path::new("relative")).await.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn nothing_but_our_own_folder_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("theirs"), "data").unwrap();
    let ann = open(dir.path()).await;
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    ann.probe().await.unwrap();
    let mut found: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, [".wayside", "theirs"]);
    let names = names(dir.path());
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn pulled_and_plugged_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let (stick, away) = (dir.path().join("stick"), dir.path().join("away"));
    fs::create_dir(&stick).unwrap();
    let ann = open(&stick).await;
    ann.publish_one(&meeting(1, b"before")).await.unwrap();
    let mut watch = ann.watch(Watch::new(Place::Own, Keys::All)).await.unwrap();
    assert!(watch.next().await.unwrap().is_ok());

    fs::rename(&stick, &away).unwrap();
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unreachable, Retry::BackOff));
    assert!(watch.next().await.is_none());
    for error in [
        ann.publish(&meeting(2, b"x")).await.unwrap_err(),
        ann.fetch(all()).await.unwrap_err(),
        ann.probe().await.unwrap_err(),
        ann.retract(&[]).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unreachable, Retry::BackOff));
    }

    // What is left of a mount point is an empty folder.
    fs::create_dir(&stick).unwrap();
    assert_eq!(ann.publish(&meeting(2, b"x")).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(ann.fetch(all()).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(fs::read_dir(&stick).unwrap().count(), 0, "nothing is written there");

    // Another stick.
    let _other = open(&stick).await;
    assert_eq!(ann.publish(&meeting(2, b"x")).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(records(&stick), [""; 0]);

    fs::remove_dir_all(&stick).unwrap();
    fs::rename(&away, &stick).unwrap();
    ann.publish_one(&meeting(2, b"x")).await.unwrap();
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 2);
}

#[tokio::test]
async fn started_without_the_stick() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (stick, away) = (dir.path().join("stick"), dir.path().join("away"));
    let context = || context(&TestClock::new(), Some(state.path().to_owned()));
    fs::create_dir(&stick).unwrap();
    let locators = open_with(&stick, context()).await.unwrap().info().locators;

    fs::rename(&stick, &away).unwrap();
    for mount_point_stays in [false, true] {
        if mount_point_stays {
            fs::create_dir(&stick).unwrap();
        }
        let ann = open_with(&stick, context()).await.unwrap();
        assert_eq!(ann.info().locators, locators);
        assert_eq!(ann.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::Unreachable);
    }
    fs::remove_dir(&stick).unwrap();
    fs::rename(&away, &stick).unwrap();
    let ann = open_with(&stick, context()).await.unwrap();
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    assert_eq!(ann.info().locators, locators);
}

#[tokio::test]
async fn a_full_disk_says_so_and_keeps_no_halves() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=128k", "tmpfs"], dir.path()) else { return };
    let ann = open(dir.path()).await;
    let receipt = ann.publish(&meeting(1, &[1; 60_000])).await.unwrap();
    let error = ann.publish(&meeting(2, &[2; 65_000])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(matches!(error.retry(), Retry::After(_)));
    assert!(names(dir.path()).iter().all(|name| !name.ends_with(".tmp")));
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 1);
    ann.retract(&[receipt]).await.unwrap();
    ann.publish_one(&meeting(2, &[2; 65_000])).await.unwrap();
}

#[tokio::test]
async fn a_read_only_folder_can_be_read() {
    let (dir, view) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ann = open(dir.path()).await;
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    let source = dir.path().to_str().unwrap();
    let Some(_mount) = Mount::new(&["--bind", "-o", "ro", source], view.path()) else { return };
    let bob = open(view.path()).await;
    assert_eq!(bob.info().locators, ann.info().locators, "one place at two mounts");
    assert_eq!(bob.fetch(all()).await.unwrap().records.len(), 1);
    assert_eq!(bob.publish(&meeting(2, b"x")).await.unwrap_err().kind(), ErrorKind::Denied);
    let note = bob.probe().await.unwrap().note.unwrap();
    assert!(note.contains("can only be read"), "{note}");
    // What the other side of the mount does is noticed.
    let mut watch = bob.watch(Watch::new(Place::Own, Keys::All)).await.unwrap();
    assert!(watch.next().await.unwrap().is_ok());
    ann.publish_one(&meeting(3, b"x")).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().records, [meeting(3, b"x")]);
}

/// Nobody left anything in it yet, and we cannot.
#[tokio::test]
async fn a_read_only_folder_may_be_empty_at_first() {
    let (dir, view) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = dir.path().to_str().unwrap();
    let Some(_mount) = Mount::new(&["--bind", "-o", "ro", source], view.path()) else { return };
    let bob = open(view.path()).await;
    assert_eq!(bob.info().locators, []);
    let first = bob.fetch(all()).await.unwrap();
    assert_eq!(first.records, []);
    let ann = open(dir.path()).await;
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    assert_eq!(bob.fetch(all().after(first.cursor)).await.unwrap().records.len(), 1);
    assert_eq!(bob.info().locators, ann.info().locators);
}

/// The folder says who shares it, not the umask of whoever comes first.
#[tokio::test]
async fn whoever_shares_the_folder_can_read_the_records() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, record) in [(0o2775, 0o644), (0o750, 0o640), (0o700, 0o600), (0o1777, 0o644)] {
        let path = dir.path().join(format!("{folder:o}"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(folder)).unwrap();
        let ann = open(&path).await;
        ann.publish_one(&meeting(1, b"x")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&path.join(".wayside")), folder);
        assert_eq!(mode(&path.join(".wayside").join(records(&path).remove(0))), record);
    }
}

#[tokio::test]
async fn two_who_mark_at_once_agree_in_the_end() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ann, bob) = (open(left.path()).await, open(right.path()).await);
    let (of_ann, of_bob) = (ann.info().locators, bob.info().locators);
    assert_ne!(of_ann, of_bob);
    // The synchroniser makes the two alike.
    for (from, to) in [(left.path(), right.path()), (right.path(), left.path())] {
        for name in names(from) {
            fs::copy(from.join(".wayside").join(&name), to.join(".wayside").join(&name)).unwrap();
        }
    }
    for bridge in [&ann, &bob] {
        bridge.fetch(all()).await.unwrap();
    }
    assert_eq!(ann.info().locators, bob.info().locators);
    assert_eq!(ann.info().locators.len(), 2);
    assert!(ann.info().locators.is_sorted());
    for old in [&of_ann[0], &of_bob[0]] {
        let request = Fetch::new(Place::Of(old.clone()), Keys::All);
        assert!(ann.fetch(request).await.is_ok(), "an old invite still matches");
    }
    let foreign = wayside_bridge::Locator::new("dir", "0000000000000000").unwrap();
    let error = ann.fetch(Fetch::new(Place::Of(foreign), Keys::All)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn many_who_mark_one_folder_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let opened = futures::future::join_all((0..12).map(|_| open(dir.path()))).await;
    for bridge in &opened {
        bridge.fetch(all()).await.unwrap();
    }
    let locators = opened[0].info().locators;
    assert!(opened.iter().all(|bridge| bridge.info().locators == locators));
}

/// Strewn markers neither push the true one out nor make the list long.
#[tokio::test]
async fn forged_markers_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    let own = ann.info().locators.remove(0);
    for n in 0..1000 {
        fs::write(dir.path().join(format!(".wayside/place-{n:016x}")), "").unwrap();
    }
    ann.fetch(all()).await.unwrap();
    assert_eq!(ann.info().locators.len(), 16);
    assert!(ann.info().locators.contains(&own));
}

/// A writer that dies half-way leaves no half record, and what it leaves goes by itself.
#[tokio::test]
async fn killed_while_writing() {
    if let Some(path) = std::env::var_os("WAYSIDE_TEST_WRITE_TO") {
        let ann = open(Path::new(&path)).await;
        for n in 0_u64.. {
            let record = meeting(u8::try_from(n % 8).unwrap(), &n.to_be_bytes().repeat(4000));
            ann.publish_one(&record).await.unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_while_writing"])
            .env("WAYSIDE_TEST_WRITE_TO", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(150 + 17 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // One for certain, as old as it takes.
    let old = dir.path().join(".wayside/~syncthing~wayside-0102030405060708.tmp");
    let file = fs::File::create(&old).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(2 * 3600)).unwrap();
    let young = dir.path().join(".wayside/~syncthing~wayside-0102030405060709.tmp");
    fs::File::create(&young).unwrap();

    let bob = open(dir.path()).await;
    let mut request = all();
    loop {
        let batch = bob.fetch(request.clone()).await.unwrap();
        assert_eq!(batch.skipped, 0, "no half records");
        request.cursor = batch.cursor;
        if !batch.more {
            break;
        }
    }
    assert!(!records(dir.path()).is_empty());
    bob.publish_one(&meeting(9, b"x")).await.unwrap();
    assert!(!old.exists(), "its writer died");
    assert!(young.exists(), "its writer may live");
}

/// Somebody with an account of their own, whose files nobody else can read unless told otherwise.
#[tokio::test]
async fn strangers_are_denied_and_others_are_not() {
    const NOBODY: u32 = 65534;
    if let Some(path) = std::env::var_os("WAYSIDE_TEST_AS_NOBODY") {
        let root = Path::new(&path);
        let denied = open_with(&root.join("private"), context(&TestClock::new(), None)).await.unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");

        let bob = open(&root.join("shared")).await;
        assert_eq!(bob.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"from ann")]);
        bob.publish_one(&meeting(2, b"from bob")).await.unwrap();
        bob.publish_one(&pointer("card", b"bob's")).await.unwrap();

        let bob = open(&root.join("published")).await;
        assert_eq!(bob.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"from ann")]);
        assert_eq!(bob.publish(&meeting(2, b"x")).await.unwrap_err().kind(), ErrorKind::Denied);
        assert!(bob.probe().await.unwrap().note.unwrap().contains("permission"));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    if fs::metadata(dir.path()).unwrap().uid() != 0 {
        return skip("becoming somebody else needs root");
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, mode) in [("private", 0o700), ("shared", 0o2777), ("published", 0o755)] {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ann = open(&path).await;
        ann.publish_one(&meeting(1, b"from ann")).await.unwrap();
        ann.publish_one(&pointer("card", b"ann's")).await.unwrap();
    }
    // A copy that nobody may run, wherever the build is.
    let program = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new("sh");
    // No umask of theirs keeps their records from us.
    child.args(["-c", "umask 077; exec \"$0\" --exact strangers_are_denied_and_others_are_not --nocapture"]);
    child.arg(&program).env("WAYSIDE_TEST_AS_NOBODY", dir.path()).current_dir("/");
    let output = child.uid(NOBODY).gid(NOBODY).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");

    let ann = open(&dir.path().join("shared")).await;
    assert_eq!(ann.fetch_keys([slot(2)]).await.unwrap(), [meeting(2, b"from bob")]);
    let file = dir.path().join("shared/.wayside").join(records(&dir.path().join("shared")).remove(1));
    assert_eq!(
        (fs::metadata(&file).unwrap().uid(), fs::metadata(&file).unwrap().mode() & 0o777),
        (NOBODY, 0o644)
    );
}
