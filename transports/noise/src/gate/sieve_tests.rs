//! What the sieve makes of a receive buffer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use noq::udp::RecvMeta;

use super::*;
use crate::{
    Ciphers, Expectation, Kem, SessionId, StaticKey, Whom,
    core::{
        compose::compose_flight,
        gate_keys::GateKeys,
        handshake::{Initiator, Parties},
    },
};

#[test]
fn segments_close_ranks_over_those_that_are_dropped() {
    let gate = Gate::new(StaticKey::from_bytes([1; 32]), Ciphers::default(), Duration::from_secs(1));
    let datagram = |known: bool, length: usize| {
        let mut datagram = vec![0x40];
        datagram.extend(if known { gate.own_ids().mint() } else { [7; 12] });
        datagram.resize(length, length as u8);
        datagram
    };
    let mut sieve = Sieve::new(Arc::clone(&gate));
    for pattern in 0..16u8 {
        let lengths = [100, 100, 100, 40];
        let parts: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(i, n)| (pattern >> i & 1 == 1, datagram(pattern >> i & 1 == 1, *n)))
            .collect();
        let mut buffer = parts.iter().flat_map(|(_, d)| d.clone()).collect::<Vec<_>>();
        let expected: Vec<u8> =
            parts.iter().filter(|(known, _)| *known).flat_map(|(_, d)| d.clone()).collect();
        let mut meta = RecvMeta::default();
        (meta.len, meta.stride) = (buffer.len(), 100);
        // What lies behind the received bytes is of an earlier time.
        buffer.extend([0x40; 60]);
        sieve.keep_admitted(&mut buffer, &mut meta);
        assert_eq!(buffer[..meta.len], expected, "pattern {pattern:04b}");
    }
}

#[test]
fn a_flight_is_delivered_whole_and_in_order_before_anything_else() {
    let (client, server) = (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]));
    let expectation = |peer: &StaticKey| Expectation {
        session: SessionId([1; 16]),
        whom: Whom::Device(peer.public()),
        gate: [3; 32].into(),
        psk: [4; 32].into(),
        kem: Kem::MlKem768,
    };
    let (of_client, of_server) = (expectation(&client), expectation(&server));
    let parties = Parties::dialling(&client, &of_server, Ciphers::default()).unwrap();
    let (_, message) = Initiator::start(&parties, b"").unwrap();
    let keys = GateKeys::new(&of_server.gate);
    let flight = compose_flight(&keys, &keys.mint(), &message, 1100);
    let gate = Gate::new(server, Ciphers::default(), Duration::from_secs(1));
    gate.open(of_client);
    let mut sieve = Sieve::new(gate);

    // Both in one buffer, and a stranger's datagram of that size after them.
    let mut buffer = [flight.concat(), vec![0x40; 1200]].concat();
    let mut meta = RecvMeta::default();
    (meta.len, meta.stride) = (buffer.len(), 1200);
    sieve.keep_admitted(&mut buffer, &mut meta);
    assert_eq!(meta.len, 0);
    let (mut one, mut two) = (vec![0; 1500], vec![0; 1500]);
    let mut buffers = [IoSliceMut::new(&mut one)];
    let mut metas = [meta; 1];
    assert_eq!(sieve.deliver(&mut buffers, &mut metas), 1);
    assert_eq!((metas[0].len, metas[0].stride), (1200, 1200));
    assert_eq!(sieve.deliver(&mut [IoSliceMut::new(&mut two)], &mut metas), 1);
    assert_eq!(sieve.deliver(&mut [IoSliceMut::new(&mut [0; 1500])], &mut metas), 0);
    assert_eq!([&one[..1200], &two[..1200]], [&flight[0][..], &flight[1][..]]);
}
