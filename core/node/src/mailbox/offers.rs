//! `wayside/mailbox/1`: who lets a friend have a mailbox on its machine gives it what others need to leave something there, at the start of a link and whenever it
//! changes; and what friends give us is kept, for our card.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use tokio::sync::watch;
use wayside_noise::Stream;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::wire::{HostEntry, MailboxOffer};

use super::{Mailboxes, lock};
use crate::driver::Driver;
use crate::links::turns::Turns;
use crate::links::{Peer, Protocol, read_frame, write_frame};
use crate::store::{Store, StoreError};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/mailbox/1";

/// The largest frame, in bytes: two places, the candidates, the keys.
const MOST: usize = 2048;
/// Between two offers over one stream: addresses change one after the other, and each is written to the friend's disk and goes into its card.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });
/// How often it is looked whether the places have changed, which follow from the bridges.
const LOOK: Duration = Duration::from_secs(60);
/// Devices whose offers are kept, of all friends and of one.
const MOST_OFFERS: usize = 256;
const MOST_OF_ONE: usize = 8;

/// What a friend's device offers to keep for us.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Offered {
    /// Whose device it is.
    #[n(0)]
    pub(crate) account: AccountId,
    /// How something is left there for us, as our card may name it but for the name.
    #[n(1)]
    pub(crate) host: HostEntry,
    /// How many bytes it keeps for us.
    #[n(2)]
    pub(crate) bytes: u64,
}

/// What was kept. What cannot be read is left out: it comes again with the next link.
pub(super) fn read(store: &Store) -> Result<BTreeMap<DeviceId, Offered>, StoreError> {
    let kept = store.mailbox_offers()?.into_iter();
    Ok(kept.filter_map(|(device, bytes)| Some((device, minicbor::decode(&bytes).ok()?))).collect())
}

/// Takes what friends offer.
#[derive(Debug)]
pub(crate) struct Receiver {
    driver: Driver,
    turns: Turns,
}

impl Receiver {
    pub(crate) fn new(driver: Driver) -> Self {
        Self { driver, turns: Turns::default() }
    }
}

#[async_trait]
impl Protocol for Receiver {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        while let Ok(Some(offer)) = read_frame::<MailboxOffer>(&mut stream.recv, MOST).await {
            self.turns.turn(peer.account, PAUSE).await;
            if let Err(why) = self.take(&peer, offer).await {
                tracing::debug!(why, "a mailbox that a friend offers is not taken");
                return;
            }
        }
    }
}

impl Receiver {
    async fn take(&self, peer: &Peer, offer: MailboxOffer) -> Result<(), &'static str> {
        let account = peer.account;
        let is_friend = move |engine: &wayside_proto::engine::Engine| {
            engine.friend(&account).is_some_and(|friend| !friend.blocked())
        };
        if !self.driver.look(move |engine, _| is_friend(engine)).await.unwrap_or(false) {
            return Err("it is no friend's any more");
        }
        let offered = offer.host.map(|host| Offered { account, host, bytes: offer.bytes });
        if offered.as_ref().is_some_and(|it| it.host.points.len() > HostEntry::MOST_POINTS) {
            return Err("it names too many places");
        }
        if offered.as_ref().is_some_and(|it| !it.host.name.is_empty()) {
            return Err("what it is called is for us to say");
        }
        self.driver.mailboxes().offered(&self.driver, account, peer.device, offered).await
    }
}

impl Mailboxes {
    /// What friends' devices offer to keep for us.
    pub(crate) fn offers(&self) -> Vec<(DeviceId, Offered)> {
        lock(&self.0.offers).iter().map(|(device, offered)| (*device, offered.clone())).collect()
    }

    /// Changes when [`offers`](Self::offers) does.
    pub(crate) fn offers_changed(&self) -> watch::Receiver<()> {
        self.0.offers_changed.subscribe()
    }

