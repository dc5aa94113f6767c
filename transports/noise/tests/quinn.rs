//! The same handshake on quinn: what it takes to change over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Agreed, Mishaps, PATIENCE, Proxy, loopback};
use quinn::{Connection, RecvStream, SendStream};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use wayside_noise::{Ciphers, EndpointConfig, Expectation, Kem, StaticKey, Whom, quinn::Endpoint};

struct Pair {
    client: Endpoint,
    server: Endpoint,
    dialled: Connection,
    accepted: Connection,
    _proxy: Proxy,
}

fn bind(key: &StaticKey, ciphers: Ciphers) -> Endpoint {
    let config = EndpointConfig { ciphers, ..EndpointConfig::default() };
    Endpoint::bind(loopback(), key.clone(), config).unwrap()
}

async fn linked(agreed: &Agreed, ciphers: Ciphers, mishaps: Mishaps, seed: u64) -> Pair {
    let (client, server) = (bind(&agreed.client, ciphers), bind(&agreed.server, Ciphers::Automatic));
    server.expect(agreed.of_client());
    let proxy = Proxy::with(server.inner().local_addr().unwrap(), mishaps, seed).await;
    let dial = async { client.connect(agreed.of_server(), proxy.address).unwrap().await };
    let accept = async { server.accept().await.unwrap().await };
    let both = timeout(PATIENCE, async { tokio::join!(dial, accept) });
    let (dialled, accepted) = both.await.unwrap_or_else(|_| panic!("seed {seed}: no link"));
    Pair { dialled: dialled.unwrap(), accepted: accepted.unwrap(), client, server, _proxy: proxy }
}

async fn echo_streams(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            let _ = tokio::io::copy(&mut recv, &mut send).await;
            let _ = send.finish();
        });
    }
}

async fn send_through(connection: &Connection, bytes: usize) {
    let (mut send, mut recv): (SendStream, RecvStream) = connection.open_bi().await.unwrap();
    let data: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let expected = data.clone();
    let writer = tokio::spawn(async move {
        send.write_all(&data).await.unwrap();
        send.shutdown().await.unwrap();
    });
    let back = recv.read_to_end(bytes + 1).await.unwrap();
    writer.await.unwrap();
    assert!(back == expected, "{} bytes came back of {bytes}", back.len());
}

fn exported(connection: &Connection) -> [u8; 32] {
    let mut bytes = [0; 32];
    connection.export_keying_material(&mut bytes, b"x", &[]).unwrap();
    bytes
}

#[tokio::test]
async fn megabytes_come_back_across_key_updates_by_both_sides() {
    for ciphers in [Ciphers::Automatic, Ciphers::ChaChaOnly] {
        let pair = linked(&Agreed::default(), ciphers, Mishaps::default(), 1).await;
        assert_eq!(exported(&pair.dialled), exported(&pair.accepted));
        tokio::spawn(echo_streams(pair.accepted.clone()));
        for _ in 0..2 {
            pair.dialled.force_key_update();
            send_through(&pair.dialled, 1 << 20).await;
            pair.accepted.force_key_update();
            send_through(&pair.dialled, 3 << 20).await;
        }
    }
}

#[tokio::test]
async fn datagrams_arrive_both_ways() {
    let pair = linked(&Agreed::default(), Ciphers::Automatic, Mishaps::default(), 1).await;
    pair.dialled.send_datagram(b"there"[..].into()).unwrap();
    assert_eq!(&*pair.accepted.read_datagram().await.unwrap(), b"there");
    pair.accepted.send_datagram(b"and back"[..].into()).unwrap();
    assert_eq!(&*pair.dialled.read_datagram().await.unwrap(), b"and back");
}

#[tokio::test]
async fn a_fifth_lost_each_way_only_slows_it_down() {
    for kem in [Kem::None, Kem::MlKem768] {
        for seed in [11, 23] {
            let agreed = Agreed { kem, ..Agreed::default() };
            let mishaps = Mishaps { lost: 20, ..Mishaps::default() };
            let pair = linked(&agreed, Ciphers::Automatic, mishaps, seed).await;
            tokio::spawn(echo_streams(pair.accepted.clone()));
            timeout(Duration::from_secs(60), send_through(&pair.dialled, 256 << 10))
                .await
                .unwrap_or_else(|_| panic!("seed {seed}: the echo came to nothing"));
        }
    }
}

