//! The suite that every bridge passes, on a real server, in a branch and in an issue.
//!
//! `tests/run github` starts the server; without one every case is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, Key, Record, RingTarget, SharedBridge, Slot, Timestamp, file};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::server::{NONE, Repo, Server, text};
use crate::common::{FAST, TestClock};

mod in_a_branch {
    wayside_conformance::conformance_tests!(super::GitHub { issue: false });
}

mod in_an_issue {
    wayside_conformance::conformance_tests!(super::GitHub { issue: true });
}

/// The most that is planted in a branch: each token has 5,000 requests.
const MOST_PLANTED: usize = 4000;

struct GitHub {
    issue: bool,
}

#[async_trait]
impl Harness for GitHub {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let Some(server) = Server::started() else { return Missing::not_applicable(NONE) };
        let repo = Repo::new(&server).await;
        let issue = if self.issue {
            let body = serde_json::json!({ "title": "Sealed notes" });
            repo.post(&repo.path("/issues"), &body).await?["number"].as_u64()
        } else {
            None
        };
        Ok(Box::new(Shared { repo, issue, clock: TestClock::new(), planted: AtomicUsize::new(0) }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// A repository, or an issue in one, that Ada and Ben share.
struct Shared {
    repo: Repo,
    issue: Option<u64>,
    clock: TestClock,
    planted: AtomicUsize,
}

impl Shared {
    async fn comments(&self, issue: u64) -> Result<Vec<serde_json::Value>, BridgeError> {
        let path = self.repo.path(&format!("/issues/{issue}/comments?per_page=100"));
        Ok(self.repo.get(&path).await?.as_array().cloned().unwrap_or_default())
    }
}

#[async_trait]
impl Namespace for Shared {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let mut options = self.repo.options(who, true);
        options.extend(self.issue.map(|number| ("issue", number.to_string())));
        common::open(&options, FAST, &self.clock).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable(
            "this server takes a token that it does not know for its first user's; tests/answers.rs tries it",
        )
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("this server has no secondary limits; tests/answers.rs tries them")
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        if self.issue.is_none() && entries.len() > MOST_PLANTED {
            return Missing::not_applicable(
                "a record takes a request, and of those there are 5,000 an hour, here as at GitHub; tests/hostile.rs tries it",
            );
        }
        let mut files = Vec::new();
        for entry in entries {
            let number = self.planted.fetch_add(1, Ordering::SeqCst);
            match (entry, self.issue) {
                (Planted::Record(record), None) => {
                    let (contents, check) = file::encode(record).unwrap();
                    files.push((file::Name::of(record, check).unwrap().file_name(), Some(contents)));
                }
                // Half of it named as records are, half not.
                (Planted::Junk(junk), None) => {
                    let name = match number % 2 {
                        0 => format!("meeting-{number:032x}-4000000000-{number:032x}.rec"),
                        _ => format!("junk-{number}"),
                    };
                    files.push((name, Some(junk.to_vec())));
                }
                (Planted::Record(record), Some(issue)) => {
                    let comment = comment(&file::encode(record).unwrap().0);
                    self.repo.comment(issue, number, &comment).await?;
                }
                // Half of it dressed as records are. GitHub takes no comment of nothing.
                (Planted::Junk(junk), Some(issue)) => {
                    let text = String::from_utf8_lossy(junk);
                    let comment = match number % 2 {
                        0 => comment(junk),
                        _ => format!("{text}?"),
                    };
                    self.repo.comment(issue, number, &comment).await?;
                }
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            }
        }
        if !files.is_empty() {
            self.repo.change(&files).await?;
        }
        Ok(())
    }

    /// As a hostile member would: a file that is whole by itself, in place of the other.
    async fn tamper(&self, _: usize, record: &Record, bytes: &Bytes) -> Supply {
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        let (contents, check) = file::encode(&tampered).unwrap();
        if let Some(issue) = self.issue {
            for found in self.comments(issue).await? {
                let path = self.repo.path(&format!("/issues/comments/{}", found["id"]));
                self.repo.patch(&path, &serde_json::json!({ "body": comment(&contents) })).await?;
            }
            return Ok(());
        }
        let (files, _) = self.repo.files().await?;
        let records = files.into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".rec"));
        let mut changes: Vec<(String, Option<Vec<u8>>)> = records.map(|name| (name, None)).collect();
        changes.push((file::Name::of(&tampered, check).unwrap().file_name(), Some(contents)));
        Ok(self.repo.change(&changes).await?)
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn litter(&self) -> Supply<usize> {
        match self.issue {
            Some(issue) => Ok(self.comments(issue).await?.len()),
            None => Ok(self.repo.files().await?.0.len()),
        }
    }
}

/// As the bridge writes them, written down once more.
fn comment(contents: &[u8]) -> String {
    format!("A note.\n\n```wayside\n{}\n```\n", data_encoding::BASE64.encode(contents))
}

/// What GitHub is told of whoever writes.
#[tokio::test]
async fn commits_name_nobody() {
    let Some(server) = Server::started() else { return common::skip(NONE) };
    let repo = Repo::new(&server).await;
    let ada = repo.open(0, FAST, &TestClock::new()).await.unwrap();
    let slot = Key::Slot(Slot([1; 16]));
    let record =
        Record::new(slot, wayside_bridge::Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![1]);
    ada.publish(&record).await.unwrap();
    let (files, commit) = repo.files().await.unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    let found = repo.get(&repo.path(&format!("/git/commits/{}", commit.unwrap()))).await.unwrap();
    for role in ["author", "committer"] {
        assert_eq!(text(&found[role]["name"]), "wayside");
        assert_eq!(text(&found[role]["email"]), "wayside@localhost");
    }
}
