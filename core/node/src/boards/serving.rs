//! `wayside/board/1`: what friends leave here for friends, as far as each is let (`meet`).

use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::Entropy;
use wayside_bridge_friend::{Gate, Host, Limits, Owner, Served};
use wayside_noise::Stream;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::Grant;

use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::links::{Peer, Protocol};

/// Serves the board of this node. It is in memory: what lies there is gone with the node, and lives for two days at most in any case.
#[derive(Debug)]
pub(crate) struct Server {
    driver: Driver,
    host: Host,
}

impl Server {
    /// An empty board.
    pub(crate) fn new(driver: Driver) -> Self {
        let mut id = [0; 8];
        SystemEntropy.fill(&mut id);
        let host = Host::new(id, Limits::default(), Arc::new(*driver.clock()));
        Self { driver, host }
    }
}

#[async_trait]
impl Protocol for Server {
    async fn accept(&self, peer: Peer, stream: Stream) {
        let (account, Stream { recv, send }) = (peer.account, stream);
        let owner = Owner(account.0);
        let gate = Letting { driver: &self.driver, account };
        match self.host.serve(owner, recv, send, &gate).await {
            Ok(()) => {}
            Err(why) => {
                tracing::debug!(%account, %why, "a friend's board stream ended");
                if matches!(why, Served::NotAllowed) {
                    self.host.board().forget(owner);
                }
            }
        }
    }
}

/// Whether a friend may leave records here.
struct Letting<'a> {
    driver: &'a Driver,
    account: AccountId,
}

#[async_trait]
impl Gate for Letting<'_> {
    async fn allowed(&self) -> bool {
        let account = self.account;
        let allowed = self.driver.look(move |engine, _| {
            engine.friend(&account).is_some_and(|friend| friend.allows(Grant::Meet) && !friend.blocked())
        });
        allowed.await.unwrap_or(false)
    }

    async fn revoked(&self) {
        let mut changes = self.driver.grants_changed();
        while changes.changed().await.is_ok() {
            if !self.allowed().await {
                return;
            }
        }
    }
}
