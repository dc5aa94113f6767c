//! Relays of ours, and which of them the other side of a session can use too.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::Engine;
use super::sessions::Live;
use crate::crypto::Secret;
use crate::crypto::keys::DeviceId;
use crate::reach::RelayTags;

/// The most relays of ours that are kept: so many the other side's are compared with.
const MOST: usize = 8;

/// What the two sides of a session named to each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Relays {
    /// Those that we named.
    #[n(0)]
    pub(super) told: Vec<DeviceId>,
    /// Those that the peer named.
    #[n(1)]
    pub(super) named: RelayTags,
    /// What the peer's tags are derived from: the handshake's psk, or since its update the meeting's secret.
    #[n(2)]
    pub(super) key: Secret,
}

impl Relays {
    /// Those that both named, in the order in which both try them.
    pub(super) fn in_common(&self) -> Vec<DeviceId> {
        self.named.in_common(&self.key, &self.told)
    }
}

impl Engine {
    /// These can be used, and no others.
    pub(super) fn set_relays(&mut self, relays: Vec<DeviceId>) {
        let mut known = Vec::new();
        for relay in relays {
            if relay != self.device_id && !known.contains(&relay) && known.len() < MOST {
                known.push(relay);
            }
        }
        self.relays = Some(known);
    }

    /// Which relays are named to somebody: first those that it named itself, then the others, all in our order. The peer's device is none of them: whoever
    /// reaches it needs no relay.
    pub(super) fn relays_for(
        &self,
        peer: Option<DeviceId>,
        named: Option<(&Secret, &RelayTags)>,
    ) -> Vec<DeviceId> {
        let own = self.relays.iter().flatten().copied().filter(|relay| Some(*relay) != peer);
        let too = |relay: &DeviceId| named.is_some_and(|(key, tags)| tags.position(key, relay).is_some());
        let (mut first, others): (Vec<_>, Vec<_>) = own.partition(too);
        first.extend(others);
        first.truncate(RelayTags::MOST);
        first
    }

    /// What a session's peer would be told now; nothing before anybody has said which relays there are, as after a restart.
    pub(super) fn relays_now(&self, live: &Live) -> Option<Vec<DeviceId>> {
        let (_, relays) = self.relays.as_ref().zip(live.relays.as_ref())?;
        Some(self.relays_for(self.device_of(live), Some((&relays.key, &relays.named))))
    }

    /// Whether it would be told of others than it was. Their order alone is no news.
    pub(super) fn relays_are_news(&self, live: &Live) -> bool {
        let (Some(now), Some(relays)) = (self.relays_now(live), live.relays.as_ref()) else { return false };
        let peer = self.device_of(live);
        let set = |relays: &[DeviceId]| -> BTreeSet<DeviceId> {
            relays.iter().copied().filter(|relay| Some(*relay) != peer).collect()
        };
        set(&now) != set(&relays.told)
    }

    /// Those that both named and that we can still use, as far as anybody has said.
    pub(super) fn relays_of(&self, live: &Live) -> Vec<DeviceId> {
        let common = live.relays.as_ref().map(Relays::in_common).unwrap_or_default();
        let usable = |relay: &DeviceId| self.relays.as_ref().is_none_or(|own| own.contains(relay));
        common.into_iter().filter(usable).collect()
    }

    fn device_of(&self, live: &Live) -> Option<DeviceId> {
        let roster = self.book.friend(&live.account)?.card().roster();
        roster.device_by_noise(&live.peer).map(|entry| entry.keys.id())
    }
}

#[cfg(test)]
#[path = "relays_tests.rs"]
mod tests;
