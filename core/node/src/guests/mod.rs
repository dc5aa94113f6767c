//! Guests: links by which nobody shows who comes. Friends come so to those who forward ([`relays`](crate::relays)), and whoever leaves mail to those who keep it
//! ([`doors`](crate::doors)); both have their own keys, and say who may do what.
//!
//! ```text
//!   the host                                              the guest
//!     entrance: what the endpoint lets in by     <════      visit: dials, and keeps the link while anybody uses it
//!     here: who is in, with bounds, until nothing is asked for
//! ```

pub(crate) mod entrance;
pub(crate) mod here;
pub(crate) mod visit;
