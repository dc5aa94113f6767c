//! The suite that every bridge passes, on a real server, in a plain room and in an encrypted one.
//!
//! `tests/run matrix` starts the server; without one every case is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Mutex;
use wayside_bridge::{BridgeError, Clock, Record, RingTarget, SharedBridge, Timestamp};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::TestClock;
use crate::common::server::{Account, NONE, Place, Server, content, dressed, failed, text};

mod in_a_plain_room {
    wayside_conformance::conformance_tests!(super::Matrix { encrypted: false });
}

mod in_an_encrypted_room {
    wayside_conformance::conformance_tests!(super::Matrix { encrypted: true });
}

/// The most that is planted: Synapse takes some fifty events a second.
const MOST_PLANTED: usize = 2000;

struct Matrix {
    encrypted: bool,
}

#[async_trait]
impl Harness for Matrix {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let Some(server) = Server::started() else { return Missing::not_applicable(NONE) };
        let owner = server.account("owner").await;
        let room = server.room(&owner, self.encrypted).await;
        Ok(Box::new(Shared {
            server,
            owner,
            room,
            members: Mutex::default(),
            clock: TestClock::new(),
            planted: AtomicUsize::new(0),
        }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// A room that several share.
struct Shared {
    server: Server,
    owner: Account,
    room: Place,
    members: Mutex<BTreeMap<usize, Account>>,
    clock: TestClock,
    planted: AtomicUsize,
}

#[async_trait]
impl Namespace for Shared {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let mut members = self.members.lock().await;
        if let std::collections::btree_map::Entry::Vacant(free) = members.entry(who) {
            free.insert(self.server.account("member").await);
        }
        Ok(members[&who].open(&self.room.alias, &self.clock).await?.bridge)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        let stranger = self.server.account("stranger").await;
        let bridge = stranger.open(&self.room.alias, &self.clock).await?.bridge;
        self.server.must(&stranger.session_token(), "POST", "v3/logout", &json!({})).await;
        Ok(bridge)
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable(
            "this server has no limits; tests/matrix_servers.rs tries them on one that has",
        )
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        if entries.len() > MOST_PLANTED {
            return Missing::not_applicable(
                "Synapse would take minutes for so many; tests/matrix_servers.rs tries some thousand",
            );
        }
        for entry in entries {
            let number = self.planted.fetch_add(1, Ordering::SeqCst);
            let content = match entry {
                Planted::Record(record) => content(record),
                // Half of it dressed as records are.
                Planted::Junk(junk) if number.is_multiple_of(2) => dressed(junk),
                Planted::Junk(junk) => json!({ "msgtype": "m.text", "body": String::from_utf8_lossy(junk) }),
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            };
            self.owner.send(&self.room.id, &content).await;
        }
        Ok(())
    }

    /// As a hostile server would: the same sender's event with other bytes, in place of the first.
    async fn tamper(&self, who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let members = self.members.lock().await;
        let member = members.get(&who).ok_or_else(|| failed("nobody of this number is here"))?;
        for event in self.owner.messages(&self.room.id).await {
            if text(&event["sender"]) == member.user {
                self.owner.redact(&self.room.id, &text(&event["event_id"])).await;
            }
        }
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        member.send(&self.room.id, &content(&tampered)).await;
        Ok(())
    }

    async fn bell(&self, who: usize) -> Supply<RingTarget> {
        let members = self.members.lock().await;
        let member = members.get(&who).ok_or_else(|| failed("nobody of this number is here"))?;
        Ok(RingTarget(member.user.clone()))
    }

    async fn rung(&self, who: usize) -> Supply<bool> {
        let members = self.members.lock().await;
        let member = members.get(&who).ok_or_else(|| failed("nobody of this number is here"))?;
        Ok(!member.invitations().await.is_empty())
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.owner.messages(&self.room.id).await.len())
    }
}
