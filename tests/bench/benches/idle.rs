//! What a node with 100 friends and one bridge costs while nothing happens.
//!
//! The home is filled by 100 people who accept one invite over a folder; then `wayside up` runs on it as a process of its own, built in release
//! (`cargo build --release`, or named in WAYSIDE). The bars: below 30 MB resident, nothing published.

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Failure, Person};
use wayside_bridge::Registry;
use wayside_bridge_dir::DirKind;
use wayside_node::api::types::AddBridge;

const FRIENDS: u8 = 100;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let registry = || Registry::new().with(DirKind);
    let mut ann = Person::new("ann", registry(), over_folder(folder.path())).await?;
    let invite = ann.invite(FRIENDS).await?;
    for number in 0..FRIENDS {
        let mut friend =
            Person::new(&format!("friend-{number}"), registry(), over_folder(folder.path())).await?;
        friend.accept(&invite).await?;
        friend.stop().await;
    }
    // What was published for the last of them is taken back.
    tokio::time::sleep(Duration::from_secs(5)).await;
    ann.stop().await;
    let before = records(folder.path())?;

    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/wayside");
    let wayside = std::env::var_os("WAYSIDE").map_or(built, PathBuf::from);
    let mut node = Command::new(&wayside)
        .args(["--json", "up", "--listen", "udp://127.0.0.1:0", "--home"])
        .arg(ann.home())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}; build it with `cargo build --release`", wayside.display()))?;
    let mut ready = String::new();
    BufReader::new(node.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let resident = resident_kib(node.id());
    node.kill()?;
    node.wait()?;
    let after = records(folder.path())?;
    println_figure(&format!(
        "idle with {FRIENDS} friends: {:.1} MB resident; records in the folder before {before}, after {after}",
        f64::from(resident?) / 1024.0
    ));
    Ok(())
}

/// Resident memory in KiB, as Linux tells it.
fn resident_kib(pid: u32) -> Result<u32, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Files of the bridge that are neither its marker nor its note for people.
fn records(folder: &Path) -> Result<usize, Failure> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join(".wayside"))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        count += usize::from(!name.starts_with("place-") && !name.to_lowercase().starts_with("readme"));
    }
    Ok(count)
}

/// A bridge over a folder.
fn over_folder(folder: &Path) -> AddBridge {
    let options = [("path".to_owned(), folder.display().to_string())].into();
    AddBridge { kind: "dir".to_owned(), options, ..AddBridge::default() }
}

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn println_figure(figure: &str) {
    println!("{figure}");
}
