//! `wayside/board/1`: what friends leave here for friends, as far as each is let (`meet`): over a friend's own link, or as a guest who shows a token.

use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::Entropy;
use wayside_bridge_friend::{Gate, Host, Limits, Owner};
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::Grant;
use wayside_proto::token::Purpose;

use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::links::{Peer, Protocol};
use crate::relays::Judged;
use crate::relays::hello::GuestProtocol;

/// Serves the board of this node. It is in memory: what lies there is gone with the node, and lives for two days at most in any case.
#[derive(Clone, Debug)]
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

    /// Lets go of what friends left who are not let any more, or are no friends.
    pub(crate) async fn keep(self) {
        let (mut grants, mut friends) = (self.driver.grants_changed(), self.driver.friends_changed());
        loop {
            let changed = tokio::select! {
                changed = grants.changed() => changed,
                changed = friends.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            let owners = self.host.board().owners();
            for owner in owners {
                if !allowed(&self.driver, AccountId(owner.0)).await {
                    self.host.board().forget(owner);
                }
            }
        }
    }

    async fn serve(&self, account: AccountId, stream: Stream, gate: &dyn Gate) {
        let Stream { recv, send, .. } = stream;
        if let Err(why) = self.host.serve(Owner(account.0), recv, send, gate).await {
            tracing::debug!(%account, %why, "a stream at the board ended");
        }
    }
}

#[async_trait]
impl Protocol for Server {
    async fn accept(&self, peer: Peer, stream: Stream) {
        let account = peer.account;
        self.serve(account, stream, &Letting { driver: &self.driver, account }).await;
    }
}

#[async_trait]
impl GuestProtocol for Server {
    fn purpose(&self) -> Purpose {
        Purpose::Meet
    }

    async fn accept(&self, peer: Judged, _: Link, stream: Stream) {
        match peer {
            // Who handed a token on answers for what is left with it.
            Judged::Good { account, .. } => {
                self.serve(account, stream, &Letting { driver: &self.driver, account }).await;
            }
            Judged::Bad(why) => {
                tracing::debug!(%why, "a guest's token does not count");
                self.serve(NOBODY, stream, &Shut).await;
            }
        }
    }
}

/// Stands for whoever is not let, and leaves nothing.
const NOBODY: AccountId = AccountId([0; 32]);

/// Whether a friend may leave records here.
struct Letting<'a> {
    driver: &'a Driver,
    account: AccountId,
}

#[async_trait]
impl Gate for Letting<'_> {
    async fn allowed(&self) -> bool {
        allowed(self.driver, self.account).await
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

/// Says no, once it is asked.
struct Shut;

#[async_trait]
impl Gate for Shut {
    async fn allowed(&self) -> bool {
        false
    }

    async fn revoked(&self) {
        std::future::pending().await
    }
}

async fn allowed(driver: &Driver, account: AccountId) -> bool {
    let allowed = driver.look(move |engine, _| {
        engine.friend(&account).is_some_and(|friend| friend.allows(Grant::Meet) && !friend.blocked())
    });
    allowed.await.unwrap_or(false)
}
