//! Repositories that are rewritten, deleted, full, read-only, silent or not there, and caches that vanish.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use wayside_bridge::{BridgeExt, ErrorKind, Fetch, Keys, Place, Retry};

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let of = async |remote: &str, more: [(&str, &str); 1]| {
        let opened = open_with(remote, more, context(&TestClock::new(), None)).await;
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        error.message().to_owned()
    };
    assert!(of("https://ann:secret@example.org/p", [("poll", "2")]).await.contains("credential helper"));
    assert!(!of("https://ann:secret@example.org/p", [("poll", "2")]).await.contains("secret"));
    assert!(of("relative", [("poll", "2")]).await.contains("--remote"));
    assert!(of("/srv/p", [("branch", "-x")]).await.contains("--branch"));
    assert!(of("/srv/p", [("poll", "0")]).await.contains("--poll"));
    assert!(of("/srv/p", [("timeout", "1h")]).await.contains("--timeout"));
    assert!(of("/srv/p", [("as", "a b")]).await.contains("--as"));
    assert!(of("/srv/with blank", [("poll", "2")]).await.contains("--as"));
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let repository = Repository::new();
    let gone = format!("{}x", repository.url());
    let ann = open(&gone).await;
    for error in [
        ann.publish(&meeting(1, b"x")).await.unwrap_err(),
        ann.fetch(all()).await.unwrap_err(),
        ann.probe().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.message().contains("there is no repository"), "{error}");
        assert!(matches!(error.retry(), Retry::After(_)), "it may come back");
    }
    let nobody = open("git://127.0.0.1:9/box.git").await;
    assert_eq!(nobody.probe().await.unwrap_err().kind(), ErrorKind::Unreachable);
    let nowhere = open("https://nowhere.invalid/box.git").await;
    assert_eq!(nowhere.probe().await.unwrap_err().kind(), ErrorKind::Unreachable);

    // It goes, and comes back, while a bridge is open.
    let (bob, away) = (open(&repository.url()).await, repository.path.with_extension("away"));
    bob.publish_one(&meeting(1, b"x")).await.unwrap();
    fs::rename(&repository.path, &away).unwrap();
    assert_eq!(bob.fetch(all()).await.unwrap_err().kind(), ErrorKind::Configuration);
    fs::rename(&away, &repository.path).unwrap();
    assert_eq!(bob.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
}

#[tokio::test]
async fn the_branch_is_rewritten_and_deleted() {
    let repository = Repository::new();
    let (ann, bob) = (open(&repository.url()).await, open(&repository.url()).await);
    ann.publish_one(&meeting(1, b"first")).await.unwrap();
    let before = bob.fetch(all()).await.unwrap();
    assert_eq!(before.records, [meeting(1, b"first")]);

    let first = repository.records();
    repository.change(&[("notes.txt".to_owned(), b"theirs".to_vec())], &first);
    assert_eq!(bob.fetch_keys([slot(1)]).await.unwrap(), []);
    ann.publish_one(&meeting(2, b"second")).await.unwrap();
    let after = bob.fetch(all().after(before.cursor)).await.unwrap();
    assert_eq!((after.records, after.skipped), (vec![meeting(2, b"second")], 1));
    assert!(repository.names().contains(&"notes.txt".to_owned()), "what is not ours stays");

    repository.git(&["update-ref", "-d", "refs/heads/wayside"]);
    let gone = bob.fetch(all().after(after.cursor)).await.unwrap();
    assert_eq!(gone.records, []);
    ann.publish_one(&meeting(1, b"first")).await.unwrap();
    assert_eq!(bob.fetch(all().after(gone.cursor)).await.unwrap().records, [meeting(1, b"first")]);
}

#[tokio::test]
async fn history_holds_one_commit_and_nobodys_name() {
    let repository = Repository::new();
    let ann = open(&repository.url()).await;
    let mut receipts = Vec::new();
    for n in 0..5 {
        receipts.push(ann.publish(&meeting(n, b"x")).await.unwrap());
        assert_eq!(repository.commits(), 1);
    }
    ann.retract(&receipts).await.unwrap();
    assert_eq!((repository.commits(), repository.names()), (1, vec!["README.md".to_owned()]));
    let people = repository.git(&["log", "--format=%an <%ae> %cn <%ce>", "wayside"]);
    assert_eq!(people, "wayside <wayside@localhost> wayside <wayside@localhost>");
}

/// As `git init --shared` sets it up: the branch may only grow.
#[tokio::test]
async fn a_host_that_takes_no_forced_push() {
    let repository = Repository::new();
    repository.git(&["config", "receive.denyNonFastForwards", "true"]);
    let (ann, bob) = (open(&repository.url()).await, open(&repository.url()).await);
    for n in 0..3 {
        ann.publish_one(&meeting(n, b"from ann")).await.unwrap();
        let receipt = bob.publish(&meeting(n, b"from bob")).await.unwrap();
        bob.retract(&[receipt]).await.unwrap();
    }
    assert_eq!(repository.records().len(), 3);
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 3);
}

