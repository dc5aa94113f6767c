//! What the fuzzer feeds: every byte that arrives before it has authenticated, and behind each seal what a seal made here
//! lets through. Not part of the interface: anything here may change at any time.
//!
//! Each function takes anything, panics where something is wrong, and says whether it was what it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod meeting;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use noq::udp::RecvMeta;
use noq_proto::{Side, crypto::ServerConfig as _, transport_parameters::TransportParameters};
use tokio_util::codec::Decoder;

use crate::{
    Ciphers, Expectation, Kem, Secret32, SessionId, StaticKey, Whom,
    adapter::AdmittedServer,
    core::{
        GATE_ID_LEN, VERSION,
        compose::{compose, compose_flight, compose_frames, crypto_frame},
        frames::{Frames, frame},
        gate_keys::GateKeys,
        handshake::{Initiator, Parties, Responder},
        initial::{Header, MIN_DATAGRAM},
        probe::{Probe, is_probe},
        suite::Suite,
    },
    gate::{Gate, LOCAL_ID_LEN, OwnIds, Sieve, Verdict},
    socket::{
        probes::{Arrived, Prober, Probers},
        tcp,
    },
};

pub use self::meeting::meeting;

/// A first datagram's header.
pub fn header(data: &[u8]) -> bool {
    let keys = gate_keys();
    match Header::parse(data) {
        None => false,
        Some(Header::Short { from_id }) => {
            assert_eq!(from_id.len() + 1, data.len());
            true
        }
        Some(Header::Long { id }) => {
            assert!(id.len() <= GATE_ID_LEN);
            true
        }
        Some(Header::Opening(opening)) => {
            assert!(data.len() >= MIN_DATAGRAM);
            // Sealed under this very gate, it is in the corpus; anything else does not open.
            if let Some(pieces) = opening.pieces(&keys.initial(opening.id)) {
                assert!(pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() < data.len());
            }
            true
        }
    }
}

/// The frames within an Initial packet that was sealed under the gate's key.
pub fn initial(frames: &[u8]) -> bool {
    let (keys, frames) = (gate_keys(), &frames[..frames.len().min(1100)]);
    let id = keys.mint_from(&[7; 12]);
    let datagram = compose_frames(&keys, &id, frames);
    let Some(Header::Opening(opening)) = Header::parse(&datagram) else { panic!("it was well made") };
    let Some(pieces) = opening.pieces(&keys.initial(&id)) else { return false };
    assert!((1..=8).contains(&pieces.len()));
    assert!(pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() <= MIN_DATAGRAM);
    // No gate lets in what is no message, and none keeps more than one flight of it.
    for kem in [Kem::None, Kem::MlKem768] {
        let gate = open_gate(Whom::Anyone, kem);
        let _ = gate.judge(here(), &datagram);
        assert!(gate.held() <= 1);
    }
    true
}

/// Message 1 as it is, of the suite that the first byte names; then a payload sealed within one, and changes of a good one.
pub fn message_1(data: &[u8]) -> bool {
    let Some((suite, data)) = suite(data) else { return false };
    let receive = |message: Vec<u8>| {
        let expectation = expecting(suite);
        let server = server();
        let parties = Parties::expecting(&server, &expectation, Ciphers::Automatic).unwrap();
        Responder::receive(&parties, message)
    };
    let start = |parameters: &[u8]| {
        let (client, expectation) = (client(), dialling(suite));
        let parties = Parties::dialling(&client, &expectation, Ciphers::Automatic).unwrap();
        Initiator::start(&parties, parameters)
    };
    if let Ok((_, message)) = start(data) {
        assert!(message.len() <= suite.max_message());
        assert_eq!(receive(message).unwrap().parameters(), data);
    } else {
        assert!(data.len() > 900, "a payload that fits");
    }
    let (_, good) = start(b"good").unwrap();
    let changed = overwritten(&good, data);
    assert_eq!(receive(changed.clone()).is_ok(), changed == good);
    receive(data.to_vec()).is_ok()
}

