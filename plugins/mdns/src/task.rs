//! What goes on while the bridge is open: listening on each way, and what is to be said when its time has come.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{AbortHandle, BoxFuture, abortable};
use tokio::net::UdpSocket;

use crate::interfaces::Way;
use crate::packet::LARGEST_READ;
use crate::shared::Shared;

/// How often we look whether there are other interfaces, and what is heard no more.
const LOOK: Duration = Duration::from_secs(5);
/// When it is asked who is there, at first; then twice as long each time, to an hour (RFC 6762, section 5.2).
const ASK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// What fades is asked for no sooner than this after the last question.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A socket that fails (its interface goes down) is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens until the way is left.
pub(crate) fn listen(
    shared: Arc<Shared>,
    way: Way,
    socket: UdpSocket,
) -> (BoxFuture<'static, ()>, AbortHandle) {
    let shared = Arc::downgrade(&shared);
    let listening = async move {
        let mut buffer = vec![0; LARGEST_READ];
        loop {
            let received = socket.recv_from(&mut buffer).await;
            let Some(shared) = shared.upgrade() else { return };
            match received {
                Ok((length, from)) => {
                    shared.hear(way, from, buffer.get(..length).unwrap_or_default());
                }
                Err(error) => {
                    tracing::debug!(?way, %error, "listening failed");
                    drop(shared);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    let (listening, handle) = abortable(listening);
    (listening.map(drop).boxed(), handle)
}

/// Speaks, asks and looks around, until the bridge is closed.
pub(crate) async fn run(shared: Weak<Shared>) {
    let (mut asked, mut wait) = (Duration::ZERO, ASK.0);
    let mut looked = Duration::ZERO;
    loop {
        let Some(shared_now) = shared.upgrade().filter(|shared| !shared.is_closed()) else { return };
        let now = shared_now.now();
        if now.saturating_sub(looked) >= LOOK {
            looked = now;
            let before = shared_now.ways();
            if let Err(error) = shared_now.look_around() {
                tracing::debug!(%error, "the network is not to be had just now");
            }
            if shared_now.ways() > before {
                shared_now.ask();
                (asked, wait) = (now, ASK.0);
            }
            if shared_now.tidy() && now.saturating_sub(asked) >= ASK_AGAIN {
                shared_now.ask();
                asked = now;
            }
        }
        if now.saturating_sub(asked) >= wait {
            shared_now.ask();
            asked = now;
            wait = wait.saturating_mul(2).min(ASK.1);
        }
        let next = [shared_now.speak(), Some(looked.saturating_add(LOOK)), Some(asked.saturating_add(wait))];
        let next = next.into_iter().flatten().min().unwrap_or(LOOK);
        let poked = async {
            shared_now.poke.notified().await;
        };
        let _ = tokio::time::timeout(next.saturating_sub(shared_now.now()), poked).await;
    }
}
