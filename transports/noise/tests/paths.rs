//! Links of several paths: UDP, TCP, tunnels; cut, healed, moved.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Agreed, PATIENCE, Proxy, loopback};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use wayside_noise::{Endpoint, EndpointConfig, Kind, Link, LinkEvent, Remote, Tunnel};

const V4: Kind = Kind::Udp { v6: false };

async fn dialled(agreed: &Agreed, client: &Endpoint, server: &Endpoint, to: Vec<Remote>) -> (Link, Link) {
    server.expect(agreed.of_client());
    let (dialled, accepted) = tokio::join!(client.connect(agreed.of_server(), to, PATIENCE), server.accept());
    (dialled.unwrap(), accepted.unwrap())
}

async fn until<F: Fn() -> bool>(what: &str, happened: F) {
    let waiting = async {
        while !happened() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn has_paths(link: &Link, count: usize) {
    until(&format!("{count} paths"), || link.paths().len() == count).await;
}

/// A byte every millisecond; the receiver notes the longest pause between two.
struct Ticking {
    stop: Arc<AtomicBool>,
    received: tokio::task::JoinHandle<(u64, Duration)>,
    sent: tokio::task::JoinHandle<u64>,
}

impl Ticking {
    async fn start(from: &Link, to: &Link) -> Self {
        let mut stream = from.open("test/ticks").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sent = tokio::spawn(async move {
            let mut count = 0u64;
            while !stopped.load(Ordering::Relaxed) {
                stream.send.write_all(&[count as u8]).await.unwrap();
                count += 1;
                sleep(Duration::from_millis(1)).await;
            }
            stream.send.finished().await.unwrap();
            count
        });
        let (_, mut theirs) = to.accept().await.unwrap();
        let received = tokio::spawn(async move {
            let (mut count, mut longest, mut last) = (0u64, Duration::ZERO, Instant::now());
            let mut buffer = [0; 4096];
            loop {
                let read = theirs.recv.read(&mut buffer).await.unwrap();
                if read == 0 {
                    return (count, longest);
                }
                for byte in &buffer[..read] {
                    assert_eq!(*byte, count as u8, "in order, none lost");
                    count += 1;
                }
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
        });
        Self { stop, received, sent }
    }

    /// The longest pause, after everything has arrived.
    async fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sent.await.unwrap();
        let (received, longest) = self.received.await.unwrap();
        assert_eq!(sent, received, "everything arrived");
        longest
    }
}

async fn two_ways(agreed: &Agreed) -> (Endpoint, Endpoint, Link, Link, Proxy, Proxy) {
    let (client, server) = agreed.endpoints().await;
    let one = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let other = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let to = vec![one.address.into(), other.address.into()];
    let (dialled, accepted) = dialled(agreed, &client, &server, to).await;
    has_paths(&dialled, 2).await;
    has_paths(&accepted, 2).await;
    (client, server, dialled, accepted, one, other)
}

#[tokio::test]
async fn every_candidate_becomes_a_path_of_one_link() {
    let (_c, _s, dialled, accepted, ..) = two_ways(&Agreed::default()).await;
    for link in [&dialled, &accepted] {
        let paths = link.paths();
        assert_eq!(paths.iter().filter(|path| path.in_use).count(), 1, "{paths:?}");
        assert!(paths.iter().all(|path| path.kind == V4 && path.rtt > Duration::ZERO && path.mtu >= 1200));
    }
}

#[tokio::test]
async fn a_cut_path_is_left_by_whoever_sends() {
    for from_client in [true, false] {
        let (_c, _s, dialled, accepted, one, other) = two_ways(&Agreed::default()).await;
        let (from, to) = if from_client { (&dialled, &accepted) } else { (&accepted, &dialled) };
        let mut events = from.events();
        let ticking = Ticking::start(from, to).await;
        sleep(Duration::from_millis(200)).await;
        let used = from.paths().iter().find(|path| path.in_use).unwrap().remote;
        let in_use = if used == one.address { &one } else { &other };
        // The server knows its paths by the proxies' addresses too.
        in_use.cut(true);
        sleep(Duration::from_secs(2)).await;
        let longest = ticking.stop().await;
        assert!(longest < Duration::from_secs(5), "from the client {from_client}: {longest:?}");
        let moved = |event| matches!(event, LinkEvent::Moved(path) if path.remote != used);
        let mut seen = false;
        while let Ok(event) = events.try_recv() {
            seen |= moved(event);
        }
        assert!(seen);
        in_use.cut(false);
        until("the path is back", || dialled.paths().len() == 2).await;
    }
}

#[tokio::test]
async fn a_path_may_be_cut_and_healed_again_and_again() {
    let (_c, _s, dialled, accepted, one, other) = two_ways(&Agreed::default()).await;
    let ticking = Ticking::start(&dialled, &accepted).await;
    for round in 0..12 {
        let used = dialled.remote();
        let in_use = if used == one.address { &one } else { &other };
        in_use.cut(true);
        until(&format!("round {round} moves"), || dialled.remote() != used).await;
        in_use.cut(false);
        until(&format!("round {round} heals"), || dialled.paths().len() == 2).await;
    }
    ticking.stop().await;
}

#[tokio::test]
async fn a_link_whose_only_path_was_cut_lives_on_when_it_heals() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let proxy = Proxy::start(server.local_addresses()[0], 0, 1).await;
    let (dialled, accepted) = dialled(&agreed, &client, &server, vec![proxy.address.into()]).await;
    let ticking = Ticking::start(&dialled, &accepted).await;
    proxy.cut(true);
    sleep(Duration::from_secs(4)).await;
    proxy.cut(false);
    sleep(Duration::from_secs(2)).await;
    let longest = ticking.stop().await;
    // QUIC has backed off by then, and is told to try at once.
    assert!(longest >= Duration::from_secs(4) && longest < Duration::from_secs(15), "{longest:?}");
}

async fn with_tcp(agreed: &Agreed) -> (Endpoint, Endpoint, SocketAddr) {
    let (client, server) = agreed.endpoints().await;
    let tcp = server.listen_tcp(loopback()).await.unwrap();
    (client, server, tcp)
}

#[tokio::test]
async fn tcp_carries_a_link_where_udp_is_blocked() {
    let agreed = Agreed::default();
    let (client, server, tcp) = with_tcp(&agreed).await;
    let blocked = Proxy::start(server.local_addresses()[0], 100, 1).await;
    let to = vec![blocked.address.into(), Remote::Tcp(tcp)];
    let (dialled, accepted) = dialled(&agreed, &client, &server, to).await;
    assert_eq!((dialled.kind(), accepted.kind()), (Kind::Tcp, Kind::Tcp));
    assert_eq!(dialled.remote(), tcp);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(dialled.paths().len(), 1, "no second connection to where the first leads");
    let (mut stream, data) = (dialled.open("test/bulk").await.unwrap(), vec![7; 4 << 20]);
    let expected = data.len();
    tokio::spawn(async move {
        stream.send.write_all(&data).await.unwrap();
        stream.send.finished().await.unwrap();
    });
    let (_, mut theirs) = accepted.accept().await.unwrap();
    let mut received = Vec::new();
    timeout(PATIENCE, theirs.recv.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received.len(), expected);
}

#[tokio::test]
async fn a_link_over_tcp_moves_to_udp_when_that_gets_through_and_back_when_it_is_cut() {
    let agreed = Agreed::default();
    let (client, server, tcp) = with_tcp(&agreed).await;
    let udp = Proxy::start(server.local_addresses()[0], 0, 1).await;
    udp.cut(true);
    let to = vec![udp.address.into(), Remote::Tcp(tcp)];
    let (dialled, accepted) = dialled(&agreed, &client, &server, to).await;
    assert_eq!(dialled.kind(), Kind::Tcp);
    let ticking = Ticking::start(&dialled, &accepted).await;
    udp.cut(false);
    until("over UDP", || dialled.kind() == V4 && accepted.kind() == V4).await;
    udp.cut(true);
    until("over TCP", || dialled.kind() == Kind::Tcp).await;
    ticking.stop().await;
}

#[tokio::test]
async fn a_broken_tcp_connection_is_made_anew() {
    let agreed = Agreed::default();
    let (client, server, tcp) = with_tcp(&agreed).await;
    let forward = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let address = forward.local_addr().unwrap();
    let breaking = Arc::new(tokio::sync::Notify::new());
    let broken = Arc::clone(&breaking);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = forward.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(tcp).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = broken.notified() => {}
            }
        }
    });
    let (dialled, accepted) = dialled(&agreed, &client, &server, vec![Remote::Tcp(address)]).await;
    let ticking = Ticking::start(&dialled, &accepted).await;
    for _ in 0..3 {
        sleep(Duration::from_millis(300)).await;
        breaking.notify_one();
    }
    sleep(Duration::from_secs(2)).await;
    let longest = ticking.stop().await;
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

