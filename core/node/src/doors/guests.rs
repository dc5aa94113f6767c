//! Links that came in by a door: nameless, and for nothing but what is spoken with the guests of that friend.
//!
//! Nothing of a guest is kept, and nothing said of it above the level of debugging: a host need not know who writes to its friends.

use std::sync::Arc;
use std::time::Duration;

use wayside_noise::Link;
use wayside_proto::crypto::keys::AccountId;

use super::DoorProtocols;
use crate::driver::Driver;
use crate::guests::here::Bounds;

/// What they may cost, of whom those by one friend's door are counted together.
pub(super) const BOUNDS: Bounds =
    Bounds { of_one: 64, streams: 16, idle: Duration::from_secs(if cfg!(test) { 3 } else { 30 }) };

/// Serves a guest until its link ends, or ends it.
pub(super) async fn serve(driver: Driver, owner: AccountId, link: Link, protocols: Arc<DoorProtocols>) {
    let Some(guest) = driver.doors().0.guests.came(link.clone()) else { return };
    if !guest.is_welcome(owner, owner.0) {
        return link.close("too many guests at this door");
    }
    // The door may have been shut between its handshake and now.
    if !driver.doors().has(&owner) {
        return link.close("no door");
    }
    let accept = |name: &str, stream| {
        let (protocol, link) = (Arc::clone(protocols.get(name)?), link.clone());
        Some(async move { protocol.accept(owner, link, stream).await })
    };
    guest.serve(accept).await;
}
