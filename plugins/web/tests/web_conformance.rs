//! The suite that every bridge passes, on real servers: nginx, Apache, PHP, a folder, a bucket; shared, and of one writer each.
//!
//! `tests/run web` starts the servers; without them every case is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, Record, RingTarget, SharedBridge, Timestamp, file};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::server::{NONE, Server, Space};
use crate::common::{FAST, TestClock};

mod nginx_shared {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Nginx, shared: true });
}

mod nginx_of_one_writer {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Nginx, shared: false });
}

mod apache_shared {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Apache, shared: true });
}

mod php_shared {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Php, shared: true });
}

mod php_of_one_writer {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Php, shared: false });
}

mod folder_of_one_writer {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Folder, shared: false });
}

mod cgi_shared {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Cgi, shared: true });
}

mod bucket_shared {
    wayside_conformance::conformance_tests!(super::Web { server: super::Server::Bucket, shared: true });
}

struct Web {
    server: Server,
    shared: bool,
}

#[async_trait]
impl Harness for Web {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        match Space::new(self.server, self.shared) {
            Some(space) => Ok(Box::new(Rented { space, clock: TestClock::new() })),
            None => Missing::not_applicable(NONE),
        }
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

struct Rented {
    space: Space,
    clock: TestClock,
}

/// No parcel is larger than this.
const MOST: usize = 900 * 1024;

#[async_trait]
impl Namespace for Rented {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        self.space.open(who, FAST, &self.clock).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        match (self.space.server, self.space.shared) {
            (Server::Bucket, _) => Missing::not_applicable("moto looks at no signature"),
            (Server::Folder, _) => {
                Missing::not_applicable("a folder of this machine asks nobody for a password")
            }
            (Server::Php | Server::Cgi, _) | (_, false) => Missing::not_applicable(
                "everybody may read there; tests/web_servers.rs tries what is written",
            ),
            _ => Ok(self.space.stranger(&self.clock).await?),
        }
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("these servers have no such limit here; tests/web_hostile.rs tries it")
    }

    async fn plant(&self, who: usize, entries: &[Planted]) -> Supply {
        if self.space.server == Server::Bucket {
            return Missing::not_applicable(
                "a bucket has no files to be changed behind the bridge's back here; the others have",
            );
        }
        let folder = self.space.folder(who);
        if let Some(script) = self.space.script() {
            let class = if script == "wayside.php" { "-1" } else { "" };
            for (number, entry) in entries.iter().enumerate() {
                let (name, contents) = match entry {
                    Planted::Record(record) => {
                        let (contents, check) = file::encode(record).unwrap();
                        (
                            format!(
                                "{}-{}",
                                record.not_after.as_secs(),
                                data_encoding::HEXLOWER.encode(&check)
                            ),
                            contents,
                        )
                    }
                    Planted::Junk(junk) => (format!("4000000000-{number:032x}"), junk.to_vec()),
                    _ => return Missing::not_applicable("the suite plants what this harness does not know"),
                };
                write(
                    &folder.join("wayside-data").join(format!("{name}-00000000000000ff{class}.rec")),
                    &contents,
                );
            }
            return Ok(());
        }
        // As a hostile member would: parcels of its own.
        let mut parcels = vec![Vec::new()];
        for entry in entries {
            let contents = match entry {
                Planted::Record(record) => file::encode(record).unwrap().0,
                Planted::Junk(junk) => junk.to_vec(),
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            };
            if parcels.last().unwrap().len() + contents.len() > MOST {
                parcels.push(Vec::new());
            }
            parcels.last_mut().unwrap().extend(contents);
        }
        let roll = folder.join("wayside/roll");
        let mut names = std::fs::read_to_string(&roll).unwrap();
        for parcel in parcels {
            let mut id = [0; 8];
            getrandom::fill(&mut id).unwrap();
            let id = data_encoding::HEXLOWER.encode(&id);
            write(&folder.join(format!("wayside/{id}.box")), &parcel);
            names.push_str(&format!("{id}\n"));
        }
        write(&roll, names.as_bytes());
        Ok(())
    }

    /// As whoever runs the server would: in the same size, at the same place.
    async fn tamper(&self, who: usize, record: &Record, bytes: &Bytes) -> Supply {
        if self.space.server == Server::Bucket {
            return Missing::not_applicable(
                "a bucket has no files to be changed behind the bridge's back here; the others have",
            );
        }
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        let ((before, old), (after, new)) = (file::encode(record).unwrap(), file::encode(&tampered).unwrap());
        let (old, new) = (data_encoding::HEXLOWER.encode(&old), data_encoding::HEXLOWER.encode(&new));
        for path in self.space.files(who) {
            let mut contents = std::fs::read(&path).unwrap();
            let Some(at) = contents.windows(before.len()).position(|window| window == before) else {
                continue;
            };
            contents[at..at + after.len()].copy_from_slice(&after);
            std::fs::remove_file(&path).unwrap();
            // A drop names files by what is in them.
            write(Path::new(&path.to_str().unwrap().replace(&old, &new)), &contents);
        }
        Ok(())
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("nobody can be rung there")
    }

    /// Files, and in parcels each record.
    async fn litter(&self) -> Supply<usize> {
        if self.space.server == Server::Bucket {
            return Missing::not_applicable(
                "a bucket has no files to be changed behind the bridge's back here; the others have",
            );
        }
        let members = if self.space.shared { 1 } else { 2 };
        let files = (0..members).flat_map(|who| self.space.files(who));
        Ok(files
            .map(|path| {
                let contents = std::fs::read(&path).unwrap_or_default();
                1 + contents.windows(8).filter(|window| *window == b"wayside\n").count()
            })
            .sum())
    }
}

fn write(path: &Path, contents: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
    #[cfg(unix)]
    if let Ok(about) = std::fs::metadata(path.parent().unwrap()) {
        use std::os::unix::fs::MetadataExt;
        let _ = std::os::unix::fs::chown(path, Some(about.uid()), Some(about.gid()));
    }
}
