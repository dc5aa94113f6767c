//! The example in shell: in every shell that is here, and in a folder in which somebody means harm.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests may")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{open, record, shell_example};
use wayside_bridge::{ErrorKind, Fetch, Keys, Place, SharedBridge};

/// The shells that this machine has.
fn shells() -> Vec<&'static str> {
    let known = ["dash", "bash --posix", "busybox sh", "ksh", "mksh", "yash"];
    let runs = |shell: &&str| {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["-c", "exit 0"]).output().is_ok_and(|ran| ran.status.success())
    };
    let here: Vec<_> = known.into_iter().filter(runs).collect();
    eprintln!("the shells {here:?}");
    assert!(!here.is_empty(), "there is no shell");
    here
}

/// A folder of ours with the example on it.
async fn shared(shell: &str) -> (tempfile::TempDir, SharedBridge) {
    let folder = tempfile::tempdir().expect("a folder");
    let bridge = open(&shell_example(shell, folder.path()), None).await.expect("it says hello");
    (folder, bridge)
}

/// A file named as a record of this number is.
fn numbered(folder: &Path, number: u64) -> PathBuf {
    let mark = std::fs::read_to_string(folder.join(".mark")).expect("a mark");
    folder.join(format!("{number:012}-{mark}"))
}

#[tokio::test]
async fn it_runs_in_every_shell() {
    for shell in shells() {
        let (_folder, bridge) = shared(shell).await;
        let records = [record(1, b"one"), record(2, &[0xff; 65_536]), record(3, b"")];
        let mut receipts = Vec::new();
        for record in &records {
            receipts.push(bridge.publish(record).await.expect(shell));
        }
        let batch = bridge.fetch(Fetch::new(Place::Own, Keys::All)).await.expect(shell);
        assert!(batch.records == records, "{shell}: {:?}", batch.records);
        bridge.retract(&receipts).await.expect(shell);
        let batch = bridge.fetch(Fetch::new(Place::Own, Keys::All).after(None)).await.expect(shell);
        assert!(batch.records.is_empty(), "{shell}");
    }
}