/// Message 2 as a client reads it: changes of a good one, and a payload sealed within one.
pub fn message_2(data: &[u8]) -> bool {
    let Some((suite, data)) = suite(data) else { return false };
    let (client, server, of_server, of_client) = (client(), server(), dialling(suite), expecting(suite));
    let dialling = Parties::dialling(&client, &of_server, Ciphers::Automatic).unwrap();
    let expecting = Parties::expecting(&server, &of_client, Ciphers::Automatic).unwrap();
    let start = || Initiator::start(&dialling, b"").unwrap();
    let (initiator, one) = start();
    let (good, secrets) = Responder::receive(&expecting, one).unwrap().reply(b"good").unwrap();
    let changed = overwritten(&good, data);
    let unchanged = changed == good;
    match initiator.finish(&changed) {
        Ok((parameters, ours)) => {
            assert!(unchanged && parameters == b"good");
            assert_eq!(ours.export(b"x"), secrets.export(b"x"));
        }
        Err(_) => assert!(!unchanged),
    }
    assert!(start().0.finish(data).is_err());
    let (initiator, one) = start();
    if let Ok((two, _)) = Responder::receive(&expecting, one).unwrap().reply(data) {
        assert_eq!(initiator.finish(&two).unwrap().0, data);
    }
    unchanged
}

/// Transport parameters within an authenticated message 1, up to where the QUIC library has them.
pub fn parameters(data: &[u8]) -> bool {
    let (client, of_server) = (client(), dialling(Suite::of(&expectation(Whom::Anyone, Kem::None))));
    let parties = Parties::dialling(&client, &of_server, Ciphers::Automatic).unwrap();
    let Ok((_, message)) = Initiator::start(&parties, data) else { return false };
    let gate = open_gate(Whom::Device(client.public()), Kem::None);
    let keys = gate_keys();
    let id = keys.mint();
    assert_eq!(gate.judge(here(), &compose(&keys, &id, &message)), Verdict::Pass);
    let (admitted, _passage) = gate.take(&id).unwrap();
    let server = AdmittedServer::new(admitted);
    let ours = TransportParameters::read(Side::Client, &mut &[][..]).expect("none need be given");
    let mut session = server.start_session(VERSION, &ours);
    let read = session.read_handshake(&frame(&message));
    let known = session.transport_parameters().unwrap_or_default().is_some();
    assert_eq!(read.is_ok(), known);
    known
}

