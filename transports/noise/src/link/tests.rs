//! What a hostile peer does with streams; it needs the connection beneath the link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Instant;

use tokio::io::AsyncReadExt;

use super::*;
use crate::{Endpoint, EndpointConfig, Expectation, Kem, StaticKey, Whom};

async fn linked() -> (Endpoint, Endpoint, Link, Link) {
    let (client_key, server_key) = (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]));
    let expectation = |peer: &StaticKey| Expectation {
        session: SessionId([7; 16]),
        whom: Whom::Device(peer.public()),
        gate: [3; 32].into(),
        psk: [4; 32].into(),
        kem: Kem::None,
    };
    let (of_client, of_server) = (expectation(&client_key), expectation(&server_key));
    let loopback = [([127, 0, 0, 1], 0).into()];
    let client = Endpoint::bind(&loopback, client_key, EndpointConfig::default()).await.unwrap();
    let server = Endpoint::bind(&loopback, server_key, EndpointConfig::default()).await.unwrap();
    server.expect(of_client);
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(of_server, &to, Duration::from_secs(10)), server.accept());
    (client, server, dialled.unwrap(), accepted.unwrap())
}

#[tokio::test]
async fn streams_that_never_name_themselves_hold_nobody_up() {
    let (_c, _s, hostile, link) = linked().await;
    let mut idle = Vec::new();
    for i in 0..MAX_UNNAMED - 1 {
        let (mut send, recv) = hostile.inner.connection.open_bi().await.unwrap();
        // A length without a name, or half a name.
        send.write_all(if i % 2 == 0 { &[9] } else { &[9, b'x', b'y'] }).await.unwrap();
        idle.push((send, recv));
    }
    let began = Instant::now();
    let _stream = hostile.open("test/named").await.unwrap();
    assert_eq!(link.accept().await.unwrap().0, "test/named");
    assert!(began.elapsed() < NAMING_TIMEOUT / 2);
}

#[tokio::test]
async fn streams_with_bad_names_are_refused() {
    let (_c, _s, hostile, link) = linked().await;
    for bad in [&[0][..], &[65; 66], &[2, 0xff, 0xfe]] {
        let (mut send, mut recv) = hostile.inner.connection.open_bi().await.unwrap();
        send.write_all(bad).await.unwrap();
        assert!(recv.read_u8().await.is_err(), "{bad:?}");
    }
    let _stream = hostile.open("test/named").await.unwrap();
    assert_eq!(link.accept().await.unwrap().0, "test/named");
}

#[tokio::test]
async fn a_flood_of_streams_that_nobody_accepts_is_bounded() {
    let (_c, _s, hostile, link) = linked().await;
    let mut held = Vec::new();
    let opened = timeout(Duration::from_secs(1), async {
        loop {
            held.push(hostile.open("test/flood").await.unwrap());
        }
    });
    assert!(opened.await.is_err(), "the peer's allowance ends somewhere");
    assert!(held.len() <= 64, "{}", held.len());
    assert_eq!(link.accept().await.unwrap().0, "test/flood");
}
