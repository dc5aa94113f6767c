#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::answer::{self, Answer, Failure};
use crate::{ATTEST_PERIOD, Attestation, TOKEN_PERIOD, TOKEN_REQUEST, Token, TransactionId};

const ID: TransactionId = TransactionId([5; 12]);
const NOW: Duration = Duration::from_secs(1_900_000_000);
/// An hour begins.
const HOUR: Duration = Duration::from_secs(ATTEST_PERIOD.as_secs() * 500_000);

fn secret() -> Secret {
    Secret::new([0x5e; 32])
}

fn token() -> Token {
    secret().token(NOW, b"ann")
}

fn ann() -> SocketAddr {
    "198.51.100.1:40000".parse().unwrap()
}

fn responder(mode: Mode) -> Responder {
    let mut responder = Responder::new(mode, secret(), Limits::default());
    let outside = |port: u16| Outside {
        v4: Some(SocketAddr::from(([203, 0, 113, 5], port))),
        v6: Some(SocketAddr::new("2001:db8::5".parse().unwrap(), port)),
    };
    responder.set_ports(outside(1111), Some(outside(2222)));
    responder
}

fn ask(responder: &mut Responder, from: SocketAddr, request: &Request) -> Result<Reply, Silence> {
    responder.respond(NOW, Port::First, from, &request.encode(ID))
}

fn read(reply: &Reply) -> Result<Answer, Failure> {
    answer::read(&Message::read(&reply.datagram).unwrap(), "203.0.113.5".parse().unwrap()).unwrap()
}

/// A Binding message of any class with these attributes.
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

#[test]
fn friends_are_answered_and_strangers_hear_nothing() {
    let mut responder = responder(Mode::Friends);
    let reply = ask(&mut responder, ann(), &Request::with_token(token())).unwrap();
    assert_eq!((reply.via, reply.to), (Port::First, ann()));
    let answer = read(&reply).unwrap();
    assert_eq!(answer.mapped, ann());
    assert_eq!(answer.other, Some("203.0.113.5:2222".parse().unwrap()));
    assert!(answer.attestation.is_some() && !answer.attested);

    assert_eq!(ask(&mut responder, ann(), &Request::plain()), Err(Silence::NoToken));
    assert_eq!(ask(&mut responder, ann(), &Request::plain().change_port()), Err(Silence::NoToken));
    let unknown = message(1, &[(0x7f01, &[])]);
    assert_eq!(responder.respond(NOW, Port::First, ann(), &unknown), Err(Silence::NoToken));
}

#[test]
fn every_other_token_is_forged() {
    let mut responder = responder(Mode::Friends);
    for bit in 0..64 {
        let mut forged = token();
        forged.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(ask(&mut responder, ann(), &Request::with_token(forged)), Err(Silence::BadToken));
    }
    for length in [0, 4, 7, 9, 16] {
        let mut value = token().0.to_vec();
        value.resize(length, 0);
        let request =
            message(1, &[(attributes::WAYSIDE_TOKEN, &value), (attributes::WAYSIDE_PADDING, &[0; 80])]);
        assert_eq!(responder.respond(NOW, Port::First, ann(), &request), Err(Silence::BadToken), "{length}");
    }
    let elsewhere = Secret::new([1; 32]).token(NOW, b"ann");
    assert_eq!(ask(&mut responder, ann(), &Request::with_token(elsewhere)), Err(Silence::BadToken));
}

#[test]
fn tokens_differ_by_friend_and_last_one_to_two_periods() {
    assert_ne!(token(), secret().token(NOW, b"ben"));
    let begin = TOKEN_PERIOD * 3000;
    let made = secret().token(begin, b"ann");
    let last = begin + TOKEN_PERIOD * 2 - Duration::from_millis(1);
    assert!(secret().holder(begin, made).is_some() && secret().holder(last, made).is_some());
    assert!(secret().holder(last + Duration::from_millis(1), made).is_none());
    assert!(secret().holder(begin - Duration::from_millis(1), made).is_none(), "from the future");
    let at_zero = secret().token(Duration::ZERO, b"ann");
    assert!(secret().holder(Duration::ZERO, at_zero).is_some());
}

