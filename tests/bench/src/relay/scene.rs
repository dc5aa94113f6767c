//! The three processes, and what they are told.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::end::{self, End, Part};
use super::figures::{Bulk, Echo, Idle, Paced};
use super::forwarder;
use super::{Size, Way};
use crate::Failure;
use crate::processes::{SOON, Worker};
use crate::usage::Usage;
use crate::worker;

/// What one of the three can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order {
    Forwarder(forwarder::Order),
    End(end::Order),
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Forwarder(forwarder::Answer),
    End(end::Answer),
}

/// Long enough for a gibibyte on any machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// What links have to say after they are made, they have said after so long.
const SETTLING: Duration = Duration::from_secs(3);

/// All three.
pub(super) struct Scene {
    relay: Worker,
    ends: [Worker; 2],
    bob: SocketAddr,
    size: Size,
}

impl Scene {
    async fn start(links: u32, size: Size) -> Result<Self, Failure> {
        let mut relay = Worker::start("relay", None, &["relay-forwarder", &serde_json::to_string(&links)?])?;
        let address = relay.ready().await?.ok_or("a relay without an address")?.address;
        let start = |end: End, role| {
            let part = serde_json::to_string(&Part { end, relay: address, size })?;
            Worker::start(role, None, &["relay-end", &part])
        };
        let mut ends = [start(End::Ann, "sender")?, start(End::Bob, "receiver")?];
        let [ann, bob] = &mut ends;
        ann.ready().await?;
        let bob = bob.ready().await?.ok_or("an end without an address")?.address;
        Ok(Self { relay, ends, bob, size })
    }

    /// Both ends have so many links with the relay.
    async fn join(&mut self, links: u32) -> Result<(), Failure> {
        let Self { relay, ends: [ann, bob], .. } = self;
        let waiting = relay.ask(order(forwarder::Order::Links(links)), PATIENCE);
        let joining = async {
            for _ in 0..links {
                tell(ann, end::Order::Join).await?;
                tell(bob, end::Order::Join).await?;
            }
            Ok::<_, Failure>(())
        };
        let (waited, joined) = tokio::join!(waiting, joining);
        joined?;
        waited.map(drop)
    }

    async fn circuits(&mut self, count: u32) -> Result<(), Failure> {
        let answer = self.relay.ask(order(forwarder::Order::Open(count)), SOON).await?;
        let worker::Answer::Relay(Answer::Forwarder(forwarder::Answer::Opened(opened))) = answer else {
            return Err(format!("the relay answered {answer:?}").into());
        };
        for (end, opened) in self.ends.iter_mut().zip(opened) {
            tell(end, end::Order::Circuits(opened)).await?;
        }
        Ok(())
    }

    /// The ends are linked directly, and through one circuit.
    pub(super) async fn linked(size: Size) -> Result<Self, Failure> {
        let mut scene = Self::start(1, size).await?;
        scene.join(1).await?;
        scene.circuits(1).await?;
        let bob = scene.bob;
        for way in Way::BOTH {
            tell(scene.ann(), end::Order::Link(way, bob)).await?;
        }
        Ok(scene)
    }

    fn ann(&mut self) -> &mut Worker {
        let [ann, _] = &mut self.ends;
        ann
    }

    async fn costs(&mut self) -> Result<[Usage; 3], Failure> {
        let [ann, bob] = &mut self.ends;
        Ok([self.relay.usage().await?, ann.usage().await?, bob.usage().await?])
    }

    pub(super) async fn bulk(&mut self, way: Way, bytes: u64) -> Result<Bulk, Failure> {
        let before = self.costs().await?;
        let end::Answer::Took(took) = tell(self.ann(), end::Order::Bulk(way, bytes)).await? else {
            return Err("the sender has sent nothing".into());
        };
        let after = self.costs().await?;
        Ok(Bulk::new(self.size, way, bytes, took, before, after))
    }

    /// `rate` in bytes a second.
    pub(super) async fn paced(&mut self, way: Way, rate: f64, time: Duration) -> Result<Paced, Failure> {
        let before = self.lost().await?;
        let sent = tell(self.ann(), end::Order::Paced(way, rate, time)).await?;
        let end::Answer::Sent(took, packets, lost) = sent else {
            return Err("the sender has sent nothing".into());
        };
        let dropped = self.lost().await? - before;
        Ok(Paced { way, rate, seconds: took.as_secs_f64(), packets, lost, dropped })
    }

    async fn lost(&mut self) -> Result<u64, Failure> {
        match self.relay.ask(order(forwarder::Order::Lost), SOON).await? {
            worker::Answer::Relay(Answer::Forwarder(forwarder::Answer::Lost(bytes))) => Ok(bytes),
            other => Err(format!("the relay answered {other:?}").into()),
        }
    }

    pub(super) async fn echo(&mut self, way: Way, count: u32) -> Result<Echo, Failure> {
        match tell(self.ann(), end::Order::Echo(way, count)).await? {
            end::Answer::Echoed(times, lost) => Ok(Echo::new(way, times, lost)),
            other => Err(format!("the sender answered {other:?}").into()),
        }
    }

    /// So many links from each end, and circuits over them; then nothing.
    pub(super) async fn idle(links: u32, circuits: u32) -> Result<Idle, Failure> {
        let mut scene = Self::start(links, Size::Ethernet).await?;
        let without = scene.relay.usage().await?;
        scene.join(links).await?;
        sleep(SETTLING).await;
        let linked = scene.relay.usage().await?;
        scene.circuits(circuits).await?;
        sleep(SETTLING).await;
        let with = scene.relay.usage().await?;
        sleep(2 * SETTLING).await;
        let later = scene.relay.usage().await?;
        let cpu_ms_per_s = (later.cpu - with.cpu) * 1e3 / (2 * SETTLING).as_secs_f64();
        let (links, kib) = (2 * links, |usage: Usage| usage.resident);
        let (without, linked, with) = (kib(without), kib(linked), kib(with));
        Ok(Idle { links, circuits, without, linked, with, cpu_ms_per_s })
    }
}

fn order(order: forwarder::Order) -> worker::Order {
    worker::Order::Relay(Order::Forwarder(order))
}

async fn tell(end: &mut Worker, order: end::Order) -> Result<end::Answer, Failure> {
    match end.ask(worker::Order::Relay(Order::End(order)), PATIENCE).await? {
        worker::Answer::Relay(Answer::End(answer)) => Ok(answer),
        other => Err(format!("an end answered {other:?}").into()),
    }
}
