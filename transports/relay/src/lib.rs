//! A friend's datagrams, forwarded: frames, circuits, what the owner allows, fair queues, and no sockets.
//!
//! # The model
//!
//! Ann and Bob cannot reach each other, and both have a friend, Rita, who lends them her connection. Each has a link with her and asks her for an *end*;
//! the two ends that name one *tag* become a *circuit*. What Ann sends to her end comes out at Bob's, datagram by datagram, as it would over UDP. Rita
//! sees how much and when, and nothing of what is inside.
//!
//! ```text
//!   Ann                        Rita: Switch                        Bob
//!   seal_all ──> frames ──> arrived ─ … ─> poll_transmit ──> frames ──> open
//!         Ann's number,                           Bob's number,
//!         Ann's key up                            Bob's key down
//! ```
//!
//! - **A frame** is a number, a MAC of 8 bytes and a datagram ([`HEADER`]). [`may_be_frame`] tells it from QUIC and STUN on one socket; whose it is shows
//!   when its circuit is known and its MAC right ([`circuit_of`], [`open()`]).
//! - **[`Switch`]** is the relay. Frames that came together go out together, so that one call of the system sends them all.
//! - **[`Limits`]** are what Rita allows: rates, months and numbers of circuits, for all together and for each friend. What an end sends is its
//!   [`Owner`]'s. Lower ones count at once.
//! - **[`Usage`]** is what was forwarded this calendar month. Rita stores it, and hands it back after a restart.
//! - **[`Reason`]** says why there is no circuit, or none any more, on the wire and in words; a [`Refusal`] also when it is worth asking again.
//!
//! # Who gets what
//!
//! Owners take turns, and within an owner its circuits: deficit round robin, by bytes. Nobody's share depends on how much, how often, in how large
//! batches or over how many circuits another one sends. What waits is bounded for each owner and for all; what does not fit is lost by the longest queue.
//! A circuit at rest takes some 640 bytes.
//!
//! # What a MAC of the first bytes is for
//!
//! Whoever is not on the way can neither make a relay forward anything nor make an end listen to anything. Whoever is can copy a whole frame, and so
//! the MAC need not be over all of it: the datagram is QUIC's, and authenticated from end to end. A copy is forwarded, spends what its sender may
//! send, and is thrown away at the other end.
//!
//! # Pure
//!
//! No socket, no clock, no randomness. Time comes as [`Now`], numbers and keys from a seed.
//!
//! # Not here
//!
//! Who may open a circuit, and over which stream it is asked for; which link an end is reached by at the moment (`V` names it, and nothing more);
//! congestion control, which the two ends have between them. A relay never asks anybody for more, or for less.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use wayside_relay::{HEADER, Limits, Now, Owner, Reason, Switch, Tag, Usage, open, seal_all};
//!
//! // A hundred megabytes a month for each friend.
//! let limits = Limits { friend_month: Some(100 << 20), ..Limits::default() };
//! let mut switch = Switch::new(limits, Usage::default(), [7; 32]); // 32 random bytes, in earnest
//! let now = Now { since: Duration::ZERO, unix: 1_795_651_200 };
//!
//! // Ann comes over link 1 and waits, Bob over link 2, and they are joined.
//! let tag = Tag([9; 16]); // both have derived it
//! let ann = switch.open(now, Owner([1; 32]), 1, tag).unwrap();
//! assert_eq!(ann.joined, None);
//! let bob = switch.open(now, Owner([2; 32]), 2, tag).unwrap();
//! assert_eq!(bob.joined, Some((1, ann.circuit)));
//!
//! // Ann sends two datagrams at once.
//! let mut frames = Vec::new();
//! let segment = seal_all(&ann.keys.up, ann.circuit, b"hello Bob, it is Ann", 10, &mut frames);
//! assert_eq!(segment, HEADER + 10);
//! assert_eq!(switch.arrived(&frames, segment), frames.len());
//!
//! // Rita has them for link 2, under Bob's number and key.
//! let sent = switch.poll_transmit(now).unwrap();
//! assert_eq!((sent.via, sent.segment), (2, segment));
//! let read: Vec<_> = sent.contents.chunks(sent.segment).map(|frame| open(&bob.keys.down, frame).unwrap()).collect();
//! assert_eq!(read, [&b"hello Bob,"[..], b" it is Ann"]);
//!
//! // A third one does not get in between.
//! let refusal = switch.open(now, Owner([3; 32]), 3, tag).unwrap_err();
//! assert_eq!(refusal.reason, Reason::Taken);
//! ```

mod batch;
mod bucket;
mod circuits;
mod frame;
mod limits;
mod queue;
mod reason;
mod switch;
mod usage;

pub use frame::{CircuitId, HEADER, Key, Keys, LONGEST, circuit_of, header, may_be_frame, open, seal_all};
pub use limits::{Limits, OVERHEAD};
pub use reason::{Reason, Refusal};
pub use switch::{Count, Ended, Now, Opened, Owner, Switch, Tag, Transmit};
pub use usage::{Month, Usage};
