//! Who somebody is: rosters, statuses, cards.
//!
//! An **account** is an Ed25519 key that signs rosters and pointers. A **roster** lists the account's devices for at most 30 days. A **status**, signed by a
//! device, says where it can be met. A **card** is a roster with the statuses of its devices: what a friend is given.

mod card;
mod comparison;
mod roster;
mod signed;
mod status;

pub use card::{Card, CardError};
pub use comparison::{Comparison, comparison};
pub use roster::{DeviceEntry, Roster};
pub use signed::Signed;
pub use status::Status;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
