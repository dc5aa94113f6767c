//! Who gets through the gate, and what a replay comes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use crate::core::{
    compose::{compose, compose_flight},
    handshake::Initiator,
};

const SESSION: SessionId = SessionId([1; 16]);

fn client() -> StaticKey {
    StaticKey::from_bytes([1; 32])
}

fn server() -> StaticKey {
    StaticKey::from_bytes([2; 32])
}

fn expectation(session: SessionId) -> Expectation {
    Expectation {
        session,
        whom: Whom::Device(client().public()),
        gate: [3; 32].into(),
        psk: [4; 32].into(),
        kem: Kem::None,
    }
}

fn gate() -> Arc<Gate> {
    let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
    gate.open(expectation(SESSION));
    gate
}

impl Gate {
    fn admits(&self, remote: SocketAddr, datagram: &[u8]) -> bool {
        self.judge(remote, datagram) == Verdict::Pass
    }
}

fn here() -> SocketAddr {
    ([127, 0, 0, 1], 1000).into()
}

fn there() -> SocketAddr {
    ([127, 0, 0, 1], 2000).into()
}

struct First {
    id: [u8; GATE_ID_LEN],
    message: Vec<u8>,
    datagram: Vec<u8>,
}

fn first() -> First {
    first_by(&client(), &[4; 32].into())
}

fn first_by(local: &StaticKey, psk: &crate::Secret32) -> First {
    let whom = Whom::Device(server().public());
    first_of(local, &Expectation { whom, psk: psk.clone(), ..expectation(SESSION) })
}

fn first_of(local: &StaticKey, dialled: &Expectation) -> First {
    let parties = Parties::dialling(local, dialled, Ciphers::default()).unwrap();
    let (_, message) = Initiator::start(&parties, b"parameters").unwrap();
    let keys = GateKeys::new(&[3; 32].into());
    let id = keys.mint();
    First { id, datagram: compose(&keys, &id, &message), message }
}

#[test]
fn a_verified_first_message_passes_and_is_handed_over_once() {
    let (gate, first) = (gate(), first());
    assert!(gate.admits(here(), &first.datagram));
    assert!(gate.admits(here(), &first.datagram), "a retransmission");
    assert!(gate.keys(&first.id).is_some());
    let (admitted, _passage) = gate.take(&first.id).unwrap();
    assert_eq!(admitted.responder.message(), first.message);
    assert_eq!(admitted.responder.parameters(), b"parameters");
    assert!(gate.take(&first.id).is_none());
}

#[test]
fn whoever_lacks_a_key_stays_out() {
    let gate = gate();
    assert!(!gate.admits(here(), &first_by(&server(), &[4; 32].into()).datagram), "another static key");
    assert!(!gate.admits(here(), &first_by(&client(), &[5; 32].into()).datagram), "another psk");
    gate.shut(SESSION);
    assert!(!gate.admits(here(), &first().datagram), "a gate that is shut");
    gate.open(Expectation { gate: [9; 32].into(), ..expectation(SESSION) });
    assert!(!gate.admits(here(), &first().datagram), "another gate");
}

#[test]
fn a_gate_lets_in_those_that_it_is_for_and_no_others() {
    let host = StaticKey::from_bytes([7; 32]);
    let as_guest =
        || first_of(&client(), &Expectation { whom: Whom::Host(host.public()), ..expectation(SESSION) });
    let stranger = StaticKey::from_bytes([8; 32]);
    let admitted = |whom: Whom| {
        let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
        gate.open(Expectation { whom, ..expectation(SESSION) });
        let firsts = [first(), first_by(&stranger, &[4; 32].into()), as_guest()];
        firsts.map(|first| gate.admits(here(), &first.datagram))
    };
    assert_eq!(admitted(Whom::Device(client().public())), [true, false, false]);
    assert_eq!(admitted(Whom::Anyone), [true, true, false]);
    assert_eq!(admitted(Whom::Guests(host.clone())), [false, false, true]);
    assert_eq!(admitted(Whom::Host(host.public())), [false, false, false], "there to be dialled");
}

#[test]
fn a_replay_is_refused_in_every_form() {
    let (gate, first) = (gate(), first());
    assert!(gate.admits(here(), &first.datagram));
    assert!(!gate.admits(there(), &first.datagram), "the same bytes from elsewhere");
    drop(gate.take(&first.id).unwrap());
    assert!(!gate.admits(here(), &first.datagram), "after the handshake");
    let keys = GateKeys::new(&[3; 32].into());
    let rewrapped = compose(&keys, &keys.mint(), &first.message);
    assert!(!gate.admits(here(), &rewrapped), "under another id, by one who holds the gate key");
    gate.open(expectation(SESSION));
    assert!(!gate.admits(here(), &rewrapped), "after the gate was replaced by itself");
    gate.shut(SESSION);
    gate.open(expectation(SessionId([2; 16])));
    assert!(!gate.admits(here(), &rewrapped), "after the gate was shut and opened anew");
}

