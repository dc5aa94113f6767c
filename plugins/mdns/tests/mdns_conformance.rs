//! The suite that every bridge passes, between hosts in network namespaces, over real multicast.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it did not expect has failed")]

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Runtime;
use wayside_bridge::Clock;
use wayside_bridge::{BridgeError, BridgeOptions, ErrorKind, Record, RingTarget, SharedBridge, Timestamp};
use wayside_conformance::support::TestClock;
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use common::hostile::Hostile;
use common::lan::Lan;

mod over_ipv4_and_ipv6 {
    wayside_conformance::conformance_tests!(super::Networks { v4: true, v6: true });
}

mod over_ipv4 {
    wayside_conformance::conformance_tests!(super::Networks { v4: true, v6: false });
}

mod over_ipv6 {
    wayside_conformance::conformance_tests!(super::Networks { v4: false, v6: true });
}

/// As many members as a case asks for, and one host for somebody who means harm.
const HOSTS: usize = 5;
const HOSTILE: usize = 4;

/// A local network a case.
struct Networks {
    v4: bool,
    v6: bool,
}

#[async_trait]
impl Harness for Networks {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let Some(lan) = Lan::new(HOSTS) else {
            common::skip(common::REASON);
            return Missing::not_applicable(common::REASON);
        };
        for host in 0..HOSTS {
            if !self.v4 {
                lan.configure(host, "ip -4 -n $1 addr flush dev eth0");
            }
            if !self.v6 {
                lan.configure(host, "ip netns exec $1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
            }
        }
        let state = tempfile::tempdir().map_err(|error| Missing::Failed(internal(error)))?;
        let runtimes = Mutex::default();
        Ok(Box::new(Network { lan, state, runtimes, clock: TestClock::new(), v4: self.v4 }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

struct Network {
    lan: Lan,
    state: tempfile::TempDir,
    /// A host's, for as long as the network is.
    runtimes: Mutex<BTreeMap<usize, Runtime>>,
    clock: TestClock,
    v4: bool,
}

impl Network {
    fn runtime(&self, host: usize) -> tokio::runtime::Handle {
        let mut runtimes = self.runtimes.lock().unwrap();
        runtimes.entry(host).or_insert_with(|| self.lan.runtime(host)).handle().clone()
    }

    /// Somebody who means harm does this.
    fn harm(&self, work: impl FnOnce(&Hostile) + Send + 'static) {
        let v4 = self.v4;
        self.lan.within(HOSTILE, move || work(&if v4 { Hostile::v4() } else { Hostile::v6() }));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for (_, runtime) in std::mem::take(self.runtimes.get_mut().unwrap()) {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl Namespace for Network {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        let state = self.state.path().join(format!("member-{who}"));
        std::fs::create_dir_all(&state).map_err(internal)?;
        common::open(&self.runtime(who), BridgeOptions::default(), Some(state)).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        tokio::time::sleep(by).await;
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable("whoever is on a local network is no stranger there")
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("a local network asks nobody to slow down")
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        let entries = entries.to_vec();
        self.harm(move |hostile| {
            for (number, entry) in (0..).zip(&entries) {
                match entry {
                    Planted::Record(record) => hostile.announce(record),
                    // Half of it in the shape of records, half not even packets.
                    Planted::Junk(junk) if number % 2 == 0 => hostile.announce_junk(number, junk),
                    Planted::Junk(junk) => hostile.say(junk),
                    _ => panic!("the suite plants what this harness does not know"),
                }
                // As fast as a host on a slow link is.
                if number % 16 == 15 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    }

    async fn tamper(&self, _: usize, record: &Record, bytes: &Bytes) -> Supply {
        let tampered = Record { bytes: bytes.clone(), ..record.clone() };
        let (record, v4) = (record.clone(), self.v4);
        // Again and again, since who looks next may have just come, and asks.
        self.lan.start(HOSTILE, move || {
            let hostile = if v4 { Hostile::v4() } else { Hostile::v6() };
            for _ in 0..100 {
                hostile.say_gone(&record);
                hostile.announce(&tampered);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Ok(())
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody is rung here")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("nobody is rung here")
    }

    async fn litter(&self) -> Supply<usize> {
        let mut count = 0;
        for member in std::fs::read_dir(self.state.path()).map_err(failed)? {
            count +=
                std::fs::read_dir(member.map_err(failed)?.path().join("published")).map_err(failed)?.count();
        }
        Ok(count)
    }
}

fn internal(error: std::io::Error) -> BridgeError {
    BridgeError::new(ErrorKind::Internal, "the harness could not use its folder").with_source(error)
}

fn failed(error: std::io::Error) -> Missing {
    Missing::Failed(internal(error))
}
