//! What this machine forwards for friends, who forwards for it, and what that may cost.

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant};
use wayside_relay::Owner;

use super::Requests;
use crate::api::types::{
    ApiError, ChangeRelay, ErrorCode, RelayLimits, RelayOfferView, RelayState, RelayView, RelayedView,
};
use crate::home;
use crate::relays::Condition;
use crate::times;

impl Requests {
    /// What is forwarded, and who forwards.
    pub(crate) async fn relay(&self) -> Result<RelayView, ApiError> {
        let driver = &self.driver;
        let relays = driver.relays();
        let (count, usage) = relays.forwarded();
        let all = driver.look(|engine, _| {
            let friend = |friend: &Friend| {
                let allowed = friend.allows(Grant::Relay) && !friend.blocked();
                (friend.account(), friend.name().to_owned(), allowed)
            };
            engine.friends().map(friend).collect::<Vec<_>>()
        });
        let all: Vec<(AccountId, String, bool)> = all.await?;
        let relayed = all.iter().map(|(account, name, allowed)| {
            let owner = Owner(account.0);
            RelayedView {
                friend: name.clone(),
                allowed: *allowed,
                circuits: count.owners.get(&owner).copied().unwrap_or_default().into(),
                month_bytes: usage.of(&owner),
            }
        });
        let mut friends: Vec<_> =
            relayed.filter(|it| it.allowed || it.circuits > 0 || it.month_bytes > 0).collect();
        friends.sort_by_cached_key(|it| it.friend.to_lowercase());
        let mut offered = Vec::new();
        for device in relays.ranked() {
            let Some(offer) = relays.offer_of(&device) else { continue };
            let (condition, rtt) = relays.condition(driver, device);
            let name = all.iter().find(|(account, ..)| *account == offer.account).map(|(_, name, _)| name);
            offered.push(RelayOfferView {
                friend: name.cloned().unwrap_or_else(|| offer.account.to_string()),
                device: device.to_string(),
                until: times::time(offer.until().unwrap_or(UnixMillis(0))),
                state: condition.into(),
                rtt_ms: rtt.map(times::millis),
                addresses: offer.addresses().map(|it| it.to_string()).collect(),
            });
        }
        Ok(RelayView {
            limits: view(&relays.limits()),
            month: usage.month.to_string(),
            month_bytes: usage.total,
            circuits: count.circuits as u64,
            waiting: count.waiting as u64,
            friends,
            relays: offered,
        })
    }

    /// Changes what forwarding may cost, in the configuration and at once.
    pub(crate) async fn change_relay(&self, change: ChangeRelay) -> Result<RelayView, ApiError> {
        // One at a time, so that none writes over another one.
        let _changing = self.changing_config.lock().await;
        let relays = self.driver.relays();
        let before = relays.limits();
        let after = changed(before, change)?;
        let path = self.home.config_path();
        let written = tokio::task::spawn_blocking(move || after.write_changes(&before, &path)).await;
        written.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        relays.set_limits(after);
        if before.hand_on != after.hand_on {
            // What was given is given anew.
            self.driver.grants_may_have_changed();
        }
        self.relay().await
    }
}

impl From<Condition> for RelayState {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Linked => Self::Linked,
            Condition::Reachable => Self::Reachable,
            Condition::Away => Self::Away,
            Condition::Unknown => Self::Unknown,
        }
    }
}

/// How often a token can be handed on at all.
const MOST_HANDS: u8 = wayside_proto::token::Token::MOST_HANDS;

fn changed(before: home::Relay, change: ChangeRelay) -> Result<home::Relay, ApiError> {
    if change.hand_on.is_some_and(|hands| hands > MOST_HANDS) {
        let what = format!("`hand_on` is at most {MOST_HANDS}: so often can it be handed on at all");
        return Err(ApiError::new(ErrorCode::Usage, what));
    }
    let amount = |before: Option<u64>, change: Option<u64>| match change {
        None => before,
        Some(0) => None,
        Some(bytes) => Some(bytes),
    };
    Ok(home::Relay {
        rate: amount(before.rate, change.rate_bytes_per_sec),
        month: amount(before.month, change.month_bytes),
        circuits: change.circuits.unwrap_or(before.circuits),
        friend_rate: amount(before.friend_rate, change.friend_rate_bytes_per_sec),
        friend_month: amount(before.friend_month, change.friend_month_bytes),
        friend_circuits: change.friend_circuits.unwrap_or(before.friend_circuits),
        hand_on: change.hand_on.unwrap_or(before.hand_on),
    })
}

fn view(limits: &home::Relay) -> RelayLimits {
    RelayLimits {
        rate_bytes_per_sec: limits.rate,
        month_bytes: limits.month,
        circuits: limits.circuits,
        friend_rate_bytes_per_sec: limits.friend_rate,
        friend_month_bytes: limits.friend_month,
        friend_circuits: limits.friend_circuits,
        hand_on: limits.hand_on,
    }
}