    /// A device offers this from now on.
    async fn offered(
        &self,
        driver: &Driver,
        account: AccountId,
        device: DeviceId,
        offered: Option<Offered>,
    ) -> Result<(), &'static str> {
        let bytes = {
            let mut offers = lock(&self.0.offers);
            let before = offers.get(&device);
            if before == offered.as_ref() {
                return Ok(());
            }
            match &offered {
                None => drop(offers.remove(&device)),
                Some(offered) => {
                    let of_one = offers.values().filter(|it| it.account == account).count();
                    if before.is_none() && (offers.len() >= MOST_OFFERS || of_one >= MOST_OF_ONE) {
                        return Err("there are too many offers already");
                    }
                    offers.insert(device, offered.clone());
                }
            }
            offered.as_ref().map(minicbor::to_vec).transpose().map_err(|_| "it cannot be kept")?
        };
        self.0.offers_changed.send_replace(());
        let kept = driver.store().run(move |store| store.keep_mailbox_offer(device, bytes.as_deref())).await;
        if let Err(error) = kept {
            // It holds until the node ends, and comes again with the next link.
            tracing::debug!(%error, "a mailbox that a friend offers was not kept");
        }
        Ok(())
    }

    /// Forgets what those offer who are no friends any more, or blocked.
    pub(super) async fn keep_offers_of(&self, driver: &Driver, friends: &BTreeSet<AccountId>) {
        let gone: Vec<DeviceId> = {
            let mut offers = lock(&self.0.offers);
            let gone = offers.iter().filter(|(_, it)| !friends.contains(&it.account));
            let gone: Vec<_> = gone.map(|(device, _)| *device).collect();
            gone.iter().for_each(|device| drop(offers.remove(device)));
            gone
        };
        if gone.is_empty() {
            return;
        }
        self.0.offers_changed.send_replace(());
        let forgotten = driver
            .store()
            .run(move |store| gone.into_iter().try_for_each(|device| store.keep_mailbox_offer(device, None)));
        if let Err(error) = forgotten.await {
            // At the next start it is nobody's, and forgotten then.
            tracing::debug!(%error, "a mailbox that was offered was not forgotten");
        }
    }
}

/// Gives a friend what its card may say of a mailbox here, and again whenever that has changed; ends with the link.
pub(crate) async fn give(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let mailboxes = driver.mailboxes();
    let mut owners = mailboxes.0.owners.subscribe();
    let mut told = driver.reach().told();
    let mut stream = peer.link.open(NAME).await.map_err(io::Error::other)?;
    let mut last = None;
    loop {
        let has_mailbox = owners.borrow_and_update().contains(&peer.account);
        told.borrow_and_update();
        let host = if has_mailbox { driver.door(peer.account).await } else { None };
        let bytes = if host.is_some() { mailboxes.config().friend } else { 0 };
        let offer = MailboxOffer { host, bytes };
        if last.as_ref() != Some(&offer) {
            write_frame(&mut stream.send, &offer).await?;
            last = Some(offer);
        }
        tokio::time::sleep(PAUSE).await;
        let is_over = tokio::select! {
            changed = owners.changed() => changed.is_err(),
            changed = told.changed() => changed.is_err(),
            () = tokio::time::sleep(LOOK) => false,
        };
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use wayside_proto::crypto::Secret;
    use wayside_proto::mailbox::wire::HostPoint;
    use wayside_proto::place::{Candidates, Locator, PlaceTag};

    use super::*;

    #[test]
    fn the_longest_offer_fits_and_its_secret_does_not_show_in_a_log() {
        let locator = Locator::new("matrix", &"a".repeat(Locator::MAX - 6)).unwrap();
        let point = HostPoint { locator, tag: PlaceTag([7; 8]) };
        let host = HostEntry {
            guest: [1; 32],
            secret: Secret::new([2; 32]),
            name: String::new(),
            points: vec![point.clone(), point],
            candidates: Candidates::default(),
        };
        let offer = MailboxOffer { host: Some(host), bytes: u64::MAX };
        let bytes = minicbor::to_vec(&offer).unwrap();
        assert!(bytes.len() + 512 < MOST, "with room for candidates: {}", bytes.len());
        assert_eq!(minicbor::decode::<MailboxOffer>(&bytes).unwrap(), offer);
        assert!(!format!("{offer:?}").contains("2, 2"));
    }
}