#[test]
fn an_attestation_is_of_one_address_and_of_an_hour_or_two() {
    let ip = ann().ip();
    let given = secret().attest(HOUR, ip);
    let last = HOUR + ATTEST_PERIOD * 2 - Duration::from_millis(1);
    assert!(secret().is_attested(HOUR, ip, given) && secret().is_attested(last, ip, given));
    assert!(!secret().is_attested(last + Duration::from_millis(1), ip, given), "replayed too late");
    assert!(!secret().is_attested(HOUR - Duration::from_millis(1), ip, given));
    assert!(!secret().is_attested(HOUR, "198.51.100.2".parse().unwrap(), given), "another address");
    assert!(!secret().is_attested(HOUR, "::198.51.100.1".parse().unwrap(), given), "the same bits in IPv6");
    assert!(!Secret::new([1; 32]).is_attested(HOUR, ip, given), "another's");
    assert!(!secret().is_attested(HOUR, ip, Attestation([0; 8])));
}

#[test]
fn an_attestation_is_checked_for_friends() {
    let mut responder = responder(Mode::Anyone);
    let given = read(&ask(&mut responder, ann(), &Request::with_token(token())).unwrap())
        .unwrap()
        .attestation
        .unwrap();
    let ben: SocketAddr = "[2001:db8::9]:9".parse().unwrap();
    let mut attested = |ip: IpAddr, attestation: Attestation| {
        read(&ask(&mut responder, ben, &Request::with_token(token()).check(ip, attestation)).unwrap())
            .unwrap()
            .attested
    };
    assert!(attested(ann().ip(), given));
    assert!(attested("::ffff:198.51.100.1".parse().unwrap(), given), "mapped into IPv6 it is the same");
    assert!(!attested(ben.ip(), given));
    assert!(!attested(ann().ip(), Attestation([1; 8])));
    let plain = ask(&mut responder, ben, &Request::plain().check(ann().ip(), given)).unwrap();
    assert!(!read(&plain).unwrap().attested, "not without a token");
}

#[test]
fn answers_come_from_and_go_to_the_port_that_was_asked_for() {
    let mut responder = responder(Mode::Friends);
    let request = Request::with_token(token()).change_port().response_port(777);
    let reply = ask(&mut responder, ann(), &request).unwrap();
    assert_eq!((reply.via, reply.to), (Port::Second, "198.51.100.1:777".parse().unwrap()));
    assert_eq!(read(&reply).unwrap().mapped, ann(), "where it came from, all the same");

    let second = responder.respond(NOW, Port::Second, ann(), &request.encode(ID)).unwrap();
    assert_eq!(second.via, Port::First);
    assert_eq!(read(&second).unwrap().other, Some("203.0.113.5:1111".parse().unwrap()));
}

#[test]
fn what_a_friend_asks_for_and_is_not_there_is_refused_by_name() {
    let mut responder = responder(Mode::Friends);
    let refused = |reply: Reply| match read(&reply) {
        Err(Failure::Refused { code, unknown, .. }) => (code, unknown),
        other => panic!("{other:?}"),
    };
    let reply = ask(&mut responder, ann(), &Request::with_token(token()).change_ip()).unwrap();
    assert_eq!(refused(reply), (420, vec![attributes::CHANGE_REQUEST]));
    responder.set_ports(Outside::default(), None);
    let reply = ask(&mut responder, ann(), &Request::with_token(token()).change_port()).unwrap();
    assert_eq!(refused(reply), (420, vec![attributes::CHANGE_REQUEST]));
    let reply = ask(&mut responder, ann(), &Request::with_token(token())).unwrap();
    assert_eq!(read(&reply).unwrap().other, None);

    let token = token().0;
    for broken in [
        (attributes::CHANGE_REQUEST, &[0, 0][..]),
        (attributes::RESPONSE_PORT, &[0, 0, 0, 0]),
        (attributes::RESPONSE_PORT, &[1]),
        (attributes::WAYSIDE_ATTEST_CHECK, &[1; 23]),
        (attributes::WAYSIDE_ATTEST_CHECK, &[]),
    ] {
        let request = message(
            1,
            &[(attributes::WAYSIDE_TOKEN, &token), broken, (attributes::WAYSIDE_PADDING, &[0; 40])],
        );
        let reply = responder.respond(NOW, Port::First, ann(), &request).unwrap();
        assert_eq!((refused(reply.clone()), reply.to), ((400, vec![]), ann()), "{broken:?}");
    }
}

