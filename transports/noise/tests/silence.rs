//! A stranger gets no byte back, whatever it sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Agreed, PATIENCE, Proxy, SESSION, linked, loopback};
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};
use wayside_noise::{Endpoint, EndpointConfig};

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

fn long_header(first: u8, version: u32, id: &[u8], source: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    packet.extend_from_slice(&version.to_be_bytes());
    packet.push(id.len() as u8);
    packet.extend_from_slice(id);
    packet.push(source.len() as u8);
    packet.extend_from_slice(source);
    packet
}

/// An Initial packet of 1200 bytes; its protected part is noise, as it is to whoever lacks the keys.
fn initial(version: u32, id: &[u8], source: &[u8], token: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut packet = long_header(0xc0 | noise.byte() & 0x0f, version, id, source);
    packet.push(token.len() as u8);
    packet.extend_from_slice(token);
    let rest = 1200 - packet.len() - 2;
    packet.extend_from_slice(&(0x4000 | rest as u16).to_be_bytes());
    packet.extend(noise.bytes(rest));
    packet
}

/// xorshift64, so that a failure can be had again.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as u8
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

const OURS: u32 = 0x7779_0002;

#[tokio::test]
async fn initials_of_any_version_draw_nothing() {
    let (_endpoint, address) = endpoint().await;
    let (stranger, mut noise) = (Stranger::new().await, Noise(1));
    // QUIC v1, v2, draft 29, a version that asks for negotiation, negotiation itself, ours, one beside ours.
    for version in [1, 0x6b33_43cf, 0xff00_001d, 0x0a1a_2a3a, 0, OURS, OURS + 1] {
        for id_len in [0, 4, 7, 8, 12, 19, 20] {
            for token_len in [0, 16] {
                let (id, token) = (noise.bytes(id_len), noise.bytes(token_len));
                let source = noise.bytes(8);
                stranger.send(address, &initial(version, &id, &source, &token, &mut noise)).await;
            }
        }
    }
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn bait_for_negotiation_retry_and_resets_draws_nothing() {
    let (_endpoint, address) = endpoint().await;
    let (stranger, mut noise) = (Stranger::new().await, Noise(2));
    for kind in [0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0] {
        for version in [0, 1, OURS] {
            let mut packet = long_header(kind, version, &noise.bytes(20), &noise.bytes(20));
            packet.extend(noise.bytes(1300));
            stranger.send(address, &packet).await;
        }
    }
    // Ids too long, and packets cut short anywhere.
    stranger.send(address, &long_header(0xc0, OURS, &noise.bytes(255), &[])).await;
    let whole = initial(OURS, &noise.bytes(20), &noise.bytes(8), &[], &mut noise);
    for length in 0..64 {
        stranger.send(address, &whole[..length]).await;
    }
    // 1-RTT packets to ids that nobody chose, of every size that a stateless reset would answer.
    for length in 1..200 {
        let mut packet = noise.bytes(length);
        packet[0] = packet[0] & 0x3f | 0x40;
        stranger.send(address, &packet).await;
    }
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn noise_draws_nothing() {
    let (_endpoint, address) = endpoint().await;
    let (stranger, mut noise) = (Stranger::new().await, Noise(3));
    for round in 0..2000 {
        let length = usize::from(noise.byte()) * 6 + usize::from(noise.byte() & 7);
        let mut packet = noise.bytes(length);
        if round % 2 == 0 && packet.len() > 6 {
            packet[0] |= 0xc0;
            packet[1..5].copy_from_slice(&OURS.to_be_bytes());
            packet[5] = 20;
        }
        stranger.send(address, &packet).await;
    }
    stranger.hears_nothing().await;
}

/// Records a real link through a proxy and returns the client's first datagram.
async fn recorded() -> (Endpoint, Endpoint, wayside_noise::Link, wayside_noise::Link, Vec<u8>, SocketAddr) {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let address = server.local_addresses()[0];
    let proxy = Proxy::start(address, 0, 1).await;
    let dial = client.connect(agreed.of_server(), std::slice::from_ref(&proxy.address), PATIENCE);
    let (dialled, accepted) = tokio::join!(dial, server.accept());
    let first = proxy.from_client.lock().unwrap()[0].clone();
    assert!(first.len() >= 1200);
    // The proxy ends here and the link with it, but neither side knows yet.
    (client, server, dialled.unwrap(), accepted.unwrap(), first, address)
}

#[tokio::test]
async fn a_replayed_first_datagram_draws_nothing_while_the_gate_is_open() {
    let (_c, _s, dialled, accepted, first, address) = recorded().await;
    let stranger = Stranger::new().await;
    stranger.send(address, &first).await;
    stranger.hears_nothing().await;
    // Once noq has forgotten the link, only the gate's memory is left.
    accepted.close("done");
    drop((dialled, accepted));
    sleep(Duration::from_secs(2)).await;
    stranger.send(address, &first).await;
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn a_replayed_first_datagram_draws_nothing_after_the_link_and_the_session_ended() {
    let (client, server, dialled, accepted, first, address) = recorded().await;
    let stranger = Stranger::new().await;
    accepted.close("done");
    drop((dialled, accepted));
    stranger.send(address, &first).await;
    server.forget(SESSION);
    stranger.send(address, &first).await;
    client.close("done").await;
    sleep(Duration::from_millis(500)).await;
    stranger.send(address, &first).await;
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
async fn a_closed_endpoint_is_as_silent() {
    let (_c, server, _dialled, _accepted, first, address) = recorded().await;
    let stranger = Stranger::new().await;
    let closing = server.close("done");
    let sending = async {
        stranger.send(address, &first).await;
        sleep(Duration::from_millis(200)).await;
        // The port may be gone already, which the kernel reports to the stranger; the endpoint does not.
        let _ = stranger.0.send_to(&first, address).await;
    };
    tokio::join!(closing, sending);
    stranger.hears_nothing().await;
}
