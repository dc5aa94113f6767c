//! Links through a relay: three endpoints and more, on loopback and in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;
#[path = "relay/dying.rs"]
mod dying;
#[path = "relay/hostile.rs"]
mod hostile;
#[path = "relay/many.rs"]
mod many;
#[path = "relay/moving.rs"]
mod moving;
#[path = "relay/scene.rs"]
mod scene;
#[path = "relay/transfer.rs"]
mod transfer;
