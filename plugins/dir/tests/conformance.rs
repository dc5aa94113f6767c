//! The suite that every bridge passes, on folders of this machine's disk.
#![cfg(unix)]

mod common;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, ErrorKind, Record, RingTarget, SharedBridge, Timestamp};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::TestClock;

mod on_disk {
    wayside_conformance::conformance_tests!(super::Folders);
}

struct Folders;

#[async_trait]
impl Harness for Folders {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let root = tempfile::tempdir().map_err(failed)?;
        let shared = root.path().join("shared");
        std::fs::create_dir(&shared).map_err(failed)?;
        Ok(Box::new(Shared { root, clock: TestClock::new(), planted: AtomicU64::new(0) }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// A folder that member 0 sees at `shared` and each other at a link of their own.
struct Shared {
    root: tempfile::TempDir,
    clock: TestClock,
    planted: AtomicU64,
}

impl Shared {
    fn records(&self) -> PathBuf {
        self.root.path().join("shared/.wayside")
    }

    /// The names of the files that these records have, and the files, from a folder without a disk behind it.
    async fn written(&self, records: &[&Record]) -> Result<tempfile::TempDir, Missing> {
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).map_err(failed)?;
        let bridge = common::open_with(scratch.path(), common::context(&self.clock, None)).await?;
        for record in records {
            bridge.publish(record).await?;
        }
        Ok(scratch)
    }

    async fn put(&self, records: &[&Record]) -> Supply {
        let scratch = self.written(records).await?;
        for name in common::records(scratch.path()) {
            let from = scratch.path().join(".wayside").join(&name);
            std::fs::copy(from, self.records().join(&name)).map_err(failed)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Namespace for Shared {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let (shared, state) =
            (self.root.path().join("shared"), self.root.path().join(format!("state-{who}")));
        let path = match who {
            0 => shared,
            _ => self.root.path().join(format!("seen-by-{who}")),
        };
        if who != 0 && !path.exists() {
            std::os::unix::fs::symlink("shared", &path).map_err(internal)?;
        }
        std::fs::create_dir_all(&state).map_err(internal)?;
        let hook = format!("touch '{}'", self.root.path().join(format!("rung-{who}")).display());
        let bell = [("ring-name", format!("member-{who}")), ("on-ring", hook)];
        common::open_as(&path, bell, common::context(&self.clock, Some(state))).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable("a folder takes no credentials; `strangers_are_denied` tries its permissions")
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("nobody asks a file system's users to slow down")
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        let mut genuine = Vec::new();
        for entry in entries {
            let number = self.planted.fetch_add(1, Ordering::SeqCst);
            match entry {
                Planted::Record(record) => genuine.push(record),
                // Half of it named as records are, half not.
                Planted::Junk(junk) => {
                    let name = match number % 2 {
                        0 => format!("meeting-{number:032x}-4000000000-{number:032x}.rec"),
                        _ => format!("junk-{number}"),
                    };
                    std::fs::write(self.records().join(name), junk).map_err(failed)?;
                }
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            }
        }
        self.put(&genuine).await
    }

    /// As a hostile member would: a file that is whole by itself, in place of the other. (One that is not whole is
    /// what synchronisers leave half-way, and no record.)
    async fn tamper(&self, _: usize, record: &Record, bytes: &Bytes) -> Supply {
        let original = self.written(&[record]).await?;
        for name in common::records(original.path()) {
            std::fs::remove_file(self.records().join(name)).map_err(failed)?;
        }
        self.put(&[&Record { bytes: bytes.clone(), ..record.clone() }]).await
    }

    async fn bell(&self, who: usize) -> Supply<RingTarget> {
        Ok(RingTarget(format!("member-{who}")))
    }

    async fn rung(&self, who: usize) -> Supply<bool> {
        Ok(self.root.path().join(format!("rung-{who}")).exists())
    }

    async fn litter(&self) -> Supply<usize> {
        let outside = std::fs::read_dir(self.root.path().join("shared")).map_err(failed)?.count();
        Ok(outside + std::fs::read_dir(self.records()).map_err(failed)?.count())
    }
}

fn internal(error: io::Error) -> BridgeError {
    BridgeError::new(ErrorKind::Internal, "the harness could not use its folder").with_source(error)
}

fn failed(error: io::Error) -> Missing {
    Missing::Failed(internal(error))
}
