//! How two machines behind NATs get packets through to each other once they have met: what each asks where and when.
//!
//! # The model
//!
//! Both have told each other where they may be reached, over something slow. One *dials*: it begins when it has read the other's word. The
//! other *waits*: it began when it gave its word, some unknown time earlier. Each sends small sealed *questions* to the addresses that the other named;
//! whoever gets one answers it to where it came from, and asks back there. A pair of socket and address that has answered is *reached*.
//!
//! ```text
//!   peer, heard, attested ──> Traversal ──> Send, OpenSpares, Reached, Stuck, …
//!   handle_timeout        ──>    │
//!                                └────────> poll_timeout: when to call handle_timeout again
//! ```
//!
//! - **Doors** (`target.rs`): a NAT lets in who was written to. The side that waits writes to each address of the other, with so few hops that it
//!   arrives nowhere, and holds the door open; the side that dials then knocks.
//! - **Guesses** (`guess.rs`, `spares.rs`): where a NAT gives another port towards each destination, that side writes from many sockets, and the other tries
//!   ports: the next ones where they are given in order, else any.
//! - **Guard** ([`guard`]): what a peer names may be a third party's. Each machine gets a handful of questions at most until the peer has answered from it, and
//!   some get none.
//!
//! RFC 8445 has the reasoning for pairs and priorities; it takes a signalling channel of some milliseconds for granted, and tells both sides when to begin.

pub mod guard;
mod guess;
mod machine;
mod numbers;
mod spares;
mod target;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use self::guard::Surroundings;
pub use self::{
    guess::UNATTESTED,
    machine::Traversal,
    spares::{FEW, MANY},
    target::{FEW_HOPS, HANDFUL, NEAR_HANDFUL, PRIVATE_HANDFUL},
};
use crate::Nat;

/// Who begins when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Has read the other's word, and makes the link over what is reached.
    Dials,
    /// Has given its word, which the other may not have read yet.
    Waits,
}

/// A socket of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socket {
    /// One of those that everything goes over, by its place in [`Setup::sockets`].
    Own(usize),
    /// One that was opened for this meeting, numbered from zero; IPv4.
    Spare(u16),
}

/// What one side knows beforehand.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who begins when.
    pub role: Role,
    /// What our sockets are bound to.
    pub sockets: Vec<SocketAddr>,
    /// What there is around us.
    pub surroundings: Surroundings,
    /// What is in front of us.
    pub nat: Nat,
    /// For who waits: after about how long the other side has read our word.
    pub latency: Duration,
    /// Whether ports may be guessed at for this peer now ([`Budget`](crate::Budget)).
    pub may_guess: bool,
    /// What guesses are drawn from.
    pub seed: u64,
    /// Above which number our questions are counted: above those of an earlier meeting with the same secrets, such as before a restart, which the peer would
    /// take for copies.
    pub counted: u64,
}

/// What came from the peer, under the secrets of this meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It wants an answer with this number.
    Ask(u64),
    /// It got the question of this number, and saw it come from there.
    Answer {
        /// The question's.
        number: u64,
        /// Our address as the peer sees it.
        seen: SocketAddr,
    },
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be sent.
    Send(Transmit),
    /// Open so many sockets, and call [`Traversal::spares_opened`].
    OpenSpares(u16),
    /// No spare socket is needed any more, but those over which the peer was reached.
    CloseSpares,
    /// The peer answers.
    Reached(Reached),
    /// A run of guesses has begun.
    GuessingBegan,
    /// Find out whether somebody whom we trust knows that the peer is at this address, and call [`Traversal::attested`] if so.
    Verify(IpAddr),
    /// It does not work so far; it may yet.
    Stuck(Why),
}

/// A question or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Over which socket.
    pub socket: Socket,
    /// Where to.
    pub to: SocketAddr,
    /// Its number.
    pub number: u64,
    /// Whether it answers the peer's question of that number; else it is ours.
    pub is_answer: bool,
    /// After so many routers it may be dropped; `None` for the system's default.
    pub hops: Option<u8>,
}

/// A way on which the peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Over which socket.
    pub socket: Socket,
    /// At which address.
    pub remote: SocketAddr,
    /// How long it took.
    pub rtt: Duration,
    /// Our address, as the peer sees it.
    pub seen: SocketAddr,
}

/// Why the peer was not reached so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It named no address that may be asked.
    NoCandidate,
    /// It named none that is on the internet, and what it named does not answer: nobody has told it how it is seen from outside.
    NoPublicAddress,
    /// Both sides' NATs give ports that nobody can know.
    BothUnpredictable,
    /// Its NAT gives ports that would have to be guessed, and nobody whom we trust says that it is where it says.
    NotAttested,
    /// Its NAT gives ports that would have to be guessed, and that was done for it a moment ago.
    GuessedLately,
    /// Ports were guessed at, and none was hit.
    NotGuessed,
    /// Nothing answers.
    Silent,
}
