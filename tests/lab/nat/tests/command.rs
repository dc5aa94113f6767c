//! What can be tried without being root: how the laboratory is called.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

use std::process::{Command, Output};

fn lab(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wayside-nat-lab")).args(words).output().unwrap()
}

#[test]
fn it_lists_the_kinds() {
    let listed = String::from_utf8(lab(&["--list"]).stdout).unwrap();
    assert_eq!(listed.lines().count(), 12, "{listed}");
    assert!(listed.lines().any(|kind| kind == "port-restricted"), "{listed}");
}

#[test]
fn it_says_how_it_is_called() {
    for words in [&[][..], &["--no-such-thing"], &["--pair"], &["--pair", "public,moon"], &["--wire", "50"]] {
        let output = lab(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
}
