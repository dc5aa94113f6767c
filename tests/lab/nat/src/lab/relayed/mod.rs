//! Pairs with a friend in public who relays: linked through it at once, and directly as soon as that can be.

pub(crate) mod board;
pub(crate) mod counts;
pub(crate) mod endured;
mod flow;
pub(crate) mod hardships;
pub(crate) mod meeting;
pub(crate) mod runs;
pub(crate) mod series;
pub(crate) mod table;
