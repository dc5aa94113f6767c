//! Who can be asked by STUN how it sees us: friends who let us, and whom inviters named.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::time::Instant;
use wayside_path::traversal::guard::{Place, Surroundings};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::reach::Reflector;

/// Friends whose responders are remembered.
const MOST_FRIENDS: usize = 64;
/// How many are asked at a time: two tell what a NAT does, the others stand in for those that are away.
const MOST_ASKED: usize = 4;

/// Somebody's STUN addresses, and what it knows its friends and their newcomers by.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Responder {
    /// At most [`Reflector::MOST_ADDRESSES`].
    pub(crate) addresses: Vec<SocketAddr>,
    /// Shown when asking.
    pub(crate) token: [u8; 8],
}

impl std::fmt::Debug for Responder {
    /// The token is between it and its friends.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl From<Reflector> for Responder {
    fn from(Reflector { addresses, token }: Reflector) -> Self {
        Self { addresses, token }
    }
}

/// Whom we may ask.
#[derive(Debug, Default)]
pub(crate) struct Responders {
    friends: BTreeMap<AccountId, (Responder, Instant)>,
    /// Of the last welcome: whoever named them, we are that one's guest.
    named: Vec<Responder>,
}

impl Responders {
    /// A friend says where it answers, or that it answers us no more. Whether that is news.
    pub(super) fn of_friend(&mut self, now: Instant, who: AccountId, responder: Option<Responder>) -> bool {
        let Some(mut responder) = responder.filter(|it| !it.addresses.is_empty()) else {
            return self.friends.remove(&who).is_some();
        };
        responder.addresses.truncate(Reflector::MOST_ADDRESSES);
        if !self.friends.contains_key(&who) && self.friends.len() >= MOST_FRIENDS {
            let oldest = self.friends.iter().min_by_key(|(_, (_, at))| *at).map(|(who, _)| *who);
            oldest.and_then(|oldest| self.friends.remove(&oldest));
        }
        let before = self.friends.insert(who, (responder.clone(), now));
        before.is_none_or(|(before, _)| before != responder)
    }

    /// A welcome named these. Whether that is news.
    pub(super) fn of_welcome(&mut self, mut responders: Vec<Responder>) -> bool {
        responders.truncate(Reflector::MOST);
        for responder in &mut responders {
            responder.addresses.truncate(Reflector::MOST_ADDRESSES);
        }
        responders.retain(|it| !it.addresses.is_empty());
        let news = !responders.is_empty() && responders != self.named;
        if news {
            self.named = responders;
        }
        news
    }

    /// Those to ask now, the latest heard of first, with the friend's account; only at addresses that are on the internet or near.
    pub(super) fn to_ask(&self, around: &Surroundings) -> Vec<(Option<AccountId>, Responder)> {
        let mut friends: Vec<_> = self.friends.iter().collect();
        friends.sort_by_key(|(_, (_, at))| std::cmp::Reverse(*at));
        let friends = friends.into_iter().map(|(who, (responder, _))| (Some(*who), responder));
        let all = friends.chain(self.named.iter().map(|responder| (None, responder)));
        let allowed = all.filter_map(|(who, responder)| {
            let may =
                |address: &SocketAddr| matches!(around.place(*address), Ok(Place::Public | Place::Near));
            let addresses: Vec<_> = responder.addresses.iter().copied().filter(may).collect();
            (!addresses.is_empty()).then_some((who, Responder { addresses, token: responder.token }))
        });
        allowed.take(MOST_ASKED).collect()
    }

    /// Who answers at this address, as a friend or an inviter told us; asked there alone.
    pub(super) fn at(&self, address: SocketAddr) -> Option<Responder> {
        let friends = self.friends.values().map(|(responder, _)| responder);
        let mut known = friends.chain(&self.named);
        let token = known.find(|responder| responder.addresses.contains(&address))?.token;
        Some(Responder { addresses: vec![address], token })
    }

    /// Those to name to newcomers: friends of ours who let us, the latest heard of first.
    pub(super) fn to_pass_on(&self) -> Vec<Reflector> {
        let mut friends: Vec<_> = self.friends.values().collect();
        friends.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        let reflector = |(responder, _): &(Responder, Instant)| Reflector {
            addresses: responder.addresses.clone(),
            token: responder.token,
        };
        friends.into_iter().map(reflector).take(Reflector::MOST).collect()
    }

    /// Forgets those who are no friends any more.
    pub(super) fn keep(&mut self, is_friend: impl Fn(&AccountId) -> bool) {
        self.friends.retain(|who, _| is_friend(who));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn account(number: u8) -> AccountId {
        use rand_chacha::rand_core::SeedableRng;
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([number; 32]);
        wayside_proto::crypto::keys::AccountKey::generate(&mut rng).id()
    }

    fn responder(addresses: &[&str]) -> Responder {
        Responder { addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(), token: [7; 8] }
    }

    fn around() -> Surroundings {
        Surroundings {
            interfaces: vec![("192.168.1.7".parse().unwrap(), 24)],
            gateways: vec!["192.168.1.1".parse().unwrap()],
            ourselves: vec!["192.168.1.7:1".parse().unwrap()],
        }
    }

    #[test]
    fn friends_are_asked_before_strangers_and_nobody_where_it_does_harm() {
        let (mut responders, now) = (Responders::default(), Instant::now());
        assert!(responders.of_friend(now, account(1), Some(responder(&["9.9.9.9:1", "127.0.0.1:22"]))));
        assert!(!responders.of_friend(now, account(1), Some(responder(&["9.9.9.9:1", "127.0.0.1:22"]))));
        assert!(responders.of_friend(now, account(2), Some(responder(&["192.168.1.1:53"]))));
        assert!(responders.of_welcome(vec![responder(&["8.8.8.8:1"]); 9]));
        let asked = responders.to_ask(&around());
        assert_eq!(asked[0], (Some(account(1)), responder(&["9.9.9.9:1"])));
        assert_eq!(asked[1], (None, responder(&["8.8.8.8:1"])));
        assert!(responders.of_friend(now, account(1), None));
        assert!(responders.to_ask(&around()).iter().all(|(who, _)| who.is_none()));
        responders.keep(|_| false);
        assert!(responders.to_pass_on().is_empty());
    }

    #[test]
    fn there_are_never_many() {
        let (mut responders, now) = (Responders::default(), Instant::now());
        for number in 0..200 {
            let at = now + Duration::from_secs(number);
            let addresses = ["9.9.9.9:1", "9.9.9.9:2", "9.9.9.9:3"];
            responders.of_friend(at, account(u8::try_from(number).unwrap()), Some(responder(&addresses)));
        }
        assert_eq!(responders.friends.len(), MOST_FRIENDS);
        assert_eq!(responders.to_ask(&around()).len(), MOST_ASKED);
        let passed = responders.to_pass_on();
        assert_eq!((passed.len(), passed[0].addresses.len()), (Reflector::MOST, Reflector::MOST_ADDRESSES));
        let asked = format!("{:?}", responders.to_ask(&around()));
        assert!(!asked.contains("7, 7"), "no token in a log: {asked}");
    }
}
