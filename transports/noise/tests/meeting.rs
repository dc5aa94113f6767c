//! Two machines that have told each other where they may be get through to each other: on loopback, and in virtual time on a network within the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use common::{Agreed, PATIENCE, loopback};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::Receiver,
    time::{Instant, sleep, timeout},
};
use wayside_noise::{
    Candidate, CandidateKind, Endpoint, EndpointConfig, Expectation, Kind, Link, LinkError, Mapping, Meet,
    MeetEvent, Meeting, MemoryNetwork, Nat, Network, Remote, Renewal, SessionId, StaticKey, Tunnel,
    traversal::{Reached, Role, Socket, Why, guard::Surroundings},
};

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn candidates(addresses: &[SocketAddr]) -> Vec<Candidate> {
    addresses.iter().map(|address| Candidate { kind: CandidateKind::Reflexive, address: *address }).collect()
}

/// A meeting of one side; both know nothing of NATs.
fn meeting(of: &Endpoint, expectation: Expectation, role: Role, peer: &[SocketAddr]) -> Meeting {
    let ourselves = of.local_addresses();
    let interfaces = ourselves.iter().map(|address| (address.ip(), 32)).collect();
    Meeting {
        expectation,
        role,
        candidates: candidates(peer),
        others: Vec::new(),
        theirs: Nat::default(),
        surroundings: Surroundings { interfaces, gateways: Vec::new(), ourselves },
        nat: Nat::default(),
        latency: Duration::from_secs(5),
        may_guess: true,
    }
}

/// Both sides on a network within the process.
struct Pair {
    agreed: Agreed,
    network: MemoryNetwork,
    dialler: Endpoint,
    waiter: Endpoint,
}

const DIALLER: &str = "198.51.100.1:4000";
const WAITER: &str = "203.0.113.1:4000";
/// From one to the other.
const LEG: Duration = Duration::from_millis(20);

impl Pair {
    async fn new() -> Self {
        let (agreed, network) = (Agreed::default(), MemoryNetwork::new(LEG));
        let config =
            EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
        let dialler = Endpoint::bind(&[at(DIALLER)], agreed.client.clone(), config.clone()).await.unwrap();
        let waiter = Endpoint::bind(&[at(WAITER)], agreed.server.clone(), config).await.unwrap();
        waiter.expect(agreed.of_client());
        Self { agreed, network, dialler, waiter }
    }

    /// What the side that dials knows, where the other one is there.
    fn dials(&self, peer: &[SocketAddr]) -> Meeting {
        meeting(&self.dialler, self.agreed.of_server(), Role::Dials, peer)
    }

    fn waits(&self, peer: &[SocketAddr]) -> Meeting {
        meeting(&self.waiter, self.agreed.of_client(), Role::Waits, peer)
    }
}

/// The dialler links, and the other side accepts.
async fn links(meet: &Meet, waiter: &Endpoint) -> (Link, Link) {
    let (dialled, accepted) = tokio::join!(meet.link(PATIENCE), timeout(PATIENCE, waiter.accept()));
    let (dialled, accepted) = (dialled.expect("links"), accepted.expect("in time").expect("open"));
    carries(&dialled, &accepted).await;
    (dialled, accepted)
}

async fn carries(dialled: &Link, accepted: &Link) {
    let mut stream = dialled.open("test/meeting").await.unwrap();
    stream.send.write_all(b"hello").await.unwrap();
    stream.send.finish();
    let (_, mut other) = accepted.accept().await.unwrap();
    let mut heard = Vec::new();
    other.recv.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"hello");
}

async fn reached(events: &mut Receiver<MeetEvent>) -> Reached {
    loop {
        let event = timeout(PATIENCE, events.recv()).await.expect("in time").expect("it goes on");
        if let MeetEvent::Reached(reached) = event {
            return reached;
        }
    }
}

