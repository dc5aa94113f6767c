#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use crate::{Limits, Mode, Port, Responder, Secret};

const HOME: Socket = Socket(1);
const ID: TransactionId = TransactionId([9; 12]);

fn server() -> SocketAddr {
    "203.0.113.5:3478".parse().unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn begun(patience: Patience) -> Client {
    let mut client = Client::default();
    client.start(ms(0), ID, Ask { patience, ..Ask::new(HOME, server(), Request::plain()) }).unwrap();
    client
}

/// When requests go out, and when it is over.
fn times(patience: Patience) -> (Vec<u64>, u64) {
    let mut client = begun(patience);
    let mut sent = Vec::new();
    let mut now = ms(0);
    loop {
        while let Some(transmit) = client.poll_transmit() {
            assert_eq!((transmit.via, transmit.to), (HOME, server()));
            sent.push(u64::try_from(now.as_millis()).unwrap());
        }
        if let Some((id, outcome)) = client.poll_outcome() {
            let times = u32::try_from(sent.len()).unwrap();
            assert_eq!((id, outcome), (ID, Err(Failure::TimedOut { sent: times })));
            assert_eq!(client.poll_timeout(), None);
            return (sent, u64::try_from(now.as_millis()).unwrap());
        }
        now = client.poll_timeout().unwrap();
        client.handle_timeout(now - ms(1));
        assert!(client.poll_transmit().is_none() && client.poll_outcome().is_none(), "too early");
        client.handle_timeout(now);
    }
}

#[test]
fn requests_are_repeated_as_rfc_8489_says() {
    assert_eq!(times(Patience::default()), (vec![0, 500, 1500, 3500, 7500, 15500, 31500], 39500));
}

#[test]
fn the_caller_may_have_less_patience() {
    assert_eq!(times(Patience::within(ms(3000))), (vec![0, 500, 1500], 3000));
    assert_eq!(times(Patience::within(ms(3500))), (vec![0, 500, 1500], 3500));
    assert_eq!(times(Patience { sends: 1, ..Patience::default() }), (vec![0], 8000));
    assert_eq!(times(Patience { rto: ms(100), sends: 3, last: 4, at_most: None }), (vec![0, 100, 300], 700));
    assert_eq!(times(Patience { rto: ms(1), sends: 0, last: 1, at_most: None }).0, [0], "once at least");
}

#[test]
fn a_leap_in_time_sends_once_and_not_all_that_was_missed() {
    let mut client = begun(Patience::default());
    while client.poll_transmit().is_some() {}
    client.handle_timeout(ms(20_000));
    assert!(client.poll_transmit().is_some());
    assert!(client.poll_transmit().is_none());
    assert_eq!(client.poll_timeout(), Some(ms(21_000)));
}

fn answer_to(client: &mut Client) -> Vec<u8> {
    let request = client.poll_transmit().unwrap();
    let mut responder = Responder::new(Mode::Anyone, Secret::new([1; 32]), Limits::default());
    responder
        .respond(ms(0), Port::First, "198.51.100.1:4000".parse().unwrap(), &request.datagram)
        .unwrap()
        .datagram
}

#[test]
fn only_an_answer_with_our_id_from_the_server_to_our_socket_counts() {
    let mut client = begun(Patience::default());
    let answer = answer_to(&mut client);
    assert!(!client.received(HOME, "203.0.113.6:3478".parse().unwrap(), &answer), "another address");
    assert!(!client.received(HOME, "203.0.113.5:3479".parse().unwrap(), &answer), "another port");
    assert!(!client.received(Socket(2), server(), &answer), "another socket");
    for at in 8..20 {
        let mut other = answer.clone();
        other[at] ^= 1;
        assert!(!client.received(HOME, server(), &other), "another id");
    }
    assert!(!client.received(HOME, server(), &Request::plain().encode(ID)), "our own request");
    assert!(
        !client.received(HOME, server(), &answer[..answer.len() - 1])
            && !client.received(HOME, server(), &[])
    );
    assert!(client.received(HOME, "[::ffff:203.0.113.5]:3478".parse().unwrap(), &answer));
    let (id, outcome) = client.poll_outcome().unwrap();
    assert_eq!((id, outcome.unwrap().mapped), (ID, "198.51.100.1:4000".parse().unwrap()));
    assert!(!client.received(HOME, server(), &answer), "once");
    assert_eq!(client.poll_timeout(), None);
}

fn outcome_of(message: Vec<u8>) -> Result<Answer, Failure> {
    let mut client = begun(Patience::default());
    assert!(client.received(HOME, server(), &message));
    client.poll_outcome().unwrap().1
}

/// Type and attributes of a message with our id.
fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &[0x21, 0x12, 0xa4, 0x42], &ID.0, &body].concat()
}