/// Joins two tunnels, as a relay would.
fn join(mut one: Tunnel, mut other: Tunnel) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(datagram) = one.outgoing() => drop(other.arrived(datagram).await),
                Some(datagram) = other.outgoing() => drop(one.arrived(datagram).await),
                else => return,
            }
        }
    })
}

#[tokio::test]
async fn a_relayed_link_moves_to_a_direct_path_and_survives_the_relay() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let udp = Proxy::start(server.local_addresses()[0], 0, 1).await;
    udp.cut(true);
    let (near, far) = (client.relayed_tunnel(), server.relayed_tunnel());
    let to = vec![Remote::Tunnel(near.id()), udp.address.into()];
    let relay = join(near, far);
    let (dialled, accepted) = dialled(&agreed, &client, &server, to).await;
    assert_eq!((dialled.kind(), accepted.kind()), (Kind::Relayed, Kind::Relayed));
    let ticking = Ticking::start(&dialled, &accepted).await;
    udp.cut(false);
    until("direct", || dialled.kind() == V4 && accepted.kind() == V4).await;
    relay.abort();
    until("the relay's path is gone", || dialled.paths().len() == 1).await;
    ticking.stop().await;
}

/// Stands between a client and a server, and the server's address as the client sees it can change.
struct Moving {
    address: SocketAddr,
    move_to: tokio::sync::watch::Sender<usize>,
}

