//! A drop for everybody on a machine with a public address (`[rendezvous] listen`): two people who know its address leave each other sealed records there, and need not be
//! friends of its owner's.
//!
//! ```text
//!  stranger ──HTTP──> http ── ask (what it wants) ──> host ── budget, shelf (within bounds) ──> disk, once a second
//!  stranger ──UDP───> stun
//! ```
//!
//! `ask`, `budget`, `shelf` and `source` do no I/O. What a stranger can make this machine hold is bounded everywhere: records and bytes a source, a space and in all, bytes a
//! second, connections, heads, bodies, and the time that each may take.

#[cfg(not(feature = "rendezvous"))]
mod absent;
#[cfg(feature = "rendezvous")]
mod ask;
#[cfg(feature = "rendezvous")]
mod budget;
#[cfg(feature = "rendezvous")]
mod disk;
#[cfg(feature = "rendezvous")]
mod host;
#[cfg(feature = "rendezvous")]
mod http;
#[cfg(feature = "rendezvous")]
mod serve;
#[cfg(feature = "rendezvous")]
mod shelf;
#[cfg(feature = "rendezvous")]
mod source;
#[cfg(feature = "rendezvous")]
mod stun;

#[cfg(not(feature = "rendezvous"))]
pub(crate) use absent::Rendezvous;
#[cfg(feature = "rendezvous")]
pub(crate) use serve::Rendezvous;