#[test]
fn anyone_gets_the_shortest_answer_there_is() {
    let mut responder = responder(Mode::Anyone);
    let reply = ask(&mut responder, ann(), &Request::plain()).unwrap();
    assert_eq!(reply.datagram.len(), 32);
    let expected = Answer { mapped: ann(), other: None, attestation: None, attested: false };
    assert_eq!(read(&reply).unwrap(), expected);
    // A token that is none is an attribute nobody knows.
    let reply = ask(&mut responder, ann(), &Request::with_token(Token([3; 8]))).unwrap();
    assert_eq!((reply.datagram.len(), read(&reply).unwrap()), (32, expected));
    let reply =
        ask(&mut responder, "[2001:db8::9]:9".parse().unwrap(), &Request::plain().fingerprint()).unwrap();
    assert_eq!(reply.datagram.len(), 52);
    // RFC 5780 is for friends.
    for request in
        [Request::plain().change_port(), Request::plain().response_port(53), Request::plain().change_ip()]
    {
        let reply = ask(&mut responder, ann(), &request).unwrap();
        assert!(matches!(read(&reply), Err(Failure::Refused { code: 420, .. })));
        assert_eq!((reply.via, reply.to), (Port::First, ann()));
    }
}

#[test]
fn unknown_attributes_are_named_but_not_without_end() {
    let mut responder = responder(Mode::Anyone);
    let many: Vec<(u16, &[u8])> = (0x7f00..0x7f30).map(|kind| (kind, &[][..])).collect();
    let request = message(1, &many);
    let reply = responder.respond(NOW, Port::First, ann(), &request).unwrap();
    let Err(Failure::Refused { code: 420, unknown, .. }) = read(&reply) else { panic!("not refused") };
    assert_eq!(unknown, (0x7f00..0x7f08).collect::<Vec<u16>>());
    assert!(reply.datagram.len() < request.len());
    // ICE's are unknown here, USERNAME and MESSAGE-INTEGRITY are known and pass for nothing.
    let login = message(1, &[(0x0006, b"ann"), (0x0008, &[0; 20])]);
    assert_eq!(read(&responder.respond(NOW, Port::First, ann(), &login).unwrap()).unwrap().mapped, ann());
}

#[test]
fn what_is_no_request_is_never_answered() {
    let mut responder = responder(Mode::Anyone);
    for kind in [0x0011, 0x0101, 0x0111] {
        let datagram = message(kind, &[]);
        assert_eq!(
            responder.respond(NOW, Port::First, ann(), &datagram),
            Err(Silence::NotRequest),
            "{kind:#x}"
        );
    }
    for other in
        [message(0x0003, &[]), Vec::new(), vec![0; 20], vec![0; 65_000], message(1, &[])[..19].to_vec()]
    {
        assert_eq!(responder.respond(NOW, Port::First, ann(), &other), Err(Silence::NotBinding));
    }
    for nobody in ["198.51.100.1:0", "0.0.0.0:5", "224.0.0.1:5", "[ff02::1]:5", "[::ffff:0.0.0.0]:5"] {
        let from = nobody.parse().unwrap();
        assert_eq!(ask(&mut responder, from, &Request::plain()), Err(Silence::NotRequest), "{nobody}");
    }
}

