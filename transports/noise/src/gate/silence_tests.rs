//! Everything that an endpoint sends is seen here, to whomever: a wire in memory instead of sockets. While strangers
//! send whatever they can think of, it must be not one byte, and nothing may be kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    io::{self, IoSliceMut},
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll, ready},
};

use noq::{
    AsyncUdpSocket, TokioRuntime, TransportConfig, UdpSender,
    udp::{RecvMeta, Transmit},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::*;
use crate::{
    EndpointConfig,
    adapter::{AdmittedServer, NoiseClient, first_id},
    config,
    core::{
        compose::{compose, compose_flight, compose_frames},
        handshake::Initiator,
    },
};

#[path = "../../tests/bait/mod.rs"]
mod bait;

type Datagram = (SocketAddr, Vec<u8>);

/// An answer would leave at once, and be sent again after 300 ms.
const LISTENING: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

/// A side of the wire: what it is sent, it reads through the gate; what it sends is recorded and goes to the other side.
struct Side {
    address: SocketAddr,
    gate: Arc<Gate>,
    endpoint: noq::Endpoint,
    inbox: UnboundedSender<Datagram>,
    sent: Arc<Mutex<Vec<Datagram>>>,
}

#[derive(Debug)]
struct Wire {
    address: SocketAddr,
    sieve: Sieve,
    inbox: UnboundedReceiver<Datagram>,
    tap: Tap,
}

#[derive(Clone, Debug)]
struct Tap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Datagram>>>,
    other: UnboundedSender<Datagram>,
}

