//! Copies of a real run's datagrams, thousands of times, from elsewhere.

use std::sync::{Arc, Mutex};

use super::*;

/// Stands between a client and a host, and keeps what the client sends.
async fn recorder(host: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let (address, kept) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let keep = Arc::clone(&kept);
    tokio::spawn(async move {
        let (mut client, mut buffer) = (host, vec![0; 65536]);
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let datagram = &buffer[..length];
            let to = if from == host {
                client
            } else {
                client = from;
                keep.lock().unwrap().push(datagram.to_vec());
                host
            };
            socket.send_to(datagram, to).await.unwrap();
        }
    });
    (address, kept)
}

#[tokio::test]
async fn copies_of_everything_a_client_sent_leave_nothing_and_draw_nothing() {
    let town = Town::new().await;
    let client = town.friend(1).await;
    let host = town.host.addresses[0];
    let (through, kept) = recorder(host).await;
    let (dialled, accepted) =
        tokio::join!(client.connect(expectation(&key(HOST), 1), [through], PATIENCE), town.host.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let mut stream = dialled.open("test/some").await.unwrap();
    stream.send.write_all(&[7; 10_000]).await.unwrap();
    client.network_changed();
    accepted.accept().await.unwrap().1.recv.read_exact(&mut [0; 10_000]).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let datagrams = kept.lock().unwrap().clone();
    assert!(datagrams[0].len() >= 1200 && datagrams.len() > 5);
    assert!(datagrams.iter().any(|datagram| crate::core::probe::is_probe(datagram)), "with a probe");

    let tables = || {
        let stats = town.host.quic.stats();
        let gate = &town.host.gate;
        (
            town.host.quic.open_connections(),
            (stats.accepted_handshakes, stats.refused_handshakes, stats.ignored_handshakes),
            (gate.under_way(), gate.held()),
            town.host.shared.tables(),
        )
    };
    // A question that came before the host had a link to it is new to it, once.
    let first = UdpSocket::bind(loopback()).await.unwrap();
    for datagram in &datagrams {
        first.send_to(datagram, host).await.unwrap();
    }
    sleep(Duration::from_millis(200)).await;
    let before = tables();
    let mut strangers = Vec::new();
    for _ in 0..40 {
        strangers.push(UdpSocket::bind(loopback()).await.unwrap());
    }
    for round in 0..(3000 / datagrams.len()).max(20) {
        for datagram in &datagrams {
            strangers[round % strangers.len()].send_to(datagram, host).await.unwrap();
        }
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(500)).await;
    let mut buffer = [0; 2000];
    for stranger in &strangers {
        if let Ok((length, _)) = stranger.try_recv_from(&mut buffer) {
            panic!("answered {length} bytes: {:02x?}", &buffer[..length.min(64)]);
        }
    }
    assert_eq!(tables(), before);
    assert_eq!(accepted.paths().len(), 1);
    town.is_at_peace().await;
}