#[test]
fn forged_sources_do_not_get_more_than_the_limits() {
    let mut responder = responder(Mode::Anyone);
    let request = Request::plain().encode(ID);
    let mut answered = 0;
    for n in 0..100_000_u32 {
        let from = SocketAddr::new(IpAddr::from((0x0100_0000 + n).to_be_bytes()), 5);
        answered += usize::from(responder.respond(NOW, Port::First, from, &request).is_ok());
    }
    assert_eq!(answered, 200);
    // One victim, and one network of IPv6, get their share of that.
    let mut responder = self::responder(Mode::Anyone);
    let one = |n: u32| {
        SocketAddr::new(
            "2001:db8:0:7::"
                .parse::<std::net::Ipv6Addr>()
                .map(|ip| (ip.to_bits() + u128::from(n)).into())
                .map(IpAddr::V6)
                .unwrap(),
            5,
        )
    };
    let answered =
        (0..1000).filter(|n| responder.respond(NOW, Port::First, one(*n), &request).is_ok()).count();
    assert_eq!(answered, 10);
    assert!(responder.respond(NOW + Duration::from_secs(1), Port::First, one(0), &request).is_ok());
    // Friends are not among them: their budget is their own.
    let friend =
        (0..1000).filter(|_| ask(&mut responder, ann(), &Request::with_token(token())).is_ok()).count();
    assert_eq!(friend, 64);
    let ben = secret().token(NOW, b"ben");
    assert!(ask(&mut responder, ann(), &Request::with_token(ben)).is_ok());
    assert_eq!(ask(&mut responder, ann(), &Request::with_token(token())), Err(Silence::OverBudget));
}

#[test]
fn a_short_request_with_a_token_is_not_answered() {
    let mut responder = responder(Mode::Friends);
    let request = message(1, &[(attributes::WAYSIDE_TOKEN, &token().0)]);
    assert_eq!(responder.respond(NOW, Port::First, ann(), &request), Err(Silence::TooShort));
}

fn any_request() -> impl Strategy<Value = Request> {
    let check = proptest::option::of((any::<[u8; 16]>(), any::<[u8; 8]>()));
    (any::<[bool; 5]>(), 1..=u16::MAX, check).prop_map(
        |([fresh, ip, port, to, fingerprint], number, check)| {
            let mut request = Request::with_token(if fresh { token() } else { Token([0; 8]) });
            if ip {
                request = request.change_ip();
            }
            if port {
                request = request.change_port();
            }
            if to {
                request = request.response_port(number);
            }
            if fingerprint {
                request = request.fingerprint();
            }
            match check {
                Some((ip, mac)) => request.check(crate::secret::ip_from_bytes(ip), Attestation(mac)),
                None => request,
            }
        },
    )
}

proptest! {
    #[test]
    fn requests_read_as_they_were_written_and_are_of_one_length(request in any_request(), id in any::<[u8; 12]>()) {
        let datagram = request.encode(TransactionId(id));
        prop_assert_eq!(datagram.len(), TOKEN_REQUEST);
        let message = Message::read(&datagram).unwrap();
        prop_assert_eq!(message.id, TransactionId(id));
        prop_assert_eq!(Request::read(&message).unwrap(), request);
    }

    #[test]
    fn a_friend_never_gets_more_than_it_sent(request in any_request(), v6 in any::<bool>()) {
        let from = if v6 { "[2001:db8::9]:9".parse().unwrap() } else { ann() };
        match ask(&mut responder(Mode::Friends), from, &request) {
            Ok(reply) => {
                prop_assert!(reply.datagram.len() <= TOKEN_REQUEST);
                prop_assert_eq!(reply.to.ip(), from.ip());
            }
            Err(silence) => prop_assert_eq!(silence, Silence::BadToken),
        }
    }

    #[test]
    fn no_bytes_do_harm_behind_a_good_token(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut tail = tail;
        tail.truncate(tail.len() / 4 * 4);
        let mut datagram = message(1, &[(attributes::WAYSIDE_TOKEN, &token().0)]);
        datagram.extend(tail);
        let length = u16::try_from(datagram.len() - 20).unwrap().to_be_bytes();
        datagram[2..4].copy_from_slice(&length);
        if let Ok(reply) = responder(Mode::Friends).respond(NOW, Port::First, ann(), &datagram) {
            prop_assert!(reply.datagram.len() <= datagram.len());
        }
    }
}
