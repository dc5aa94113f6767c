#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use tokio::{net::UdpSocket, time::timeout};
use wayside_stun::TransactionId;

use super::*;
use crate::{EndpointConfig, StaticKey};

/// Longer than an answer on loopback takes.
const SILENCE: Duration = Duration::from_millis(150);

async fn endpoint(key: u8) -> Endpoint {
    let loopback = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    Endpoint::bind(&loopback, StaticKey::from_bytes([key; 32]), EndpointConfig::default()).await.unwrap()
}

fn policy(whom: Mode) -> StunPolicy {
    StunPolicy::new(whom, Secret::new([9; 32]))
}

/// Somebody with a socket, and what came to it.
struct Asker(UdpSocket);

impl Asker {
    async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    async fn hears(&self, server: SocketAddr, request: &Request) -> Option<(Vec<u8>, SocketAddr)> {
        self.0.send_to(&request.encode(TransactionId([5; 12])), server).await.unwrap();
        let mut buffer = [0; 2048];
        let (length, from) = timeout(SILENCE, self.0.recv_from(&mut buffer)).await.ok()?.unwrap();
        Some((buffer[..length].to_vec(), from))
    }
}

#[tokio::test]
async fn a_stranger_hears_nothing_unless_anyone_is_answered() {
    let server = endpoint(1).await;
    let (at, asker) = (server.local_addresses()[0], Asker::new().await);
    let friends = policy(Mode::Friends);
    let token = Token(friends.token(b"ann"));
    let plain = Request::plain();
    let wrong = Request::with_token(Token([1; 8]));
    let right = Request::with_token(token);
    for request in [&plain, &wrong, &right] {
        assert_eq!(asker.hears(at, request).await, None, "switched off");
    }
    let second = server.respond_stun(Some(friends));
    assert_eq!(second.len(), 2, "one a family");
    for at in [at, second[0]] {
        for request in [&plain, &wrong] {
            assert_eq!(asker.hears(at, request).await, None, "a stranger");
        }
        assert_eq!(asker.hears(at, &right).await.unwrap().1, at, "a friend");
    }
    let moved = asker.hears(at, &right.clone().change_port()).await.unwrap().1;
    assert_eq!(moved, second[0], "from the other port, as was asked");
    assert_eq!(asker.hears(second[0], &right.clone().change_port()).await.unwrap().1, at, "and back");
    assert_eq!(server.respond_stun(Some(policy(Mode::Anyone))), second, "they stay");
    assert_eq!(asker.hears(at, &plain).await.unwrap().1, at);
    assert!(server.respond_stun(None).is_empty());
    for request in [&plain, &right] {
        assert_eq!(asker.hears(at, request).await, None, "off again");
    }
    assert!(UdpSocket::bind(second[0]).await.is_ok(), "the second port is closed");
}

#[tokio::test]
async fn no_answer_is_longer_than_what_it_answers_or_leaves_a_closed_endpoint() {
    let server = endpoint(1).await;
    let (at, asker) = (server.local_addresses()[0], Asker::new().await);
    let policy = policy(Mode::Friends);
    let request = Request::with_token(Token(policy.token(b"ann"))).fingerprint();
    server.respond_stun(Some(policy));
    let (answer, _) = asker.hears(at, &request).await.unwrap();
    assert!(answer.len() <= request.encode(TransactionId([5; 12])).len());
    server.close("done").await;
    assert_eq!(asker.hears(at, &request).await, None);
}

#[tokio::test]
async fn two_endpoints_on_loopback_tell_each_other_where_they_are() {
    let (client, server) = (endpoint(1).await, endpoint(2).await);
    let policy = policy(Mode::Friends);
    let token = Some(policy.token(b"ann"));
    server.respond_stun(Some(policy));
    let server = StunServer { addresses: server.local_addresses(), token };
    let measured = client.measure(std::slice::from_ref(&server), true).await;
    let ours = client.local_addresses();
    let expected: Vec<_> = (0..2).map(|at| (ours[at], server.addresses[at], ours[at])).collect();
    assert_eq!(measured.seen, expected);
    assert_eq!(measured.second_ports.len(), 2);
    assert_eq!(measured.attestations.len(), 2);
    for ((_, mac), (_, _, seen)) in measured.attestations.iter().zip(&measured.seen) {
        assert!(client.attests(&server, seen.ip(), *mac).await);
        assert!(!client.attests(&server, seen.ip(), [0; 8]).await, "made up");
    }
    let stranger = StunServer { token: None, ..server.clone() };
    assert!(client.measure(&[stranger], false).await.seen.is_empty());
}

