//! Floods of probes: forged, copied, and from a friend that asks as fast as it can, under whatever address.

use std::net::Ipv4Addr;

use super::{log::Log, *};
use crate::core::{
    agreement::fill_random,
    probe::{LEN, Probe},
};

fn forged() -> [u8; LEN] {
    let mut datagram = [0; LEN];
    fill_random(&mut datagram);
    datagram[0] &= 0x3f;
    datagram
}

#[tokio::test]
async fn forged_probes_draw_nothing_and_leave_nothing() {
    let town = Town::new().await;
    let log = Log::capture();
    let (host, before) = (town.host.addresses[0], town.host.shared.tables());
    let mut strangers = Vec::new();
    for i in 0..200u32 {
        let ip = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + i);
        strangers.push(UdpSocket::bind((ip, 0)).await.unwrap());
    }
    let began = Instant::now();
    let mut sent = 0;
    while sent < 60_000 || began.elapsed() < Duration::from_secs(2) {
        for stranger in &strangers {
            // A full buffer drops it, which is as good.
            let _ = stranger.try_send_to(&forged(), host);
            sent += 1;
        }
        sleep(Duration::from_millis(1)).await;
    }
    town.is_at_peace().await;
    let mut buffer = [0; 2000];
    assert!(strangers.iter().all(|stranger| stranger.try_recv_from(&mut buffer).is_err()));
    assert_eq!(town.host.shared.tables(), before);
    log.said_once("more probes from unknown addresses");
}

/// A friend's questions as a server sends them, to a client, which would follow it.
#[tokio::test]
async fn a_friend_that_asks_under_many_addresses_makes_us_send_little_to_each_and_try_few() {
    let town = Town::new().await;
    let (_endpoint, dialled, _accepted) = link(&town.host, 1, &town.config).await;
    let client = _endpoint.addresses[0];
    let (ours, theirs) = (dialled.exporter(b"wayside probe i"), dialled.exporter(b"wayside probe r"));
    let mut victims = Vec::new();
    for _ in 0..100 {
        victims.push(UdpSocket::bind(loopback()).await.unwrap());
    }
    let began = Instant::now();
    let mut asked = 0u64;
    for _ in 0..30 {
        for victim in &victims {
            asked += 1;
            victim.send_to(&Probe::Ask(1_000_000 + asked).seal(&theirs), client).await.unwrap();
        }
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(300)).await;
    let lasted = began.elapsed();
    let (mut answers, mut tried, mut packets, mut buffer) = (0, 0, 0, [0; 2000]);
    for victim in &victims {
        let mut was_tried = false;
        while let Ok((length, _)) = victim.try_recv_from(&mut buffer) {
            if let Some(Probe::Answer(_)) = Probe::open(&ours, &buffer[..length]) {
                answers += 1;
            } else {
                assert_eq!(length, LEN, "a question of ours: nothing larger before there is an answer");
                was_tried = true;
                packets += 1;
            }
        }
        tried += u64::from(was_tried);
    }
    assert!(answers <= asked, "{answers} answers to {asked} questions");
    let bound = lasted.as_millis() as u64 / 250 + 1;
    assert!((1..=bound).contains(&tried), "{tried} addresses in {lasted:?}");
    // Each is asked a few times.
    assert!(packets <= bound * 8, "{packets} packets");
    assert!(dialled.paths().iter().any(|path| path.in_use));
    town.is_at_peace().await;
}

/// Copies of one real question, from everywhere.
#[tokio::test]
async fn a_copied_probe_draws_nothing() {
    let town = Town::new().await;
    let (endpoint, dialled, accepted) = link(&town.host, 1, &town.config).await;
    let question = Probe::Ask(1_000_000).seal(&dialled.exporter(b"wayside probe i"));
    endpoint.shared.send_aside(town.host.addresses[0], &question);
    sleep(Duration::from_millis(200)).await;
    let stranger = UdpSocket::bind(loopback()).await.unwrap();
    let before = town.host.shared.tables();
    for i in 0..3000 {
        stranger.send_to(&question, town.host.addresses[0]).await.unwrap();
        if i % 50 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    assert!(stranger.try_recv_from(&mut [0; 100]).is_err());
    assert_eq!(town.host.shared.tables(), before);
    assert_eq!(accepted.paths().len(), 1);
}
