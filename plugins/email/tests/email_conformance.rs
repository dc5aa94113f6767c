//! The suite that every bridge passes, on real servers, between two addresses and on a list.
//!
//! `tests/run email` starts them; without any every case is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, Record, RingTarget, SharedBridge, Timestamp};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::maildir::Maildir;
use crate::common::server::{NONE, Person, Server};
use crate::common::{FAST, TestClock};

mod between_addresses {
    wayside_conformance::conformance_tests!(super::Email { list: false });
}

mod on_a_list {
    wayside_conformance::conformance_tests!(super::Email { list: true });
}

struct Email {
    list: bool,
}

#[async_trait]
impl Harness for Email {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let Some(server) = Server::started() else { return Missing::not_applicable(NONE) };
        let (list, people) = match self.list {
            true => {
                let (list, people) = server.list();
                (Some(list), people)
            }
            false => (None, [server.person("one.test"), server.person("two.test")]),
        };
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        Ok(Box::new(Shared { server, people, list, clock, folder, planted: AtomicUsize::new(0) }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// Two people's mailboxes, and a list where it is one.
struct Shared {
    server: Server,
    people: [Person; 2],
    list: Option<String>,
    clock: TestClock,
    folder: tempfile::TempDir,
    planted: AtomicUsize,
}

impl Shared {
    /// Further members are further devices of the two.
    fn person(&self, who: usize) -> &Person {
        &self.people[who % 2]
    }

    fn mailboxes(&self) -> [Maildir; 2] {
        [self.server.maildir(&self.people[0]), self.server.maildir(&self.people[1])]
    }

    async fn open(&self, who: usize, password: Option<PathBuf>) -> Result<SharedBridge, BridgeError> {
        let mut options = self.server.options(self.person(who));
        match &self.list {
            Some(list) => options.push(("list", list.clone())),
            None => options.push(("to", self.person(who + 1).address.clone())),
        }
        if let Some(password) = password {
            options.retain(|(name, _)| *name != "password-file");
            options.push(("password-file", password.to_str().unwrap().to_owned()));
        }
        let folder = self.folder.path().join(who.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        Ok(common::open(&options, FAST, &self.clock, Some(folder)).await?.bridge)
    }
}

#[async_trait]
impl Namespace for Shared {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        self.open(who, None).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        let wrong = self.folder.path().join("wrong");
        std::fs::write(&wrong, "wrong\n").unwrap();
        Ok(self.open(2, Some(wrong)).await?)
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable(
            "one cannot ask these servers to slow down; tests/email_servers.rs tries greylisting",
        )
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        for entry in entries {
            let number = self.planted.fetch_add(1, Ordering::SeqCst);
            let mail = match entry {
                Planted::Record(record) => mail(number, &note(record, number)),
                // Half of it dressed as notes are.
                Planted::Junk(junk) if number.is_multiple_of(2) => mail(number, junk),
                Planted::Junk(junk) => {
                    format!("Subject: x (wayside-note)\r\n\r\n{}", String::from_utf8_lossy(junk)).into_bytes()
                }
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            };
            for mailbox in self.mailboxes() {
                mailbox.put(&mail);
            }
        }
        Ok(())
    }

    /// As whoever runs the server could: another mail in place of the first.
    async fn tamper(&self, _: usize, record: &Record, bytes: &Bytes) -> Supply {
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        for mailbox in self.mailboxes() {
            for (path, _) in mailbox.mails() {
                std::fs::remove_file(path).unwrap();
            }
            mailbox.put(&mail(0, &note(&tampered, 0)));
        }
        Ok(())
    }

    async fn bell(&self, who: usize) -> Supply<RingTarget> {
        Ok(RingTarget(self.person(who).address.clone()))
    }

    async fn rung(&self, who: usize) -> Supply<bool> {
        Ok(!self.server.maildir(self.person(who)).with("would like to reach you").is_empty())
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.mailboxes().iter().map(Maildir::len).sum())
    }
}

/// A record as a note, written down once more.
fn note(record: &Record, number: usize) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut body = number.to_be_bytes().to_vec();
    body.extend([0; 8]);
    body.extend(wayside_bridge::file::encode(record).unwrap().0);
    let check = Sha256::new().chain_update([1]).chain_update(&body).finalize();
    let mut note = vec![1];
    note.extend(&check[..16]);
    note.extend(body);
    note
}

/// A mail with a note as text alone.
fn mail(number: usize, note: &[u8]) -> Vec<u8> {
    format!(
        "From: x@one.test\r\nSubject: A note (wayside-note)\r\nMessage-ID: <wayside.{number}@one.test>\r\n\r\nHello.\r\n\r\n\
         -----BEGIN WAYSIDE NOTE-----\r\n{}\r\n-----END WAYSIDE NOTE-----\r\n",
        data_encoding::BASE64.encode(note)
    )
    .into_bytes()
}
