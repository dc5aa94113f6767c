//! The program itself: not there, too old, killed, stopped at the other end, and never asking.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use wayside_bridge::{BridgeExt, ErrorKind, Fetch, Keys, Place};

/// Tells a test that it runs in a process of its own, with what this says.
const ALONE: &str = "WAYSIDE_TEST_ALONE";

/// Runs one test again in a process of its own.
fn alone(test: &str, says: &str, environment: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env(ALONE, says).envs(environment.iter().copied());
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{says}: {said}");
}

fn script(path: &Path, lines: &str) {
    fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn no_git_or_an_old_one() {
    if let Ok(says) = std::env::var(ALONE) {
        let opened = open_with("/srv/box", [], context(&TestClock::new(), None)).await;
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(&says) && error.message().contains("2.30"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    alone("no_git_or_an_old_one", "not found", &[("PATH", path)]);
    script(&folder.path().join("git"), "echo git version 2.20.1");
    alone("no_git_or_an_old_one", "2.20.1", &[("PATH", path)]);
    script(&folder.path().join("git"), "echo something else");
    alone("no_git_or_an_old_one", "something else", &[("PATH", path)]);
}

/// A repository of the user's is where the process runs, and every variable of git's points at it.
#[tokio::test]
async fn the_users_own_repository_is_not_touched() {
    if let Ok(url) = std::env::var(ALONE) {
        let ann = open(&url).await;
        let receipt = ann.publish(&meeting(1, b"x")).await.unwrap();
        assert_eq!(ann.fetch_keys([slot(1)]).await.unwrap().len(), 1);
        ann.retract(&[receipt]).await.unwrap();
        ann.probe().await.unwrap();
        return;
    }
    let (shared, mine) = (Repository::new(), tempfile::tempdir().unwrap());
    let here = mine.path().to_str().unwrap();
    let git = Command::new("git").args(["init", "-q", here]).status();
    assert!(git.unwrap().success());
    let listing = || {
        let found = Command::new("find").args([here, "-printf", "%p %s %T@\n"]).output().unwrap().stdout;
        String::from_utf8(found).unwrap()
    };
    let before = listing();
    let folder = format!("{here}/.git");
    let environment = [
        ("GIT_DIR", folder.as_str()),
        ("GIT_WORK_TREE", here),
        ("GIT_INDEX_FILE", "/nonexistent/index"),
        ("GIT_OBJECT_DIRECTORY", "/nonexistent/objects"),
        ("GIT_TRACE", "1"),
        ("GIT_AUTHOR_DATE", "nonsense"),
    ];
    alone("the_users_own_repository_is_not_touched", &shared.url(), &environment);
    assert_eq!(listing(), before);
}

/// The pids of the children of this process.
fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let listed = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    listed.flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn a_git_that_is_killed_or_let_go_is_no_harm() {
    let Ok(url) = std::env::var(ALONE) else {
        if !Path::new("/proc/self/task").exists() {
            return skip("there is no /proc to find children in");
        }
        return alone("a_git_that_is_killed_or_let_go_is_no_harm", &Repository::new().url(), &[]);
    };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("git://{}/p", silent.local_addr().unwrap());
    let ann = open(&hangs).await;
    let killing = async {
        while children().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The last to be started is the one that talks to the host.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let killed = Command::new("kill").arg("-KILL").args(children()).status();
        assert!(killed.unwrap().success());
    };
    let (failed, ()) = futures::join!(ann.probe(), killing);
    assert!(failed.is_err());

    // Dropped while it waits: nothing of it is left, soon.
    let dropped = tokio::time::timeout(Duration::from_millis(300), ann.probe()).await;
    assert!(dropped.is_err());
    let began = Instant::now();
    while !children().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", children());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let repository = Repository::new();
    let bob = open(&repository.url()).await;
    bob.publish_one(&meeting(1, b"x")).await.unwrap();
    assert!(!url.is_empty());
}

/// A git daemon of our own.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, name: &str) {
        // Its children serve connections.
        let of_daemon = format!("/proc/{0}/task/{0}/children", self.0.id());
        let children = fs::read_to_string(of_daemon).unwrap_or_default();
        let pids = children.split_whitespace().map(str::to_owned).chain([self.0.id().to_string()]);
        let _ = Command::new("kill").arg(name).args(pids).status();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal("-KILL");
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_and_goes_on() {
    let repository = Repository::new();
    let folder = repository.path.parent().unwrap();
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut command = Command::new("git");
    command.args(["daemon", "--listen=127.0.0.1", "--export-all", "--enable=receive-pack", "--reuseaddr"]);
    command.args([format!("--port={port}"), format!("--base-path={}", folder.display())]).arg(folder);
    let daemon = Daemon(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let url = format!("git://127.0.0.1:{port}/box.git");
    let ann = open_with(&url, [("timeout", "2")], context(&TestClock::new(), None)).await.unwrap();
    let began = Instant::now();
    while ann.probe().await.is_err() {
        if began.elapsed() > Duration::from_secs(5) {
            return skip("git daemon is not here");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    daemon.signal("-STOP");
    let began = Instant::now();
    let error = ann.publish(&meeting(2, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    daemon.signal("-CONT");
    ann.publish_one(&meeting(3, b"x")).await.unwrap();
    let found = ann.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert!(found.records.contains(&meeting(3, b"x")));
}

/// A daemon that serves readers alone: what it says of writing is a note of the probe.
#[tokio::test]
async fn a_server_for_readers_alone() {
    let Some(server) = common::servers::Server::find("DAEMON") else {
        return skip(common::servers::NONE);
    };
    let name = common::servers::fresh_name();
    let repository = server.make(&name);
    let ann = open(&server.url(&name)).await;
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    assert_eq!(ann.probe().await.unwrap().note, None);
    repository.git(&["config", "daemon.receivepack", "false"]);
    let note = ann.probe().await.unwrap().note.unwrap();
    assert!(note.contains("can only be read"), "{note}");
    let error = ann.publish(&meeting(2, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(ann.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"x")]);
}
