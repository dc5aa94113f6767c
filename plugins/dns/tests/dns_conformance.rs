//! The suite that every bridge passes, on BIND: in a shared zone and in zones of one's own, asked directly and through a cache.
//!
//! `tests/run dns` starts the servers; without them every case is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Clock, Key, Record, RingTarget, SharedBridge, Slot, Timestamp};
use wayside_bridge_dns::Pace;
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::{FAST, NONE, Server, TestClock, fresh, name_of, quoted, text_of};

mod in_a_shared_zone {
    wayside_conformance::conformance_tests!(super::Dns { shared: true, cached: false });
}

mod in_a_shared_zone_through_a_cache {
    wayside_conformance::conformance_tests!(super::Dns { shared: true, cached: true });
}

mod in_zones_of_their_own {
    wayside_conformance::conformance_tests!(super::Dns { shared: false, cached: false });
}

mod in_zones_of_their_own_through_a_cache {
    wayside_conformance::conformance_tests!(super::Dns { shared: false, cached: true });
}

const ZONE: &str = "wayside.test";
/// How many records one message to the server holds.
const TOGETHER: usize = 200;
/// Through a cache nothing is newer than it keeps answers.
const CACHED: Pace = Pace { poll: Duration::from_secs(1), ..FAST };

struct Dns {
    shared: bool,
    cached: bool,
}

#[async_trait]
impl Harness for Dns {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let Some(server) = Server::started() else { return Missing::not_applicable(NONE) };
        let Self { shared, cached } = *self;
        Ok(Box::new(Space { server, zone: fresh(ZONE), shared, cached, clock: TestClock::new() }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[Deviation {
            case: "bad_credentials",
            reason: "reading in DNS takes no credentials: who has the wrong ones cannot publish and is told so by a probe, but reads as anybody does",
        }]
    }
}

/// A name in a zone under which Ada and Ben leave records, each under a name below it where it is not shared.
struct Space {
    server: Server,
    zone: String,
    shared: bool,
    cached: bool,
    clock: TestClock,
}

impl Space {
    fn zone(&self, who: usize) -> String {
        match self.shared {
            true => self.zone.clone(),
            false => format!("m{who}.{}", self.zone),
        }
    }

    async fn open(&self, who: usize, key: &str) -> Result<SharedBridge, BridgeError> {
        let mut options = self.server.options(&self.zone(who), key);
        if self.shared {
            options.push(("shared", "yes".to_owned()));
        }
        match (self.cached, self.shared) {
            (true, _) => options.push(("resolver", self.server.cache.clone())),
            // There is no other resolver here that knows these zones.
            (false, false) => options.push(("resolver", self.server.at.clone())),
            (false, true) => {}
        }
        common::open(&options, if self.cached { CACHED } else { FAST }, &self.clock).await
    }
}

#[async_trait]
impl Namespace for Space {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        self.open(who, ["ada", "ben"][who % 2]).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Ok(self.open(0, "nobody").await?)
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable(
            "a name server asks nobody to slow down: it does not answer, which tests/dns_trouble.rs tries",
        )
    }

    async fn plant(&self, who: usize, entries: &[Planted]) -> Supply {
        let zone = self.zone(who);
        for (batch, entries) in entries.chunks(TOGETHER).enumerate() {
            let mut lines = String::new();
            for (number, entry) in entries.iter().enumerate() {
                let (name, text) = match entry {
                    Planted::Record(record) => (name_of(&zone, &record.key), text_of(record).into_bytes()),
                    Planted::Junk(junk) => {
                        let mut slot = [0; 16];
                        slot[0..8].copy_from_slice(&(batch * TOGETHER + number).to_be_bytes());
                        // Half of it begins as records do.
                        let mut text = if number % 2 == 0 { b"wm".to_vec() } else { Vec::new() };
                        text.extend_from_slice(junk);
                        (name_of(&zone, &Key::Slot(Slot(slot))), text)
                    }
                    _ => return Missing::not_applicable("the suite plants what this harness does not know"),
                };
                writeln!(lines, "update add {name} 1 TXT {}", quoted(&text)).unwrap();
            }
            self.server.nsupdate(ZONE, &lines).await;
        }
        Ok(())
    }

    async fn tamper(&self, who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let name = name_of(&self.zone(who), &record.key);
        let tampered = text_of(&Record { bytes: bytes.clone(), ..record.clone() });
        let lines =
            format!("update delete {name} TXT\nupdate add {name} 1 TXT {}\n", quoted(tampered.as_bytes()));
        self.server.nsupdate(ZONE, &lines).await;
        Ok(())
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.server.listed(ZONE, &self.zone).await.len())
    }
}
