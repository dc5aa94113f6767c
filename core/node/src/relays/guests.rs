//! Links that come in by the guest gate: nameless until a stream shows a token, and for nothing but what tokens are for.

use std::sync::Arc;
use std::time::Duration;

use wayside_noise::{Link, Stream};

use super::Judged;
use super::hello::{GuestProtocol, GuestProtocols, greeted};
use crate::driver::Driver;
use crate::guests::here::{Bounds, Guest};
use crate::links::address;

/// What they may cost, of whom those with one device are counted together. Who dialled closes a link that it has not used for a minute.
pub(super) const BOUNDS: Bounds = Bounds { of_one: 8, streams: 32, idle: Duration::from_secs(180) };

/// Serves a guest until its link ends, or ends it.
pub(crate) async fn serve(driver: Driver, link: Link, protocols: Arc<GuestProtocols>) {
    let Some(guest) = driver.relays().0.guests.came(link) else { return };
    let accept = |name: &str, stream| {
        let protocol = Arc::clone(protocols.get(name)?);
        Some(one(driver.clone(), Arc::clone(&guest), protocol, stream))
    };
    tokio::select! {
        () = guest.serve(accept) => {}
        () = tell(&guest) => {}
    }
}

/// Tells a guest how it is seen, once it has shown a token that counts.
async fn tell(guest: &Guest) {
    guest.known().await;
    if let Err(error) = address::tell_guest(&guest.link).await {
        tracing::debug!(%error, "a guest does not hear how it is seen");
    }
    // It may want nothing but circuits: that ends no link.
    std::future::pending().await
}

async fn one(driver: Driver, guest: Arc<Guest>, protocol: Arc<dyn GuestProtocol>, mut stream: Stream) {
    let link = &guest.link;
    let judged = match greeted(&driver, link, &mut stream, protocol.purpose()).await {
        Ok(judged) => judged,
        Err(error) => return tracing::debug!(%error, "a guest does not say hello"),
    };
    if let Judged::Good { account, token } = &judged
        && !guest.is_welcome(*account, token.last)
    {
        return link.close("too many links of one device");
    }
    protocol.accept(judged, link.clone(), stream).await;
}