const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;
const MAPPED: (u16, &[u8]) = (0x0001, &[0, 1, 0x10, 0, 198, 51, 100, 1]);

#[test]
fn old_servers_are_understood() {
    // As of RFC 3489: MAPPED-ADDRESS, SOURCE-ADDRESS, CHANGED-ADDRESS.
    let changed: (u16, &[u8]) = (0x0005, &[0, 1, 0x0d, 0x97, 203, 0, 113, 6]);
    let answer = outcome_of(message(SUCCESS, &[MAPPED, (0x0004, MAPPED.1), changed])).unwrap();
    assert_eq!(answer.mapped, "198.51.100.1:4096".parse().unwrap());
    assert_eq!(answer.other, Some("203.0.113.6:3479".parse().unwrap()));
    assert_eq!((answer.attestation, answer.attested), (None, false));
}

#[test]
fn another_address_of_zeros_is_the_one_that_was_asked() {
    let other: (u16, &[u8]) = (0x802c, &[0, 1, 0x0d, 0x97, 0, 0, 0, 0]);
    assert_eq!(
        outcome_of(message(SUCCESS, &[MAPPED, other])).unwrap().other,
        Some("203.0.113.5:3479".parse().unwrap())
    );
    let other: (u16, &[u8]) = (0x802c, &[0, 1, 0, 0, 203, 0, 113, 6]);
    assert_eq!(outcome_of(message(SUCCESS, &[MAPPED, other])).unwrap().other, None, "no port is no address");
}

#[test]
fn answers_that_say_nothing_are_failures_of_their_kind() {
    assert_eq!(outcome_of(message(SUCCESS, &[])), Err(Failure::Empty));
    for broken in [&[][..], &[0, 1, 0x10], &[0, 3, 0x10, 0, 1, 2, 3, 4], &[0, 2, 0x10, 0, 1, 2, 3, 4]] {
        assert_eq!(outcome_of(message(SUCCESS, &[(0x0020, broken)])), Err(Failure::Empty), "{broken:?}");
    }
    let unknown = outcome_of(message(SUCCESS, &[MAPPED, (0x7f01, &[]), (0x7f01, &[]), (0xff01, &[])]));
    assert_eq!(unknown, Err(Failure::NotUnderstood(vec![0x7f01])));
    assert_eq!(unknown.unwrap_err().to_string(), "the server's answer needs attributes [7f01] understood");
    assert_eq!(outcome_of(message(ERROR, &[])), Err(Failure::Empty));
    assert_eq!(outcome_of(message(ERROR, &[(0x0009, &[0, 0, 9, 99])])), Err(Failure::Empty));
}

#[test]
fn errors_are_typed_and_their_words_harmless() {
    let reason = [&[0, 0, 4, 20][..], "no\n\u{1b}[31m way ".as_bytes(), &[b'x'; 500]].concat();
    let Err(Failure::Refused { code, reason, unknown }) =
        outcome_of(message(ERROR, &[(0x0009, &reason), (0x000a, &[0, 3, 0, 0x27])]))
    else {
        panic!("not refused");
    };
    assert_eq!((code, unknown), (420, vec![0x0003, 0x0027]));
    assert!(reason.starts_with("no[31m way xxx") && reason.chars().count() == LONGEST_KEPT, "{reason}");
}

/// RFC 8489, section 14.8: fewer than 128 characters.
const LONGEST_KEPT: usize = 127;

#[test]
fn transactions_are_bounded_and_ids_are_used_once() {
    let mut client = begun(Patience::default());
    let ask = Ask::new(HOME, server(), Request::plain());
    assert_eq!(client.start(ms(0), ID, ask.clone()), Err(StartError::IdInUse));
    for n in 1..MOST_TRANSACTIONS {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&n.to_be_bytes());
        client.start(ms(0), TransactionId(id), ask.clone()).unwrap();
    }
    assert_eq!(client.start(ms(0), TransactionId([8; 12]), ask.clone()), Err(StartError::Full));
    client.cancel(ID);
    client.start(ms(0), TransactionId([8; 12]), ask).unwrap();
}

#[test]
fn nothing_that_is_printed_has_a_token_in_it() {
    let token = crate::Token([0xab; 8]);
    let request = Request::with_token(token).check("::1".parse().unwrap(), crate::Attestation([0xcd; 8]));
    let mut client = Client::default();
    client.start(ms(0), ID, Ask::new(HOME, server(), request)).unwrap();
    let printed = format!("{client:?} {:?} {:?}", client.poll_transmit().unwrap(), Secret::new([0xef; 32]));
    for byte in ["171", "205", "239", "ab", "cd", "ef"] {
        assert!(!printed.to_lowercase().contains(&format!("{byte}, {byte}")), "{printed}");
    }
    assert!(
        printed.contains("Token(..)") && printed.contains("Attestation(..)") && printed.contains("96 bytes")
    );
}