#[test]
fn a_first_message_sent_back_to_its_sender_is_refused() {
    let gate = Gate::new(client(), Ciphers::default(), Duration::from_secs(10));
    gate.open(Expectation { whom: Whom::Device(server().public()), ..expectation(SESSION) });
    assert!(!gate.admits(there(), &first().datagram));
}

#[test]
fn handshakes_under_way_are_bounded_and_give_way_with_time() {
    let gate = gate();
    for _ in 0..MAX_UNDER_WAY_PER_GATE {
        assert!(gate.admits(here(), &first().datagram));
    }
    assert!(!gate.admits(here(), &first().datagram));
    for way in gate.lock().under_way.values_mut() {
        way.since -= Duration::from_secs(11);
    }
    assert!(gate.admits(here(), &first().datagram));
}

#[test]
fn gates_are_bounded() {
    let gate = gate();
    for i in 0..=MAX_GATES as u128 {
        gate.open(expectation(SessionId(i.to_be_bytes())));
    }
    assert_eq!(gate.lock().open.len(), MAX_GATES);
}

/// A first flight of two datagrams.
fn flight() -> Flight {
    flight_by(&[4; 32].into())
}

struct Flight {
    id: [u8; GATE_ID_LEN],
    message: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
}

fn flight_by(psk: &Secret32) -> Flight {
    let whom = Whom::Device(server().public());
    let dialled = Expectation { whom, psk: psk.clone(), kem: Kem::MlKem768, ..expectation(SESSION) };
    let client = client();
    let parties = Parties::dialling(&client, &dialled, Ciphers::default()).unwrap();
    let (_, message) = Initiator::start(&parties, b"parameters").unwrap();
    let keys = GateKeys::new(&[3; 32].into());
    let id = keys.mint();
    Flight { id, datagrams: compose_flight(&keys, &id, &message, 1100), message }
}

fn hybrid_gate() -> Arc<Gate> {
    let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
    gate.open(Expectation { kem: Kem::MlKem768, ..expectation(SESSION) });
    gate
}

#[test]
fn a_first_flight_of_two_datagrams_is_held_until_it_verifies() {
    for order in [[0, 1], [1, 0]] {
        let (gate, flight) = (hybrid_gate(), flight());
        let [first, second] = order.map(|i| flight.datagrams[i].clone());
        assert_eq!(gate.judge(here(), &first), Verdict::Drop);
        assert_eq!(gate.judge(here(), &first), Verdict::Drop, "a duplicate");
        assert_eq!(gate.judge(there(), &second), Verdict::Drop, "from elsewhere");
        assert_eq!((gate.held(), gate.under_way()), (2, 0));
        assert!(gate.keys(&flight.id).is_none());
        let both = Verdict::Release(vec![first.clone(), second.clone()]);
        assert_eq!(gate.judge(here(), &second), both, "in the order of their arrival");
        let (admitted, _passage) = gate.take(&flight.id).unwrap();
        assert_eq!(admitted.responder.message(), flight.message);
        assert_eq!(gate.judge(here(), &first), Verdict::Pass, "a retransmission");
        assert_eq!(gate.judge(there(), &first), Verdict::Drop, "the same bytes from elsewhere");
    }
}

#[test]
fn a_flight_cut_differently_after_losses_is_put_together() {
    let (gate, flight) = (hybrid_gate(), flight());
    let keys = GateKeys::new(&[3; 32].into());
    let again = compose_flight(&keys, &flight.id, &flight.message, 500);
    assert_eq!(gate.judge(here(), &again[1]), Verdict::Drop);
    assert_eq!(gate.judge(here(), &flight.datagrams[0]), Verdict::Drop);
    let Verdict::Release(released) = gate.judge(here(), &flight.datagrams[1]) else { panic!("whole") };
    assert_eq!(released, [again[1].clone(), flight.datagrams[0].clone(), flight.datagrams[1].clone()]);
    assert_eq!(gate.held(), 0);
}

#[test]
fn a_replay_of_either_datagram_draws_nothing_and_leaves_nothing() {
    let (gate, flight) = (hybrid_gate(), flight());
    let judge = |gate: &Gate, from| flight.datagrams.iter().map(|d| gate.judge(from, d)).collect::<Vec<_>>();
    assert!(matches!(judge(&gate, here())[..], [Verdict::Drop, Verdict::Release(_)]));
    drop(gate.take(&flight.id).unwrap());
    for from in [here(), there()] {
        assert_eq!(judge(&gate, from), [Verdict::Drop, Verdict::Drop]);
        assert_eq!((gate.held(), gate.under_way()), (0, 0));
    }
    // Under another id, by one who holds the gate key: what shows the ephemeral key is known at once, the rest waits for it.
    let keys = GateKeys::new(&[3; 32].into());
    let rewrapped = compose_flight(&keys, &keys.mint(), &flight.message, 1100);
    assert_eq!(gate.judge(here(), &rewrapped[0]), Verdict::Drop);
    assert_eq!(gate.held(), 0);
    assert_eq!(gate.judge(here(), &rewrapped[1]), Verdict::Drop);
    assert_eq!(gate.judge(here(), &rewrapped[0]), Verdict::Drop);
    assert_eq!((gate.held(), gate.under_way()), (1, 0));
    gate.shut(SESSION);
    assert_eq!(gate.held(), 0);
}

