//! A stranger gets no byte back, whatever it sends: seen from outside, through real sockets. What the endpoint sends to
//! anybody, and what it keeps, is watched from inside in `src/gate/silence_tests.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bait;
mod common;

use std::{net::SocketAddr, time::Duration};

use bait::{Noise, OURS, initial};
use common::{Agreed, PATIENCE, Proxy, SESSION, linked, loopback};
use futures::future::join_all;
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};
use wayside_noise::{
    Endpoint, EndpointConfig, Kem, Link, Mapping, Meeting, Nat,
    traversal::{Role, guard::Surroundings},
};

/// Longer than three retransmissions of a handshake would take.
const LISTENING: Duration = Duration::from_millis(1500);

struct Stranger(UdpSocket);

impl Stranger {
    async fn new() -> Self {
        Self(UdpSocket::bind(loopback()).await.unwrap())
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        self.0.send_to(datagram, to).await.unwrap();
        // So that no receive buffer overflows and every datagram is really judged.
        tokio::task::yield_now().await;
    }

    async fn hears_nothing(&self) {
        let mut buffer = [0; 2000];
        if let Ok(answer) = timeout(LISTENING, self.0.recv_from(&mut buffer)).await {
            let (length, from) = answer.unwrap();
            panic!("{from} answered {length} bytes: {:02x?}", &buffer[..length.min(64)]);
        }
    }
}

/// An endpoint that has gates open, so that nothing is dropped for want of anything to compare with.
async fn endpoint() -> (Endpoint, SocketAddr) {
    let agreed = Agreed::default();
    let server =
        Endpoint::bind(&[loopback()], agreed.server.clone(), EndpointConfig::default()).await.unwrap();
    server.expect(agreed.of_client());
    let address = server.local_addresses()[0];
    (server, address)
}

async fn draws_nothing(datagrams: Vec<Vec<u8>>) {
    let (_endpoint, address) = endpoint().await;
    let stranger = Stranger::new().await;
    for datagram in datagrams {
        stranger.send(address, &datagram).await;
    }
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn initials_of_any_version_draw_nothing() {
    draws_nothing(bait::initials(&mut Noise(1))).await;
}

#[tokio::test]
async fn bait_for_negotiation_retry_and_resets_draws_nothing() {
    draws_nothing(bait::bait(&mut Noise(2))).await;
}

#[tokio::test]
async fn noise_draws_nothing() {
    draws_nothing(bait::junk(&mut Noise(3), 2000)).await;
}

struct Recorded {
    client: Endpoint,
    server: Endpoint,
    address: SocketAddr,
    dialled: Link,
    accepted: Link,
    /// The client's first datagrams, those of the first flight among them.
    datagrams: Vec<Vec<u8>>,
}

/// Records a real link through a proxy. The proxy ends with this and the link with it, but neither side knows yet.
async fn recorded(kem: Kem) -> Recorded {
    let agreed = Agreed { kem, ..Agreed::default() };
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let address = server.local_addresses()[0];
    let proxy = Proxy::start(address, 0, 1).await;
    let dial = client.connect(agreed.of_server(), std::slice::from_ref(&proxy.address), PATIENCE);
    let (dialled, accepted) = tokio::join!(dial, server.accept());
    let datagrams = proxy.from_client.lock().unwrap().clone();
    assert!(datagrams[0].len() >= 1200);
    Recorded { client, server, address, dialled: dialled.unwrap(), accepted: accepted.unwrap(), datagrams }
}

#[tokio::test]
async fn replayed_first_datagrams_draw_nothing_while_the_gate_is_open() {
    replays_draw_nothing(Kem::None).await;
}

#[tokio::test]
async fn replayed_first_datagrams_with_ml_kem_draw_nothing_while_the_gate_is_open() {
    replays_draw_nothing(Kem::MlKem768).await;
}

async fn replays_draw_nothing(kem: Kem) {
    let of = recorded(kem).await;
    // Each alone from a port of its own, and all of them from one.
    let strangers = [Stranger::new().await, Stranger::new().await, Stranger::new().await];
    let replay = || async {
        for (stranger, datagram) in strangers.iter().zip(&of.datagrams) {
            stranger.send(of.address, datagram).await;
        }
        for datagram in &of.datagrams[..2] {
            strangers[2].send(of.address, datagram).await;
        }
        join_all(strangers.iter().map(Stranger::hears_nothing)).await;
    };
    replay().await;
    // Once noq has forgotten the link, only the gate's memory is left.
    of.accepted.close("done");
    sleep(Duration::from_secs(2)).await;
    replay().await;
}

#[tokio::test]
async fn a_replayed_first_datagram_draws_nothing_after_the_link_and_the_session_ended() {
    let Recorded { client, server, address, dialled, accepted, datagrams } = recorded(Kem::None).await;
    let (stranger, first) = (Stranger::new().await, &datagrams[0]);
    accepted.close("done");
    drop((dialled, accepted));
    stranger.send(address, first).await;
    server.forget(SESSION);
    stranger.send(address, first).await;
    client.close("done").await;
    sleep(Duration::from_millis(500)).await;
    stranger.send(address, first).await;
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn a_first_datagram_for_a_gate_that_never_opened_draws_nothing() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let proxy = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let dialled = client.connect(agreed.of_server(), &[proxy.address], Duration::from_millis(700)).await;
    assert!(dialled.is_err());
    assert_eq!(proxy.from_server.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_endpoint_that_only_dials_is_as_silent() {
    let (client, _server, _dialled, _accepted) = linked().await;
    let address = client.local_addresses()[0];
    let (stranger, mut noise) = (Stranger::new().await, Noise(4));
    for version in [0, 1, OURS] {
        stranger.send(address, &initial(version, &noise.bytes(20), &noise.bytes(8), &[], &mut noise)).await;
    }
    let mut short = noise.bytes(100);
    short[0] = 0x40;
    stranger.send(address, &short).await;
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn an_endpoint_that_meets_somebody_is_as_silent() {
    let (endpoint, address) = endpoint().await;
    let (stranger, mut noise) = (Stranger::new().await, Noise(5));
    let mut meetings = Vec::new();
    for (role, secret) in [(Role::Dials, 7), (Role::Waits, 8), (Role::Waits, 9)] {
        let agreed = Agreed { gate: [secret; 32].into(), psk: [secret; 32].into(), ..Agreed::default() };
        meetings.push(endpoint.meet(Meeting {
            expectation: agreed.of_client(),
            role,
            candidates: Vec::new(),
            others: Vec::new(),
            theirs: Mapping::Random.into(),
            surroundings: Surroundings { ourselves: vec![address], ..Surroundings::default() },
            nat: Nat::default(),
            latency: Duration::ZERO,
            may_guess: true,
        }));
    }
    for length in [38, 63, 64, 65, 128] {
        for _ in 0..500 {
            let mut datagram = noise.bytes(length);
            datagram[0] &= 0xbf;
            stranger.send(address, &datagram).await;
        }
    }
    for datagram in bait::bait(&mut noise) {
        stranger.send(address, &datagram).await;
    }
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn a_closed_endpoint_is_as_silent() {
    let Recorded { server, address, datagrams, .. } = recorded(Kem::None).await;
    let first = &datagrams[0];
    let stranger = Stranger::new().await;
    let closing = server.close("done");
    let sending = async {
        stranger.send(address, first).await;
        sleep(Duration::from_millis(200)).await;
        // The port may be gone already, which the kernel reports to the stranger; the endpoint does not.
        let _ = stranger.0.send_to(first, address).await;
    };
    tokio::join!(closing, sending);
    stranger.hears_nothing().await;
}