#[tokio::test]
async fn both_sides_on_loopback_get_through() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    waiter.expect(agreed.of_client());
    let (to_dialler, to_waiter) = (dialler.local_addresses(), waiter.local_addresses());
    let (_waits, mut of_waiter) = waiter.meet(meeting(&waiter, agreed.of_client(), Role::Waits, &to_dialler));
    let (dials, mut of_dialler) =
        dialler.meet(meeting(&dialler, agreed.of_server(), Role::Dials, &to_waiter));
    let (dialled, accepted) = links(&dials, &waiter).await;
    assert_eq!((dialled.remote(), accepted.remote()), (to_waiter[0], to_dialler[0]));
    let way = reached(&mut of_dialler).await;
    assert_eq!((way.socket, way.remote, way.seen), (Socket::Own(0), to_waiter[0], to_dialler[0]));
    assert_eq!(reached(&mut of_waiter).await.remote, to_dialler[0]);
}

#[tokio::test(start_paused = true)]
async fn the_side_that_waits_may_begin_much_earlier() {
    for earlier in [0, 1, 7, 30] {
        let pair = Pair::new().await;
        let (_waits, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
        sleep(Duration::from_secs(earlier)).await;
        let began = Instant::now();
        let (dials, _events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
        let (dialled, _) = links(&dials, &pair.waiter).await;
        assert_eq!(dialled.remote(), at(WAITER));
        assert!(began.elapsed() < Duration::from_millis(500), "{earlier} s, {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_side_that_waits_may_begin_later() {
    let pair = Pair::new().await;
    let (dials, _events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
    let waits = async {
        sleep(Duration::from_secs(7)).await;
        pair.waiter.meet(pair.waits(&[at(DIALLER)]))
    };
    let (_waits, _) = tokio::join!(waits, links(&dials, &pair.waiter));
}

#[tokio::test(start_paused = true)]
async fn candidates_that_lead_nowhere_do_no_harm() {
    let pair = Pair::new().await;
    let (nowhere, elsewhere) = (at("192.0.2.9:9"), at("203.0.113.99:4000"));
    let (_waits, _events) = pair.waiter.meet(pair.waits(&[nowhere, at(DIALLER)]));
    let (dials, _events) = pair.dialler.meet(pair.dials(&[nowhere, elsewhere, at(WAITER), nowhere]));
    links(&dials, &pair.waiter).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_found_where_it_did_not_say_that_it_is() {
    let pair = Pair::new().await;
    // Neither knows where the dialler is, but the waiter hears its questions.
    let (_waits, mut events) = pair.waiter.meet(pair.waits(&[at("192.0.2.9:9")]));
    let (dials, _events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
    links(&dials, &pair.waiter).await;
    assert_eq!(reached(&mut events).await.remote, at(DIALLER));
    // And the other way round.
    let pair = Pair::new().await;
    let (_waits, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
    let (dials, mut events) = pair.dialler.meet(pair.dials(&[at("192.0.2.9:9")]));
    links(&dials, &pair.waiter).await;
    assert_eq!(reached(&mut events).await.remote, at(WAITER));
}

#[tokio::test(start_paused = true)]
async fn several_meet_at_once() {
    let pair = Pair::new().await;
    let config =
        EndpointConfig { network: Network::Memory(pair.network.clone()), ..EndpointConfig::default() };
    let (mut dialling, mut meetings) = (Vec::new(), Vec::new());
    for number in 10..20_u8 {
        // All behind one address, so that it does not tell them apart.
        let address = SocketAddr::new(at(DIALLER).ip(), 5000 + u16::from(number));
        let agreed = Agreed {
            client: StaticKey::from_bytes([number; 32]),
            gate: [number; 32].into(),
            psk: [100 + number; 32].into(),
            ..Agreed::default()
        };
        let session = SessionId([number; 16]);
        let of_client = Expectation { session, ..agreed.of_client() };
        pair.waiter.expect(of_client.clone());
        let dialler = Endpoint::bind(&[address], agreed.client.clone(), config.clone()).await.unwrap();
        meetings.push(pair.waiter.meet(meeting(&pair.waiter, of_client, Role::Waits, &[at(DIALLER)])));
        let dials = dialler.meet(meeting(&dialler, agreed.of_server(), Role::Dials, &[at(WAITER)]));
        dialling.push((dialler, dials));
    }
    let all = dialling.iter().map(|(_, (meet, _))| meet.link(PATIENCE));
    for dialled in futures::future::join_all(all).await {
        assert_eq!(dialled.unwrap().remote(), at(WAITER));
    }
}

/// Both expect and dial one session, as friends do that have one of old.
#[tokio::test(start_paused = true)]
async fn where_both_dial_one_link_survives() {
    let pair = Pair::new().await;
    pair.dialler.expect(pair.agreed.of_server());
    let (one, _events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
    let (other, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
    let (one, other) = tokio::join!(one.link(PATIENCE), other.link(PATIENCE));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.is_initiator(), other.is_initiator());
    carries(&one, &other).await;
}

/// A relay is there at once, and the direct way takes longer: the link comes up over the one and moves to the other, though the meeting is over by then.
#[tokio::test(start_paused = true)]
async fn a_link_over_a_relay_moves_to_what_is_reached_later() {
    let pair = Pair::new().await;
    let (near, far) = (pair.dialler.relayed_tunnel(), pair.waiter.relayed_tunnel());
    let through = Remote::Tunnel(near.id());
    let relay = tokio::spawn(carry(near, far));
    let (waits, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
    pair.network.cut(true);
    let dials = Meeting { others: vec![through], ..pair.dials(&[at(WAITER)]) };
    let (dials, _events) = pair.dialler.meet(dials);
    let (dialled, accepted) = links(&dials, &pair.waiter).await;
    assert_eq!(dialled.kind(), Kind::Relayed);
    drop((waits, dials));
    pair.network.cut(false);
    let moved = async {
        while dialled.kind() == Kind::Relayed || accepted.kind() == Kind::Relayed {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, moved).await.expect("moves");
    carries(&dialled, &accepted).await;
    relay.abort();
}

/// What a friend does that forwards.
async fn carry(mut one: Tunnel, mut other: Tunnel) {
    loop {
        tokio::select! {
            Some(datagram) = one.outgoing() => { other.arrived(datagram).await; }
            Some(datagram) = other.outgoing() => { one.arrived(datagram).await; }
            else => return,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_said_why_nobody_was_reached() {
    let pair = Pair::new().await;
    pair.network.cut(true);
    let (dials, mut events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
    let error = dials.link(Duration::from_secs(15)).await.unwrap_err();
    let LinkError::Timeout { attempts } = &error else { panic!("{error}") };
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].candidate, attempts[0].failure.as_str()), (Remote::Udp(at(WAITER)), "no answer"));
    assert_eq!(events.recv().await, Some(MeetEvent::Stuck(Why::Silent)));
}

/// Its first datagram goes along with the first question: one round trip, and not two.
#[tokio::test(start_paused = true)]
async fn where_nothing_is_in_the_way_a_link_takes_one_round_trip() {
    let pair = Pair::new().await;
    let (_waits, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
    let (dials, _events) = pair.dialler.meet(pair.dials(&[at(WAITER)]));
    let began = Instant::now();
    dials.link(Duration::from_secs(15)).await.unwrap();
    let took = began.elapsed();
    assert!((2 * LEG..3 * LEG).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_word_of_the_peer_counts() {
    let pair = Pair::new().await;
    let (_waits, _events) = pair.waiter.meet(pair.waits(&[at(DIALLER)]));
    pair.network.cut(true);
    let (dials, _events) = pair.dialler.meet(pair.dials(&[at("192.0.2.9:9")]));
    let later = async {
        sleep(Duration::from_secs(3)).await;
        pair.network.cut(false);
        dials.peer(&candidates(&[at(WAITER)]), Mapping::Independent);
    };
    let began = Instant::now();
    tokio::join!(later, links(&dials, &pair.waiter));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn tcp_is_dialled_where_nothing_else_is_reached() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    waiter.expect(agreed.of_client());
    let tcp = waiter.listen_tcp(loopback()).await.unwrap();
    let dials =
        Meeting { others: vec![Remote::Tcp(tcp)], ..meeting(&dialler, agreed.of_server(), Role::Dials, &[]) };
    let (dials, _events) = dialler.meet(dials);
    let (dialled, _) = links(&dials, &waiter).await;
    assert_eq!(dialled.kind(), Kind::Tcp);
}

#[tokio::test(start_paused = true)]
async fn ports_are_guessed_until_a_spare_socket_is_hit() {
    let pair = Pair::new().await;
    let random = Nat { mapping: Mapping::Random, ..Nat::default() };
    // Neither reaches the other's own socket, as behind such NATs; there are none in this network, and so each is told a wrong port.
    let (to_dialler, to_waiter) = (at("198.51.100.1:9"), at("203.0.113.1:9"));
    let (waits, mut of_waiter) = pair.waiter.meet(Meeting { nat: random, ..pair.waits(&[to_dialler]) });
    sleep(Duration::from_secs(2)).await;
    let dials = Meeting { theirs: Mapping::Random.into(), ..pair.dials(&[to_waiter]) };
    let (dials, mut of_dialler) = pair.dialler.meet(dials);
    let ip: IpAddr = to_waiter.ip();
    assert_eq!(of_dialler.recv().await, Some(MeetEvent::Verify(ip)));
    dials.attested(ip);
    let (dialled, accepted) = links(&dials, &pair.waiter).await;
    let way = reached(&mut of_waiter).await;
    assert!(matches!(way.socket, Socket::Spare(_)), "{way:?}");
    // The link outlives the meeting, and so does the spare socket that it goes over.
    drop((waits, dials));
    sleep(Duration::from_secs(60)).await;
    carries(&dialled, &accepted).await;
    assert_eq!(accepted.remote(), at(DIALLER));
    assert_ne!(dialled.remote().port(), at(WAITER).port());
}

/// What one side of a link knows when it looks for a better way.
fn renewal(of: &Endpoint, number: u64, peer: &[SocketAddr]) -> Renewal {
    let Meeting { candidates, surroundings, .. } =
        meeting(of, Agreed::default().of_client(), Role::Waits, peer);
    let nat = Nat::default();
    Renewal { number, candidates, theirs: nat, surroundings, nat, may_guess: false }
}

#[tokio::test]
async fn a_link_finds_a_better_way_by_what_is_told_over_it() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    let tcp = waiter.listen_tcp(loopback()).await.unwrap();
    waiter.expect(agreed.of_client());
    let (dialled, accepted) =
        tokio::join!(dialler.connect(agreed.of_server(), [Remote::Tcp(tcp)], PATIENCE), waiter.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!(dialled.kind(), Kind::Tcp);
    let (to_dialler, to_waiter) = (dialler.local_addresses(), waiter.local_addresses());
    // Numbers differ: the secrets do, and nothing is understood.
    let (_one, mut nothing) = dialler.renew(&dialled, renewal(&dialler, 1, &to_waiter));
    let (_other, _) = waiter.renew(&accepted, renewal(&waiter, 2, &to_dialler));
    assert!(timeout(Duration::from_millis(300), nothing.recv()).await.is_err());
    let (_one, mut found) = dialler.renew(&dialled, renewal(&dialler, 3, &to_waiter));
    let (_other, _) = waiter.renew(&accepted, renewal(&waiter, 3, &to_dialler));
    dialled.learn(reached(&mut found).await.remote);
    let moved = async {
        while [&dialled, &accepted].iter().any(|link| link.kind() != (Kind::Udp { v6: false })) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, moved).await.expect("the link moves to UDP");
    carries(&dialled, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn the_side_that_dials_may_do_so_over_a_spare_socket() {
    let pair = Pair::new().await;
    let random = Nat { mapping: Mapping::Random, ..Nat::default() };
    let (to_dialler, to_waiter) = (at("198.51.100.1:9"), at("203.0.113.1:9"));
    let waits = Meeting { theirs: Mapping::Random.into(), ..pair.waits(&[to_dialler]) };
    let (waits, mut of_waiter) = pair.waiter.meet(waits);
    let ip = to_dialler.ip();
    assert_eq!(of_waiter.recv().await, Some(MeetEvent::Verify(ip)));
    waits.attested(ip);
    sleep(Duration::from_secs(3)).await;
    let (dials, mut of_dialler) = pair.dialler.meet(Meeting { nat: random, ..pair.dials(&[to_waiter]) });
    let (dialled, accepted) = links(&dials, &pair.waiter).await;
    let way = reached(&mut of_dialler).await;
    assert!(matches!(way.socket, Socket::Spare(_)), "{way:?}");
    // It lives on without the meeting, also where nothing goes through for a while.
    drop((waits, dials));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(pair.network.sockets(), 3, "both sides' own, and the one that is used");
    pair.network.cut(true);
    let speaks = async {
        sleep(Duration::from_millis(100)).await;
        carries(&dialled, &accepted).await;
    };
    let heals = async {
        sleep(Duration::from_secs(5)).await;
        pair.network.cut(false);
    };
    tokio::join!(speaks, heals);
    assert_eq!(accepted.remote(), way.seen);
    assert_eq!(dialled.remote(), at(WAITER));
    // With the link it closes.
    drop((dialled, accepted));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(pair.network.sockets(), 2);
}

#[tokio::test]
async fn whoever_waits_in_a_network_that_blocks_udp_connects_itself() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    let tcp = dialler.listen_tcp(loopback()).await.unwrap();
    waiter.expect(agreed.of_client());
    let others = vec![Remote::Tcp(tcp)];
    let waits = Meeting { others, ..meeting(&waiter, agreed.of_client(), Role::Waits, &[]) };
    let (_waits, _events) = waiter.meet(waits);
    // It has connected, and is a stranger until its word is read.
    sleep(Duration::from_millis(600)).await;
    let (dials, _events) = dialler.meet(meeting(&dialler, agreed.of_server(), Role::Dials, &[]));
    let (dialled, accepted) = links(&dials, &waiter).await;
    assert_eq!((dialled.kind(), accepted.kind()), (Kind::Tcp, Kind::Tcp));
}

/// The link is up through a relay before the side that waits has connected, which is the only direct way.
#[tokio::test]
async fn a_link_over_a_relay_moves_to_the_connection_of_whoever_waits() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    let tcp = dialler.listen_tcp(loopback()).await.unwrap();
    waiter.expect(agreed.of_client());
    let (near, far) = (dialler.relayed_tunnel(), waiter.relayed_tunnel());
    let others = vec![Remote::Tunnel(near.id())];
    let relay = tokio::spawn(carry(near, far));
    let dials = Meeting { others, ..meeting(&dialler, agreed.of_server(), Role::Dials, &[]) };
    let (dials, _events) = dialler.meet(dials);
    let (dialled, accepted) = links(&dials, &waiter).await;
    assert_eq!((dialled.kind(), accepted.kind()), (Kind::Relayed, Kind::Relayed));
    let others = vec![Remote::Tcp(tcp)];
    let waits = Meeting { others, ..meeting(&waiter, agreed.of_client(), Role::Waits, &[]) };
    let (_waits, _events) = waiter.meet(waits);
    let moved = async {
        while dialled.kind() != Kind::Tcp || accepted.kind() != Kind::Tcp {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, moved).await.expect("moves");
    carries(&dialled, &accepted).await;
    relay.abort();
}
