//! What this machine keeps for friends, and who keeps for it.

use std::collections::BTreeMap;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant};

use super::Requests;
use crate::api::types::{
    ApiError, ChangeMailbox, ErrorCode, KeptView, MailboxHostView, MailboxLimits, MailboxView,
};
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
            linked: self.driver.links().of(&offered.account).is_some(),
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_by_cached_key(|it| it.friend.to_lowercase());
        let config = mailboxes.config();
        let bell = self.driver.own_bell().await;
        Ok(MailboxView {
            limits: limits(&config),
            bytes,
            friends,
            hosts,
            copies: config.copies,
            couriers: config.couriers,
            attach_bytes: config.attach,
            bell: bell.map(|bell| format!("{} as {}", bell.locator, bell.target)),
        })
    }

    /// Changes what keeping may cost, in the configuration and at once. What lies here already stays.
    pub(crate) async fn change_mailbox(&self, change: ChangeMailbox) -> Result<MailboxView, ApiError> {
        // One at a time, so that none writes over another one.
        let _changing = self.changing_config.lock().await;
        let mailboxes = self.driver.mailboxes();
        let before = mailboxes.config();
        let after = changed(before, change)?;
        let path = self.home.config_path();
        let written = tokio::task::spawn_blocking(move || after.write_changes(&before, &path)).await;
        written.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        mailboxes.set_config(after);
        if before.friend != after.friend {
            // Friends are told how much is kept for them.
            self.driver.grants_may_have_changed();
        }
        self.mailbox().await
    }
}

fn changed(before: home::Mailbox, change: ChangeMailbox) -> Result<home::Mailbox, ApiError> {
    let most = home::Mailbox::MOST_DAYS;
    if change.days.is_some_and(|days| !(1..=most).contains(&days)) {
        return Err(ApiError::new(ErrorCode::Usage, format!("`days` is 1 to {most}")));
    }
    let amounts = [change.total_bytes, change.friend_bytes, change.queue_bytes, change.queue_items];
    if amounts.contains(&Some(0)) {
        let what =
            "an amount is more than nothing: `wayside friend deny mailbox NAME` keeps no more for a friend";
        return Err(ApiError::new(ErrorCode::Usage, what));
    }
    Ok(home::Mailbox {
        total: change.total_bytes.unwrap_or(before.total),
        friend: change.friend_bytes.unwrap_or(before.friend),
        queue: change.queue_bytes.unwrap_or(before.queue),
        queue_items: change.queue_items.unwrap_or(before.queue_items),
        days: change.days.unwrap_or(before.days),
        ..before
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays_and_nothing_is_no_amount() {
        let before = home::Mailbox::default();
        let change = ChangeMailbox { days: Some(7), total_bytes: Some(5), ..ChangeMailbox::default() };
        let after = changed(before, change).unwrap();
        assert_eq!(after, home::Mailbox { days: 7, total: 5, ..before });
        for wrong in [
            ChangeMailbox { days: Some(0), ..ChangeMailbox::default() },
            ChangeMailbox { days: Some(31), ..ChangeMailbox::default() },
            ChangeMailbox { queue_items: Some(0), ..ChangeMailbox::default() },
        ] {
            assert!(changed(before, wrong).is_err(), "{wrong:?}");
        }
    }
}
