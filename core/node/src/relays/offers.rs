//! `wayside/relay/1`: who lets a friend use its machine gives it what that takes, at the start of a link and whenever it changes; and what friends give us is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use wayside_noise::{Remote, Stream};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, DevicePublic};
use wayside_proto::place::{Candidate, Candidates, Transport};
use wayside_proto::token::{Purpose, Token};

use super::gate::GateKeys;
use super::{Relays, lock};
use crate::driver::Driver;
use crate::links::{Peer, Protocol, read_frame, write_frame};
use crate::store::{Store, StoreError};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/relay/1";

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

/// The largest frame, in bytes: two tokens, six candidates, the keys.
const MOST: usize = 2 * Token::MAX + 1024;
/// Between two offers over one stream: addresses change one after the other, and each is written to the friend's disk.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });
/// How often it is looked whether the tokens are to be renewed.
const LOOK: Duration = Duration::from_secs(6 * 3600);
/// Devices whose offers are kept, of all friends and of one.
const MOST_OFFERS: usize = 256;
const MOST_OF_ONE: usize = 8;

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

    /// The same, to be dialled.
    pub(super) fn remotes(&self) -> impl Iterator<Item = Remote> {
        let remote = |it: &Candidate| match it.transport {
            Transport::Udp => Remote::Udp(it.address),
            Transport::Tcp => Remote::Tcp(it.address),
        };
        self.offer.candidates.iter().map(remote)
    }
}

/// What was kept. What cannot be read is left out: it comes again with the next link.
pub(super) fn read(store: &Store) -> Result<BTreeMap<DeviceId, Offered>, StoreError> {
    let kept = store.relay_offers()?.into_iter();
    Ok(kept.filter_map(|(device, bytes)| Some((device, minicbor::decode(&bytes).ok()?))).collect())
}

/// Takes what friends offer.
#[derive(Debug)]
pub(crate) struct Receiver(pub(crate) Driver);

#[async_trait]
impl Protocol for Receiver {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        while let Ok(Some(offer)) = read_frame::<Offer>(&mut stream.recv, MOST).await {
            if let Err(why) = self.take(&peer, offer).await {
                tracing::debug!(why, "what a friend offers is not taken");
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Receiver {
    async fn take(&self, peer: &Peer, mut offer: Offer) -> Result<(), &'static str> {
        let (account, noise) = (peer.account, peer.link.peer());
        let known = self.0.look(move |engine, now| {
            let entry = engine.friend(&account)?.card().roster().device_by_noise(&noise)?.keys;
            Some((entry, engine.time(now)))
        });
        let (issuer, now) = known.await.ok().flatten().ok_or("it is no friend's any more")?;
        let relays = self.0.relays();
        let is_ours = |token: &Option<Vec<u8>>, purpose| {
            token.as_ref().is_none_or(|token| relays.is_for_us(token, &issuer, purpose, now))
        };
        if !is_ours(&offer.relay, Purpose::Relay) || !is_ours(&offer.meet, Purpose::Meet) {
            return Err("a token is not good");
        }
        if offer.relay.is_none() && offer.meet.is_none() {
            offer = Offer::default();
        }
        relays.offered(&self.0, peer.device, Offered { account, offer, given: now }).await
    }
}

impl Relays {
    fn is_for_us(&self, token: &[u8], issuer: &DevicePublic, purpose: Purpose, now: UnixMillis) -> bool {
        let token = Token::from_bytes(token);
        let verified = token.and_then(|token| token.verify(issuer, purpose, now));
        verified.is_ok_and(|verified| verified.last == self.0.device.public().sign)
    }

    /// A device offers this from now on.
    async fn offered(&self, driver: &Driver, device: DeviceId, offered: Offered) -> Result<(), &'static str> {
        let offered = (offered.offer != Offer::default()).then_some(offered);
        let bytes = {
            let mut offers = lock(&self.0.offers);
            let before = offers.get(&device);
            match &offered {
                None if before.is_none() => return Ok(()),
                None => drop(offers.remove(&device)),
                Some(offered) => {
                    if before.is_some_and(|before| before.offer == offered.offer) {
                        return Ok(());
                    }
                    let of_one = offers.values().filter(|it| it.account == offered.account).count();
                    if before.is_none() && (offers.len() >= MOST_OFFERS || of_one >= MOST_OF_ONE) {
                        return Err("there are too many offers already");
                    }
                    offers.insert(device, offered.clone());
                }
            }
            offered.as_ref().map(minicbor::to_vec).transpose().map_err(|_| "it cannot be kept")?
        };
        self.0.changed.send_replace(());
        let kept = driver.store().run(move |store| store.keep_relay_offer(device, bytes.as_deref())).await;
        if let Err(error) = kept {
            // It holds until the node ends, and comes again with the next link.
            tracing::debug!(%error, "what a friend offers was not kept");
        }
        Ok(())
    }

    /// Forgets what those offer who are no friends any more, or blocked.
    pub(crate) async fn keep_only(&self, driver: &Driver, friends: &BTreeSet<AccountId>) {
        let gone: Vec<DeviceId> = {
            let mut offers = lock(&self.0.offers);
            let gone = offers.iter().filter(|(_, it)| !friends.contains(&it.account));
            let gone: Vec<_> = gone.map(|(device, _)| *device).collect();
            gone.iter().for_each(|device| drop(offers.remove(device)));
            gone
        };
        for device in &gone {
            self.leave(device);
        }
        if gone.is_empty() {
            return;
        }
        self.0.changed.send_replace(());
        let forgotten = driver
            .store()
            .run(move |store| gone.into_iter().try_for_each(|device| store.keep_relay_offer(device, None)));
        if let Err(error) = forgotten.await {
            // At the next start it is nobody's, and forgotten then.
            tracing::debug!(%error, "an offer was not forgotten");
        }
    }

    /// What a device offers.
    pub(crate) fn offer_of(&self, device: &DeviceId) -> Option<Offered> {
        lock(&self.0.offers).get(device).cloned()
    }

    /// Everything that is offered.
    pub(crate) fn offers(&self) -> Vec<(DeviceId, Offered)> {
        lock(&self.0.offers).iter().map(|(device, offered)| (*device, offered.clone())).collect()
    }
}

/// Gives a friend what it takes to use this machine, and again whenever that has changed; ends with the link.
pub(crate) async fn give(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let relays = driver.relays();
    let (mut grants, mut told) = (driver.grants_changed(), driver.reach().told());
    let (mut gates, mut friends) = (relays.0.gates_changed.subscribe(), driver.friends_changed());
    let mut stream = peer.link.open(NAME).await.map_err(io::Error::other)?;
    let mut last = None;
    loop {
        grants.borrow_and_update();
        gates.borrow_and_update();
        friends.borrow_and_update();
        let candidates = told.borrow_and_update().reach.candidates.clone();
        let offer = relays.offer_for(driver, peer, candidates).await;
        if last.as_ref() != Some(&offer) {
            write_frame(&mut stream.send, &offer).await?;
            last = Some(offer);
        }
        tokio::time::sleep(PAUSE).await;
        let ended = |changed: Result<(), _>| changed.is_err();
        let is_over = tokio::select! {
            changed = grants.changed() => ended(changed),
            changed = friends.changed() => ended(changed),
            changed = gates.changed() => ended(changed),
            changed = told.changed() => ended(changed),
            () = tokio::time::sleep(LOOK) => false,
        };
        if is_over {
            return Ok(());
        }
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
            assert!(bytes.len() < MOST);
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
