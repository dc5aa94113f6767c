//! The link: QUIC whose handshake and keys are Noise, over UDP, TCP and tunnels, silent towards strangers.
//!
//! # The model
//!
//! Two devices that know each other's static X25519 key, and share a gate key and a pre-shared key, *link*. One side
//! [expects](Endpoint::expect) the other, which [connects](Endpoint::connect) to whatever addresses it was told. There are no
//! certificates, no names and no ports that mean something: the first datagram says, to whoever holds the gate key and to
//! nobody else, which pair it is about.
//!
//! ```text
//!   UDP, TCP, tunnels ──> gate ──> QUIC (noq) ──> Link: streams, datagrams
//!                          │         │
//!                          │         └─ crypto traits <── adapter <── core: Noise, key schedule, packets
//!                          └─ verifies message 1, or drops without a word
//! ```
//!
//! - An [`Endpoint`] is a device's sockets. It may serve and dial at once.
//! - An [`Expectation`] is whom we link with, under which secrets: one device, or as a server also [any device](Whom::Anyone) that has the
//!   secrets, or [guests](Whom::Guests) who have them and stay nameless. As a server it opens a *gate* until it is [forgotten](Endpoint::forget).
//! - A [`Meeting`] is for two that are behind NATs and have told each other where they may be: both [ask each other](Endpoint::meet) for answers, with sealed probes, until
//!   they get through; then one [links](Meet::link) over what was reached. What is asked where and when is `wayside-path`'s [`traversal`].
//! - A [`Link`] carries [streams](Stream) that name the protocol they speak, and datagrams. It has several [paths](Link::paths) at a time and leaves
//!   a dead one for one that answers; `wayside-path` decides.
//!
//! QUIC by itself answers strangers: with version negotiation, stateless resets, Retry and closes. Here the gate sits in front of
//! it and verifies the whole first message before the QUIC state machine hears of it. Everything later is addressed to ids
//! that this endpoint chose and recognises.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use wayside_noise::{Endpoint, EndpointConfig, Expectation, Kem, SessionId, StaticKey, Whom};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In earnest all four secrets come from a meeting, and the keys from a generator.
//! let (alice, bob) = (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]));
//! let expectation = |peer: &StaticKey| Expectation {
//!     session: SessionId([0; 16]),
//!     whom: Whom::Device(peer.public()),
//!     gate: [3; 32].into(),
//!     psk: [4; 32].into(),
//!     kem: Kem::None,
//! };
//! let (of_alice, of_bob) = (expectation(&alice), expectation(&bob));
//!
//! let loopback = ["127.0.0.1:0".parse()?];
//! let alice = Endpoint::bind(&loopback, alice, EndpointConfig::default()).await?;
//! let bob = Endpoint::bind(&loopback, bob, EndpointConfig::default()).await?;
//!
//! // Bob opens his gate for Alice, and echoes the first stream.
//! bob.expect(of_alice);
//! let candidates = bob.local_addresses();
//! let echo = tokio::spawn(async move {
//!     let link = bob.accept().await.expect("open");
//!     let (protocol, mut stream) = link.accept().await.expect("a stream");
//!     assert_eq!(protocol, "example/echo");
//!     tokio::io::copy(&mut stream.recv, &mut stream.send).await.expect("copies");
//!     stream.send.finished().await.expect("arrives");
//! });
//!
//! let link = alice.connect(of_bob, &candidates, Duration::from_secs(10)).await?;
//! let mut stream = link.open("example/echo").await?;
//! stream.send.write_all(b"hello").await?;
//! stream.send.finish();
//! let mut answer = String::new();
//! stream.recv.read_to_string(&mut answer).await?;
//! assert_eq!(answer, "hello");
//! # echo.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Protocol notes
//!
//! Section 16 of `docs/PROTOCOL.md` is the specification. Decisions that it gives reasons for:
//!
//! - **The tag needs no clock.** It is a MAC under the gate key over the random part of the same id, not over the hour: clocks
//!   may be a day apart. Unlike a tag that stays the same for a session, it links no two tries for an observer. It costs one
//!   HMAC per open gate for each first datagram with an unknown tag.
//! - **A replayed first message draws no answer** while it is remembered: the last 4,096 a gate, in one run of
//!   the process, and for 64 gates that were forgotten, in case they are opened again. After a restart a standing gate may answer a copy once, with
//!   the server's first flight; nothing can be made of that.
//! - **The cipher is agreed on inside the handshake**, where nobody can change it: AES-256-GCM where both processors accelerate it, else
//!   ChaCha20-Poly1305. [`Ciphers`] can rule the former out.
//! - **ML-KEM-768 beside X25519** is a [choice of both sides](Kem) beforehand. Its first message takes two datagrams; the gate holds them until the
//!   whole of it verifies, so that there is no answer to half of one.
//! - **The client chooses.** When several candidates complete, a mark on the chosen connection tells the server which; only
//!   that one comes out of [`Endpoint::accept`].
//! - **Nobody reads another's close.** Initial packets are keyed by the gate key, so that an observer can neither read nor
//!   forge them, and cannot end a handshake.
//!
//! # Not here
//!
//! - Finding addresses, relaying: candidates and tunnels are told to it.
//! - Which side dials: the caller decides. Where both dial a session that both expect, one link survives.
//! - Where the secrets come from, and how long they live.
//! - Hiding that this protocol is spoken: the version number is in the clear.
//! - 0-RTT. What it carries could be replayed.

mod adapter;
mod config;
mod core;
mod endpoint;
mod error;
mod expectation;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod link;
mod mtu;
mod network;
#[cfg(feature = "quinn")]
pub mod quinn;
mod remote;
mod secret;
mod seldom;
mod socket;
mod stream;

pub use config::{Congestion, EndpointConfig};
pub use core::cipher::Ciphers;
pub use endpoint::{Endpoint, Measured, Meet, Meeting, Relay, Renewal, StunPolicy, StunServer};
pub use error::{Attempt, CloseReason, LinkError};
pub use expectation::{Expectation, Kem, Whom};
pub use link::{Link, LinkEvent, LinkStats, MAX_PROTOCOL_NAME, PathView};
pub use remote::Remote;
pub use secret::{Secret32, SessionId, StaticKey};
pub use socket::{
    Network,
    circuits::Circuit,
    forward::RelayEvent,
    memory::MemoryNetwork,
    route::TunnelId,
    talk::MeetEvent,
    tunnel::{Tunnel, TunnelInlet},
};
pub use stream::{RecvStream, SendStream, Stream};
pub use wayside_path::{Budget, Candidate, CandidateKind, Filtering, Kind, Mapping, Nat, traversal};
pub use wayside_stun::{
    Limits as StunLimits, Mode as StunMode, Outside as StunOutside, Rate as StunRate, Secret as StunSecret,
};
