//! People with homes, a folder that two of them can see, and the processes that they run.

pub(crate) mod mail_lab;
pub(crate) mod matrix;
mod person;
mod process;
pub(crate) mod random;
pub(crate) mod readme;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use person::{Person, listen_on_loopback};
pub(crate) use process::{Ran, Running, clean, program};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How two people share a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// By the bridge `dir`.
    Dir,
    /// By the example in Python, behind the bridge `exec`.
    Python,
    /// By the example in shell, likewise.
    Shell,
}

/// A temporary place, with a folder that is reached by two paths.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    sharing: Sharing,
}

impl World {
    /// One whose people share the folder by `dir`.
    pub(crate) fn new() -> Self {
        Self::sharing_by(Sharing::Dir).expect("dir is always there")
    }

    /// One whose people share the folder in this way; none, visibly, where that cannot be here.
    pub(crate) fn sharing_by(sharing: Sharing) -> Option<Self> {
        if sharing == Sharing::Python && !has_program("python3") {
            skip("there is no python3: the bridge in Python is not tested");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("wayside-e2e-").tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("shared")).expect("a folder in it");
        std::os::unix::fs::symlink(folder.path().join("shared"), folder.path().join("elsewhere"))
            .expect("a second path");
        Some(Self { folder, sharing })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that all can see.
    pub(crate) fn shared(&self) -> PathBuf {
        self.path().join("shared")
    }

    /// Somebody who has a home, listens on loopback, and has no bridge yet.
    pub(crate) fn stranger(&self, name: &str) -> Person {
        let person = Person::new(name, &self.path().join(format!("home of {name}")));
        person.move_in();
        person
    }

    /// Somebody who has added the folder too; those with an odd number of letters see it at the second path.
    pub(crate) fn person(&self, name: &str) -> Person {
        let person = self.stranger(name);
        person.run(&self.add_bridge(name)).ok();
        person
    }

    /// Two friends whose nodes are up.
    pub(crate) fn friends(&self) -> (Person, Person) {
        let (mut ada, mut ben) = (self.person("Ada"), self.person("Benn"));
        ada.up();
        ben.up();
        befriend(&ada, &ben);
        (ada, ben)
    }

    /// The arguments that add the folder.
    pub(crate) fn add_bridge(&self, name: &str) -> Vec<String> {
        let path = self.path().join(if name.len() % 2 == 1 { "elsewhere" } else { "shared" });
        let path = path.to_str().expect("text").to_owned();
        let words = match self.sharing {
            Sharing::Dir => ["bridge", "add", "dir", "--path", &path].map(str::to_owned),
            Sharing::Python | Sharing::Shell => {
                let (interpreter, bridge) = match self.sharing {
                    Sharing::Shell => ("sh", "exec-shell/folder_bridge.sh"),
                    _ => ("python3", "exec-python/folder_bridge.py"),
                };
                let command =
                    format!("{interpreter} '{}/examples/{bridge}' '{path}'", env!("CARGO_MANIFEST_DIR"));
                ["bridge", "add", "exec", "--command", &command].map(str::to_owned)
            }
        };
        words.to_vec()
    }

    /// What the bridge is called where nobody says.
    pub(crate) fn bridge_name(&self) -> &'static str {
        match self.sharing {
            Sharing::Dir => "dir",
            Sharing::Python | Sharing::Shell => "exec",
        }
    }

    /// How many records lie in the folder.
    pub(crate) fn records(&self) -> usize {
        let folder = match self.sharing {
            Sharing::Dir => self.shared().join(".wayside"),
            Sharing::Python | Sharing::Shell => self.shared(),
        };
        // What is empty holds none: the example in shell keeps its highest number so.
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = files
            .filter(|entry| entry.metadata().is_ok_and(|found| found.len() > 0))
            .map(|entry| entry.file_name());
        let is_record = |name: &str| match self.sharing {
            Sharing::Dir => name.ends_with(".rec"),
            Sharing::Python | Sharing::Shell => name.starts_with(|c: char| c.is_ascii_digit()),
        };
        names.filter(|name| name.to_str().is_some_and(is_record)).count()
    }

    /// Waits until the folder is empty again, as it has to be within a minute or so.
    pub(crate) fn until_tidy(&self) {
        until("the folder is empty", Duration::from_secs(90), || (self.records() == 0).then_some(()));
    }
}

/// Makes friends of two whose first has a node up.
pub(crate) fn befriend(inviter: &Person, joiner: &Person) {
    let invite = inviter.invite(&[]);
    let accepted = joiner.run(&["accept", "--yes", "--wait", "60s", &invite]).object();
    assert_eq!(accepted["state"], "done", "{accepted}");
}

/// Tries again until there is an answer.
pub(crate) fn until<T>(what: &str, patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(began.elapsed() < patience, "it did not come to this within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The keys of an object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// That a value is a moment in RFC 3339, in UTC.
#[track_caller]
pub(crate) fn assert_moment(value: &Value) {
    let text = value.as_str().expect("text");
    let digits = |range: std::ops::Range<usize>| text[range].bytes().all(|byte| byte.is_ascii_digit());
    let shaped = text.len() >= 20
        && digits(0..4)
        && &text[4..5] == "-"
        && digits(5..7)
        && &text[7..8] == "-"
        && digits(8..10)
        && &text[10..11] == "T"
        && text.ends_with('Z');
    assert!(shaped, "{text} is no moment");
}

/// Says, past the test runner's capture, that something was not tested; with `CI=true` that is a failure.
#[track_caller]
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped: {reason}");
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// Says, past the test runner's capture, that something was not tested for want of a server: that is a failure in the stage that starts one, and nowhere else.
pub(crate) fn skip_without_server(reason: &str) {
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "skipped: {reason}");
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// Whether a program is there.
pub(crate) fn has_program(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(name).is_file())
}
