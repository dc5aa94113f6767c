//! `wayside/relay/1`: who lets a friend use its machine gives it what that takes, at the start of a link and whenever it changes; and what friends give us is kept.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::select_all;
use minicbor::{Decode, Encode};
use tokio::sync::watch;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, DevicePublic};
use wayside_proto::place::Candidates;
use wayside_proto::token::{Purpose, Token};

use super::Relays;
use super::gate::GateKeys;
use crate::driver::Driver;
use crate::links::Peer;
use crate::links::notices::{Changes, Notice, watched};
use crate::offers;
use crate::store::offers::{RELAYS, Table};

/// What is offered; nothing at all where nothing is (any more).
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Offer {
    /// A token for circuits.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) relay: Option<Vec<u8>>,
    /// A token for leaving records.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) meet: Option<Vec<u8>>,
    /// Where the guest gate is.
    #[n(2)]
    pub(crate) candidates: Candidates,
    /// What opens it.
    #[n(3)]
    pub(crate) gate: Option<GateKeys>,
}

/// What a friend's device offers us, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Offered {
    /// Whose device it is.
    #[n(0)]
    pub(crate) account: AccountId,
    #[n(1)]
    pub(crate) offer: Offer,
    /// When it was given.
    #[n(2)]
    pub(crate) given: UnixMillis,
}

impl Offered {
    /// The token for this, while it lasts.
    pub(crate) fn token(&self, purpose: Purpose, now: UnixMillis) -> Option<Token> {
        let bytes = match purpose {
            Purpose::Relay => self.offer.relay.as_ref()?,
            Purpose::Meet => self.offer.meet.as_ref()?,
        };
        Token::from_bytes(bytes).ok().filter(|token| now < token.expires())
    }

    /// When circuits are to be had no longer, unless it is renewed.
    pub(crate) fn until(&self) -> Option<UnixMillis> {
        let token = Token::from_bytes(self.offer.relay.as_ref()?).ok()?;
        Some(token.expires())
    }

    /// Where its guest gate is.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.offer.candidates.iter().map(|it| it.address)
    }
}

impl offers::Offered for Offered {
    const TABLE: Table = RELAYS;

    fn account(&self) -> AccountId {
        self.account
    }

    /// Whenever it is given.
    fn is_no_news_after(&self, other: &Self) -> bool {
        self.offer == other.offer
    }
}

#[async_trait]
impl Notice for Offer {
    const NAME: &'static str = "wayside/relay/1";
    /// Two tokens, six candidates, the keys.
    const MOST: usize = 2 * Token::MAX + 1024;
    /// Tokens are renewed.
    const LOOK: Duration = Duration::from_secs(6 * 3600);

    fn changes(driver: &Driver) -> Changes {
        select_all([
            watched(driver.grants_changed()),
            watched(driver.friends_changed()),
            watched(driver.relays().0.gates_changed.subscribe()),
            watched(driver.reach().told()),
        ])
    }

    async fn now(driver: &Driver, peer: &Peer) -> io::Result<Self> {
        let candidates = driver.reach().told().borrow().reach.candidates.clone();
        Ok(driver.relays().offer_for(driver, peer, candidates).await)
    }

    async fn heard(self, driver: &Driver, peer: &Peer) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (account, noise) = (peer.account, peer.link.peer());
        let known = driver.look(move |engine, now| {
            let entry = engine.friend(&account)?.card().roster().device_by_noise(&noise)?.keys;
            Some((entry, engine.time(now)))
        });
        let (issuer, given) = known.await?.ok_or("it is no friend's any more")?;
        let relays = driver.relays();
        let is_ours = |token: &Option<Vec<u8>>, purpose| {
            token.as_ref().is_none_or(|token| relays.is_for_us(token, &issuer, purpose, given))
        };
        if !is_ours(&self.relay, Purpose::Relay) || !is_ours(&self.meet, Purpose::Meet) {
            return Err("a token is not good".into());
        }
        let is_any = self.relay.is_some() || self.meet.is_some();
        let offered = is_any.then_some(Offered { account, offer: self, given });
        Ok(relays.0.offers.offered(driver.store(), peer.device, offered).await?)
    }
}

impl Relays {
    fn is_for_us(&self, token: &[u8], issuer: &DevicePublic, purpose: Purpose, now: UnixMillis) -> bool {
        let token = Token::from_bytes(token);
        let verified = token.and_then(|token| token.verify(issuer, purpose, now));
        verified.is_ok_and(|verified| verified.last == self.0.device.public().sign)
    }

    /// What a device offers.
    pub(crate) fn offer_of(&self, device: &DeviceId) -> Option<Offered> {
        self.0.offers.of(device)
    }

    /// Everything that is offered.
    pub(crate) fn offers(&self) -> Vec<(DeviceId, Offered)> {
        self.0.offers.all()
    }

    /// Changes when [`offers`](Self::offers) or [`ranked`](Self::ranked) may.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.0.offers.changed()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wayside_proto::crypto::Secret;

    use super::*;

    fn offer() -> Offer {
        let gate = GateKeys {
            host: [1; 32],
            gate: Secret::new([2; 32]),
            psk: Secret::new([3; 32]),
            until: UnixMillis(7),
        };
        Offer { relay: Some(vec![1; 200]), meet: None, candidates: Candidates::default(), gate: Some(gate) }
    }

    #[test]
    fn an_offer_comes_back_as_it_was_and_fits() {
        for offer in [Offer::default(), offer()] {
            let bytes = minicbor::to_vec(&offer).unwrap();
            assert!(bytes.len() < Offer::MOST);
            assert_eq!(minicbor::decode::<Offer>(&bytes).unwrap(), offer);
        }
        assert_eq!(data_encoding::HEXLOWER.encode(&minicbor::to_vec(Offer::default()).unwrap()), "83f6f680");
    }

    #[test]
    fn its_keys_do_not_show_in_a_log() {
        let told = format!("{:?}", offer());
        assert!(!told.contains("2, 2") && !told.contains("3, 3"), "{told}");
    }
}
