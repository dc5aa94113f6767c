//! Two parties on loopback, and a proxy between them that records, loses and replays.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{net::UdpSocket, task::JoinHandle};
use wayside_noise::{Endpoint, EndpointConfig, Expectation, Kem, Link, Secret32, SessionId, StaticKey, Whom};

pub(crate) const SESSION: SessionId = SessionId([7; 16]);
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Everything that two parties agreed on beforehand.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) client: StaticKey,
    pub(crate) server: StaticKey,
    pub(crate) gate: Secret32,
    pub(crate) psk: Secret32,
    pub(crate) kem: Kem,
}

impl Default for Agreed {
    fn default() -> Self {
        Self {
            client: StaticKey::from_bytes([1; 32]),
            server: StaticKey::from_bytes([2; 32]),
            gate: [3; 32].into(),
            psk: [4; 32].into(),
            kem: Kem::None,
        }
    }
}

impl Agreed {
    /// What the client expects of the server.
    pub(crate) fn of_server(&self) -> Expectation {
        Expectation {
            session: SESSION,
            whom: Whom::Device(self.server.public()),
            gate: self.gate.clone(),
            psk: self.psk.clone(),
            kem: self.kem,
        }
    }

    /// What the server expects of the client.
    pub(crate) fn of_client(&self) -> Expectation {
        Expectation { whom: Whom::Device(self.client.public()), ..self.of_server() }
    }

    pub(crate) async fn endpoints(&self) -> (Endpoint, Endpoint) {
        let bind = |key: &StaticKey| {
            let key = key.clone();
            async move {
                Endpoint::bind(&[loopback()], key, EndpointConfig::default()).await.expect("loopback binds")
            }
        };
        (bind(&self.client).await, bind(&self.server).await)
    }
}

/// A linked pair: both endpoints, then the client's and the server's end.
pub(crate) async fn linked() -> (Endpoint, Endpoint, Link, Link) {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    (client, server, dialled.expect("links"), accepted.expect("open"))
}

/// Carries datagrams between clients and one server, records what comes first, and counts what the server sends.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) from_server: Arc<AtomicU64>,
    /// The first datagrams of whichever client, at most eight.
    pub(crate) from_client: Arc<Mutex<Vec<Vec<u8>>>>,
    cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// What befalls datagrams in either direction, in per cent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mishaps {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Overtaken by the next one; where none comes, lost.
    pub(crate) late: u64,
}

impl Proxy {
    /// Loses `loss` per cent each way, by a fixed sequence that `seed` starts.
    pub(crate) async fn start(server: SocketAddr, loss: u64, seed: u64) -> Self {
        Self::with(server, Mishaps { lost: loss, ..Mishaps::default() }, seed).await
    }

    pub(crate) async fn with(server: SocketAddr, mishaps: Mishaps, seed: u64) -> Self {
        let socket = UdpSocket::bind(loopback()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let from_server = Arc::new(AtomicU64::new(0));
        let from_client = Arc::new(Mutex::new(Vec::new()));
        let (count, first) = (Arc::clone(&from_server), Arc::clone(&from_client));
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = Arc::clone(&cut);
        let task = tokio::spawn(async move {
            let (mut client, mut state, mut buffer) = (None, seed | 1, vec![0; 65536]);
            let mut late: Option<(Vec<u8>, SocketAddr)> = None;
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                let datagram = &buffer[..length];
                let to = if from == server {
                    count.fetch_add(1, Ordering::Relaxed);
                    client
                } else {
                    client = Some(from);
                    let mut first = first.lock().unwrap();
                    if first.len() < 8 {
                        first.push(datagram.to_vec());
                    }
                    Some(server)
                };
                let mut befalls = |per_cent| {
                    // xorshift64
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state % 100 < per_cent
                };
                let Some(to) = to else { continue };
                if befalls(mishaps.lost) || is_cut.load(Ordering::Relaxed) {
                    continue;
                }
                if late.is_none() && befalls(mishaps.late) {
                    late = Some((datagram.to_vec(), to));
                    continue;
                }
                for _ in 0..1 + u64::from(befalls(mishaps.doubled)) {
                    let _ = socket.send_to(datagram, to).await;
                }
                if let Some((datagram, to)) = late.take() {
                    let _ = socket.send_to(&datagram, to).await;
                }
            }
        });
        Self { address, from_server, from_client, cut, task }
    }

    /// Lets nothing through either way, or all again.
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
