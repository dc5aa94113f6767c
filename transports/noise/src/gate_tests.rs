//! Who gets through the gate, and what a replay comes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use crate::core::{handshake::Initiator, initial::tests::compose};

const SESSION: SessionId = SessionId([1; 16]);

fn client() -> StaticKey {
    StaticKey::from_bytes([1; 32])
}

fn server() -> StaticKey {
    StaticKey::from_bytes([2; 32])
}

fn expectation(session: SessionId) -> Expectation {
    Expectation { session, whom: Whom::Device(client().public()), gate: [3; 32].into(), psk: [4; 32].into() }
}

fn gate() -> Arc<Gate> {
    let gate = Gate::new(server(), Ciphers::default(), Duration::from_secs(10));
    gate.open(expectation(SESSION));
    gate
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

#[test]
fn what_was_seen_is_bounded() {
    let mut seen = Remembered::default();
    let key = |i: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&i.to_be_bytes());
        key
    };
    (0..=MAX_REMEMBERED).for_each(|i| seen.insert(key(i)));
    assert!(!seen.contains(&key(0)) && seen.contains(&key(1)) && seen.contains(&key(MAX_REMEMBERED)));
    assert_eq!((seen.set.len(), seen.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
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
