//! How things are.

use wayside_proto::engine::ContactState;

use super::{GLANCE, Requests};
use crate::api::types::{ApiError, LinkView, QueueView, StatusView};
use crate::rendezvous::Rendezvous;
use crate::times;

impl Requests {
    /// How things are.
    pub(crate) async fn status(&self) -> Result<StatusView, ApiError> {
        let driver = &self.driver;
        self.bridges_tried(GLANCE).await;
        let mut links = Vec::new();
        for (account, live) in driver.links().all() {
            links.push(LinkView {
                friend: driver.name_of(&account).await,
                path: live.path(),
                transport: live.transport(),
                remote: live.remote(),
                rtt_ms: live.rtt_ms(),
                relay: driver.relay_of(&live).await,
                since: times::time(live.since),
            });
        }
        let mut queues = Vec::new();
        for (account, size) in driver.store().run(|store| store.queues()).await? {
            queues.push(QueueView {
                friend: driver.name_of(&account).await,
                queued: size.queued,
                held: size.held,
                oldest: size.oldest.map(times::time),
            });
        }
        let pending = |state: &ContactState| *state == ContactState::Pending;
        let pending_accepts = driver
            .look(move |engine, _| engine.contacts().filter(|(_, state)| pending(state)).count() as u64)
            .await?;
        Ok(StatusView {
            id: self.home.id(),
            node: self.kind,
            listen: self.listening.to_vec(),
            bridges: driver.bridges().await?,
            links,
            reach: self.reach().await,
            queues,
            unread: driver.store().run(|store| store.unread()).await?,
            pending_accepts,
            pointers: self.pointers().await?,
            clock: driver.clock_wrong(),
            api: self.api_listening.map(|address| address.to_string()),
            rendezvous: self.rendezvous.as_ref().as_ref().map(Rendezvous::view),
        })
    }
}
