//! Fresh repositories for the suite, on this machine's disk or behind a real server.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, ErrorKind, Record, RingTarget, SharedBridge, Timestamp};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::servers::{NONE, Server, fresh_name};
use crate::common::{self, Repository, TestClock, file_of};

/// Opens repositories one way.
pub(crate) struct Repositories(&'static str);

impl Repositories {
    /// By `file`, or by the server of this name.
    pub(crate) const fn new(way: &'static str) -> Self {
        Self(way)
    }
}

#[async_trait]
impl Harness for Repositories {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let (server, repository) = match self.0 {
            "file" => (None, Repository::new()),
            name => match Server::find(name) {
                Some(server) => (Some(server.clone()), server.make(&fresh_name())),
                None => return Missing::not_applicable(NONE),
            },
        };
        let name = repository.path.file_stem().unwrap().to_str().unwrap().to_owned();
        let url = server.as_ref().map_or_else(|| repository.url(), |server| server.url(&name));
        let wrong = server.and_then(|server| Some(format!("{}/{name}.git", server.wrong?)));
        let state = tempfile::tempdir().map_err(failed)?;
        Ok(Box::new(Shared {
            repository,
            url,
            wrong,
            state,
            clock: TestClock::new(),
            planted: AtomicU64::new(0),
        }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

struct Shared {
    repository: Repository,
    url: String,
    wrong: Option<String>,
    state: tempfile::TempDir,
    clock: TestClock,
    planted: AtomicU64,
}

#[async_trait]
impl Namespace for Shared {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let state = self.state.path().join(who.to_string());
        std::fs::create_dir_all(&state).map_err(internal)?;
        common::open_with(&self.url, [], common::context(&self.clock, Some(state))).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        match &self.wrong {
            Some(wrong) => Ok(common::open_with(wrong, [], common::context(&self.clock, None)).await?),
            None => Missing::not_applicable("no credentials are asked for here"),
        }
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("none of these servers asks its users to slow down")
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        let mut files = Vec::new();
        for entry in entries {
            let number = self.planted.fetch_add(1, Ordering::SeqCst);
            match entry {
                Planted::Record(record) => files.push(file_of(record)),
                // Half of it named as records are, half not.
                Planted::Junk(junk) => {
                    let name = match number % 2 {
                        0 => format!("meeting-{number:032x}-4000000000-{number:032x}.rec"),
                        _ => format!("junk-{number}"),
                    };
                    files.push((name, junk.to_vec()));
                }
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            }
        }
        self.repository.change(&files, &[]);
        Ok(())
    }

    async fn tamper(&self, _: usize, record: &Record, bytes: &Bytes) -> Supply {
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        self.repository.change(&[file_of(&tampered)], &[file_of(record).0]);
        Ok(())
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("a repository makes no device notice")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("a repository makes no device notice")
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.repository.names().len())
    }
}

fn internal(error: std::io::Error) -> BridgeError {
    BridgeError::new(ErrorKind::Internal, "the harness could not use its folder").with_source(error)
}

fn failed(error: std::io::Error) -> Missing {
    Missing::Failed(internal(error))
}
