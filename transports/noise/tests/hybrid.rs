//! Links whose handshake has ML-KEM beside X25519: two datagrams in the first flight, and whatever befalls them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{Agreed, Mishaps, PATIENCE, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use wayside_noise::{Expectation, Kem, Link, LinkError, StaticKey, Whom};

fn agreed() -> Agreed {
    Agreed { kem: Kem::MlKem768, ..Agreed::default() }
}

async fn link_through(agreed: &Agreed, mishaps: Mishaps, seed: u64) -> (Link, Link, Proxy) {
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let proxy = Proxy::with(server.local_addresses()[0], mishaps, seed).await;
    let dial = client.connect(agreed.of_server(), std::slice::from_ref(&proxy.address), PATIENCE);
    let (dialled, accepted) = tokio::join!(dial, server.accept());
    let (dialled, accepted) = (dialled.unwrap_or_else(|e| panic!("seed {seed}: {e}")), accepted.unwrap());
    assert_eq!(dialled.exporter(b"x"), accepted.exporter(b"x"));
    timeout(PATIENCE, echo(&dialled, &accepted)).await.unwrap_or_else(|_| panic!("seed {seed}: no echo"));
    (dialled, accepted, proxy)
}

async fn echo(dialled: &Link, accepted: &Link) {
    let said = vec![7; 50_000];
    let ours = async {
        let stream = dialled.open("test/hybrid").await.unwrap();
        let (mut send, mut recv) = (stream.send, stream.recv);
        let mut back = Vec::new();
        let write = async {
            send.write_all(&said).await.unwrap();
            send.finish();
        };
        let (_, read) = tokio::join!(write, recv.read_to_end(&mut back));
        read.unwrap();
        assert!(back == said);
    };
    let theirs = async {
        let (_, mut stream) = accepted.accept().await.unwrap();
        tokio::io::copy(&mut stream.recv, &mut stream.send).await.unwrap();
        stream.send.finish();
    };
    tokio::join!(ours, theirs);
}

#[tokio::test]
async fn two_datagrams_each_way_make_a_link() {
    let (dialled, accepted, proxy) = link_through(&agreed(), Mishaps::default(), 1).await;
    assert_eq!(accepted.peer(), agreed().client.public());
    let datagrams = proxy.from_client.lock().unwrap().clone();
    assert!(datagrams[..2].iter().all(|datagram| datagram.len() == 1200 && datagram[0] & 0xf0 == 0xc0));
    dialled.update_keys();
    echo(&dialled, &accepted).await;
}

#[tokio::test]
async fn losses_copies_and_a_changed_order_only_slow_it_down() {
    for seed in [11, 23, 35, 47] {
        link_through(&agreed(), Mishaps { lost: 20, doubled: 20, late: 30 }, seed).await;
    }
    for seed in [5, 6] {
        link_through(&agreed(), Mishaps { lost: 0, doubled: 100, late: 100 }, seed).await;
    }
}

#[tokio::test]
async fn a_guest_may_have_it_too() {
    let agreed = agreed();
    let (client, server) = agreed.endpoints().await;
    let host = StaticKey::from_bytes([6; 32]);
    server.expect(Expectation { whom: Whom::Guests(host.clone()), ..agreed.of_client() });
    let of_host = Expectation { whom: Whom::Host(host.public()), ..agreed.of_server() };
    let to = server.local_addresses();
    let (dialled, accepted) = tokio::join!(client.connect(of_host, &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert!(accepted.is_guest());
    echo(&dialled, &accepted).await;
}

#[tokio::test]
async fn sides_that_disagree_about_it_hear_nothing_of_each_other() {
    for (ours, theirs) in [(Kem::None, Kem::MlKem768), (Kem::MlKem768, Kem::None)] {
        let (ours, theirs) = (Agreed { kem: ours, ..agreed() }, Agreed { kem: theirs, ..agreed() });
        let (client, server) = ours.endpoints().await;
        server.expect(theirs.of_client());
        let proxy = Proxy::start(server.local_addresses()[0], 0, 1).await;
        let dialled = client.connect(ours.of_server(), &[proxy.address], Duration::from_millis(1500)).await;
        assert!(matches!(dialled, Err(LinkError::Timeout { .. })), "{dialled:?}");
        assert_eq!(proxy.from_server.load(Ordering::Relaxed), 0);
    }
}
