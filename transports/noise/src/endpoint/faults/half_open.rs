//! Friends that begin handshakes and finish none.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{log::Log, *};
use crate::{
    Ciphers,
    core::{
        compose::compose,
        gate_keys::GateKeys,
        handshake::{Initiator, Parties},
    },
};

/// First datagrams of the friend of this number, each with a message of its own.
fn first_datagrams(number: u8, count: usize) -> Vec<Vec<u8>> {
    let (local, of_host) = (key(number), expectation(&key(HOST), number));
    let keys = GateKeys::new(&of_host.gate);
    let parties = Parties::dialling(&local, &of_host, Ciphers::Automatic).unwrap();
    let one = || {
        let (_, message) = Initiator::start(&parties, b"\x0f\x0ctwelve bytes").unwrap();
        compose(&keys, &keys.mint(), &message)
    };
    (0..count).map(|_| one()).collect()
}

/// Sends from fifty ports in turn, no faster than it is read; what comes back is counted.
async fn send_all(to: SocketAddr, datagrams: &[Vec<u8>]) -> u64 {
    let heard = AtomicU64::new(0);
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(UdpSocket::bind(loopback()).await.unwrap());
    }
    let mut buffer = [0; 2000];
    for (i, datagram) in datagrams.iter().enumerate() {
        let socket = &sockets[i % sockets.len()];
        socket.send_to(datagram, to).await.unwrap();
        if i % 16 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        while socket.try_recv_from(&mut buffer).is_ok() {
            heard.fetch_add(1, Ordering::Relaxed);
        }
    }
    heard.into_inner()
}

#[tokio::test]
async fn ten_thousand_handshakes_that_never_end_leave_room_for_others() {
    let town =
        Town::with(EndpointConfig { handshake_timeout: Duration::from_secs(4), ..EndpointConfig::default() })
            .await;
    let log = Log::capture();
    drop(town.friend(1).await);
    // Copies under one message would be known as such; the first ones are what counts.
    let datagrams = first_datagrams(1, 2_500);
    let before = town.host.quic.open_connections();
    for _ in 0..4 {
        send_all(town.host.addresses[0], &datagrams).await;
        assert!(town.host.gate.under_way() <= 32, "{}", town.host.gate.under_way());
        assert!(town.host.quic.open_connections() <= before + 64);
    }
    // Another friend.
    let began = Instant::now();
    let _linked = link(&town.host, 2, &town.config).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    town.is_at_peace().await;
    log.said_once("too many handshakes under way");
    until("the flood's places are free again", || town.host.gate.under_way() == 0).await;
    until("and its connections gone", || town.host.quic.open_connections() <= before + 1).await;
}

#[tokio::test]
async fn many_hostile_friends_fill_the_bound_in_all_and_no_more() {
    // So long that none ends before the last has begun, on a busy machine too.
    let town = Town::with(EndpointConfig {
        handshake_timeout: Duration::from_secs(10),
        ..EndpointConfig::default()
    })
    .await;
    let before = town.host.quic.open_connections();
    let mut most = 0;
    for number in 1..=20 {
        town.host.expect(expectation(&key(number), number));
        send_all(town.host.addresses[0], &first_datagrams(number, 40)).await;
        most = most.max(town.host.gate.under_way());
        assert!(town.host.quic.open_connections() <= before + 512);
    }
    assert!(most <= 512 && most > 64, "{most}");
    town.is_at_peace().await;
    // As soon as the first of them have had their time.
    let _linked = link(&town.host, 30, &town.config).await;
}

/// Whoever completes handshakes and chooses none may wait long, and has its share of places meanwhile.
#[tokio::test]
async fn handshakes_that_wait_for_a_choice_keep_their_places() {
    let town =
        Town::with(EndpointConfig { handshake_timeout: Duration::from_secs(1), ..EndpointConfig::default() })
            .await;
    let endpoint = town.friend(1).await;
    let of_host = || expectation(&key(HOST), 1);
    let connect = || hostile::connect(&endpoint, &town.host, of_host(), hostile::Script::default());
    let mut waiting = Vec::new();
    let flood = async {
        loop {
            waiting.push(connect().await);
        }
    };
    let _ = timeout(Duration::from_secs(4), flood).await;
    assert!(waiting.len() <= 32, "{} at a time", waiting.len());
    assert_eq!(town.host.gate.under_way(), waiting.len());
    let _linked = link(&town.host, 2, &town.config).await;
    town.is_at_peace().await;
}