#[test]
fn it_needs_these_tools_and_no_others() {
    let (tools, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tool =
        |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists());
    for name in "sh awk basename cat cut dd find ln mv od rm sort tail tr".split(' ') {
        std::os::unix::fs::symlink(tool(name).expect(name), tools.path().join(name)).expect("a link");
    }
    let script = shell_example("sh", folder.path());
    let lines = r#"{"type":"publish","id":1,"record":{"key":"name:ann","class":"pointer","not_after":1,"bytes":"AA=="}}
{"type":"fetch","id":2,"keys":"all","limit":9}"#;
    let mut command = Command::new(tool("sh").expect("a shell"));
    command.args(["-c", &format!("printf '%s\\n' \"$LINES_IN\" | {script}")]);
    let ran = command.env("LINES_IN", lines).env("PATH", tools.path()).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    let said = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success() && said.contains(r#""key":"name:ann""#), "{said}");
}

#[tokio::test]
async fn no_number_is_used_twice() {
    let (_folder, bridge) = shared("sh").await;
    let mut seen = BTreeSet::new();
    for number in 0..5 {
        let receipt = bridge.publish(&record(number, b"x")).await.expect("it is published");
        assert!(seen.insert(receipt.clone()), "{receipt:?} was there before");
        bridge.retract(&[receipt]).await.expect("it is taken back");
    }
}

#[tokio::test]
async fn what_others_leave_in_the_folder_is_never_run_nor_handed_on_nor_waited_for() {
    let (folder, bridge) = shared("sh").await;
    let path = folder.path();
    let ran = path.join("ran");
    let good = record(1, b"good");
    bridge.publish(&good).await.expect("it is published");

    let slot = "slot:01010101010101010101010101010101";
    let run = ran.display();
    let lines = [
        format!("{slot} meeting 1 $(touch {run})\n"),
        format!("{slot} meeting 1 `touch {run}`\n"),
        format!("{slot} meeting $(touch${{IFS}}{run}) AAAA\n"),
        // Out of the string, and into the object.
        format!("{slot}\",\"x\":\" meeting 1 AAAA\n"),
        format!("{slot} meeting 1,\"more\":true AAAA\n"),
        format!("{slot} meeting 1 AAAA\"}}],\"more\":true,\"records\":[{{\"key\":\"\n"),
        format!("{slot} meeting 18446744073709551616 AAAA\n"),
        format!("{slot} meeting 01 AAAA\n"),
        format!("{slot} meeting 1 AAA\n"),
        format!("{slot} elsewhere 1 AAAA\n"),
        format!("{slot}  meeting 1 AAAA\n"),
        format!("{slot} meeting 1 AAAA AAAA\n"),
        format!("{slot} meeting 1 AAAA\nmore\n"),
        "name:../../x pointer 1 AAAA\n".to_owned(),
        "name:ann meeting 1 AAAA\n".to_owned(),
        format!("{slot} meeting 1 {}\n", "A".repeat(87_388)),
        "\0\0\0\0\n".to_owned(),
        "A".repeat(20 << 20),
    ];
    let first = 1_000;
    for (number, line) in (first..).zip(&lines) {
        std::fs::write(numbered(path, number), line).expect("it can be written");
    }
    // What is no file: a pipe that nobody writes to, a link to a record elsewhere, a folder.
    let elsewhere = path.join("elsewhere");
    std::fs::write(&elsewhere, format!("{slot} meeting 1 AAAA\n")).expect("it can be written");
    std::os::unix::fs::symlink(&elsewhere, numbered(path, 2_000)).expect("a link");
    std::fs::create_dir(numbered(path, 2_001)).expect("a folder");
    let made = Command::new("mkfifo").arg(numbered(path, 2_002)).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe");
    // And what is not named as a record is.
    for name in ["a\nb", "-rf", "000000000001", "'; touch ran; '", "$(touch ran)"] {
        std::fs::write(path.join(name), "x").expect("it can be written");
    }

    let batch = bridge.fetch(Fetch::new(Place::Own, Keys::All)).await.expect("it answers");
    assert_eq!(batch.records, std::slice::from_ref(&good));
    assert_eq!((batch.skipped, batch.more), (lines.len() as u64 + 3, false));
    let late = record(2, b"late");
    bridge.publish(&late).await.expect("after all that");
    let after =
        bridge.fetch(Fetch::new(Place::Own, Keys::All).after(batch.cursor)).await.expect("it answers");
    assert_eq!((after.records.as_slice(), after.skipped), ([late].as_slice(), 0));
    assert!(!ran.exists() && !path.join("ran").exists(), "nothing was run");

    // Whoever takes the last number shuts the place, and that is said.
    std::fs::write(numbered(path, 999_999_999_999), "x").expect("it can be written");
    let full = bridge.publish(&good).await.expect_err("there is no number left");
    assert_eq!(full.kind(), ErrorKind::Full, "{full}");
}

#[test]
fn a_line_that_is_no_request_ends_it_and_an_odd_request_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = shell_example("sh", folder.path());
    let talk = |lines: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("printf '%s' \"$LINES_IN\" | {words}")]).env("LINES_IN", lines);
        let ran = command.output().expect("it runs");
        (ran.status.success(), String::from_utf8(ran.stdout).expect("text"))
    };
    for garbage in ["garbage\n", "{\"type\":\"probe\"\n", "[1]\n", "{\"a\":1,\"a\":2}\n", "{} {}\n"] {
        assert!(!talk(garbage).0, "{garbage}");
    }
    let deep = "[".repeat(10_000);
    assert!(!talk(&format!("{{\"a\":{deep}}}\n")).0, "ten thousand brackets");
    let (ended, said) = talk(concat!(
        "\n",
        "{\"type\":\"later\",\"id\":1,\"x\":[{\"y\":null},[],-1.5e3,\"\\u00fc\\\"\\\\\"]}\r\n",
        " { \"id\" : 2 , \"\\u0074ype\" : \"pr\\u006Fbe\" } \n",
        "{\"type\":\"publish\",\"id\":3,\"record\":{\"key\":\"slot:00\",\"class\":\"meeting\",\"not_after\":1,\"bytes\":\"\"}}\n",
        "{\"type\":\"fetch\",\"id\":4,\"limit\":9,\"keys\":[\"\",\"all\",\"name:a\\nb\"],\"cursor\":\"../../etc/passwd\"}\n",
        "{\"type\":\"retract\",\"id\":5,\"receipts\":[\"../../etc/passwd\",\"-rf\",\"*\"]}\n",
        "{\"type\":\"probe\",\"id\":6",
    ));
    assert!(ended, "{said}");
    let answers: Vec<serde_json::Value> =
        said.lines().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let brief: Vec<_> = answers.iter().map(|it| (it["id"].as_u64(), it["type"].as_str())).collect();
    let answer = Some("answer");
    assert_eq!(brief, [(Some(2), answer), (Some(3), Some("error")), (Some(4), answer), (Some(5), answer)]);
    assert_eq!(answers[1]["kind"], "refused");
}