impl AsyncUdpSocket for Wire {
    fn create_sender(&self) -> Pin<Box<dyn UdpSender>> {
        Box::pin(self.tap.clone())
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let released = self.sieve.deliver(buffers, metas);
            if released > 0 {
                return Poll::Ready(Ok(released));
            }
            let Some((from, datagram)) = ready!(self.inbox.poll_recv(cx)) else { return Poll::Pending };
            buffers[0][..datagram.len()].copy_from_slice(&datagram);
            metas[0] = RecvMeta::default();
            (metas[0].addr, metas[0].len, metas[0].stride) = (from, datagram.len(), datagram.len().max(1));
            self.sieve.keep_admitted(&mut buffers[0], &mut metas[0]);
            if metas[0].len > 0 {
                return Poll::Ready(Ok(1));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    /// As a socket of the operating system has it, which makes room for datagrams of any size.
    fn max_receive_segments(&self) -> NonZeroUsize {
        const { NonZeroUsize::new(64).unwrap() }
    }
}

impl UdpSender for Tap {
    fn poll_send(self: Pin<&mut Self>, sent: &Transmit<'_>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let size = sent.segment_size.unwrap_or(sent.contents.len()).max(1);
        for datagram in sent.contents.chunks(size) {
            self.sent.lock().unwrap().push((sent.destination, datagram.to_vec()));
            let _ = self.other.send((self.address, datagram.to_vec()));
        }
        Poll::Ready(Ok(()))
    }
}

fn client_key() -> StaticKey {
    StaticKey::from_bytes([1; 32])
}

fn server_key() -> StaticKey {
    StaticKey::from_bytes([2; 32])
}

fn expectation(kem: Kem, whom: Whom) -> Expectation {
    Expectation { session: SessionId([1; 16]), whom, gate: [3; 32].into(), psk: [4; 32].into(), kem }
}

/// Without keep-alives, so that a link says nothing unasked.
fn transport() -> Arc<TransportConfig> {
    let config = EndpointConfig {
        keep_alive: None,
        idle_timeout: Duration::from_secs(60),
        ..EndpointConfig::default()
    };
    Arc::new(config.transport(crate::mtu::USUAL))
}

/// A client and a server that accepts what its gate admits, and a wire between them.
fn pair() -> (Side, Side) {
    let (to_client, client_inbox) = unbounded_channel();
    let (to_server, server_inbox) = unbounded_channel();
    let side =
        |key, port, inbox, to_this: &UnboundedSender<Datagram>, to_other: &UnboundedSender<Datagram>| {
            let gate = Gate::new(key, Ciphers::default(), Duration::from_secs(10));
            let address: SocketAddr = ([10, 0, 0, 1], port).into();
            let sent = Arc::default();
            let tap = Tap { address, sent: Arc::clone(&sent), other: to_other.clone() };
            let wire = Wire { address, sieve: Sieve::new(Arc::clone(&gate)), inbox, tap };
            let server = config::server(Arc::clone(&gate), transport());
            let endpoint = noq::Endpoint::new_with_abstract_socket(
                config::endpoint(gate.own_ids()),
                Some(server),
                Box::new(wire),
                Arc::new(TokioRuntime),
            );
            Side { address, gate, endpoint: endpoint.unwrap(), inbox: to_this.clone(), sent }
        };
    let client = side(client_key(), 1000, client_inbox, &to_client, &to_server);
    let server = side(server_key(), 2000, server_inbox, &to_server, &to_client);
    (client, server)
}

/// A server with a gate of every kind open, so that nothing is dropped for want of anything to compare with.
fn lonely_server() -> Side {
    let (_, server) = pair();
    let whom = [
        Whom::Device(client_key().public()),
        Whom::Anyone,
        Whom::Guests(server_key()),
        Whom::Device(server_key().public()),
    ];
    for (i, whom) in (0..).zip(whom) {
        for (j, kem) in [(0, Kem::None), (100, Kem::MlKem768)] {
            let (session, gate) = (SessionId([i + j; 16]), [0x30 + i + j; 32].into());
            server.gate.open(Expectation { session, gate, ..expectation(kem, whom.clone()) });
        }
    }
    server
}

impl Side {
    async fn dial(&self, to: SocketAddr, of_peer: Expectation) -> noq::Connection {
        let keys = Arc::new(GateKeys::new(&of_peer.gate));
        let crypto = NoiseClient {
            local: self.gate.local().clone(),
            expectation: Arc::new(of_peer),
            keys: Arc::clone(&keys),
            ciphers: Ciphers::default(),
        };
        let client = config::client(Arc::new(crypto), Arc::new(move || first_id(&keys)), transport());
        let connecting = self.endpoint.connect_with(client, to, "peer").unwrap();
        timeout(PATIENCE, connecting).await.expect("in time").expect("links")
    }

    /// Accepts one connection; the passage is gone when it is established.
    async fn accept(&self) -> noq::Connection {
        let incoming = self.endpoint.accept().await.unwrap();
        let (admitted, _passage) = self.gate.take(&incoming.orig_dst_cid()).unwrap();
        let server = config::with_crypto(Arc::new(AdmittedServer::new(admitted)), transport());
        incoming.accept_with(Arc::new(server)).unwrap().await.unwrap()
    }

    fn sends(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Is sent all of these from many addresses, and has nothing to say to it.
    async fn stays_silent_under(&self, datagrams: &[Vec<u8>], from: impl Fn(u16) -> SocketAddr) {
        let (before, handshakes, connections) =
            (self.sends(), self.endpoint.stats(), self.endpoint.open_connections());
        for (i, datagram) in (0..).zip(datagrams) {
            self.inbox.send((from(i % 500), datagram.clone())).unwrap();
        }
        sleep(LISTENING).await;
        let answers = self.sent.lock().unwrap()[before..].to_vec();
        assert!(answers.is_empty(), "{} datagrams, the first {:02x?}", answers.len(), answers[0]);
        assert_eq!(self.endpoint.open_connections(), connections);
        let after = self.endpoint.stats();
        assert_eq!(after.accepted_handshakes, handshakes.accepted_handshakes);
        assert_eq!(after.refused_handshakes, handshakes.refused_handshakes);
        assert_eq!(after.ignored_handshakes, handshakes.ignored_handshakes, "noq heard of one");
        assert_eq!((self.gate.under_way(), self.gate.held()), (0, 0));
    }
}

fn anywhere(n: u16) -> SocketAddr {
    ([192, 0, 2, (n % 256) as u8], 1024 + n).into()
}

#[tokio::test]
async fn not_one_byte_leaves_while_strangers_send_everything_they_have() {
    let server = lonely_server();
    let mut noise = bait::Noise(7);
    let mut all = bait::initials(&mut noise);
    all.extend(bait::bait(&mut noise));
    all.extend(bait::junk(&mut noise, 3000));
    assert!(all.len() > 3000);
    server.stays_silent_under(&all, anywhere).await;
    assert_eq!(server.sends(), 0);
}

/// Links through the wire; what the client sent, and both ends.
async fn recorded(kem: Kem) -> (Side, Side, Vec<Vec<u8>>, noq::Connection, noq::Connection) {
    let (client, server) = pair();
    server.gate.open(expectation(kem, Whom::Device(client_key().public())));
    let of_server = expectation(kem, Whom::Device(server_key().public()));
    let (dialled, accepted) = tokio::join!(client.dial(server.address, of_server), server.accept());
    // Until both have acknowledged everything.
    sleep(Duration::from_millis(500)).await;
    let sent = client.sent.lock().unwrap().iter().map(|(_, datagram)| datagram.clone()).collect();
    (client, server, sent, dialled, accepted)
}

fn first_flight(kem: Kem, sent: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let count = if kem == Kem::None { 1 } else { 2 };
    assert!(sent[..count].iter().all(|datagram| datagram.len() == 1200));
    sent[..count].to_vec()
}

#[tokio::test]
async fn copies_of_a_first_flight_draw_nothing_and_leave_nothing_while_the_link_lives() {
    for kem in [Kem::None, Kem::MlKem768] {
        let (client, server, sent, _dialled, _accepted) = recorded(kem).await;
        assert!(server.sends() > 0, "the tap sees what is sent");
        let flight = first_flight(kem, &sent);
        let (home, mut noise) = (client.address, bait::Noise(11));
        server.stays_silent_under(&flight, |_| home).await;
        server.stays_silent_under(&flight, |n| SocketAddr::new(home.ip(), home.port() + 1 + n)).await;
        let variations: Vec<_> = flight.iter().flat_map(|d| bait::variations(d, &mut noise)).collect();
        server.stays_silent_under(&variations, anywhere).await;
        server.stays_silent_under(&variations, |_| home).await;
        // In another order, and the parts alone.
        let reversed: Vec<_> = flight.iter().rev().cloned().collect();
        server.stays_silent_under(&reversed, |_| anywhere(3)).await;
        assert_eq!(server.endpoint.open_connections(), 1);
    }
}

#[tokio::test]
async fn copies_of_everything_a_client_ever_sent_draw_nothing_once_the_link_is_gone() {
    for kem in [Kem::None, Kem::MlKem768] {
        let (client, server, _, dialled, accepted) = recorded(kem).await;
        dialled.close(0u32.into(), b"done");
        accepted.closed().await;
        drop((dialled, accepted));
        timeout(PATIENCE, server.endpoint.wait_idle()).await.expect("drains");
        assert_eq!(server.endpoint.open_connections(), 0);
        let sent: Vec<_> = client.sent.lock().unwrap().iter().map(|(_, datagram)| datagram.clone()).collect();
        let (home, mut noise) = (client.address, bait::Noise(13));
        server.stays_silent_under(&sent, |_| home).await;
        server.stays_silent_under(&sent, anywhere).await;
        let flight = first_flight(kem, &sent);
        let variations: Vec<_> = flight.iter().flat_map(|d| bait::variations(d, &mut noise)).collect();
        server.stays_silent_under(&variations, |_| home).await;
    }
}

/// Somebody who was told where the gate is, and no more: its packets open, and what is in them does not verify.
#[tokio::test]
async fn one_who_has_the_gate_key_alone_hears_nothing_either() {
    let mut noise = bait::Noise(17);
    for kem in [Kem::None, Kem::MlKem768] {
        let (_, server) = pair();
        server.gate.open(expectation(kem, Whom::Device(client_key().public())));
        let keys = GateKeys::new(&[3; 32].into());
        let psk = Secret32::from([5; 32]);
        let sealed = |frames: &[u8]| compose_frames(&keys, &keys.mint(), frames);
        // Pings, a close of either kind, acknowledgements of what was never sent, and messages of every length.
        let mut all: Vec<_> = [&[1][..], &[0x1c, 0, 0, 0], &[0x1d, 0, 0], &[2, 0, 0, 0, 0], &[0x1e]]
            .into_iter()
            .map(sealed)
            .collect();
        for length in (0..1100).step_by(50) {
            all.push(compose(&keys, &keys.mint(), &noise.bytes(length)));
        }
        for whom in [Whom::Device(server_key().public()), Whom::Host(server_key().public())] {
            let dialled = Expectation { psk: psk.clone(), ..expectation(kem, whom) };
            let key = client_key();
            let parties = Parties::dialling(&key, &dialled, Ciphers::Automatic).unwrap();
            let (_, message) = Initiator::start(&parties, b"parameters").unwrap();
            all.extend(compose_flight(&keys, &keys.mint(), &message, 1100));
        }
        for (i, datagram) in (0..).zip(&all) {
            server.inbox.send((anywhere(i / 2), datagram.clone())).unwrap();
        }
        sleep(LISTENING).await;
        assert_eq!((server.sends(), server.gate.under_way()), (0, 0));
        assert_eq!((server.endpoint.open_connections(), server.endpoint.stats().ignored_handshakes), (0, 0));
        assert!(server.gate.held() <= held::MAX_PER_GATE);
    }
}

#[tokio::test]
async fn half_a_flight_is_held_for_a_while_and_answered_never() {
    let (client, server) = pair();
    server.gate.open(expectation(Kem::MlKem768, Whom::Device(client_key().public())));
    let of_server = expectation(Kem::MlKem768, Whom::Device(server_key().public()));
    // To an address where nobody is; only a copy of its second datagram reaches the server.
    let (lost, nobody) = unbounded_channel();
    drop(nobody);
    let alone = Side { inbox: lost, ..client };
    let dialling = tokio::spawn(async move {
        let _ = timeout(Duration::from_millis(100), alone.dial(([10, 0, 0, 9], 9).into(), of_server)).await;
        alone.sent.lock().unwrap().iter().map(|(_, datagram)| datagram.clone()).collect::<Vec<_>>()
    });
    let sent = dialling.await.unwrap();
    let _ = server.endpoint.open_connections();
    assert_eq!(sent.len(), 2);
    drop(server);
    let server = lonely_server();
    server.gate.open(expectation(Kem::MlKem768, Whom::Device(client_key().public())));
    for n in 0..40 {
        server.inbox.send((anywhere(n), sent[1].clone())).unwrap();
    }
    sleep(LISTENING).await;
    assert_eq!((server.sends(), server.gate.under_way()), (0, 0));
    assert_eq!(server.gate.held(), held::MAX_PER_GATE);
    assert_eq!(server.endpoint.open_connections(), 0);
}