/// Repositories that name their objects by SHA-256, with the branch and before there is one.
#[tokio::test]
async fn repositories_of_the_other_kind() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("box.git");
    let mut git = Command::new("git");
    git.args(["init", "-q", "--bare", "--object-format=sha256"]).arg(&path);
    assert!(git.status().unwrap().success());
    let repository = Repository::existing(&path);
    let (ann, bob) = (open(&repository.url()).await, open(&repository.url()).await);
    let receipt = ann.publish(&meeting(1, b"x")).await.unwrap();
    assert_eq!(bob.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    bob.publish_one(&meeting(2, b"x")).await.unwrap();
    ann.retract(&[receipt]).await.unwrap();
    assert_eq!(ann.fetch(all()).await.unwrap().records, [meeting(2, b"x")]);
}

#[tokio::test]
async fn a_hook_that_refuses_is_quoted() {
    let repository = Repository::new();
    let hook = repository.path.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nprintf 'ask \\033[31mRita\\033[0m first\\n' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let ann = open(&repository.url()).await;
    let error = ann.publish(&meeting(1, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("Rita") && error.message().contains("first"), "{error}");
    assert!(!error.message().contains(char::is_control), "{error:?}");
    assert_eq!(ann.fetch(all()).await.unwrap().records, []);
    fs::remove_file(hook).unwrap();
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
}

/// Something mounted, for a test that runs as root; unmounted at its end.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        let mounted = command.args(arguments).arg(at).stderr(Stdio::null()).status();
        let mounted = mounted.is_ok_and(|status| status.success());
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
async fn a_full_disk_there_says_so() {
    let root = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], root.path()) else { return };
    let repository = Repository::at(&root.path().join("box.git"));
    let ann = open(&repository.url()).await;
    let receipt = ann.publish(&meeting(1, b"small")).await.unwrap();
    let ballast = root.path().join("ballast");
    let _ = fs::write(&ballast, vec![1; 1 << 20]);
    let mut noise = vec![0; 60_000];
    getrandom::fill(&mut noise).unwrap();
    let error = ann.publish(&meeting(2, &noise)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(matches!(error.retry(), Retry::After(_)));
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 1);
    fs::remove_file(ballast).unwrap();
    ann.retract(&[receipt]).await.unwrap();
    ann.publish_one(&meeting(2, &noise)).await.unwrap();
}

