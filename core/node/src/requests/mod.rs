//! What a node can be asked, one file an area. Its own process asks through [`Node`](crate::Node), others through the [local API](crate::api).

mod asked;
mod bridges;
mod codes;
mod communities;
mod contacts;
mod files;
mod friends;
mod introductions;
mod invites;
mod knocks;
mod mailbox;
mod messages;
mod pointers;
mod reach;
mod relay;
mod status;

pub(crate) use knocks::{id_of as knock_id, says as says_knock};

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wayside_bridge::Registry;
use wayside_proto::crypto::keys::AccountId;

use crate::api::types::{ApiError, NodeKind};
use crate::api::words;
use crate::community::Communities;
use crate::driver::Driver;
use crate::home::{Home, Network};
use crate::introductions::Introductions;
use crate::pointers::Pointers;
use crate::rendezvous::Rendezvous;

/// What it takes to answer. Clones ask the same node.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pub(crate) home: Arc<Home>,
    pub(crate) registry: Registry,
    pub(crate) kind: NodeKind,
    pub(crate) listening: Arc<Vec<String>>,
    /// Where the local API is served over TCP, where it is.
    pub(crate) api_listening: Option<std::net::SocketAddr>,
    /// What the user configured of the network.
    pub(crate) network: Arc<Network>,
    pub(crate) driver: Driver,
    pub(crate) introductions: Introductions,
    pub(crate) pointers: Pointers,
    pub(crate) communities: Communities,
    /// The drop for everybody, where there is one.
    pub(crate) rendezvous: Arc<Option<Rendezvous>>,
    /// Held while the configuration changes.
    pub(crate) changing_config: Arc<tokio::sync::Mutex<()>>,
}

/// How long whoever only looks waits for bridges that were not tried yet.
const GLANCE: Duration = Duration::from_secs(3);

impl Requests {
    /// Whom a person means.
    pub(crate) async fn find(&self, friend: String) -> Result<AccountId, ApiError> {
        let found = self.driver.look(move |engine, _| engine.find(&friend)).await?;
        found.map_err(|error| words::find(&error))
    }

    /// Waits until every bridge was tried; those that have not answered by then count as away.
    pub(crate) async fn bridges_tried(&self, patience: Duration) {
        let mut ready = self.driver.ready();
        let _ = tokio::time::timeout(patience, ready.wait_for(|ready| *ready)).await;
    }
}

/// When whoever waits so long has waited enough; nobody waits for more than a month.
pub(crate) fn deadline(wait_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wait_ms).min(Duration::from_secs(30 * 86_400))
}
