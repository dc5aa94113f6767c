//! What is taken out of what the kernel gathers into one buffer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wayside_path::{
    Candidate, CandidateKind, Nat,
    traversal::{Role, Setup, guard::Surroundings},
};

use super::{talk::Talk, *};
use crate::{Ciphers, MemoryNetwork, StaticKey, core::punch::Punch};

const HERE: &str = "203.0.113.1:1";
const PEER: &str = "198.51.100.1:1";

/// A socket with a meeting under way, the network that it is on, and a question of the peer's.
fn meeting() -> (VirtualSocket, MemoryNetwork, Vec<u8>) {
    let network = MemoryNetwork::new(std::time::Duration::ZERO);
    let config = EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
    let gate = Gate::new(StaticKey::from_bytes([1; 32]), Ciphers::default(), config.handshake_timeout);
    let socket = VirtualSocket::bind(&[HERE.parse().unwrap()], &config, gate).unwrap();
    let setup = Setup {
        role: Role::Waits,
        sockets: socket.bound(),
        surroundings: Surroundings::default(),
        nat: Nat::default(),
        latency: std::time::Duration::ZERO,
        may_guess: false,
        seed: 1,
        counted: 0,
    };
    let named = [Candidate { kind: CandidateKind::Host, address: PEER.parse().unwrap() }];
    let keys = || punch::keys(&[3; 32].into(), &[4; 32].into());
    let talk = Talk::new(keys(), setup, &named, Nat::default(), mpsc::channel(1).0);
    socket.shared.meetings.add(Arc::new(talk)).unwrap();
    (socket, network, Punch::Ask(1).seal(&keys().initiator).to_vec())
}

/// A datagram that looks as if it were QUIC's.
fn quic(length: usize) -> Vec<u8> {
    vec![0x41; length]
}

/// What is left of datagrams that the kernel gave at once, and whether an answer was sent.
fn left_of(datagrams: &[&[u8]]) -> (Vec<u8>, bool) {
    let (socket, network, _) = meeting();
    let mut buffer = datagrams.concat();
    let mut meta = RecvMeta::default();
    (meta.len, meta.stride) = (buffer.len(), datagrams[0].len());
    let from = Route::Udp { socket: 0, remote: PEER.parse().unwrap() };
    socket.take_probes(from, &mut buffer, &mut meta);
    buffer.truncate(meta.len);
    (buffer, network.sent() > 0)
}

#[tokio::test]
async fn probes_are_taken_from_among_packets_of_quic() {
    let (.., ask) = meeting();
    assert_eq!(left_of(&[&ask]), (vec![], true));
    // Behind larger ones it ends a buffer.
    assert_eq!(left_of(&[&quic(1200), &quic(1200), &ask]), ([quic(1200), quic(1200)].concat(), true));
    // Among those that are as long it may be anywhere, and a shorter one may follow.
    let mut other = quic(64);
    other[63] = 7;
    assert_eq!(left_of(&[&quic(64), &ask, &other, &quic(20)]), ([quic(64), other, quic(20)].concat(), true));
    assert_eq!(left_of(&[&ask, &quic(38)]), (quic(38), true));
    // What merely looks like one is no packet of QUIC's either.
    assert_eq!(left_of(&[&[0x81; 64], &quic(64), &[0x01; 38]]), (quic(64), false));
    assert_eq!(left_of(&[&quic(65), &[0x01; 63]]), ([quic(65), vec![0x01; 63]].concat(), false));
}
