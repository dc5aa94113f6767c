//! What this machine keeps for friends, and who keeps for it.

use std::collections::BTreeMap;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant};

use super::Requests;
use crate::api::types::{ApiError, KeptView, MailboxHostView, MailboxLimits, MailboxView};
use crate::home;

impl Requests {
    /// What is kept, and who keeps.
    pub(crate) async fn mailbox(&self) -> Result<MailboxView, ApiError> {
        let mailboxes = self.driver.mailboxes();
        let (held, bytes) = mailboxes.usage().await?;
        let all = self.driver.look(|engine, _| {
            let friend = |friend: &Friend| {
                let allowed = friend.allows(Grant::Mailbox) && !friend.blocked();
                (friend.account(), (friend.name().to_owned(), allowed))
            };
            engine.friends().map(friend).collect()
        });
        let all: BTreeMap<AccountId, (String, bool)> = all.await?;
        let kept = all.iter().map(|(account, (name, allowed))| {
            let usage = held.get(account).copied().unwrap_or_default();
            KeptView { friend: name.clone(), allowed: *allowed, items: usage.items, bytes: usage.bytes }
        });
        let mut friends: Vec<_> = kept.filter(|it| it.allowed || it.items > 0).collect();
        friends.sort_by_cached_key(|it| it.friend.to_lowercase());
        let hosts = mailboxes.offers().into_iter().map(|(device, offered)| MailboxHostView {
            friend: all
                .get(&offered.account)
                .map_or_else(|| offered.account.to_string(), |(name, _)| name.clone()),
            device: device.to_string(),
            bytes: offered.bytes,
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_by_cached_key(|it| it.friend.to_lowercase());
        Ok(MailboxView { limits: limits(&mailboxes.config()), bytes, friends, hosts })
    }
}

const fn limits(config: &home::Mailbox) -> MailboxLimits {
    MailboxLimits {
        total_bytes: config.total,
        friend_bytes: config.friend,
        queue_bytes: config.queue,
        queue_items: config.queue_items,
        days: config.days,
    }
}
