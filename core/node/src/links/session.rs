//! What runs for as long as one link is up.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{LiveLink, Protocols, card};
use crate::driver::Driver;
use crate::messages;

/// The most streams of one link that are served at the same time; further ones wait.
const STREAMS: usize = 64;

/// One link at work.
pub(crate) struct Session {
    pub(crate) link: LiveLink,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) driver: Driver,
    pub(crate) tasks: TaskTracker,
}

impl Session {
    /// Runs until the link ends, however it does.
    pub(crate) async fn run(self) {
        let peer = &self.link.peer;
        tokio::select! {
            reason = peer.link.closed() => tracing::debug!(%reason, "a link ended"),
            () = self.serve_streams() => {}
            () = self.give_card() => {}
            () = self.send_messages() => {}
        }
        self.driver.link_down(self.link.session).await;
    }

    /// Serves the streams that the peer opens.
    async fn serve_streams(&self) {
        let room = Arc::new(Semaphore::new(STREAMS));
        while let Ok((name, stream)) = self.link.peer.link.accept().await {
            let Some(protocol) = self.protocols.get(&name).map(Arc::clone) else {
                tracing::debug!(name, "a friend speaks a protocol that nobody registered");
                continue;
            };
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let peer = self.link.peer.clone();
            self.tasks.spawn(async move {
                let link = peer.link.clone();
                tokio::select! {
                    () = protocol.accept(peer, stream) => {}
                    _ = link.closed() => {}
                }
                drop(permit);
            });
        }
        std::future::pending().await
    }

    async fn give_card(&self) {
        if let Err(error) = card::give(&self.driver, &self.link.peer).await {
            tracing::debug!(%error, "the card could not be given");
        }
        std::future::pending().await
    }

    async fn send_messages(&self) {
        messages::send_queued(&self.driver, &self.link.peer).await;
        std::future::pending().await
    }
}
