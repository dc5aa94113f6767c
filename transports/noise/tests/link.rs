//! Links on loopback: what they carry, and what they survive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod common;

use std::{
    net::{Ipv6Addr, SocketAddr},
    sync::atomic::Ordering,
    time::Duration,
};

use common::{Agreed, PATIENCE, Proxy, SESSION, linked, loopback};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use wayside_noise::{
    Ciphers, CloseReason, Endpoint, EndpointConfig, Expectation, Link, LinkError, SessionId, StaticKey, Whom,
};

/// Answers every stream with what it sends, until the link ends.
async fn echo(link: Link) {
    while let Ok((protocol, mut stream)) = link.accept().await {
        assert_eq!(protocol, "test/echo");
        tokio::spawn(async move {
            let _ = tokio::io::copy(&mut stream.recv, &mut stream.send).await;
            stream.send.finish();
        });
    }
}

async fn send_through(link: &Link, bytes: usize) {
    let mut stream = link.open("test/echo").await.unwrap();
    let data: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let mut send = stream.send;
    let expected = data.clone();
    let writer = tokio::spawn(async move {
        send.write_all(&data).await.unwrap();
        send.finished().await.unwrap();
    });
    let mut back = Vec::new();
    stream.recv.read_to_end(&mut back).await.unwrap();
    writer.await.unwrap();
    assert!(back == expected, "{} bytes came back of {bytes}", back.len());
}

#[tokio::test]
async fn both_sides_know_each_other_and_share_keying_material() {
    let (_c, _s, client, server) = linked().await;
    let agreed = Agreed::default();
    assert_eq!(client.peer(), agreed.server.public());
    assert_eq!(server.peer(), agreed.client.public());
    assert_eq!((client.session(), server.session()), (SESSION, SESSION));
    assert!(client.is_initiator() && !server.is_initiator());
    assert_eq!(client.exporter(b"one"), server.exporter(b"one"));
    assert_ne!(client.exporter(b"one"), client.exporter(b"two"));
    assert!(client.rtt() > Duration::ZERO);
    assert!(client.stats().received_bytes > 0);
}

#[tokio::test]
async fn anyone_with_the_secrets_is_let_in_and_named() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(Expectation { whom: Whom::Anyone, ..agreed.of_client() });
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!((accepted.peer(), accepted.is_guest()), (agreed.client.public(), false));
    assert_eq!((dialled.peer(), dialled.is_guest()), (agreed.server.public(), false));
}

#[tokio::test]
async fn a_guest_stays_anonymous_and_knows_its_host() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let host = StaticKey::from_bytes([6; 32]);
    server.expect(Expectation { whom: Whom::Guests(host.clone()), ..agreed.of_client() });
    let to = server.local_addresses();
    let mut guests = Vec::new();
    for _ in 0..2 {
        let of_host = Expectation { whom: Whom::Host(host.public()), ..agreed.of_server() };
        let (dialled, accepted) = tokio::join!(client.connect(of_host, &to, PATIENCE), server.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!((dialled.peer(), dialled.is_guest()), (host.public(), false));
        assert!(accepted.is_guest());
        assert_eq!(dialled.exporter(b"x"), accepted.exporter(b"x"));
        tokio::spawn(echo(accepted.clone()));
        send_through(&dialled, 10_000).await;
        guests.push(accepted.peer());
    }
    assert_ne!(guests[0], guests[1]);
    assert!(!guests.contains(&agreed.client.public()));
}

#[tokio::test]
async fn whom_we_only_expect_cannot_be_dialled() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    for whom in [Whom::Anyone, Whom::Guests(agreed.client.clone())] {
        let nobody = Expectation { whom, ..agreed.of_server() };
        let outcome = client.connect(nobody, &server.local_addresses(), PATIENCE).await;
        assert!(matches!(outcome, Err(LinkError::NobodyToDial)), "{outcome:?}");
    }
}

#[tokio::test]
async fn megabytes_come_back_across_key_updates_by_either_side() {
    let (_c, _s, client, server) = linked().await;
    tokio::spawn(echo(server.clone()));
    for _ in 0..3 {
        client.update_keys();
        send_through(&client, 2 << 20).await;
        server.update_keys();
        send_through(&client, 1 << 20).await;
    }
}

#[tokio::test]
async fn any_two_choices_of_ciphers_link_and_update_keys() {
    let agreed = Agreed::default();
    let bind = |key: &StaticKey, ciphers| {
        let (key, config) = (key.clone(), EndpointConfig { ciphers, ..EndpointConfig::default() });
        async move { Endpoint::bind(&[loopback()], key, config).await.unwrap() }
    };
    for (ours, theirs) in [
        (Ciphers::Automatic, Ciphers::Automatic),
        (Ciphers::Automatic, Ciphers::ChaChaOnly),
        (Ciphers::ChaChaOnly, Ciphers::Automatic),
        (Ciphers::ChaChaOnly, Ciphers::ChaChaOnly),
    ] {
        let (client, server) = (bind(&agreed.client, ours).await, bind(&agreed.server, theirs).await);
        server.expect(agreed.of_client());
        let to = server.local_addresses();
        let (dialled, accepted) =
            tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        tokio::spawn(echo(accepted.clone()));
        send_through(&dialled, 100_000).await;
        accepted.update_keys();
        dialled.update_keys();
        send_through(&dialled, 100_000).await;
    }
}

