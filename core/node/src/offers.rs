//! What friends' machines offer us, to forward or to keep mail: by device, told over its link, kept on disk, and gone with the friendship.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use minicbor::{Decode, Encode};
use tokio::sync::watch;
use wayside_proto::crypto::keys::{AccountId, DeviceId};

use crate::lock::lock;
use crate::store::offers::Table;
use crate::store::{Store, StoreError};

/// Devices whose offers of a kind are kept, of all friends and of one.
const MOST: usize = 256;
const MOST_OF_ONE: usize = 8;

/// What a device offers.
pub(crate) trait Offered: Clone + Encode<()> + for<'b> Decode<'b, ()> {
    /// Where offers of this kind are kept.
    const TABLE: Table;

    /// Whose device it is.
    fn account(&self) -> AccountId;

    /// Whether it says nothing that another one did not.
    fn is_no_news_after(&self, other: &Self) -> bool;
}

/// All offers of a kind.
#[derive(Debug)]
pub(crate) struct Offers<T> {
    offers: Mutex<BTreeMap<DeviceId, T>>,
    changed: watch::Sender<()>,
}

impl<T: Offered> Offers<T> {
    /// Those that were kept. What cannot be read is left out: it comes again with the next link.
    pub(crate) fn read(store: &Store) -> Result<Self, StoreError> {
        let kept = store.offers(T::TABLE)?.into_iter();
        let kept = kept.filter_map(|(device, bytes)| Some((device, minicbor::decode(&bytes).ok()?)));
        Ok(Self { offers: Mutex::new(kept.collect()), changed: watch::channel(()).0 })
    }

    /// What a device offers.
    pub(crate) fn of(&self, device: &DeviceId) -> Option<T> {
        lock(&self.offers).get(device).cloned()
    }

    /// Everything that is offered.
    pub(crate) fn all(&self) -> Vec<(DeviceId, T)> {
        lock(&self.offers).iter().map(|(device, offered)| (*device, offered.clone())).collect()
    }

    /// Changes when any of them does.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Has those who wait for a change look, for a reason of the caller's.
    pub(crate) fn look_again(&self) {
        self.changed.send_replace(());
    }

    /// A device offers this from now on; `None` is nothing.
    pub(crate) async fn offered(
        &self,
        store: &Arc<Store>,
        device: DeviceId,
        offered: Option<T>,
    ) -> Result<(), &'static str> {
        let bytes = offered.as_ref().map(minicbor::to_vec).transpose().map_err(|_| "it cannot be kept")?;
        {
            let mut offers = lock(&self.offers);
            match (offers.get(&device), offered) {
                (None, None) => return Ok(()),
                (Some(_), None) => drop(offers.remove(&device)),
                (Some(before), Some(offered)) if offered.is_no_news_after(before) => return Ok(()),
                (before, Some(offered)) => {
                    let of_one = offers.values().filter(|it| it.account() == offered.account()).count();
                    if before.is_none() && (offers.len() >= MOST || of_one >= MOST_OF_ONE) {
                        return Err("there are too many offers already");
                    }
                    offers.insert(device, offered);
                }
            }
        }
        self.look_again();
        let kept = store.run(move |store| store.keep_offer(T::TABLE, device, bytes.as_deref())).await;
        if let Err(error) = kept {
            // It holds until the node ends, and comes again with the next link.
            tracing::debug!(%error, "what a friend offers was not kept");
        }
        Ok(())
    }

    /// Forgets what those offer who are no friends any more, or blocked; `gone` is told of each of their devices.
    pub(crate) async fn keep_only(
        &self,
        store: &Arc<Store>,
        friends: &BTreeSet<AccountId>,
        gone: impl Fn(&DeviceId),
    ) {
        let strangers: Vec<DeviceId> = {
            let mut offers = lock(&self.offers);
            let strangers = offers.iter().filter(|(_, it)| !friends.contains(&it.account()));
            let strangers: Vec<_> = strangers.map(|(device, _)| *device).collect();
            strangers.iter().for_each(|device| drop(offers.remove(device)));
            strangers
        };
        if strangers.is_empty() {
            return;
        }
        strangers.iter().for_each(gone);
        self.look_again();
        let forget = move |store: &Store| {
            strangers.into_iter().try_for_each(|device| store.keep_offer(T::TABLE, device, None))
        };
        if let Err(error) = store.run(forget).await {
            // At the next start it is nobody's, and forgotten then.
            tracing::debug!(%error, "an offer was not forgotten");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Disk;
    use crate::store::offers::MAILBOXES;

    #[derive(Clone, Debug, PartialEq, Encode, Decode)]
    struct Room(#[n(0)] AccountId, #[n(1)] u8);

    impl Offered for Room {
        const TABLE: Table = MAILBOXES;

        fn account(&self) -> AccountId {
            self.0
        }

        fn is_no_news_after(&self, other: &Self) -> bool {
            self == other
        }
    }

    #[tokio::test]
    async fn what_is_offered_is_bounded_kept_and_goes_with_the_friendship() {
        let store = Disk::default().store();
        let offers = Offers::<Room>::read(&store).unwrap();
        let [ann, bob] = [1, 2].map(|byte| AccountId([byte; 32]));
        let of = |number: u8| DeviceId([number; 16]);
        for number in 0..8 {
            offers.offered(&store, of(number), Some(Room(ann, 1))).await.unwrap();
        }
        assert!(offers.offered(&store, of(8), Some(Room(ann, 1))).await.is_err(), "one has so many devices");
        offers.offered(&store, of(9), Some(Room(bob, 1))).await.unwrap();
        let mut changed = offers.changed();
        offers.offered(&store, of(0), Some(Room(ann, 1))).await.unwrap();
        offers.offered(&store, of(8), None).await.unwrap();
        assert!(!changed.has_changed().unwrap(), "that is no news");
        offers.offered(&store, of(0), Some(Room(ann, 2))).await.unwrap();
        offers.offered(&store, of(1), None).await.unwrap();
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        let kept = || Offers::<Room>::read(&store).unwrap().all();
        assert_eq!((kept(), kept().len()), (offers.all(), 8));
        let gone = Mutex::new(Vec::new());
        offers.keep_only(&store, &BTreeSet::from([bob]), |device| lock(&gone).push(*device)).await;
        assert_eq!(*lock(&gone), [0, 2, 3, 4, 5, 6, 7].map(of));
        assert_eq!((kept(), offers.of(&of(9))), (vec![(of(9), Room(bob, 1))], Some(Room(bob, 1))));
        assert!(changed.has_changed().unwrap());
    }
}
