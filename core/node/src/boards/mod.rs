//! Boards: friends of one friend meet through records that it holds for them.
//!
//! Who lets friends do so (`meet`) serves them over links ([`serving`]); whose friend lets them has a bridge of the kind `friend` that goes over
//! the link with that friend ([`carrier`]). What is held and said is `wayside-bridge-friend`'s.

mod carrier;
mod serving;

use std::sync::Arc;

use wayside_bridge::Registry;
use wayside_bridge_friend::FriendKind;

pub(crate) use serving::Server;
pub(crate) use wayside_bridge_friend::{KIND, PROTOCOL};

use crate::driver::Driver;

/// The option that names the friend.
pub(crate) const FRIEND: &str = "friend";

/// The kinds of bridge that a node brings along, for whoever lists kinds: `friend`, which goes over the node's own links. Outside a node they open nothing; a
/// node registers its own in their place, whatever registry it is given.
pub fn own_kinds() -> Registry {
    Registry::new().with(FriendKind::unplugged())
}

/// The same at work, over the links of this node.
pub(crate) fn with_own_kinds(registry: Registry, driver: &Driver) -> Registry {
    registry.with(FriendKind::over(Arc::new(carrier::OverLinks(driver.clone()))))
}
