//! What a hostile friend, or a stranger, can do, seen from inside: what is kept, what is sent, what is said, and that nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod half_open;
mod hostile;
#[path = "../../../tests/log/mod.rs"]
mod log;
mod meetings;
mod probes;
mod replays;
mod streams;
mod violations;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    time::{Instant, sleep},
};

use super::*;
use crate::{Kem, MemoryNetwork, Network, Whom, link};

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn key(of: u8) -> StaticKey {
    StaticKey::from_bytes([of; 32])
}

/// What `of` is to whoever expects or dials it, in the session of the client with this number.
fn expectation(of: &StaticKey, client: u8) -> Expectation {
    Expectation {
        session: SessionId([client; 16]),
        whom: Whom::Device(of.public()),
        gate: [client; 32].into(),
        psk: [100 + client; 32].into(),
        kem: Kem::None,
    }
}

/// The host that everybody links with, and one honest friend of it, who must notice nothing.
struct Town {
    config: EndpointConfig,
    host: Endpoint,
    bystander: (Endpoint, Link, Link),
}

const HOST: u8 = 99;
const BYSTANDER: u8 = 98;

impl Town {
    async fn with(config: EndpointConfig) -> Self {
        let host = Endpoint::bind(&[loopback()], key(HOST), config.clone()).await.unwrap();
        let (endpoint, dialled, accepted) = link(&host, BYSTANDER, &config).await;
        Self { config, host, bystander: (endpoint, dialled, accepted) }
    }

    async fn new() -> Self {
        Self::with(EndpointConfig::default()).await
    }

    /// In virtual time, where a round trip takes 10 ms.
    async fn in_memory() -> Self {
        let network = Network::Memory(MemoryNetwork::new(Duration::from_millis(5)));
        Self::with(EndpointConfig { network, ..EndpointConfig::default() }).await
    }

    /// The endpoint of the friend of this number, whom the host expects.
    async fn friend(&self, number: u8) -> Endpoint {
        self.host.expect(expectation(&key(number), number));
        Endpoint::bind(&[loopback()], key(number), self.config.clone()).await.unwrap()
    }

    /// A connection of a hostile friend that the host takes for a link.
    async fn hostile(&self, number: u8, script: hostile::Script) -> (Endpoint, noq::Connection, Link) {
        let endpoint = self.friend(number).await;
        let connecting = hostile::connect(&endpoint, &self.host, expectation(&key(HOST), number), script);
        let (connection, accepted) = tokio::join!(
            async {
                let connection = connecting.await;
                link::choose(&connection, false).await.unwrap();
                connection
            },
            self.host.accept()
        );
        (endpoint, connection, accepted.unwrap())
    }

    /// The honest friend hears an echo within a second or so: on a busy machine, within some.
    async fn is_at_peace(&self) {
        let (_, dialled, accepted) = &self.bystander;
        let echo = async {
            let mut stream = dialled.open("test/echo").await.unwrap();
            stream.send.write_all(b"still there?").await.unwrap();
            stream.send.finish();
            let mut heard = String::new();
            stream.recv.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "still there?");
        };
        let echoing = async {
            let (_, mut stream) = accepted.accept().await.unwrap();
            tokio::io::copy(&mut stream.recv, &mut stream.send).await.unwrap();
            stream.send.finish();
        };
        timeout(Duration::from_secs(5), async { tokio::join!(echo, echoing) })
            .await
            .expect("the others go on");
        assert_eq!(dialled.paths().len(), 1);
    }
}

async fn link(host: &Endpoint, number: u8, config: &EndpointConfig) -> (Endpoint, Link, Link) {
    host.expect(expectation(&key(number), number));
    let endpoint = Endpoint::bind(&[loopback()], key(number), config.clone()).await.unwrap();
    let to = host.local_addresses();
    let (dialled, accepted) =
        tokio::join!(endpoint.connect(expectation(&key(HOST), number), &to, PATIENCE), host.accept());
    (endpoint, dialled.unwrap(), accepted.unwrap())
}

async fn until(what: &str, happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
