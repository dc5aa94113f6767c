//! `wayside/mailbox/1`: who lets a friend have a mailbox on its machine gives it what others need to leave something there, at the start of a link and whenever it
//! changes; and what friends give us is kept, for our card.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::select_all;
use minicbor::{Decode, Encode};
use tokio::sync::watch;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::wire::{HostEntry, MailboxOffer};

use super::Mailboxes;
use crate::driver::Driver;
use crate::links::Peer;
use crate::links::notices::{Changes, Notice, watched};
use crate::offers;
use crate::store::offers::{MAILBOXES, Table};

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

impl offers::Offered for Offered {
    const TABLE: Table = MAILBOXES;

    fn account(&self) -> AccountId {
        self.account
    }

    fn is_no_news_after(&self, other: &Self) -> bool {
        self == other
    }
}

#[async_trait]
impl Notice for MailboxOffer {
    const NAME: &'static str = "wayside/mailbox/1";
    /// Two places, the candidates, the keys.
    const MOST: usize = 2048;
    /// The places follow from the bridges.
    const LOOK: Duration = Duration::from_secs(60);

    fn changes(driver: &Driver) -> Changes {
        let owners = driver.mailboxes().0.owners.subscribe();
        select_all([watched(owners), watched(driver.reach().told())])
    }

    async fn now(driver: &Driver, peer: &Peer) -> io::Result<Self> {
        let mailboxes = driver.mailboxes();
        let host = if mailboxes.is_owner(&peer.account) { driver.door(peer.account).await } else { None };
        let bytes = if host.is_some() { mailboxes.config().friend } else { 0 };
        Ok(Self { host, bytes })
    }

    async fn heard(self, driver: &Driver, peer: &Peer) -> Result<(), Box<dyn Error + Send + Sync>> {
        let account = peer.account;
        let heard = driver.look(move |engine, _| engine.friend(&account).is_some_and(|it| !it.blocked()));
        if !heard.await? {
            return Err("it is no friend's any more".into());
        }
        let offered = self.host.map(|host| Offered { account, host, bytes: self.bytes });
        if offered.as_ref().is_some_and(|it| it.host.points.len() > HostEntry::MOST_POINTS) {
            return Err("it names too many places".into());
        }
        if offered.as_ref().is_some_and(|it| !it.host.name.is_empty()) {
            return Err("what it is called is for us to say".into());
        }
        Ok(driver.mailboxes().0.offers.offered(driver.store(), peer.device, offered).await?)
    }
}

impl Mailboxes {
    /// What friends' devices offer to keep for us.
    pub(crate) fn offers(&self) -> Vec<(DeviceId, Offered)> {
        self.0.offers.all()
    }

    /// Changes when [`offers`](Self::offers) does.
    pub(crate) fn offers_changed(&self) -> watch::Receiver<()> {
        self.0.offers.changed()
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
        assert!(bytes.len() + 512 < MailboxOffer::MOST, "with room for candidates: {}", bytes.len());
        assert_eq!(minicbor::decode::<MailboxOffer>(&bytes).unwrap(), offer);
        assert!(!format!("{offer:?}").contains("2, 2"));
    }
}