/// CRYPTO bytes in chunks, each behind its length.
pub fn frames(mut data: &[u8]) -> bool {
    let (mut frames, mut sent, mut got) = (Frames::new(1100), Vec::new(), Vec::new());
    while let Some((&length, rest)) = data.split_first() {
        let (chunk, rest) = rest.split_at(rest.len().min(usize::from(length)));
        data = rest;
        if frames.push(chunk).is_err() {
            return false;
        }
        sent.extend_from_slice(chunk);
        loop {
            match frames.pop() {
                Ok(Some(message)) => got.push(message),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
    }
    let again = got.iter().flat_map(|message| frame(message)).collect::<Vec<_>>();
    assert!(sent.starts_with(&again));
    !got.is_empty()
}

/// A receive buffer of several datagrams: two bytes for the length of each, then the buffer. A datagram that begins with
/// `40 01` gets an id of ours.
pub fn segments(data: &[u8]) -> bool {
    let Some((stride, buffer)) = data.split_first_chunk::<2>() else { return false };
    let stride = usize::from(u16::from_be_bytes(*stride));
    let gate = open_gate(Whom::Anyone, Kem::None);
    let id = OwnIds::mint(gate.own_ids());
    let mut buffer = buffer.to_vec();
    for segment in buffer.chunks_mut(stride.max(1)) {
        if segment.starts_with(&[0x40, 0x01]) && segment.len() > LOCAL_ID_LEN {
            segment[1..=LOCAL_ID_LEN].copy_from_slice(&id);
        }
    }
    let judged = buffer.chunks(stride.max(1)).filter(|s| gate.judge(here(), s) == Verdict::Pass);
    let expected = judged.collect::<Vec<_>>().concat();
    let mut meta = RecvMeta::default();
    (meta.addr, meta.len, meta.stride) = (here(), buffer.len(), stride);
    let mut sieve = Sieve::new(Arc::clone(&gate));
    sieve.keep_admitted(&mut buffer, &mut meta);
    assert_eq!(buffer[..meta.len], expected);
    !expected.is_empty()
}

/// Probes as they arrive: bytes of anybody's, and behind them a question or an answer that a friend seals. The first byte says from where; of
/// what the link asked, the rest may be changed.
pub fn probes(data: &[u8]) -> bool {
    let Some((&whence, rest)) = data.split_first() else { return false };
    let from = if whence & 1 == 0 { here() } else { there() };
    let (ours, theirs) = (Secret32::from(secret(0x50)), Secret32::from(secret(0x60)));
    let probers = Probers::default();
    let prober = Arc::new(Prober::new(ours.clone(), theirs.clone()));
    let link = probers.add(Arc::clone(&prober));
    probers.path_opened(link, here());
    let question = prober.ask(here());
    // Nobody's, whatever it is.
    assert!(matches!(probers.arrived(from, rest), Arrived::Nothing));
    assert!(
        matches!(probers.arrived(from, &overwritten(&question, rest)), Arrived::Nothing),
        "our own, sent back"
    );
    let number = rest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let probe = if whence & 2 == 0 { Probe::Ask(number) } else { Probe::Answer(number) };
    let sealed = probe.seal(&theirs);
    assert!(is_probe(&sealed));
    let changed = overwritten(&sealed, rest.get(8..).unwrap_or_default());
    let answer = match probers.arrived(from, &changed) {
        Arrived::Nothing => {
            assert_ne!(changed, sealed);
            return false;
        }
        Arrived::Taken(answer) => {
            assert_eq!(changed, sealed);
            answer
        }
    };
    assert_eq!(answer.is_some(), probe == Probe::Ask(number) && number > 0);
    assert!(answer.is_none_or(|answer| Probe::open(&ours, &answer) == Some(Probe::Answer(number))));
    // An answer counts only to what was asked, and from where it was asked.
    let counted = prober.answers(here()).count;
    assert_eq!(counted, u64::from(probe == Probe::Answer(1) && from == here()));
    assert!(matches!(probers.arrived(from, &sealed), Arrived::Taken(None)), "a copy draws nothing");
    assert_eq!(prober.answers(here()).count, counted);
    true
}

/// What comes over a TCP connection, in chunks each behind its length: the datagrams in it, whatever the chunks.
pub fn tcp(mut data: &[u8]) -> bool {
    let (mut codec, mut buffer, mut sent, mut got) = (tcp::codec(), BytesMut::new(), Vec::new(), Vec::new());
    while let Some((&length, rest)) = data.split_first() {
        let (chunk, rest) = rest.split_at(rest.len().min(usize::from(length)));
        data = rest;
        buffer.extend_from_slice(chunk);
        sent.extend_from_slice(chunk);
        while let Some(datagram) = codec.decode(&mut buffer).expect("any two bytes are a length") {
            got.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
            got.extend_from_slice(&datagram);
            let _ = open_gate(Whom::Anyone, Kem::None).judge(here(), &datagram);
        }
    }
    assert!(sent.starts_with(&got));
    // What is left is no whole datagram; and it is not held for more than there is.
    let left = &sent[got.len()..];
    assert!(
        left.first_chunk::<2>()
            .is_none_or(|length| left.len() < 2 + usize::from(u16::from_be_bytes(*length)))
    );
    !got.is_empty()
}

/// A first flight of a hybrid handshake in pieces, by a script: four bytes a datagram, for whose it is and for where its
/// piece begins and ends.
pub fn held(script: &[u8]) -> bool {
    let (client, suite) = (client(), Suite::of(&expectation(Whom::Anyone, Kem::MlKem768)));
    let of_server = dialling(suite);
    let parties = Parties::dialling(&client, &of_server, Ciphers::Automatic).unwrap();
    let (_, message) = Initiator::start(&parties, b"parameters").unwrap();
    let framed = frame(&message);
    let (keys, gate) = (gate_keys(), open_gate(Whom::Device(client.public()), Kem::MlKem768));
    let ids = [keys.mint(), keys.mint()];
    // Byte by byte, what each of four flights has brought: two ids from two addresses.
    let mut brought = vec![vec![false; framed.len()]; 4];
    let mut released = None;
    for step in script.chunks_exact(4).take(64) {
        let (whose, from) = (usize::from(step[0] % 4), usize::from(step[1]) * 8);
        let from = from.min(framed.len());
        let to = (from + usize::from(step[2]) * 8).min(framed.len()).min(from + 1100);
        let mut piece = framed[from..to].to_vec();
        // Some of them are not what was sent.
        let forged = step[3] == 0xff && !piece.is_empty();
        if forged {
            piece[0] ^= 1;
        }
        let (id, remote) = (ids[whose % 2], [here(), there()][whose / 2]);
        let datagram = compose_frames(&keys, &id, &crypto_frame(from, &piece));
        let verdict = gate.judge(remote, &datagram);
        brought[whose][from..to].fill(true);
        if let Verdict::Release(datagrams) = verdict {
            assert!(brought[whose].iter().all(|known| *known) && released.is_none());
            assert!((2..=4).contains(&datagrams.len()));
            assert_eq!(datagrams.last(), Some(&datagram));
            let (admitted, passage) = gate.take(&id).unwrap();
            assert_eq!(admitted.responder.message(), message);
            // The other id carries the same ephemeral key, and must not pass any more.
            released = Some(passage);
        } else if verdict == Verdict::Pass {
            assert!(released.is_some(), "only what belongs to a handshake under way");
        }
        assert!(gate.held() <= 4);
    }
    // Whatever went before, a good flight gets through.
    let (_, message) = Initiator::start(&parties, b"parameters").unwrap();
    let id = keys.mint();
    let flight = compose_flight(&keys, &id, &message, 1100);
    assert_eq!(gate.judge(there(), &flight[1]), Verdict::Drop);
    assert!(matches!(gate.judge(there(), &flight[0]), Verdict::Release(_)));
    released.is_some()
}

/// The keys of the golden vectors, so that those are good seeds.
fn secret(start: u8) -> [u8; 32] {
    std::array::from_fn(|i| start.wrapping_add(i as u8))
}

fn client() -> StaticKey {
    StaticKey::from_bytes(secret(0x10))
}

fn server() -> StaticKey {
    StaticKey::from_bytes(secret(0x11))
}

fn gate_keys() -> GateKeys {
    GateKeys::new(&Secret32::from(secret(0x30)))
}

fn expectation(whom: Whom, kem: Kem) -> Expectation {
    let (gate, psk) = (secret(0x30).into(), secret(0x40).into());
    Expectation { session: SessionId([1; 16]), whom, gate, psk, kem }
}

fn suite(data: &[u8]) -> Option<(Suite, &[u8])> {
    let (first, rest) = data.split_first()?;
    let kem = if first & 1 == 0 { Kem::None } else { Kem::MlKem768 };
    let whom = if first & 2 == 0 { Whom::Anyone } else { Whom::Guests(server()) };
    Some((Suite::of(&expectation(whom, kem)), rest))
}

fn expecting(suite: Suite) -> Expectation {
    let whoms = [Whom::Anyone, Whom::Guests(server())];
    of_suite(suite, whoms)
}

fn dialling(suite: Suite) -> Expectation {
    let server = server().public();
    of_suite(suite, [Whom::Device(server), Whom::Host(server)])
}

fn of_suite(suite: Suite, whoms: [Whom; 2]) -> Expectation {
    let all = whoms.map(|whom| expectation(whom, suite.kem));
    all.into_iter().find(|expectation| Suite::of(expectation) == suite).expect("one of either pattern")
}

fn open_gate(whom: Whom, kem: Kem) -> Arc<Gate> {
    let gate = Gate::new(server(), Ciphers::Automatic, Duration::from_secs(10));
    gate.open(expectation(whom, kem));
    gate
}

/// `good` with two bytes' worth of an offset, and the rest of `data` over what is there.
fn overwritten(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut changed = good.to_vec();
    if let Some((at, over)) = data.split_first_chunk::<2>() {
        let at = usize::from(u16::from_be_bytes(*at)) % (good.len() + 1);
        changed.resize(changed.len().max(at + over.len()), 0);
        changed[at..at + over.len()].copy_from_slice(over);
    }
    changed
}

fn here() -> SocketAddr {
    ([127, 0, 0, 1], 1000).into()
}

fn there() -> SocketAddr {
    ([127, 0, 0, 1], 2000).into()
}
