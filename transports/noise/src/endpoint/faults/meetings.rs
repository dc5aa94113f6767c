//! Meetings under attack: forged, copied and truncated probes, floods of them, and what is left when one is over.

use std::net::Ipv4Addr;

use wayside_path::{
    Candidate, CandidateKind, Mapping, Nat,
    traversal::{HANDFUL, Role, UNATTESTED, guard::Surroundings},
};

use super::{log::Log, *};
use crate::core::{
    agreement::fill_random,
    punch::{self, LEN, Punch},
};

/// A meeting of the session of this number, as one side has it.
fn meeting(of: &Endpoint, number: u8, role: Role, peer: &[SocketAddr]) -> Meeting {
    Meeting {
        expectation: expectation(&key(number), number),
        role,
        candidates: peer
            .iter()
            .map(|address| Candidate { kind: CandidateKind::Reflexive, address: *address })
            .collect(),
        others: Vec::new(),
        theirs: Nat::default(),
        surroundings: Surroundings { ourselves: of.addresses.clone(), ..Surroundings::default() },
        nat: Nat::default(),
        latency: Duration::from_secs(5),
        may_guess: true,
    }
}

async fn endpoint(number: u8) -> Endpoint {
    Endpoint::bind(&[loopback()], key(number), EndpointConfig::default()).await.unwrap()
}

async fn in_memory(network: &MemoryNetwork, address: &str) -> Endpoint {
    let config = EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
    Endpoint::bind(&[address.parse().unwrap()], key(HOST), config).await.unwrap()
}

/// The key under which the peer of a meeting's waiting side sends.
fn diallers_key(number: u8) -> crate::Secret32 {
    let of = expectation(&key(number), number);
    punch::keys(&of.gate, &of.psk).initiator
}

fn forged() -> [u8; LEN] {
    let mut datagram = [0; LEN];
    fill_random(&mut datagram);
    datagram[0] &= 0x3f;
    datagram
}

async fn hears_nothing(socket: &UdpSocket) {
    sleep(Duration::from_millis(200)).await;
    assert!(socket.try_recv_from(&mut [0; 2000]).is_err());
}