#[tokio::test]
async fn datagrams_arrive_both_ways() {
    let (_c, _s, client, server) = linked().await;
    client.send_datagram(b"there"[..].into()).unwrap();
    assert_eq!(&*server.datagram().await.unwrap(), b"there");
    server.send_datagram(b"and back"[..].into()).unwrap();
    assert_eq!(&*client.datagram().await.unwrap(), b"and back");
    let too_large = vec![0; 65_000].into();
    assert!(matches!(client.send_datagram(too_large), Err(LinkError::DatagramTooLarge)));
}

#[tokio::test]
async fn a_fifth_lost_each_way_only_slows_it_down() {
    for seed in [11, 23, 35] {
        let agreed = Agreed::default();
        let (client, server) = agreed.endpoints().await;
        server.expect(agreed.of_client());
        let proxy = Proxy::start(server.local_addresses()[0], 20, seed).await;
        let dial = client.connect(agreed.of_server(), std::slice::from_ref(&proxy.address), PATIENCE);
        let (dialled, accepted) = tokio::join!(dial, server.accept());
        let (dialled, accepted) = (dialled.unwrap_or_else(|e| panic!("seed {seed}: {e}")), accepted.unwrap());
        tokio::spawn(echo(accepted));
        timeout(Duration::from_secs(60), send_through(&dialled, 256 << 10))
            .await
            .unwrap_or_else(|_| panic!("seed {seed}: the echo came to nothing"));
        assert!(dialled.stats().lost_packets > 0, "seed {seed} lost nothing");
    }
}

#[tokio::test]
async fn the_gate_may_open_late() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let to = server.local_addresses();
    let open = async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        server.expect(agreed.of_client());
        server.accept().await
    };
    let (dialled, accepted) = tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), open);
    assert!(dialled.is_ok() && accepted.is_some());
}

#[tokio::test]
async fn one_of_many_candidates_wins_and_both_sides_keep_the_same() {
    let agreed = Agreed::default();
    let server = Endpoint::bind(
        &[loopback(), loopback(), loopback()],
        agreed.server.clone(),
        EndpointConfig::default(),
    )
    .await
    .unwrap();
    let (client, _) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let mut to = server.local_addresses();
    to.push(([127, 0, 0, 1], 9).into());
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    server.forget(SESSION);
    tokio::spawn(echo(accepted));
    send_through(&dialled, 1000).await;
    assert!(timeout(Duration::from_millis(300), server.accept()).await.is_err(), "the others were given up");
}

async fn assert_silently_refused(theirs: &Agreed, ours: &Agreed) {
    let (client, server) = (theirs.endpoints().await.0, ours.endpoints().await.1);
    server.expect(ours.of_client());
    let proxy = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let outcome = client.connect(theirs.of_server(), &[proxy.address], Duration::from_millis(1500)).await;
    assert!(matches!(outcome, Err(LinkError::Timeout { .. })), "{outcome:?}");
    assert!(!proxy.from_client.lock().unwrap().is_empty(), "the client did try");
    assert_eq!(proxy.from_server.load(Ordering::Relaxed), 0, "not one datagram in reply");
    assert!(timeout(Duration::from_millis(10), server.accept()).await.is_err());
}

#[tokio::test]
async fn a_wrong_psk_draws_nothing() {
    let ours = Agreed::default();
    assert_silently_refused(&Agreed { psk: [9; 32].into(), ..ours.clone() }, &ours).await;
}

#[tokio::test]
async fn a_wrong_gate_draws_nothing() {
    let ours = Agreed::default();
    assert_silently_refused(&Agreed { gate: [9; 32].into(), ..ours.clone() }, &ours).await;
}

#[tokio::test]
async fn the_wrong_client_draws_nothing() {
    let ours = Agreed::default();
    assert_silently_refused(&Agreed { client: StaticKey::from_bytes([9; 32]), ..ours.clone() }, &ours).await;
}

#[tokio::test]
async fn a_client_that_takes_us_for_another_draws_nothing() {
    let ours = Agreed::default();
    assert_silently_refused(&Agreed { server: StaticKey::from_bytes([9; 32]), ..ours.clone() }, &ours).await;
}

#[tokio::test]
async fn a_stream_without_a_name_holds_nobody_up() {
    let (_c, _s, client, server) = linked().await;
    tokio::spawn(echo(server));
    // A stream whose name never ends is not within this API's reach; open streams that stay unread come closest.
    let idle: Vec<_> = futures::future::join_all((0..20).map(|_| client.open("test/echo"))).await;
    send_through(&client, 1000).await;
    drop(idle);
    for wrong in ["", &"x".repeat(65)] {
        assert!(matches!(client.open(wrong).await, Err(LinkError::ProtocolName)));
    }
}

