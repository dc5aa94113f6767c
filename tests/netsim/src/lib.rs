//! A made-up internet for the traversal of NATs: a pure, seeded network with NATs of every kind, two peers that each run a
//! [`Traversal`](wayside_path::traversal::Traversal), and an oracle that says beforehand which meetings can succeed.
//!
//! # The model
//!
//! ```text
//!   seed ──> Axes ──> World: core ── routers ── carrier's NAT ── home's NAT ── switch ── host     (network, nat, world, transcript)
//!             │         │
//!             │         └──> Meeting: two Agents, friends that tell what they see, a slow bridge  (agent, meeting)
//!             │                 └──> what happened, packet by packet: the transcript
//!             └──> Ruling: possible, how and how soon, or why not                                 (oracle, front)
//! ```
//!
//! Nothing here does I/O or reads a clock: one seed gives the same run, event by event. `WAYSIDE_NETSIM_SEED=n` replays one seed in every
//! property, `WAYSIDE_NETSIM_SEEDS=n` says how many are drawn. What fails prints its seed, the axes, the ruling and the transcript.

pub mod agent;
pub mod axes;
pub mod check;
pub mod front;
pub mod meeting;
pub mod nat;
pub mod network;
pub mod oracle;
pub mod probe;
pub mod random;
pub mod transcript;
pub mod world;
