//! Our own door, for couriers: where nobody keeps mail for us, our card names ourselves, and what friends of ours have others carry is brought here and taken in as whatever else comes.
//!
//! A door that was ever named stays: who carries something may be on its way to it for weeks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::Friend;
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::wire::{Answer, HostEntry, Put, queue};

use super::{Came, came, lock};
use crate::driver::Driver;

/// Bytes of what was brought that wait for the disk at a time, by all who are here.
const WAITING: usize = 8 << 20;
/// When it may be tried again where there is no room until some was read, or with a disk that takes nothing.
const LATER: Duration = Duration::from_secs(300);

/// Takes in what couriers bring.
#[derive(Debug)]
pub(crate) struct OwnDoor {
    driver: Driver,
    room: Arc<Semaphore>,
}

impl OwnDoor {
    pub(crate) fn new(driver: Driver) -> Self {
        Self { driver, room: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Whether it is the door of this one.
    pub(crate) fn is_of(&self, owner: &AccountId) -> bool {
        self.driver.mail().0.account == *owner
    }

    /// Takes something in that was brought; what became of it is known once it is on disk. Waits for room.
    pub(crate) async fn take(&self, put: Put) -> impl Future<Output = Answer> + Send + use<> {
        let size = u32::try_from(put.blob.len().clamp(1, WAITING)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await;
        let driver = self.driver.clone();
        async move {
            let answer = take(&driver, put).await;
            drop(room);
            answer
        }
    }
}

async fn take(driver: &Driver, put: Put) -> Answer {
    let Some(guest) = driver.own_door().await.map(|door| door.guest) else { return Answer::Denied };
    let heard = |friend: &&Friend| !friend.blocked();
    let friends = driver.look(move |engine, _| {
        engine.friends().filter(heard).map(Friend::account).collect::<Vec<AccountId>>()
    });
    let mail = driver.mail();
    let sender = friends.await.unwrap_or_default().into_iter().find_map(|friend| {
        let (id, key) = queue(&mail.root_of(&friend), &guest);
        (id == put.queue).then_some((friend, key))
    });
    if let Err(answer) = custody::check(sender.as_ref().map(|(_, key)| key), &put) {
        return answer;
    }
    let Some((sender, _)) = sender else { return Answer::Denied };
    if lock(&mail.0.recent).knows(&put.hash) {
        return Answer::Stored;
    }
    match came(driver, sender, vec![put.blob]).await.as_deref() {
        Ok([Came::Full]) | Err(_) => Answer::Full(u32::try_from(LATER.as_secs()).unwrap_or(u32::MAX)),
        // What cannot be read need not be brought again either.
        Ok(_) => {
            lock(&mail.0.recent).taken(put.hash);
            Answer::Stored
        }
    }
}

impl Driver {
    /// Our own door, as our card names it; `None` where there is none.
    pub(crate) async fn own_door(&self) -> Option<HostEntry> {
        self.door(self.mail().0.account).await
    }

    /// Whose door our own is, where there should be one: nobody keeps mail for us, and couriers are wanted, or it was made before.
    pub(crate) fn wants_own_door(&self) -> Option<AccountId> {
        let us = self.mail().0.account;
        let wanted = self.mail().own().couriers && self.mailboxes().offers().is_empty();
        (wanted || self.doors().has(&us)).then_some(us)
    }
}
