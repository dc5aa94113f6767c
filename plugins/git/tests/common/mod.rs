//! What the tests open bridges with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

pub mod servers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Class, Entropy, Key, Record, Registry, SharedBridge, Slot,
    Timestamp,
};
use wayside_bridge_git::GitKind;
pub use wayside_conformance::support::TestClock;

/// Bytes that differ from process to process, as in life.
struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

pub fn context(clock: &TestClock, state_dir: Option<PathBuf>) -> BridgeContext {
    BridgeContext { entropy: Arc::new(Random), ..wayside_conformance::support::context(clock, 0, state_dir) }
}

pub async fn open_with<const N: usize>(
    remote: &str,
    more: [(&str, &str); N],
    context: BridgeContext,
) -> Result<SharedBridge, BridgeError> {
    let options = BridgeOptions::from_iter([("remote", remote), ("poll", "1")].into_iter().chain(more));
    Ok(Registry::new().with(GitKind).open("git", &options, context).await?.bridge)
}

/// A bridge with a folder of its own that goes with it.
pub async fn open(remote: &str) -> SharedBridge {
    open_with(remote, [], context(&TestClock::new(), None)).await.unwrap()
}

pub fn slot(byte: u8) -> Key {
    Key::Slot(Slot([byte; 16]))
}

pub fn meeting(byte: u8, bytes: &[u8]) -> Record {
    Record::new(slot(byte), Class::Meeting, Timestamp::from_secs(4_000_000_000), bytes.to_vec())
}

pub fn pointer(name: &str, bytes: &[u8]) -> Record {
    let key = Key::name(name).unwrap();
    Record::new(key, Class::Pointer, Timestamp::from_secs(4_000_000_000), bytes.to_vec())
}

/// The file of a record: its name and contents.
pub fn file_of(record: &Record) -> (String, Vec<u8>) {
    let (contents, check) = wayside_bridge::file::encode(record).unwrap();
    (wayside_bridge::file::Name::of(record, check).unwrap().file_name(), contents)
}

/// Says that a test could not run, and fails where all tests are expected to.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped: {reason}");
}

/// A bare repository on this machine's disk, as its owner sees it.
pub struct Repository {
    pub path: PathBuf,
    _root: Option<tempfile::TempDir>,
}

impl Repository {
    /// A new one that is gone with the value.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("box.git");
        Self::make(&path);
        Self { path, _root: Some(root) }
    }

    /// A new one at a path.
    pub fn at(path: &Path) -> Self {
        Self::make(path);
        Self { path: path.to_owned(), _root: None }
    }

    /// One that is there.
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_owned(), _root: None }
    }

    fn make(path: &Path) {
        let made = Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(path).status();
        assert!(made.unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// What git says to a command in it.
    pub fn git(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.git_with(arguments, b"")).trim().to_owned()
    }

    pub fn git_with(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.path).args(["-c", "user.name=eve", "-c", "user.email=eve@localhost"]);
        command.args(["-c", "safe.directory=*"]).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        output.stdout
    }

    pub fn blob(&self, contents: &[u8]) -> String {
        let said = self.git_with(&["hash-object", "-w", "--stdin"], contents);
        String::from_utf8(said).unwrap().trim().to_owned()
    }

    /// The branch's names.
    pub fn names(&self) -> Vec<String> {
        if self.git(&["for-each-ref", "refs/heads/wayside"]).is_empty() {
            return Vec::new();
        }
        let listed = self.git(&["ls-tree", "-z", "--name-only", "wayside"]);
        listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    pub fn records(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.ends_with(".rec")).collect()
    }

    /// How many commits the branch holds.
    pub fn commits(&self) -> usize {
        self.git(&["rev-list", "--count", "wayside"]).parse().unwrap()
    }

    /// Makes the branch these lines of `ls-tree` and nothing else.
    pub fn rewrite(&self, lines: &[u8]) {
        let tree = self.git_with(&["mktree", "-z", "--missing"], lines);
        let tree = String::from_utf8(tree).unwrap();
        let commit = self.git(&["commit-tree", "-m", "x", tree.trim()]);
        self.git(&["update-ref", "refs/heads/wayside", &commit]);
    }

    /// Adds these files to the branch, and takes those out; as somebody would who has the repository.
    pub fn change(&self, add: &[(String, Vec<u8>)], remove: &[String]) {
        let mut lines: Vec<Vec<u8>> = match self.names().is_empty() {
            true => Vec::new(),
            false => {
                let listed = self.git_with(&["ls-tree", "-z", "wayside"], b"");
                listed.split(|b| *b == 0).filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
            }
        };
        let is = |line: &[u8], name: &str| line.ends_with(format!("\t{name}").as_bytes());
        lines.retain(|line| {
            let added = add.iter().any(|(name, _)| is(line, name));
            !added && !remove.iter().any(|name| is(line, name))
        });
        let folder = tempfile::tempdir().unwrap();
        let paths: String = add
            .iter()
            .enumerate()
            .map(|(number, (_, contents))| {
                let path = folder.path().join(number.to_string());
                std::fs::write(&path, contents).unwrap();
                format!("{}\n", path.display())
            })
            .collect();
        let hashed = self.git_with(&["hash-object", "-w", "--no-filters", "--stdin-paths"], paths.as_bytes());
        let hashed = String::from_utf8(hashed).unwrap();
        for ((name, _), oid) in add.iter().zip(hashed.lines()) {
            lines.push(format!("100644 blob {oid}\t{name}").into_bytes());
        }
        let lines: Vec<u8> = lines.into_iter().flat_map(|line| [line, vec![0]].concat()).collect();
        self.rewrite(&lines);
    }
}
