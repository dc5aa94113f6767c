//! A bot in a room that introduces members to one another: what is said to it, and what it says.
//!
//! It passes cards ([`Pointer`](crate::pointer::Pointer)) and nothing else, between members of the room, after both have said yes. What the two then say to each
//! other is a knock and all that comes of it, of which it sees nothing. An introduction between friends is another thing, with sealed messages over links
//! ([`introduction`](crate::introduction)).

mod notice;
mod person;
mod request;
#[cfg(test)]
mod words_tests;

pub use notice::{Notice, Unmet};
pub use person::Person;
pub use request::{Request, RequestError, Spelling};
