//! The behaviour suite on children: the examples in Python and in shell, and services in memory behind a pipe.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{
    BridgeError, Clock, Collision, ErrorKind, Lookup, MemoryService, MemoryServiceBuilder, Record,
    RingTarget, SharedBridge, Timestamp,
};
use wayside_bridge_exec::protocol::{Publish, ToChild};
use wayside_conformance::support::{TestClock, context};
use wayside_conformance::{Deviation, Harness, MemoryHarness, Missing, Namespace, Planted, Supply};

mod python_example {
    wayside_conformance::conformance_tests!(super::Example::Python);
}

mod shell_example {
    wayside_conformance::conformance_tests!(super::Example::Shell);
}

mod memory_behind_a_pipe {
    wayside_conformance::conformance_tests!(super::piped(super::MemoryService::builder()));
}

mod looked_up_and_overwritten_behind_a_pipe {
    wayside_conformance::conformance_tests!(super::piped(
        super::MemoryService::builder()
            .lookup(super::Lookup::Key)
            .collision(super::Collision::Overwrite)
            .max_keys(8)
    ));
}

fn piped(builder: MemoryServiceBuilder) -> MemoryHarness {
    MemoryHarness::new(builder).wrapped(|bridge, clock| {
        let opening = support::served(bridge, context(clock, 1, None));
        let opened = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opening));
        std::sync::Arc::new(opened.expect("it opens"))
    })
}

/// An example, each member with a path of its own to one folder.
#[derive(Clone, Copy)]
enum Example {
    Python,
    Shell,
}

impl Example {
    fn command(self, folder: &Path) -> Option<String> {
        match self {
            Self::Python => support::python_example(folder),
            Self::Shell => Some(support::shell_example("sh", folder)),
        }
    }

    /// A record as the example keeps it: as JSON in the form of the protocol, or as a line of its fields.
    fn file(self, record: &Record) -> String {
        let json = json(record);
        match self {
            Self::Python => json.to_string(),
            Self::Shell => {
                let text = |name: &str| json[name].as_str().expect("text").to_owned();
                format!("{} {} {} {}\n", text("key"), text("class"), json["not_after"], text("bytes"))
            }
        }
    }
}

#[async_trait]
impl Harness for Example {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let place = tempfile::tempdir().expect("a folder");
        let Some(_) = self.command(place.path()) else {
            return Missing::not_applicable("there is no python3 here");
        };
        std::fs::create_dir(place.path().join("shared")).expect("a folder in it");
        Ok(Box::new(Folder { example: *self, place, clock: TestClock::new() }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

struct Folder {
    example: Example,
    place: tempfile::TempDir,
    clock: TestClock,
}

impl Folder {
    /// Where the records are, each in a file whose name begins with a digit.
    fn shared(&self) -> PathBuf {
        self.place.path().join("shared")
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.shared()).expect("the folder is there");
        let path = all.map(|entry| entry.expect("it can be read").path());
        path.filter(|path| is_record(path)).collect()
    }

    /// Writes files as the example does, after all others.
    fn write(&self, contents: impl Iterator<Item = Vec<u8>>) {
        let read = |name| std::fs::read_to_string(self.shared().join(name)).unwrap_or_default();
        let number = |path: PathBuf| path.file_name()?.to_str()?.get(..12)?.parse().ok();
        let mut last = self.files().into_iter().filter_map(number).max().unwrap_or(0);
        last = last.max(read(".last").parse().unwrap_or(0));
        let mark = read(".mark");
        for content in contents {
            last += 1;
            let path = self.shared().join(format!("{last:012}-{mark}"));
            std::fs::write(path, content).expect("the folder can be written");
        }
        if matches!(self.example, Example::Python) {
            std::fs::write(self.shared().join(".last"), last.to_string()).expect("the folder can be written");
        }
    }
}

fn is_record(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(|first: char| first.is_ascii_digit())
}

/// A record in the form of the protocol.
fn json(record: &Record) -> serde_json::Value {
    let line = ToChild::Publish(Publish { id: 1, record: record.clone() }).to_line().expect("it is short");
    serde_json::from_str::<serde_json::Value>(&line).expect("it is JSON")["record"].take()
}

#[async_trait]
impl Namespace for Folder {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let path = self.place.path().join(format!("seen-by-{who}"));
        if !path.exists() {
            std::os::unix::fs::symlink(self.shared(), &path).expect("a link");
        }
        let command = self.example.command(&path).expect("Python was there just now");
        let options = [("command", command.as_str()), ("timeout", "30")].into_iter().collect();
        let kind: &dyn wayside_bridge::BridgeKind = &wayside_bridge_exec::ExecKind;
        Ok(kind.open(&options, context(&self.clock, 1, None)).await?.bridge)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, _by: Duration) -> Supply {
        Missing::not_applicable("a child goes by the real time")
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable("a folder has no credentials")
    }

    async fn throttle(&self, _on: bool) -> Supply {
        Missing::not_applicable("a folder asks nobody to slow down")
    }

    async fn plant(&self, _who: usize, entries: &[Planted]) -> Supply {
        self.write(entries.iter().filter_map(|entry| match entry {
            Planted::Junk(junk) => Some(junk.to_vec()),
            Planted::Record(record) => Some(self.example.file(record).into_bytes()),
            _ => None,
        }));
        Ok(())
    }

    async fn tamper(&self, _who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let is_it = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            match self.example {
                Example::Python => {
                    serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|found| found == json(record))
                }
                Example::Shell => text == self.example.file(record),
            }
        };
        let Some(path) = self.files().into_iter().find(is_it) else {
            return Err(Missing::Failed(BridgeError::new(ErrorKind::Gone, "the record is not there")));
        };
        let changed = Record { bytes: bytes.clone(), ..record.clone() };
        std::fs::write(path, self.example.file(&changed)).expect("the folder can be written");
        Ok(())
    }

    async fn bell(&self, _who: usize) -> Supply<RingTarget> {
        Missing::not_applicable("the example does not ring")
    }

    async fn rung(&self, _who: usize) -> Supply<bool> {
        Missing::not_applicable("the example does not ring")
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.files().len())
    }
}