#[tokio::test]
async fn probes_that_are_not_the_peers_draw_nothing() {
    let host = endpoint(HOST).await;
    let nobody = UdpSocket::bind(loopback()).await.unwrap();
    let (_meet, _events) = host.meet(meeting(&host, 1, Role::Waits, &[nobody.local_addr().unwrap()]));
    let before = host.shared.meeting_tables();
    let (stranger, to) = (UdpSocket::bind(loopback()).await.unwrap(), host.addresses[0]);
    let good = Punch::Ask(1).seal(&diallers_key(1));
    let of_another = Punch::Ask(1).seal(&diallers_key(2));
    for datagram in [&forged()[..], &of_another, &good[..LEN - 1], &[&good[..], &[0]].concat()] {
        stranger.send_to(datagram, to).await.unwrap();
    }
    let mut changed = good;
    changed[LEN - 1] ^= 1;
    stranger.send_to(&changed, to).await.unwrap();
    hears_nothing(&stranger).await;
    assert_eq!(host.shared.meeting_tables(), before);
    // The peer itself gets one answer, and a copy of what it sent none, wherever it comes from.
    let peer = UdpSocket::bind(loopback()).await.unwrap();
    peer.send_to(&good, to).await.unwrap();
    let mut buffer = [0; 100];
    let answered = async {
        loop {
            let (length, _) = peer.recv_from(&mut buffer).await.unwrap();
            let of = expectation(&key(1), 1);
            let ours = punch::keys(&of.gate, &of.psk).responder;
            if let Some(Punch::Answer(1, seen)) = Punch::open(&ours, &buffer[..length]) {
                return seen;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, answered).await.unwrap(), peer.local_addr().unwrap());
    for _ in 0..50 {
        stranger.send_to(&good, to).await.unwrap();
    }
    hears_nothing(&stranger).await;
    assert_eq!(host.shared.meeting_tables(), (1, 2, 0));
}

#[tokio::test]
async fn a_flood_of_garbage_does_not_stop_a_meeting() {
    let log = Log::capture();
    let (host, friend) = (endpoint(HOST).await, endpoint(1).await);
    host.expect(expectation(&key(1), 1));
    // So that there are many keys to try.
    let mut others = Vec::new();
    for number in 2..40 {
        let nobody = [([127, 0, 0, 1], 9).into()];
        others.push(host.meet(meeting(&host, number, Role::Waits, &nobody)));
    }
    let stranger = UdpSocket::bind(loopback()).await.unwrap();
    let to = host.addresses.clone();
    let flood = async {
        loop {
            for _ in 0..20 {
                let _ = stranger.try_send_to(&forged(), to[0]);
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let met = async {
        sleep(Duration::from_millis(500)).await;
        let (_waits, _events) = host.meet(meeting(&host, 1, Role::Waits, &friend.addresses));
        let expectation = Expectation { ..expectation(&key(HOST), 1) };
        let dials = Meeting { expectation, ..meeting(&friend, 1, Role::Dials, &to) };
        let (dials, _events) = friend.meet(dials);
        let (dialled, accepted) = tokio::join!(dials.link(PATIENCE), host.accept());
        (dialled.unwrap(), accepted.unwrap())
    };
    tokio::select! {
        () = flood => {}
        met = timeout(PATIENCE, met) => { met.unwrap(); }
    }
    hears_nothing(&stranger).await;
    log.said_once("more probes of meetings");
}

#[tokio::test(start_paused = true)]
async fn third_parties_that_a_peer_names_get_a_handful() {
    let network = MemoryNetwork::new(Duration::from_millis(10));
    let host = in_memory(&network, "203.0.113.1:4000").await;
    let mut victims = Vec::new();
    for number in 1..=6_u8 {
        victims.push(in_memory(&network, &format!("198.51.100.{number}:53")).await);
    }
    let named: Vec<_> = victims.iter().map(|victim| victim.addresses[0]).collect();
    let random = Meeting { theirs: Mapping::Random.into(), ..meeting(&host, 1, Role::Dials, &named) };
    let (_meet, _events) = host.meet(random);
    let before = network.sent();
    sleep(Duration::from_secs(600)).await;
    let sent = network.sent() - before;
    // At two of them ports are guessed at, though nobody says that the peer is there.
    assert!(sent <= u64::from(6 * HANDFUL + 2 * UNATTESTED), "{sent}");
    assert!(sent >= 6);
}

#[tokio::test(start_paused = true)]
async fn a_meeting_that_ends_leaves_nothing() {
    let network = MemoryNetwork::new(Duration::from_millis(10));
    let host = in_memory(&network, "203.0.113.1:4000").await;
    let before = (host.shared.tables(), host.shared.meeting_tables());
    let nat = Nat { mapping: Mapping::Random, ..Nat::default() };
    let begin = |number: u8| {
        let of = meeting(&host, number, Role::Waits, &[([198, 51, 100, number], 4000).into()]);
        host.meet(Meeting { nat, ..of })
    };
    let (first, second, third) = (begin(1), begin(2), begin(3));
    sleep(Duration::from_secs(3)).await;
    // Two have all that they want, and for the third there are no more.
    assert_eq!(host.shared.meeting_tables(), (3, 3, 512));
    drop(second);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(host.shared.meeting_tables(), (2, 2, 256));
    drop((first, third));
    sleep(Duration::from_secs(1)).await;
    assert_eq!((host.shared.tables(), host.shared.meeting_tables()), before);
    assert_eq!(network.sockets(), 1);
}

#[tokio::test]
async fn hundreds_of_spare_sockets_are_real_and_closed() {
    let host =
        Endpoint::bind(&[([0, 0, 0, 0], 0).into()], key(HOST), EndpointConfig::default()).await.unwrap();
    let spares = host.shared.open_spares(256);
    assert_eq!(spares.len(), 256);
    let peer = UdpSocket::bind(loopback()).await.unwrap();
    let to = peer.local_addr().unwrap();
    let mut ports = std::collections::BTreeSet::new();
    for spare in &spares {
        host.shared.send_over(*spare, to, b"hello", Some(4));
        let mut buffer = [0; 100];
        let (length, from) = timeout(PATIENCE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"hello");
        ports.insert(from.port());
    }
    assert_eq!(ports.len(), 256);
    host.shared.close_spares(spares);
    assert_eq!(host.shared.meeting_tables(), (0, 0, 0));
    // All of them can be had again, but for what others here may have taken meanwhile.
    let free = ports.iter().filter(|port| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, **port)).is_ok());
    assert!(free.count() > 200);
}

#[tokio::test(start_paused = true)]
async fn too_many_meetings_are_refused_and_dialled_plainly() {
    let log = Log::capture();
    let network = MemoryNetwork::new(Duration::from_millis(10));
    let host = in_memory(&network, "203.0.113.1:4000").await;
    let mut meetings = Vec::new();
    for number in 0..140 {
        meetings.push(host.meet(meeting(&host, number, Role::Waits, &[])));
    }
    assert_eq!(host.shared.meeting_tables().0, 128);
    log.said_once("too many meetings");
    let config = EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
    let friend = Endpoint::bind(&[([198, 51, 100, 1], 4000).into()], key(1), config).await.unwrap();
    friend.expect(expectation(&key(HOST), 1));
    let dials =
        Meeting { expectation: expectation(&key(1), 1), ..meeting(&host, 1, Role::Dials, &friend.addresses) };
    let (dials, _events) = host.meet(dials);
    let (dialled, accepted) = tokio::join!(dials.link(PATIENCE), friend.accept());
    assert!(dialled.is_ok() && accepted.is_some());
}
