//! What somebody who may push can put in the branch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, reason = "measurements")]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use wayside_bridge::{BridgeExt, ErrorKind, Fetch, Key, Keys, Place};

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// A line of `ls-tree`.
fn line(head: &str, oid: &str, name: &[u8]) -> Vec<u8> {
    [format!("{head} {oid}\t").as_bytes(), name, b"\0"].concat()
}

fn named(slot: u8, check: u32) -> String {
    format!("meeting-{}-4000000000-{check:032x}.rec", format!("{slot:02x}").repeat(16))
}

/// The bytes that a folder takes.
fn weigh(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => weigh(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_full_of_everything_is_read_and_nothing_is_run() {
    let (repository, state) = (Repository::new(), tempfile::tempdir().unwrap());
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    open(&repository.url()).await.publish_one(&meeting(1, b"true")).await.unwrap();
    let genuine = repository.records().remove(0);
    let trace = state.path().join("run");
    let touch = format!("touch {}", trace.display());

    // As large as it may be in a repository that is pushed to: sparse, so that it costs this machine nothing.
    let giant = state.path().join("giant");
    fs::File::create(&giant).unwrap().set_len(2 << 30).unwrap();
    let giant =
        repository.git(&["-c", "core.bigFileThreshold=1m", "hash-object", "-w", giant.to_str().unwrap()]);

    let small = repository.blob(b"small");
    let attributes = repository.blob(b"* filter=evil diff=evil merge=evil\n*.rec filter=evil\n");
    let modules = repository.blob(b"[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c id\n\tupdate = !id\n");
    let script = repository.blob(format!("#!/bin/sh\n{touch}\n").as_bytes());
    let hooks = repository.git_with(&["mktree"], format!("100755 blob {script}\tpost-checkout\n").as_bytes());
    let hooks = String::from_utf8(hooks).unwrap().trim().to_owned();
    let link = repository.blob(b"/etc/passwd");
    let commit = "0123456789012345678901234567890123456789";
    let true_one = repository.git(&["rev-parse", &format!("wayside:{genuine}")]);

    let mut lines = vec![
        line("100644 blob", &true_one, genuine.as_bytes()),
        line("100644 blob", &giant, b"giant"),
        line("100644 blob", &giant, named(1, 7).as_bytes()),
        line("100644 blob", &attributes, b".gitattributes"),
        line("100644 blob", &modules, b".gitmodules"),
        line("040000 tree", &hooks, b"hooks"),
        line("160000 commit", commit, b"x"),
        line("160000 commit", commit, named(1, 8).as_bytes()),
        line("120000 blob", &link, b"link"),
        line("120000 blob", &link, named(1, 9).as_bytes()),
        line("100755 blob", &script, b"post-checkout"),
        line("100644 blob", &small, b".."),
        line("100644 blob", &small, b"."),
        line("100644 blob", &small, b".git"),
        line("100644 blob", &small, b"a\nb\tc\x1b[31m\x07"),
        line("100644 blob", &small, b"\xff\xfe"),
        line("100644 blob", &small, b"-rf"),
        line("100644 blob", &small, "\u{202e}cod.exe".as_bytes()),
    ];
    for n in 0..10_000 {
        let name = match n % 3 {
            0 => format!("file {n}"),
            1 => named(1, 100_000 + n),
            _ => named(2, 100_000 + n),
        };
        lines.push(line("100644 blob", &small, name.as_bytes()));
    }
    repository.rewrite(&lines.concat());
    let before = repository.names().len();

    let context = context(&TestClock::new(), Some(state.path().join("home")));
    fs::create_dir(state.path().join("home")).unwrap();
    let ann = open_with(&repository.url(), [], context).await.unwrap();
    let began = Instant::now();
    assert_eq!(ann.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"true")]);
    let first = began.elapsed();
    let weight = weigh(&state.path().join("home"));
    let began = Instant::now();
    let mut request = all();
    request.limit = 4096;
    let batch = ann.fetch(request).await.unwrap();
    eprintln!("a hostile branch: first look {first:?}, all {:?}, {weight} bytes here", began.elapsed());
    assert!(batch.skipped > 3000, "{}", batch.skipped);
    assert!(first < Duration::from_secs(15), "{first:?}");
    assert!(weight < 8 << 20, "{weight}");

    ann.publish_one(&meeting(3, b"amid it all")).await.unwrap();
    // The README came too.
    assert_eq!(repository.names().len(), before + 2, "what is not ours stays");
    let bob = open(&repository.url()).await;
    assert_eq!(bob.fetch_keys([slot(3)]).await.unwrap(), [meeting(3, b"amid it all")]);
    assert!(!trace.exists());
}

