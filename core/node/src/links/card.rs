//! `wayside/card/1`: each side gives the other its card and what it allows it, at the start of a link and whenever either changes.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use wayside_noise::Stream;
use wayside_proto::engine::{CommandError, Friend, Grant, Input};
use wayside_proto::identity::Card;

use super::{Peer, Protocol, read_frame, write_frame};
use crate::driver::Driver;

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/card/1";

/// What is given.
#[derive(Encode, Decode)]
struct Given {
    #[cbor(n(0), with = "minicbor::bytes")]
    card: Vec<u8>,
    /// Words, so that later ones do no harm: `relay`, `mailbox`, `reflect`.
    #[n(1)]
    grants: Vec<String>,
}

/// Between two cards of one friend: each costs a look at its signatures, and perhaps the disk.
const PAUSE: Duration = Duration::from_millis(200);
/// How often our own card is looked at, which is renewed as time passes.
const RENEW: Duration = Duration::from_secs(6 * 3600);
/// How long to wait where the card cannot be made, since the disk takes nothing.
const AGAIN: Duration = Duration::from_secs(5);

/// The largest frame, in bytes.
const MOST: usize = Card::MAX + 1024;

/// Takes what a friend gives.
#[derive(Debug)]
pub(crate) struct Receiver(pub(crate) Driver);

#[async_trait]
impl Protocol for Receiver {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        while let Ok(Some(given)) = read_frame::<Given>(&mut stream.recv, MOST).await {
            let granted: BTreeSet<Grant> = given.grants.iter().filter_map(|word| grant(word)).collect();
            let account = peer.account;
            let bytes = given.card;
            let taken = self.0.change(move |engine, now| {
                engine.handle(now, Input::Card { account, bytes });
                let same = |friend: &Friend| {
                    GRANTS.iter().all(|(it, _)| friend.granted(*it) == granted.contains(it))
                };
                if !engine.friend(&account).is_some_and(same) {
                    engine.set_granted(now, &account, granted)?;
                }
                Ok::<_, CommandError>(())
            });
            if !matches!(taken.await, Ok(Ok(()))) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Gives our card and grants, and again whenever they may have changed; ends with the link.
pub(crate) async fn give(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let mut changes = driver.grants_changed();
    let mut stream = peer.link.open(NAME).await.map_err(io::Error::other)?;
    let mut last = Vec::new();
    loop {
        changes.borrow_and_update();
        let account = peer.account;
        let given = driver.change(move |engine, now| {
            let card = engine.own_card(now).to_bytes();
            let friend = engine.friend(&account);
            let grants = friend.map(|friend| GRANTS.iter().filter(|(grant, _)| friend.allows(*grant)));
            let grants = grants.into_iter().flatten().map(|(_, word)| (*word).to_owned()).collect();
            Given { card, grants }
        });
        let Ok(given) = given.await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let bytes = minicbor::to_vec(&given).map_err(io::Error::other)?;
        if bytes != last {
            write_frame(&mut stream.send, &given).await?;
            last = bytes;
        }
        if let Ok(Err(_)) = tokio::time::timeout(RENEW, changes.changed()).await {
            return Ok(());
        }
    }
}

/// What is allowed, in the words of the protocol and of people.
pub(crate) const GRANTS: [(Grant, &str); 4] = [
    (Grant::Relay, "relay"),
    (Grant::Mailbox, "mailbox"),
    (Grant::Reflect, "reflect"),
    (Grant::Meet, "meet"),
];

/// What a word allows.
pub(crate) fn grant(word: &str) -> Option<Grant> {
    GRANTS.iter().find(|(_, known)| *known == word).map(|(grant, _)| *grant)
}