#[test]
fn a_flight_that_does_not_verify_or_fit_the_gate_comes_to_nothing() {
    let other_psk = flight_by(&[5; 32].into());
    let gate = hybrid_gate();
    for datagram in &other_psk.datagrams {
        assert_eq!(gate.judge(here(), datagram), Verdict::Drop);
    }
    assert_eq!((gate.held(), gate.under_way()), (0, 0));
    assert_eq!(gate.judge(here(), &first().datagram), Verdict::Drop, "a message without a key of ML-KEM");
    assert_eq!(gate.under_way(), 0);
    let plain = self::gate();
    for datagram in &flight().datagrams {
        assert_eq!(plain.judge(here(), datagram), Verdict::Drop, "a gate without ML-KEM");
    }
    assert_eq!((plain.held(), plain.under_way()), (0, 0));
}

#[test]
fn what_is_held_is_bounded_in_number_and_in_time() {
    let gate = hybrid_gate();
    let flights: Vec<_> = (0..=held::MAX_PER_GATE).map(|_| flight()).collect();
    for flight in &flights {
        assert_eq!(gate.judge(here(), &flight.datagrams[0]), Verdict::Drop);
    }
    assert_eq!(gate.held(), held::MAX_PER_GATE);
    assert_eq!(gate.judge(here(), &flights[0].datagrams[1]), Verdict::Drop, "the oldest went");
    assert!(matches!(gate.judge(here(), &flights[9].datagrams[1]), Verdict::Release(_)));
    gate.lock().held.age(held::PATIENCE);
    assert_eq!(gate.judge(here(), &flights[10].datagrams[1]), Verdict::Drop, "too late");
    assert_eq!(gate.held(), 1);

    // No datagram is larger than a path carries.
    let gate = hybrid_gate();
    let large = [&flight().datagrams[0][..], &[0; held::MAX_DATAGRAM - 1200 + 1]].concat();
    assert_eq!(gate.judge(here(), &large), Verdict::Drop);
    assert_eq!(gate.held(), 0);

    // Other gates have room of their own, up to the bound in all.
    let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
    let flights = held::MAX_IN_ALL / held::MAX_PER_GATE + 1;
    for i in 0..flights as u8 {
        let gamma = [0x40 | i; 32];
        let of = Expectation { gate: gamma.into(), kem: Kem::MlKem768, ..expectation(SessionId([i; 16])) };
        gate.open(of);
        let keys = GateKeys::new(&gamma.into());
        for _ in 0..held::MAX_PER_GATE {
            let half = compose_flight(&keys, &keys.mint(), &[7; 1300], 1100);
            assert_eq!(gate.judge(here(), &half[0]), Verdict::Drop);
        }
    }
    assert_eq!(gate.held(), held::MAX_IN_ALL);
}

#[test]
fn packets_to_ids_we_did_not_choose_stay_out() {
    let gate = gate();
    let short = |id: [u8; LOCAL_ID_LEN]| [&[0x40][..], &id, &[0; 40]].concat();
    assert!(gate.admits(here(), &short(gate.own_ids().mint())));
    assert!(!gate.admits(here(), &short([7; LOCAL_ID_LEN])));
    assert!(!gate.admits(here(), &short(OwnIds::default().mint())), "another endpoint's");
    assert!(!gate.admits(here(), &[0x40, 1, 2]));
    assert!(!gate.admits(here(), &[]));
}

#[test]
#[ignore = "a measurement, not a check: cargo test --release -p wayside-noise cost -- --ignored --nocapture"]
#[allow(clippy::print_stdout)]
fn cost_of_an_unknown_tag() {
    let stranger = GateKeys::new(&[9; 32].into());
    let datagram = compose(&stranger, &stranger.mint(), b"message 1");
    for gates in [1, 32, 1024] {
        let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
        for i in 0..gates as u128 {
            gate.open(expectation(SessionId(i.to_be_bytes())));
        }
        let began = Instant::now();
        (0..1000).for_each(|_| assert!(!gate.admits(here(), &datagram)));
        println!("{gates} gates: {:?} a datagram", began.elapsed() / 1000);
    }
}