/// A host that cannot leave files out sends them all: it is cut off.
#[tokio::test]
async fn a_pack_without_end_is_cut_off() {
    let (repository, state) = (Repository::new(), tempfile::tempdir().unwrap());
    let noise = state.path().join("noise");
    let mut bytes = vec![0; 1 << 20];
    for _ in 0..80 {
        getrandom::fill(&mut bytes).unwrap();
        let mut file = fs::File::options().create(true).append(true).open(&noise).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
    }
    let giant = repository.git(&["hash-object", "-w", noise.to_str().unwrap()]);
    repository.rewrite(&line("100644 blob", &giant, b"giant"));
    let home = state.path().join("home");
    fs::create_dir(&home).unwrap();
    let ann = open_with(&repository.url(), [], context(&TestClock::new(), Some(home.clone()))).await.unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let error = ann.fetch(all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(error.message().contains("delete the branch"), "{error}");
        assert!(weigh(&home) < 1 << 20, "{}", weigh(&home));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
    repository.git(&["update-ref", "-d", "refs/heads/wayside"]);
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
}

#[tokio::test]
async fn more_files_than_are_read_say_so() {
    let repository = Repository::new();
    let small = repository.blob(b"small");
    let lines: Vec<_> =
        (0..66_000).flat_map(|n| line("100644 blob", &small, format!("f{n}").as_bytes())).collect();
    repository.rewrite(&lines);
    let ann = open(&repository.url()).await;
    let error = ann.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(ann.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::Full);
}

/// Another record's bytes under a name of theirs do not pass for it.
#[tokio::test]
async fn a_record_under_a_wrong_name_is_none() {
    let repository = Repository::new();
    let ann = open(&repository.url()).await;
    ann.publish_one(&meeting(1, b"true")).await.unwrap();
    let name = repository.records().remove(0);
    let contents = repository.git_with(&["cat-file", "blob", &format!("wayside:{name}")], b"");
    let stolen = [(named(2, 1), contents.clone()), ("name-ann.rec".to_owned(), contents)];
    repository.change(&stolen, &[]);
    let batch = ann.fetch(all()).await.unwrap();
    assert_eq!((batch.records.len(), batch.skipped), (1, 2));
}

/// Cards that the project lists in its own branch, beside the one that its owner published.
#[tokio::test]
async fn cards_of_the_project_itself() {
    for filters in ["true", "false"] {
        let repository = Repository::new();
        repository.git(&["config", "uploadpack.allowFilter", filters]);
        let blob = |contents: &[u8]| repository.blob(contents);
        let (ann, giant) = (blob(b"ann's card"), blob(&[b'x'; 9000]));
        let link = blob(b"ann.card");
        let tree = |lines: &[Vec<u8>]| {
            let made = repository.git_with(&["mktree", "-z"], &lines.concat());
            String::from_utf8(made).unwrap().trim().to_owned()
        };
        let main = |peers: &str| {
            let root = tree(&[line("100644 blob", &ann, b"README"), line("040000 tree", peers, b"peers")]);
            let commit = repository.git(&["commit-tree", "-m", "x", &root]);
            repository.git(&["update-ref", "refs/heads/main", &commit]);
        };
        let bridge = open(&repository.url()).await;
        let key = |name: &str| Key::name(name).unwrap();
        assert_eq!(bridge.fetch_keys([key("ann")]).await.unwrap(), []);
        main(&tree(&[
            line("100644 blob", &ann, b"ann.card"),
            line("100644 blob", &giant, b"giant.card"),
            line("120000 blob", &link, b"link.card"),
            line("100644 blob", &ann, b"notes"),
        ]));
        let found = bridge.fetch_keys([key("ann"), key("giant"), key("link"), key("bob")]).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].key.clone(), &found[0].bytes[..]), (key("ann"), &b"ann's card"[..]));

        // With the branch's own, and in pages of one.
        bridge.publish_one(&pointer("ann", b"published")).await.unwrap();
        let mut request = Fetch::new(Place::Own, [key("ann")].into_iter().collect());
        request.limit = 1;
        let first = bridge.fetch(request.clone()).await.unwrap();
        assert!((first.records.len(), first.more) == (1, true), "{first:?}");
        request.cursor = first.cursor;
        let second = bridge.fetch(request.clone()).await.unwrap();
        assert!((second.records.len(), second.more) == (1, false), "{second:?}");
        assert_ne!(first.records, second.records);

        // What changes is told again, and only that.
        request.cursor = second.cursor;
        assert_eq!(bridge.fetch(request.clone()).await.unwrap().records, []);
        main(&tree(&[line("100644 blob", &blob(b"newer"), b"ann.card")]));
        let third = bridge.fetch(request.clone()).await.unwrap();
        assert_eq!(&third.records[0].bytes[..], b"newer");
        assert_eq!(bridge.fetch_keys([key("giant")]).await.unwrap(), []);
    }
}

/// What a link names is opened for a moment, with nothing kept.
#[tokio::test]
async fn a_link_is_read() {
    let repository = Repository::new();
    open(&repository.url()).await.publish_one(&pointer("ann", b"card")).await.unwrap();
    let options = wayside_bridge::BridgeKind::source(
        &wayside_bridge_git::GitKind,
        &format!("git+{}", repository.url()),
    );
    let remote = options.unwrap().unwrap().value("remote").unwrap().to_owned();
    let bridge = open(&remote).await;
    assert_eq!(bridge.fetch_keys([Key::name("ann").unwrap()]).await.unwrap(), [pointer("ann", b"card")]);
}

/// Programs that git would run for us: hooks, filters and the like of the cache's folder, and an editor.
#[tokio::test]
async fn hooks_in_the_cache_are_not_run() {
    let (repository, state) = (Repository::new(), tempfile::tempdir().unwrap());
    let home = state.path().join("home");
    fs::create_dir(&home).unwrap();
    let ann = open_with(&repository.url(), [], context(&TestClock::new(), Some(home.clone()))).await.unwrap();
    ann.publish_one(&meeting(1, b"x")).await.unwrap();
    let trace = state.path().join("run");
    fs::create_dir_all(home.join("branch/hooks")).unwrap();
    for hook in ["pre-push", "reference-transaction", "post-checkout", "pre-auto-gc"] {
        let path = home.join("branch/hooks").join(hook);
        fs::write(&path, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    repository.change(&[("theirs".to_owned(), b"x".to_vec())], &[]);
    ann.fetch(all()).await.unwrap();
    ann.publish_one(&meeting(2, b"x")).await.unwrap();
    assert!(!trace.exists());
}