#[tokio::test]
async fn closing_says_why_and_ends_everything() {
    let (c, s, client, server) = linked().await;
    client.close("done\nhere");
    assert_eq!(server.closed().await, CloseReason::Peer("donehere".into()));
    assert_eq!(client.closed().await, CloseReason::Local);
    assert!(matches!(server.accept().await, Err(LinkError::Closed(_))));
    s.close("bye").await;
    c.close("bye").await;
    assert!(s.accept().await.is_none());
    let agreed = Agreed::default();
    let late = c.connect(agreed.of_server(), &s.local_addresses(), PATIENCE).await;
    assert!(matches!(late, Err(LinkError::EndpointClosed)), "{late:?}");
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_link() {
    let (_c, _s, client, server) = linked().await;
    let stream = client.open("test/echo").await.unwrap();
    drop(client);
    let (_, theirs) = server.accept().await.unwrap();
    assert!(timeout(Duration::from_millis(200), server.closed()).await.is_err(), "a stream keeps it open");
    drop((stream, theirs));
    assert_eq!(server.closed().await, CloseReason::Peer(String::new()));
}

#[tokio::test]
async fn forgetting_leaves_links_alone() {
    let (_c, s, client, server) = linked().await;
    s.forget(SESSION);
    s.forget(SessionId([8; 16]));
    tokio::spawn(echo(server));
    send_through(&client, 1000).await;
}

#[tokio::test]
async fn ipv6_links_on_the_port_that_ipv4_has() {
    let agreed = Agreed::default();
    let bind = |addresses: Vec<SocketAddr>, key: &StaticKey| {
        let key = key.clone();
        async move { Endpoint::bind(&addresses, key, EndpointConfig::default()).await }
    };
    let four = bind(vec![loopback()], &agreed.client).await.unwrap();
    let port = four.local_addresses()[0].port();
    drop(four);
    let (v4, v6) = (SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    // The port is free again once the endpoint's task has seen that nobody holds it.
    let client = loop {
        match bind(vec![v4, v6], &agreed.client).await {
            Ok(client) => break client,
            Err(LinkError::Bind { source, .. }) if source.kind() == std::io::ErrorKind::AddrNotAvailable => {
                eprintln!("SKIPPED: this machine has no IPv6 loopback");
                return;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let server = bind(vec![(Ipv6Addr::LOCALHOST, 0).into()], &agreed.server).await.unwrap();
    server.expect(agreed.of_client());
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    assert_eq!(dialled.unwrap().remote(), to[0]);
    assert_eq!(accepted.unwrap().remote(), v6);
}

#[tokio::test]
async fn connecting_can_be_spawned_cancelled_and_begun_again() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let (client, to) = (std::sync::Arc::new(client), server.local_addresses());
    let dial = || {
        let (client, to, expectation) = (client.clone(), to.clone(), agreed.of_server());
        tokio::spawn(async move { client.connect(expectation, &to, PATIENCE).await })
    };
    let cancelled = dial();
    tokio::time::sleep(Duration::from_millis(100)).await;
    cancelled.abort();
    server.expect(agreed.of_client());
    let again = dial();
    assert!(server.accept().await.is_some());
    assert!(again.await.unwrap().is_ok());
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named() {
    let key = || StaticKey::from_bytes([1; 32]);
    let elsewhere = ([192, 0, 2, 1], 0).into();
    let error = Endpoint::bind(&[elsewhere], key(), EndpointConfig::default()).await.unwrap_err();
    assert!(matches!(error, LinkError::Bind { address, .. } if address == elsewhere), "{error}");
    let endpoint = Endpoint::bind(&[loopback()], key(), EndpointConfig::default()).await.unwrap();
    let unreachable = endpoint.connect(Agreed::default().of_server(), &[elsewhere], PATIENCE).await;
    assert!(matches!(unreachable, Err(LinkError::NoCandidate { .. })));
}

#[tokio::test]
async fn an_idle_link_lives_and_a_cut_one_is_noticed() {
    let agreed = Agreed::default();
    let config = EndpointConfig {
        keep_alive: Some(Duration::from_millis(200)),
        idle_timeout: Duration::from_millis(800),
        ..EndpointConfig::default()
    };
    let client = Endpoint::bind(&[loopback()], agreed.client.clone(), config.clone()).await.unwrap();
    let server = Endpoint::bind(&[loopback()], agreed.server.clone(), config).await.unwrap();
    server.expect(agreed.of_client());
    let proxy = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let dial = client.connect(agreed.of_server(), std::slice::from_ref(&proxy.address), PATIENCE);
    let (dialled, accepted) = tokio::join!(dial, server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert!(timeout(Duration::from_secs(2), dialled.closed()).await.is_err(), "idle, yet alive");
    drop(proxy);
    let both = async { (dialled.closed().await, accepted.closed().await) };
    let reasons = timeout(Duration::from_secs(3), both).await.expect("noticed");
    assert_eq!(reasons, (CloseReason::TimedOut, CloseReason::TimedOut));
}
