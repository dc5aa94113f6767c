//! Our client against coturn, and other people's clients against our responder, on loopback.
//!
//! What is not installed is skipped, and said so; with `WAYSIDE_STUN_SERVERS=1`, as `tests/run stun` sets it, a skip is a failure.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is around the pure crate is not pure"
)]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Asker, Guard, Served, free_ports, program, run};
use wayside_stun::lifetime::{LONGEST, PRECISION, Step};
use wayside_stun::{
    Answer, Ask, Behaviour, Failure, Filtering, Lifetime, Limits, Mapping, Measured, Mode, Request,
    Responder, Secret, Seen, Socket, Token, Tried, attributes,
};

const SUBJECT: Socket = Socket(0);
const WITNESS: Socket = Socket(1);

/// coturn as a STUN server of RFC 5780, which needs two addresses with two ports each. The folder holds its files until it has ended.
struct Coturn {
    _process: Guard,
    _folder: tempfile::TempDir,
    primary: SocketAddr,
    other: SocketAddr,
}

fn coturn() -> Option<Coturn> {
    let turnserver = program("turnserver", "coturn")?;
    let folder = tempfile::tempdir().unwrap();
    let (port, alternative) = free_ports();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let configuration = format!(
        "listening-ip=127.0.0.1\nlistening-ip=127.0.0.2\nlistening-port={port}\nalt-listening-port={alternative}\n\
         stun-only\nno-tls\nno-dtls\nno-cli\nallow-loopback-peers\nuserdb={}\npidfile={}\nlog-file={}\nsimple-log\n",
        file("db"),
        file("pid"),
        file("log")
    );
    std::fs::write(file("conf"), configuration).unwrap();
    let process = Command::new(turnserver)
        .args(["-c", &file("conf")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let coturn = Coturn {
        _process: Guard(process),
        _folder: folder,
        primary: SocketAddr::from(([127, 0, 0, 1], port)),
        other: SocketAddr::from(([127, 0, 0, 2], alternative)),
    };
    // It may take a moment, which the retransmissions bridge.
    let mut asker = Asker::new(1);
    for server in [coturn.primary, coturn.other] {
        let up = (0..3).any(|_| asker.ask(Ask::new(SUBJECT, server, Request::plain())).is_ok());
        assert!(up, "coturn does not answer at {server}");
    }
    Some(coturn)
}

#[test]
fn coturn_tells_where_we_are_seen_from() {
    let Some(coturn) = coturn() else { return };
    let mut asker = Asker::new(1);
    // A token is nothing to it, and does no harm.
    let token = Token([7; 8]);
    let check =
        Request::with_token(token).check(IpAddr::from([127, 0, 0, 1]), wayside_stun::Attestation([1; 8]));
    for request in
        [Request::plain(), Request::plain().fingerprint(), Request::with_token(token), check.fingerprint()]
    {
        let answer = asker.ask(Ask::new(SUBJECT, coturn.primary, request)).unwrap();
        let expected = Answer {
            mapped: asker.local(SUBJECT),
            other: Some(coturn.other),
            attestation: None,
            attested: false,
        };
        assert_eq!(answer, expected);
    }
}

#[test]
fn behaviour_is_measured_with_coturn() {
    let Some(coturn) = coturn() else { return };
    let mut asker = Asker::new(1);
    let local = asker.local(SUBJECT).port();
    let mut behaviour = Behaviour::new([IpAddr::from([127, 0, 0, 1])]);
    // Filtering first: as long as nothing was sent elsewhere.
    for (request, from) in [
        (Request::plain().change_port(), SocketAddr::new(coturn.primary.ip(), coturn.other.port())),
        (Request::plain().change_ip().change_port(), coturn.other),
    ] {
        let ask = Ask { answer_from: from, ..Ask::new(SUBJECT, coturn.primary, request) };
        let answer = asker.ask(ask);
        behaviour.tried(Tried { local, asked: coturn.primary, from, came: answer.is_ok() });
    }
    for server in [coturn.primary, SocketAddr::new(coturn.primary.ip(), coturn.other.port()), coturn.other] {
        let mapped = asker.ask(Ask::new(SUBJECT, server, Request::plain())).unwrap().mapped;
        behaviour.seen(Seen { local, server, mapped });
    }
    assert_eq!((behaviour.mapping(), behaviour.filtering()), (Mapping::None, Filtering::EndpointIndependent));
}

/// Runs the measurement with a friend or a server on loopback, where mappings last for ever and time can be made up.
fn measure(server: SocketAddr, request: &Request) -> Result<Measured, wayside_stun::Unmeasured> {
    let mut asker = Asker::new(2);
    let mut lifetime = Lifetime::default();
    let mut now = Duration::ZERO;
    loop {
        match lifetime.poll_step() {
            Some(Step::Bind) => match asker.ask(Ask::new(SUBJECT, server, request.clone())) {
                Ok(answer) => lifetime.bound(now, answer.mapped),
                Err(_) => lifetime.failed(),
            },
            Some(Step::Check { response_port }) => {
                let request = request.clone().response_port(response_port);
                let ask = Ask { answer_via: SUBJECT, ..Ask::new(WITNESS, server, request) };
                lifetime.checked(asker.ask(ask).is_ok());
            }
            None => {
                if let Some(outcome) = lifetime.outcome() {
                    return outcome;
                }
                now = lifetime.poll_timeout().unwrap();
                lifetime.handle_timeout(now);
            }
        }
    }
}

#[test]
fn a_lifetime_is_measured_with_coturn_and_with_a_friend() {
    let secret = Secret::new([3; 32]);
    let token = secret.token(Duration::ZERO, b"ann");
    let friend = Served::new(Responder::new(Mode::Friends, secret, Limits::default()), |datagram| datagram);
    let Measured { at_least, less_than } = measure(friend.first, &Request::with_token(token)).unwrap();
    assert!(at_least >= LONGEST - PRECISION && less_than.is_none());

    let Some(coturn) = coturn() else { return };
    let Measured { at_least, less_than } = measure(coturn.primary, &Request::plain()).unwrap();
    assert!(at_least >= LONGEST - PRECISION && less_than.is_none());
}

#[test]
fn a_friend_answers_from_and_to_other_ports() {
    let secret = Secret::new([3; 32]);
    let token = secret.token(Duration::ZERO, b"ann");
    let friend = Served::new(Responder::new(Mode::Friends, secret, Limits::default()), |datagram| datagram);
    let mut asker = Asker::new(2);
    let request = Request::with_token(token);
    let answer = asker.ask(Ask::new(SUBJECT, friend.first, request.clone())).unwrap();
    assert_eq!((answer.mapped, answer.other), (asker.local(SUBJECT), Some(friend.second)));
    let elsewhere = Ask {
        answer_from: friend.second,
        answer_via: WITNESS,
        ..Ask::new(SUBJECT, friend.first, request.change_port().response_port(asker.local(WITNESS).port()))
    };
    assert_eq!(asker.ask(elsewhere).unwrap().mapped, asker.local(SUBJECT));
    let stranger = asker.ask(Ask::new(SUBJECT, friend.first, Request::plain()));
    assert!(matches!(stranger, Err(Failure::TimedOut { sent: 3 })), "{stranger:?}");
}

fn anyone() -> Served {
    Served::new(Responder::new(Mode::Anyone, Secret::new([3; 32]), Limits::default()), |datagram| datagram)
}

#[test]
fn coturns_client_is_answered() {
    let Some(stunclient) = program("turnutils_stunclient", "coturn") else { return };
    let server = anyone();
    let port = server.first.port().to_string();
    let said = run(&stunclient, &["-p", &port, "127.0.0.1"]);
    assert!(said.contains("UDP reflexive addr: 127.0.0.1:"), "{said}");
}

/// RFC 5780 as coturn's discovery speaks it, with a token put into its requests on the way, as it has none.
#[test]
fn coturns_discovery_finds_a_lifetime_with_a_friends_responder() {
    let Some(discovery) = program("turnutils_natdiscovery", "coturn") else { return };
    let secret = Secret::new([3; 32]);
    let token = secret.token(Duration::ZERO, b"ann");
    let server = Served::new(Responder::new(Mode::Friends, secret, Limits::default()), move |datagram| {
        with_token(&datagram, token)
    });
    let port = server.first.port().to_string();
    let said = run(&discovery, &["-t", "-T", "1", "-p", &port, "127.0.0.1"]);
    // The second answer is to RESPONSE-PORT.
    assert!(said.contains("RFC 5780 response 2"), "{said}");
    assert!(said.contains(&format!("Other addr: : {}", server.second)), "{said}");
}

fn with_token(datagram: &[u8], token: Token) -> Vec<u8> {
    let mut longer = datagram.to_vec();
    for (kind, value) in [(attributes::WAYSIDE_TOKEN, &token.0[..]), (attributes::WAYSIDE_PADDING, &[0; 64])]
    {
        longer.extend(kind.to_be_bytes());
        longer.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        longer.extend(value);
    }
    let length = u16::try_from(longer.len() - 20).unwrap().to_be_bytes();
    longer[2..4].copy_from_slice(&length);
    longer
}

/// Debian's stun-client speaks RFC 3489, without the cookie by which STUN is told from a link's datagrams: it hears nothing. Here so that nobody
/// wonders.
#[test]
fn a_client_of_rfc_3489_is_not_answered() {
    let Some(stun) = program("stun", "stun-client") else { return };
    let server = anyone();
    let said = run(&stun, &[&server.first.to_string()]);
    assert!(said.contains("Blocked or could not reach STUN server"), "{said}");
    // And yet it works, with a server of the old kind.
    let Some(coturn) = coturn() else { return };
    let said = run(&stun, &[&coturn.primary.to_string()]);
    assert!(said.contains("Primary: Open"), "{said}");
}
