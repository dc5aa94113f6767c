//! What of STUN is fuzzed: requests as a responder reads them, answers as a client does; as they are, and as attributes behind a header that is right.

use std::time::Duration;

use wayside_stun::attributes::WAYSIDE_TOKEN;
use wayside_stun::{
    Ask, Client, HEADER, Limits, Mode, Port, Request, Responder, Secret, Socket, TransactionId, is_stun,
};

/// A function that takes anything, and says whether it was what it should be: at least one file of each corpus is.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the names of their corpora.
pub const ALL: &[(&str, Target)] = &[("stun_answer", answer), ("stun_request", request)];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or where it finds something.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) =
        ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    target(data)
}

const NOW: Duration = Duration::from_secs(1_900_000_000);
const ID: TransactionId = TransactionId([9; 12]);

/// The attributes of a request: without a token, behind one that is good, and as a whole message.
fn request(data: &[u8]) -> bool {
    let from = "198.51.100.1:40000".parse().unwrap();
    let secret = Secret::new([7; 32]);
    let token = [&WAYSIDE_TOKEN.to_be_bytes()[..], &[0, 8], &secret.token(NOW, b"ann").0].concat();
    let mut good = false;
    for datagram in [data.to_vec(), message(0x0001, data), message(0x0001, &[&token, data].concat())] {
        for mode in [Mode::Friends, Mode::Anyone] {
            let mut responder = Responder::new(mode, secret.clone(), Limits::default());
            let Ok(reply) = responder.respond(NOW, Port::First, from, &datagram) else { continue };
            assert!(is_stun(&reply.datagram) && is_stun(&datagram));
            assert_eq!(reply.to.ip(), from.ip());
            // The address and a fingerprint, or the names of eight attributes, are all that anyone gets for less.
            assert!(reply.datagram.len() <= datagram.len().max(HEADER + 8 + 20 + 8));
            if mode == Mode::Friends {
                assert!(reply.datagram.len() <= datagram.len());
                good = true;
            }
        }
    }
    good
}

/// The attributes of an answer: to a success, to an error, and as a whole message.
fn answer(data: &[u8]) -> bool {
    let server = "203.0.113.5:3478".parse().unwrap();
    let mut good = false;
    for datagram in [data.to_vec(), message(0x0101, data), message(0x0111, data)] {
        let mut client = Client::default();
        client.start(NOW, ID, Ask::new(Socket(0), server, Request::plain())).unwrap();
        if client.received(Socket(0), server, &datagram) {
            let (id, outcome) = client.poll_outcome().expect("what was taken has an outcome");
            assert_eq!((id, client.poll_timeout()), (ID, None));
            good |= outcome.is_ok();
        }
    }
    good
}

fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
    let body = attributes.get(..attributes.len().min(65_532) / 4 * 4).unwrap_or_default();
    let length = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &[0x21, 0x12, 0xa4, 0x42], &ID.0, body].concat()
}
