//! The behaviour suite: each of its cases is a test here, and a failure names the sentence of the specification that was broken.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use {{crate_name}}::{Kind, Service};
use tempfile::TempDir;
use wayside_bridge::{
    BridgeError, Clock, ErrorKind, Record, RingTarget, SharedBridge, Timestamp, file,
};
use wayside_conformance::support::TestClock;
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

wayside_conformance::conformance_tests!(Folders);

/// A fresh place for each case: with your service a new room, a new prefix, a new table.
struct Folders;

#[async_trait]
impl Harness for Folders {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        Ok(Box::new(Folder(tempfile::tempdir().expect("a folder"))))
    }

    fn deviations(&self) -> &[Deviation] {
        // Where your service cannot do what the suite asks: the case, and why. It is shown with every run.
        &[]
    }
}

struct Folder(TempDir);

impl Folder {
    fn entries(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.0.path())
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").path());
        let is_entry = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('0'))
        };
        all.filter(is_entry).collect()
    }
}

#[async_trait]
impl Namespace for Folder {
    async fn handle(&self, _who: usize) -> Result<SharedBridge, BridgeError> {
        let opened = Service::open(self.0.path());
        let service =
            opened.map_err(|error| BridgeError::new(ErrorKind::Unreachable, error.to_string()))?;
        Ok(Arc::new(Kind::new(service)))
    }

    fn now(&self) -> Timestamp {
        TestClock::new().now()
    }

    async fn advance(&self, _by: Duration) -> Supply {
        Missing::not_applicable("the folder goes by the real time")
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable("a folder has no credentials")
    }

    async fn throttle(&self, _on: bool) -> Supply {
        Missing::not_applicable("a folder asks nobody to slow down")
    }

    async fn plant(&self, _who: usize, entries: &[Planted]) -> Supply {
        let service = Service::open(self.0.path()).expect("it opens");
        let mut number = service
            .after(0)
            .expect("it can be listed")
            .last()
            .copied()
            .unwrap_or(0);
        for entry in entries {
            let contents = match entry {
                Planted::Junk(junk) => junk.to_vec(),
                Planted::Record(record) => file::encode(record).expect("it is small").0,
                _ => return Missing::not_applicable("nothing else can be planted in a folder"),
            };
            number += 1;
            let path = self
                .0
                .path()
                .join(format!("{number:012}-{}", service.mark()));
            fs::write(path, contents).expect("it can be written");
        }
        Ok(())
    }

    async fn tamper(&self, _who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let holds = |path: &PathBuf| {
            let found = fs::read(path)
                .ok()
                .map(Bytes::from)
                .as_ref()
                .and_then(file::decode);
            found.is_some_and(|found| found.record == *record)
        };
        let path = self
            .entries()
            .into_iter()
            .find(holds)
            .expect("the record is there");
        let changed = Record::new(
            record.key.clone(),
            record.class,
            record.not_after,
            bytes.clone(),
        );
        fs::write(path, file::encode(&changed).expect("it is small").0).expect("it can be written");
        Ok(())
    }

    async fn bell(&self, _who: usize) -> Supply<RingTarget> {
        Missing::not_applicable("the bridge does not ring")
    }

    async fn rung(&self, _who: usize) -> Supply<bool> {
        Missing::not_applicable("the bridge does not ring")
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.entries().len())
    }
}
