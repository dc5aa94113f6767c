//! The cases, by what they are about. Each is a function of a scene; its line in the list says what it shows.

pub(crate) mod collision;
pub(crate) mod cursors;
pub(crate) mod hostile;
pub(crate) mod hygiene;
pub(crate) mod lifetime;
pub(crate) mod limits;
pub(crate) mod places;
pub(crate) mod retract;
pub(crate) mod ringing;
pub(crate) mod roundtrip;
pub(crate) mod watching;