#[tokio::test]
async fn a_repository_that_can_only_be_read() {
    let repository = Repository::new();
    let ann = open(&repository.url()).await;
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    assert_eq!(ann.probe().await.unwrap().note, None);
    let view = tempfile::tempdir().unwrap();
    let source = repository.path.to_str().unwrap();
    let Some(_mount) = Mount::new(&["--bind", "-o", "ro", source], view.path()) else { return };
    let bob = open(view.path().to_str().unwrap()).await;
    assert_eq!(bob.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    let error = bob.publish(&meeting(2, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(bob.probe().await.unwrap().note.unwrap().contains("can only be read"));
    ann.publish_one(&meeting(3, b"x")).await.unwrap();
    assert_eq!(bob.fetch(all()).await.unwrap().records.len(), 2);
}

#[tokio::test]
async fn the_cache_may_be_deleted_at_any_time() {
    let (repository, state) = (Repository::new(), tempfile::tempdir().unwrap());
    let at = |dir: &Path| context(&TestClock::new(), Some(dir.to_owned()));
    let ann = open_with(&repository.url(), [], at(state.path())).await.unwrap();
    let mut receipts = Vec::new();
    for n in 0..6 {
        receipts.push(ann.publish(&meeting(n, b"x")).await.unwrap());
        assert_eq!(ann.fetch_keys([slot(n)]).await.unwrap().len(), 1);
        match n % 3 {
            0 => fs::remove_dir_all(state.path().join("branch")).unwrap(),
            1 => fs::remove_dir_all(state.path().join("branch/objects")).unwrap(),
            // What a git that was killed leaves behind.
            _ => fs::write(state.path().join("branch/refs/wayside/tip.lock"), "").unwrap_or(()),
        }
        repository.change(&[(format!("theirs-{n}"), vec![n])], &[]);
        assert_eq!(ann.fetch(all()).await.unwrap().records.len(), usize::from(n) + 1);
    }
    let deleting = tokio::spawn({
        let path = state.path().join("branch");
        async move {
            for _ in 0..40 {
                let _ = fs::remove_dir_all(&path);
                tokio::time::sleep(Duration::from_millis(23)).await;
            }
        }
    });
    for n in 0..10 {
        // Whatever comes of it while somebody deletes all the time: an error at worst.
        let _ = ann.publish(&meeting(n, b"y")).await;
        let _ = ann.fetch(all()).await;
    }
    deleting.await.unwrap();
    ann.retract(&receipts).await.unwrap();
    assert!(ann.fetch(all()).await.unwrap().records.iter().all(|record| record.bytes == "y"));
}

/// What was fetched before a restart is not fetched again.
#[tokio::test]
async fn a_restart_goes_on_from_the_cache() {
    let (repository, state) = (Repository::new(), tempfile::tempdir().unwrap());
    let at = || context(&TestClock::new(), Some(state.path().to_owned()));
    open(&repository.url()).await.publish_one(&meeting(1, b"x")).await.unwrap();
    let packs = || fs::read_dir(state.path().join("branch/objects/pack")).unwrap().count();
    let ann = open_with(&repository.url(), [], at()).await.unwrap();
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 1);
    let before = packs();
    drop(ann);
    let ann = open_with(&repository.url(), [], at()).await.unwrap();
    assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 1);
    assert_eq!(packs(), before);
}

/// Dropped at any moment: nothing stays locked, there or here.
#[tokio::test]
async fn futures_may_be_dropped() {
    let repository = Repository::new();
    let ann = open(&repository.url()).await;
    for n in 0..40_u8 {
        let wait = Duration::from_millis(u64::from(n) * 2);
        let _ = tokio::time::timeout(wait, ann.publish(&meeting(n, b"x"))).await;
        let _ = tokio::time::timeout(wait, ann.fetch(all())).await;
    }
    let began = Instant::now();
    ann.publish_one(&meeting(100, b"x")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(ann.fetch(all()).await.unwrap().records.contains(&meeting(100, b"x")));
    assert!(!repository.path.join("refs/heads/wayside.lock").exists());
}

/// A host that takes the connection and never says a word.
#[tokio::test]
async fn a_host_that_hangs_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for remote in [format!("git://127.0.0.1:{port}/p"), format!("http://127.0.0.1:{port}/p")] {
        let ann = open_with(&remote, [("timeout", "1")], context(&TestClock::new(), None)).await.unwrap();
        let began = Instant::now();
        let (published, fetched) = (ann.publish(&meeting(1, b"x")).await, ann.fetch(all()).await);
        for error in [published.map(drop).unwrap_err(), fetched.map(drop).unwrap_err()] {
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Unreachable, Retry::BackOff), "{error}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn receipts_of_pointers_spare_their_successors() {
    let repository = Repository::new();
    let (ann, bob) = (open(&repository.url()).await, open(&repository.url()).await);
    let old = ann.publish(&pointer("ann", b"old")).await.unwrap();
    bob.publish_one(&pointer("ann", b"new")).await.unwrap();
    ann.retract(&[old]).await.unwrap();
    let found = ann.fetch_keys([pointer("ann", b"").key]).await.unwrap();
    assert_eq!(found, [pointer("ann", b"new")]);
}

/// What was fetched once is taken to be at the host still, which may have tidied up since.
#[tokio::test]
async fn a_host_that_has_forgotten_what_comes_back() {
    let repository = Repository::new();
    let (ann, bob) = (open(&repository.url()).await, open(&repository.url()).await);
    let receipt = ann.publish(&meeting(1, b"again")).await.unwrap();
    assert_eq!(bob.fetch(all()).await.unwrap().records.len(), 1);
    ann.retract(&[receipt]).await.unwrap();
    repository.git(&["gc", "-q", "--prune=now"]);
    bob.publish_one(&meeting(1, b"again")).await.unwrap();
    assert_eq!(open(&repository.url()).await.fetch(all()).await.unwrap().records.len(), 1);
}

/// Records that expired go with the next push, pointers too.
#[tokio::test]
async fn what_expired_goes() {
    let (repository, clock) = (Repository::new(), TestClock::new());
    let ann = open_with(&repository.url(), [], context(&clock, None)).await.unwrap();
    let day = Duration::from_secs(86_400);
    let soon = wayside_bridge::Clock::now(&clock).saturating_add(day);
    for record in [meeting(1, b"x"), pointer("ann", b"card"), pointer("cat", b"old")] {
        ann.publish_one(&wayside_bridge::Record { not_after: soon, ..record }).await.unwrap();
    }
    ann.publish_one(&pointer("bob", b"card")).await.unwrap();
    assert_eq!(repository.records().len(), 4);
    clock.advance(day * 3);
    ann.publish_one(&pointer("cat", b"new")).await.unwrap();
    assert_eq!(repository.records(), ["name-bob.rec", "name-cat.rec"]);
    let new = pointer("cat", b"new");
    assert_eq!(ann.fetch_keys([new.key.clone()]).await.unwrap(), [new]);
}