impl Moving {
    async fn start(server: SocketAddr) -> Self {
        let outside = [
            tokio::net::UdpSocket::bind(loopback()).await.unwrap(),
            tokio::net::UdpSocket::bind(loopback()).await.unwrap(),
        ];
        let inside = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
        let address = outside[0].local_addr().unwrap();
        let (move_to, place) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            let (mut client, mut a, mut b, mut c) = (None, [0; 65536], [0; 65536], [0; 65536]);
            loop {
                tokio::select! {
                    Ok((length, from)) = outside[0].recv_from(&mut a) => {
                        client = Some(from);
                        // The old address is nobody's any more.
                        if *place.borrow() == 0 {
                            inside.send_to(&a[..length], server).await.unwrap();
                        }
                    }
                    Ok((length, from)) = outside[1].recv_from(&mut b) => {
                        client = Some(from);
                        inside.send_to(&b[..length], server).await.unwrap();
                    }
                    Ok((length, _)) = inside.recv_from(&mut c) => {
                        let at = *place.borrow();
                        if let Some(client) = client {
                            outside[at].send_to(&c[..length], client).await.unwrap();
                        }
                    }
                }
            }
        });
        Self { address, move_to }
    }
}

#[tokio::test]
async fn the_server_may_move_and_the_link_lives() {
    let agreed = Agreed::default();
    for (from_client, told) in [(true, true), (false, true), (true, false), (false, false)] {
        let (client, server) = agreed.endpoints().await;
        let moving = Moving::start(server.local_addresses()[0]).await;
        let (dialled, accepted) = dialled(&agreed, &client, &server, vec![moving.address.into()]).await;
        let (from, to) = if from_client { (&dialled, &accepted) } else { (&accepted, &dialled) };
        let ticking = Ticking::start(from, to).await;
        sleep(Duration::from_secs(1)).await;
        moving.move_to.send(1).unwrap();
        if told {
            // As the operating system tells of a new address.
            server.network_changed();
        }
        until("the client speaks to the new address", || dialled.remote() != moving.address).await;
        let longest = ticking.stop().await;
        // A server that sends nothing and was not told finds out when it has heard nothing for some seconds.
        let bound = Duration::from_secs(if from_client && !told { 15 } else { 5 });
        assert!(longest < bound, "from the client {from_client}, told {told}: {longest:?}");
    }
}

#[tokio::test]
async fn addresses_that_lead_nowhere_cost_no_path() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    let moving = Moving::start(server.local_addresses()[0]).await;
    let mut nowhere = Vec::new();
    for _ in 0..6 {
        nowhere.push(tokio::net::UdpSocket::bind(loopback()).await.unwrap());
    }
    let mut to: Vec<Remote> = nowhere.iter().map(|socket| socket.local_addr().unwrap().into()).collect();
    to.extend([server.local_addresses()[0], moving.address].map(Remote::from));
    let (dialled, _accepted) = dialled(&agreed, &client, &server, to).await;
    has_paths(&dialled, 2).await;
}

#[tokio::test]
async fn strangers_on_tcp_get_no_byte_and_little_time() {
    let agreed = Agreed::default();
    let (_client, server, tcp) = with_tcp(&agreed).await;
    server.expect(agreed.of_client());
    let mut stranger = tokio::net::TcpStream::connect(tcp).await.unwrap();
    for length in [0u16, 1, 3, 1200, 1500] {
        stranger.write_all(&length.to_be_bytes()).await.unwrap();
        stranger.write_all(&vec![0xc3; usize::from(length)]).await.unwrap();
    }
    let mut buffer = [0; 1];
    let began = Instant::now();
    let outcome =
        timeout(Duration::from_secs(15), stranger.read(&mut buffer)).await.expect("closed in the end");
    assert!(matches!(outcome, Ok(0) | Err(_)), "not one byte");
    assert!(began.elapsed() > Duration::from_secs(8), "a wrong guess is not told from a slow one");
}

#[tokio::test]
async fn an_endpoint_may_be_ipv6_and_ipv4_and_the_link_takes_either() {
    let agreed = Agreed::default();
    let six: SocketAddr = (std::net::Ipv6Addr::LOCALHOST, 0).into();
    let both = [loopback(), six];
    let Ok(server) = Endpoint::bind(&both, agreed.server.clone(), EndpointConfig::default()).await else {
        std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: this machine has no IPv6 loopback\n")
            .unwrap();
        return;
    };
    let client = Endpoint::bind(&both, agreed.client.clone(), EndpointConfig::default()).await.unwrap();
    let to = server.local_addresses().into_iter().map(Remote::Udp).collect();
    let (dialled, accepted) = dialled(&agreed, &client, &server, to).await;
    has_paths(&dialled, 2).await;
    has_paths(&accepted, 2).await;
    let families: Vec<bool> = dialled.paths().iter().map(|path| path.remote.is_ipv6()).collect();
    assert!(families.contains(&true) && families.contains(&false));
}
