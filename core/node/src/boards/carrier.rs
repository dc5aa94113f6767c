//! The way of a bridge to its friend: a stream over the link with that friend, who is wanted for as long as the bridge is configured.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{BridgeError, ErrorKind};
use wayside_bridge_friend::{Carrier, Carriers, Channel};
use wayside_noise::Link;
use wayside_proto::crypto::keys::AccountId;

use super::PROTOCOL;
use crate::api::words;
use crate::driver::{Driver, Want};

/// How long one request waits for a link. It is made three times, which is as long as a meeting takes where the friend is there; a link that comes later
/// has the bridge tried again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Finds friends in the book of a node.
#[derive(Debug)]
pub(super) struct OverLinks(pub(super) Driver);

#[async_trait]
impl Carriers for OverLinks {
    async fn carrier(&self, friend: &str) -> Result<Arc<dyn Carrier>, BridgeError> {
        let text = friend.to_owned();
        let found = self.0.look(move |engine, _| {
            let account = engine.find(&text)?;
            let name = engine.friend(&account).map(|friend| friend.name().to_owned());
            Ok::<_, wayside_proto::engine::FindError>((account, name.unwrap_or(text)))
        });
        let found = found.await.map_err(|error| BridgeError::new(ErrorKind::Unreachable, error.message))?;
        let (account, name) = found.map_err(|error| {
            BridgeError::new(ErrorKind::Configuration, format!("--friend: {}", words::find(&error).message))
        })?;
        Ok(Arc::new(OverLink { _want: self.0.want(account), driver: self.0.clone(), account, name }))
    }
}

/// The way to one friend.
#[derive(Debug)]
struct OverLink {
    driver: Driver,
    account: AccountId,
    name: String,
    _want: Want,
}

#[async_trait]
impl Carrier for OverLink {
    fn account(&self) -> String {
        self.account.to_string()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    async fn open(&self) -> Result<Channel, BridgeError> {
        let unreachable = |why: String| BridgeError::new(ErrorKind::Unreachable, why);
        let link = tokio::time::timeout(PATIENCE, self.link())
            .await
            .ok()
            .flatten()
            .ok_or_else(|| unreachable(format!("there is no link with {} now", self.name)))?;
        let stream = link
            .open(PROTOCOL)
            .await
            .map_err(|error| unreachable(format!("the link with {} ended", self.name)).with_source(error))?;
        Ok(Channel { recv: Box::new(stream.recv), send: Box::new(stream.send) })
    }
}

impl OverLink {
    /// A link with the friend, once there is one; `None` where the node is ending.
    async fn link(&self) -> Option<Link> {
        // Before the first look, so that nothing falls in between.
        let mut links = self.driver.links_changed();
        loop {
            if let Some(live) = self.driver.links().of(&self.account).filter(|live| !live.ended()) {
                return Some(live.peer.link);
            }
            links.changed().await.ok()?;
        }
    }
}
