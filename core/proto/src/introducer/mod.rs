//! A bot in a room that introduces members to one another: what is said to it, what it says, and what it makes of it.
//!
//! It passes cards ([`Pointer`](crate::pointer::Pointer)) and nothing else, between members of the room, after both have said yes. What the two then say to each
//! other is a knock and all that comes of it, of which it sees nothing. An introduction between friends is another thing, with sealed messages over links
//! ([`introduction`](crate::introduction)).
//!
//! [`Request`]s are what members say and [`Notice`]s what a program reads in its answers; [`RoomIntroducer`] is the bot itself, without I/O.

mod acting;
mod bucket;
mod notice;
mod pairs;
mod person;
mod request;
mod room;
#[cfg(test)]
mod room_tests;
mod saying;
mod settings;
mod state;
mod telling;
#[cfg(test)]
mod words_tests;
#[cfg(test)]
mod world_tests;

pub use notice::{Notice, Unmet};
pub use person::Person;
pub use request::{Request, RequestError, Spelling};
pub use room::{Output, RoomIntroducer, Said, Spoken};
pub use settings::{Settings, Standing};
pub use state::RestoreRoomError;