/// A server that lies.
async fn liar(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static, elsewhere: bool) -> SocketAddr {
    let (asked, other) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let at = asked.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = asked.recv_from(&mut buffer).await.unwrap();
            for datagram in answer(&buffer[..length]) {
                let from_where = if elsewhere { &other } else { &asked };
                from_where.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    at
}

/// A success response that says 192.0.2.9:4660 (RFC 8489, section 14.2).
fn success(id: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    message.extend_from_slice(id);
    message.extend_from_slice(&[0, 0x20, 0, 8, 0, 1, 0x12 ^ 0x21, 0x34 ^ 0x12]);
    message.extend([192, 0, 2, 9].iter().zip([0x21, 0x12, 0xa4, 0x42]).map(|(byte, key)| byte ^ key));
    message
}

async fn seen_by(server: SocketAddr) -> Vec<(SocketAddr, SocketAddr, SocketAddr)> {
    let client = endpoint(1).await;
    client.measure(&[StunServer { addresses: vec![server], token: None }], false).await.seen
}

#[tokio::test]
async fn an_answer_counts_by_its_id_and_by_whom_it_comes_from() {
    let honest = liar(|request| vec![success(&request[8..20])], false).await;
    assert_eq!(seen_by(honest).await[0].2, "192.0.2.9:4660".parse().unwrap());
    let other_id = liar(|_| vec![success(&[7; 12])], false).await;
    assert!(seen_by(other_id).await.is_empty(), "forged");
    let elsewhere = liar(|request| vec![success(&request[8..20])], true).await;
    assert!(seen_by(elsewhere).await.is_empty(), "from another address");
}

#[tokio::test]
async fn hostile_answers_come_to_nothing() {
    let garbage = liar(
        |request| {
            let whole = success(&request[8..20]);
            let mut all: Vec<_> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
            for at in 0..whole.len() {
                let mut changed = whole.clone();
                changed[at] ^= 0xff;
                // Another port or address would be a lie like any other.
                if !(26..32).contains(&at) {
                    all.push(changed);
                }
            }
            all
        },
        false,
    )
    .await;
    assert!(seen_by(garbage).await.is_empty());
    let echo = liar(|request| vec![request.to_vec()], false).await;
    assert!(seen_by(echo).await.is_empty());
    let nowhere = liar(
        |request| {
            let mut zero = success(&request[8..20]);
            // Port 0 under the key.
            (zero[26], zero[27]) = (0x21, 0x12);
            vec![zero]
        },
        false,
    )
    .await;
    assert!(seen_by(nowhere).await.is_empty());
}

#[tokio::test]
async fn a_link_does_not_mind_stun_beside_it() {
    let (client, server) = (endpoint(1).await, endpoint(2).await);
    let expectation = |key: u8| crate::Expectation {
        session: crate::SessionId([7; 16]),
        whom: crate::Whom::Device(StaticKey::from_bytes([key; 32]).public()),
        gate: [3; 32].into(),
        psk: [4; 32].into(),
        kem: crate::Kem::None,
    };
    server.expect(expectation(1));
    server.respond_stun(Some(policy(Mode::Anyone)));
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(expectation(2), &to, Duration::from_secs(10)), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let asked = StunServer { addresses: to, token: None };
    let measuring = client.measure(std::slice::from_ref(&asked), false);
    let sending = async {
        for _ in 0..100 {
            dialled.send_datagram(bytes::Bytes::from_static(&[7; 1000])).unwrap();
            accepted.datagram().await.unwrap();
        }
    };
    let (measured, ()) = tokio::join!(measuring, sending);
    assert_eq!(measured.seen.len(), 2);
}
