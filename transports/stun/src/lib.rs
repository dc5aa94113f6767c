//! STUN without sockets: asking where one is seen from, answering friends who ask, and telling what a NAT does.
//!
//! # The model
//!
//! A machine behind a NAT cannot see its own outside address. A *server* that receives a datagram sees it, and says so: that is a STUN Binding
//! transaction (RFC 8489). Wayside has no servers of its own; a *friend* whose owner allows it answers instead, to other friends or to anyone.
//!
//! ```text
//!  Client      start, received, handle_timeout ──> poll_transmit, poll_outcome, poll_timeout
//!  Responder   respond(datagram) ───────────────> a Reply, or the reason for Silence
//!  Behaviour   seen, tried ──────────────────────> mapping, filtering, allocation
//!  Lifetime    bound, checked, handle_timeout ───> poll_step, outcome
//! ```
//!
//! - **[`Client`]** runs transactions: retransmissions, and answers that count by id, sender and socket.
//! - **[`Responder`]** answers with at most as many bytes as a friend has sent, and as few as the standard allows to anyone else. A friend shows a
//!   [`Token`]; without one, in [`Mode::Friends`], nobody learns that there is a responder at all. It can say more to friends than an address: its
//!   word on that address ([`Attestation`]), and answers from another port or to another port (RFC 5780).
//! - **[`Behaviour`]** tells from several answers how the NAT maps and filters, and how it chooses ports.
//! - **[`Lifetime`]** measures how long a mapping lives in silence.
//! - **[`is_stun`]** tells STUN from QUIC on one socket.
//!
//! # Pure
//!
//! No socket, no clock, no randomness. Time is the [`Duration`](std::time::Duration) since any fixed moment, ids and secrets are handed in.
//!
//! # What tokens and attestations are
//!
//! Both are truncated HMACs under the responder's [`Secret`], so that nothing is stored for a friend and nothing is taken from one that forges. A
//! token is made for a friend's id and counts for one to two weeks ([`TOKEN_PERIOD`]). An attestation is of an IP address and counts for
//! one to two hours ([`ATTEST_PERIOD`]): its holder has received packets there. Another friend of the responder may ask it whether it is good.
//!
//! Neither is authentication of anything else. STUN is in the clear: whoever is on the way reads tokens, and can forge answers. An address that was
//! learnt is a candidate, to be tried with a link's own cryptography.
//!
//! # Not here
//!
//! Sockets, DNS, TURN, STUN over TCP and TLS, credentials (MESSAGE-INTEGRITY), clients of RFC 3489 that send no magic cookie.
//!
//! # Example
//!
//! A friend asks over a network that is a function call, and shows the answer's attestation to a third.
//!
//! ```
//! use std::time::Duration;
//! use wayside_stun::{Ask, Client, Limits, Mode, Port, Request, Responder, Secret, Socket, TransactionId};
//!
//! let now = Duration::from_secs(1_000_000);
//! let secret = Secret::new([7; 32]);
//! let token = secret.token(now, b"the account of Ann");
//! let mut responder = Responder::new(Mode::Friends, secret, Limits::default());
//!
//! let server = "203.0.113.5:4242".parse().unwrap();
//! let mut client = Client::default();
//! let id = TransactionId([1; 12]); // twelve random bytes, in earnest
//! client.start(now, id, Ask::new(Socket(0), server, Request::with_token(token))).unwrap();
//!
//! let request = client.poll_transmit().unwrap();
//! let outside = "198.51.100.9:40001".parse().unwrap(); // what the NAT made of it
//! let reply = responder.respond(now, Port::First, outside, &request.datagram).unwrap();
//! assert_eq!(reply.to, outside);
//! assert!(reply.datagram.len() <= request.datagram.len());
//!
//! assert!(client.received(Socket(0), server, &reply.datagram));
//! let (_, answer) = client.poll_outcome().unwrap();
//! let answer = answer.unwrap();
//! assert_eq!(answer.mapped, outside);
//! let attestation = answer.attestation.unwrap();
//!
//! // Somebody else who knows the responder has it checked.
//! let check = Request::with_token(token).check(outside.ip(), attestation).encode(TransactionId([2; 12]));
//! let other = "192.0.2.77:5000".parse().unwrap();
//! assert!(responder.respond(now, Port::First, other, &check).is_ok());
//!
//! // A stranger hears nothing.
//! assert!(responder.respond(now, Port::First, other, &Request::plain().encode(TransactionId([3; 12]))).is_err());
//! ```

mod answer;
pub mod attributes;
mod behaviour;
mod budget;
mod client;
pub mod lifetime;
mod ports;
mod request;
mod responder;
mod secret;
mod wire;

pub use answer::{Answer, Failure};
pub use behaviour::{Behaviour, Filtering, MOST_OBSERVATIONS, Mapping, Seen, Tried};
pub use budget::Rate;
pub use client::{Ask, Client, MOST_TRANSACTIONS, Patience, Socket, StartError, Transmit};
pub use lifetime::{Lifetime, Measured, Unmeasured};
pub use ports::Allocation;
pub use request::{Request, TOKEN_REQUEST};
pub use responder::{Limits, Mode, Outside, Port, Reply, Responder, Silence};
pub use secret::{ATTEST_PERIOD, Attestation, Secret, TOKEN_PERIOD, Token};
pub use wire::{HEADER, LONGEST, TransactionId, is_stun};
