//! What runs for as long as one link is up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::task::TaskTracker;
use wayside_noise::LinkEvent;
use wayside_proto::mailbox::wire::{Access, MailboxOffer};

use super::notices::{self, Notice};
use super::{LiveLink, Protocols, address, card, renew};
use crate::api::types::NodeEvent;
use crate::driver::Driver;
use crate::introductions::{self, Introductions};
use crate::mail;
use crate::relays::offers::Offer;

/// The most streams of one link that are served at the same time; further ones wait.
const STREAMS: usize = 64;
/// How long a friend whose card has expired may take to hand over a fresh one, which is all that it is heard for.
const FRESH_CARD: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 20 });
/// How often it is looked whether the card of a friend has expired.
const LOOK_AT_CARD: Duration = Duration::from_secs(3600);

/// One link at work.
pub(crate) struct Session {
    pub(crate) link: LiveLink,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) driver: Driver,
    pub(crate) introductions: Introductions,
    pub(crate) tasks: TaskTracker,
}

impl Session {
    /// Runs until the link ends, or ends it.
    pub(crate) async fn run(self, moves: broadcast::Receiver<LinkEvent>) {
        let link = &self.link.peer.link;
        let (entitle, entitled) = watch::channel(false);
        let why = tokio::select! {
            reason = link.closed() => {
                tracing::debug!(%reason, "a link ended");
                "ended"
            }
            () = self.judge_card(&entitle) => "your card has expired, and no fresh one came",
            () = self.serve_streams(&entitled) => "no more streams",
            () = self.tell_moves(moves) => "the paths are not kept any more",
            () = self.give_card() => "the card cannot be given",
            () = self.tell_address(entitled.clone()) => "the node is ending",
            () = self.give::<Offer>(entitled.clone()) => "the node is ending",
            () = self.give::<MailboxOffer>(entitled.clone()) => "the node is ending",
            () = self.look_for_better(entitled.clone()) => "the node is ending",
            () = self.give::<Access>(entitled.clone()) => "the node is ending",
            () = self.send_messages(entitled.clone()) => "the node is ending",
            () = self.fetch(entitled.clone()) => "the node is ending",
            () = self.introduce(entitled.clone()) => "the node is ending",
        };
        // Whatever it was: nobody serves the link any more.
        link.close(why);
        let account = &self.link.peer.account;
        if self.driver.links().of(account).is_none_or(|live| live.number == self.link.number) {
            self.driver.reach().left(account);
        }
        self.driver.link_down(&self.link).await;
    }

    /// Says for how long the peer may do more than hand over its card; returns when it has had its time for that.
    async fn judge_card(&self, entitle: &watch::Sender<bool>) {
        let mut changes = self.driver.grants_changed();
        loop {
            if !self.card_in_force().await {
                entitle.send_replace(false);
                let fresh = async {
                    while !self.card_in_force().await {
                        if changes.changed().await.is_err() {
                            return;
                        }
                    }
                };
                if tokio::time::timeout(FRESH_CARD, fresh).await.is_err() {
                    return;
                }
            }
            entitle.send_replace(true);
            tokio::time::sleep(LOOK_AT_CARD).await;
        }
    }

    async fn card_in_force(&self) -> bool {
        let account = self.link.peer.account;
        let in_force = self.driver.look(move |engine, now| {
            let time = engine.time(now);
            engine.friend(&account).is_some_and(|friend| friend.card().roster().in_force(time))
        });
        in_force.await.unwrap_or(false)
    }

    /// Tells when the link travels otherwise than before.
    async fn tell_moves(&self, mut moves: broadcast::Receiver<LinkEvent>) {
        loop {
            match moves.recv().await {
                Ok(LinkEvent::Moved(_)) | Err(RecvError::Lagged(_)) => {
                    let (link, account) = (&self.link, self.link.peer.account);
                    let relay = self.driver.relay_of(link).await;
                    self.driver.tell(NodeEvent::LinkMoved {
                        friend: self.driver.name_of(&account).await,
                        account: account.to_string(),
                        path: link.path(),
                        transport: link.transport(),
                        remote: link.remote(),
                        relay,
                    });
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Serves the streams that the peer opens.
    async fn serve_streams(&self, entitled: &watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(STREAMS));
        while let Ok((name, stream)) = self.link.peer.link.accept().await {
            let Some(protocol) = self.protocols.get(&name).map(Arc::clone) else {
                tracing::debug!(name, "a friend speaks a protocol that nobody registered");
                continue;
            };
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let peer = self.link.peer.clone();
            let entitled = (name != card::NAME).then(|| entitled.clone());
            self.tasks.spawn(async move {
                let link = peer.link.clone();
                let served = async {
                    if let Some(mut entitled) = entitled {
                        // The link is ending otherwise.
                        entitled.wait_for(|it| *it).await.ok()?;
                    }
                    protocol.accept(peer, stream).await;
                    Some(())
                };
                tokio::select! {
                    _ = served => {}
                    _ = link.closed() => {}
                }
                drop(permit);
            });
        }
    }

    async fn give_card(&self) {
        match card::give(&self.driver, &self.link.peer).await {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "the card could not be given");
                // One that takes no card may still be talked with.
                std::future::pending().await
            }
        }
    }

    async fn tell_address(&self, mut entitled: watch::Receiver<bool>) {
        if entitled.wait_for(|it| *it).await.is_ok()
            && let Err(error) = address::tell(&self.driver, &self.link.peer).await
        {
            tracing::debug!(%error, "a friend is not told how it is seen");
            // One that does not want to know may still be talked with, and so may one whose link is just ending.
            std::future::pending().await
        }
    }

    async fn give<T: Notice>(&self, mut entitled: watch::Receiver<bool>) {
        if entitled.wait_for(|it| *it).await.is_ok()
            && let Err(error) = notices::give::<T>(&self.driver, &self.link.peer).await
        {
            tracing::debug!(protocol = T::NAME, %error, "a friend is not told something");
            // An older one does not want to know, and may still be talked with.
            std::future::pending().await
        }
    }

    /// As the side that dialled.
    async fn look_for_better(&self, mut entitled: watch::Receiver<bool>) {
        let link = &self.link.peer.link;
        if entitled.wait_for(|it| *it).await.is_ok() {
            if link.is_initiator()
                && let Err(error) = renew::propose(&self.driver, &self.link.peer).await
            {
                tracing::debug!(%error, "no better way to a friend is looked for any more");
            }
            std::future::pending().await
        }
    }

    async fn introduce(&self, mut entitled: watch::Receiver<bool>) {
        if entitled.wait_for(|it| *it).await.is_ok() {
            introductions::speak(&self.introductions, &self.link.peer).await;
        }
    }

    async fn fetch(&self, mut entitled: watch::Receiver<bool>) {
        if entitled.wait_for(|it| *it).await.is_ok() {
            mail::fetch::fetch(&self.driver, &self.link.peer).await;
        }
    }

    async fn send_messages(&self, mut entitled: watch::Receiver<bool>) {
        if entitled.wait_for(|it| *it).await.is_ok() {
            mail::link::send_queued(&self.driver, &self.link.peer).await;
        }
    }
}