#[tokio::test]
async fn a_guest_is_let_in_by_its_host() {
    let agreed = Agreed::default();
    let (client, server) =
        (bind(&agreed.client, Ciphers::default()), bind(&agreed.server, Ciphers::default()));
    server.expect(Expectation { whom: Whom::Guests(agreed.server.clone()), ..agreed.of_client() });
    let of_host = Expectation { whom: Whom::Host(agreed.server.public()), ..agreed.of_server() };
    let dial = client.connect(of_host, server.inner().local_addr().unwrap()).unwrap();
    let (dialled, accepted) = tokio::join!(dial, async { server.accept().await.unwrap().await });
    assert_eq!(exported(&dialled.unwrap()), exported(&accepted.unwrap()));
}

#[tokio::test]
async fn whoever_lacks_a_key_or_repeats_another_hears_nothing() {
    let agreed = Agreed::default();
    let pair = linked(&agreed, Ciphers::Automatic, Mishaps::default(), 1).await;
    let first = pair._proxy.from_client.lock().unwrap()[0].clone();
    let address = pair.server.inner().local_addr().unwrap();
    let stranger = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    for datagram in [&first[..], &first[..100], &[0x40; 100]] {
        stranger.send_to(datagram, address).await.unwrap();
    }
    let other = Agreed { psk: [9; 32].into(), ..agreed };
    let refused = pair.client.connect(other.of_server(), address).unwrap();
    let mut buffer = [0; 2000];
    assert!(timeout(Duration::from_millis(700), stranger.recv_from(&mut buffer)).await.is_err());
    assert!(timeout(Duration::from_millis(100), refused).await.is_err());
    sleep(Duration::from_millis(10)).await;
    assert_eq!(pair.server.inner().open_connections(), 1);
}

#[tokio::test]
async fn noq_and_quinn_understand_each_other() {
    let agreed = Agreed { kem: Kem::MlKem768, ..Agreed::default() };
    let quinn = bind(&agreed.server, Ciphers::default());
    quinn.expect(agreed.of_client());
    let (noq, _) = agreed.endpoints().await;
    let to = [quinn.inner().local_addr().unwrap()];
    let accept = async {
        let connection = quinn.accept().await.unwrap().await.unwrap();
        let mut chosen = connection.accept_uni().await.unwrap();
        assert_eq!(chosen.read_to_end(2).await.unwrap(), [1]);
        connection
    };
    let (link, connection) = tokio::join!(noq.connect(agreed.of_server(), &to, PATIENCE), accept);
    let link = link.unwrap();
    assert_eq!(*link.exporter(b"x").as_bytes(), exported(&connection));
    link.update_keys();
    tokio::spawn(echo_streams(connection.clone()));
    let mut stream = link.open("test/echo").await.unwrap();
    stream.send.write_all(&[7; 100_000]).await.unwrap();
    stream.send.finish();
    let mut back = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream.recv, &mut back).await.unwrap();
    // The name of the protocol comes back too.
    assert_eq!(back.len(), 1 + "test/echo".len() + 100_000);

    let (_, noq) = Agreed { client: agreed.server.clone(), server: agreed.client.clone(), ..agreed.clone() }
        .endpoints()
        .await;
    noq.expect(agreed.of_server());
    let dial = async {
        let connection = quinn.connect(agreed.of_client(), noq.local_addresses()[0]).unwrap().await.unwrap();
        let mut chosen = connection.open_uni().await.unwrap();
        chosen.write_all(&[1]).await.unwrap();
        chosen.finish().unwrap();
        connection
    };
    let (connection, link) = tokio::join!(dial, noq.accept());
    assert_eq!(*link.unwrap().exporter(b"x").as_bytes(), exported(&connection));
}
