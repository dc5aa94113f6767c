//! Bad input and faults, seen from outside: slow readers, floods, broken connections, machines that stand still. What needs a look inside, or a friend
//! that breaks the protocol, is in `src/endpoint/faults`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;
mod log;
#[path = "faults/slow.rs"]
mod slow;
#[path = "faults/soak.rs"]
mod soak;
#[path = "faults/stall.rs"]
mod stall;
#[cfg(target_os = "linux")]
#[path = "faults/tcp.rs"]
mod tcp;

use std::time::Duration;

use common::{Agreed, PATIENCE, loopback};
use wayside_noise::{Endpoint, EndpointConfig, Link, MemoryNetwork, Network};

/// A linked pair on a network in memory: the client's end, and the server's.
struct Pair {
    _endpoints: (Endpoint, Endpoint),
    dialled: Link,
    accepted: Link,
}

async fn pair(network: &MemoryNetwork) -> Pair {
    let agreed = Agreed::default();
    let config = EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
    let client = Endpoint::bind(&[loopback()], agreed.client.clone(), config.clone()).await.unwrap();
    let server = Endpoint::bind(&[loopback()], agreed.server.clone(), config).await.unwrap();
    server.expect(agreed.of_client());
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    Pair { _endpoints: (client, server), dialled, accepted }
}

fn near() -> MemoryNetwork {
    MemoryNetwork::new(Duration::from_millis(5))
}
