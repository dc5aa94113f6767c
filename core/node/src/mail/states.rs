//! How far messages of ours have come, for whoever waits or asks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use data_encoding::HEXLOWER;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::item::{MessageId, Receipt};
use wayside_proto::mailbox::outbox::{self, State};
use wayside_proto::mailbox::placement::Keeper;
use wayside_proto::mailbox::wire::HostEntry;

use super::deposit;
use crate::api::types::{MessageState, NodeEvent, OutgoingView};
use crate::driver::Driver;
use crate::store::{Store, StoreError};
use crate::times;

/// A state in the words of the API.
const fn in_words(state: State) -> MessageState {
    match state {
        State::Queued => MessageState::Queued,
        State::Held => MessageState::Held,
        State::Delivered => MessageState::Delivered,
        State::Expired => MessageState::Expired,
    }
}

/// How a message stands, and who has all of it: hosts by what its recipient calls them, and friends of ours who carry it; `None` where no such message is known any more.
pub(crate) async fn held_by(
    driver: &Driver,
    id: MessageId,
) -> Result<Option<(AccountId, MessageState, Vec<String>)>, StoreError> {
    let found = driver.store().run(move |store| store.look_at_mail(|look| Ok(outbox::state(look, &id)?)));
    let Some((to, state, keepers)) = found.await? else { return Ok(None) };
    let mut names = Vec::new();
    if state == State::Held {
        names = names_of(driver, &keepers, &deposit::hosts_of(driver, to).await).await;
    }
    Ok(Some((to, in_words(state), names)))
}

/// What these are called, where `hosts` are those of the recipient. Who carries it and has it lie there as well is named once.
async fn names_of(driver: &Driver, keepers: &[Keeper], hosts: &[HostEntry]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for keeper in keepers {
        let name = match keeper {
            Keeper::Host(guest) => {
                hosts.iter().find(|host| host.guest == *guest).map(|host| host.name.clone())
            }
            Keeper::Courier(account) => Some(driver.name_of(account).await),
        };
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

/// A friend has said what it has: these are not kept any longer.
pub(super) async fn receipt(driver: &Driver, from: AccountId, receipt: Receipt) -> Result<(), StoreError> {
    if receipt.upto == 0 && receipt.beyond.is_empty() {
        return Ok(());
    }
    let wall = driver.clock().wall();
    let ids = driver.store().run(move |store| {
        store.mail(|change| {
            let now = change.age(wall)?;
            Ok(outbox::receipt(&mut change.tables, now, &from, &receipt)?)
        })
    });
    let ids = ids.await?;
    delivered(driver, ids.into_iter().map(|id| (from, id)).collect()).await
}

/// These are on their recipients' disks.
pub(super) async fn delivered(driver: &Driver, ids: Vec<(AccountId, MessageId)>) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut names = BTreeMap::new();
    for (to, id) in ids {
        driver.settle(id, MessageState::Delivered);
        let to = match names.entry(to) {
            Entry::Occupied(name) => name.into_mut(),
            Entry::Vacant(place) => place.insert(driver.name_of(&to).await),
        };
        let to = to.clone();
        driver.tell(NodeEvent::MessageDelivered { id: HEXLOWER.encode(&id), to });
    }
    driver.want_recipients().await
}

/// A friend cannot read these items, now or ever: their messages are given up, so that what comes behind does not wait for them. Where it has several devices another one may.
pub(super) async fn useless(driver: &Driver, to: AccountId, seqs: Vec<u64>) -> Result<(), StoreError> {
    if seqs.is_empty() || driver.mail().targets_of(&to).len() > 1 {
        return Ok(());
    }
    let wall = driver.clock().wall();
    let given_up = driver.store().run(move |store| {
        store.mail(|change| {
            let now = change.age(wall)?;
            let mut given_up = Vec::new();
            for seq in seqs {
                given_up.extend(outbox::give_up(&mut change.tables, now, &to, seq)?);
            }
            Ok(given_up)
        })
    });
    expired(driver, given_up.await?.into_iter().map(|id| (to, id)).collect()).await
}

/// These were given up, and those whom they were for are told from where on they need not wait.
pub(super) async fn expired(driver: &Driver, ids: Vec<(AccountId, MessageId)>) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    driver.mail().are_over(ids.iter().map(|(to, _)| *to));
    for (to, id) in &ids {
        let to = driver.name_of(to).await;
        tracing::warn!(to, "a message was given up: it could not be delivered");
        driver.tell(NodeEvent::MessageExpired { id: HEXLOWER.encode(id), to });
    }
    settle_given_up(driver, ids.into_iter().map(|(_, id)| id));
    driver.want_recipients().await
}

/// Messages of ours that are not over, the oldest first, at most [`MOST_OUTGOING`].
pub(crate) async fn outgoing(driver: &Driver) -> Result<Vec<OutgoingView>, StoreError> {
    let look = move |store: &Store| store.look_at_mail(|look| Ok(outbox::underway(look, MOST_OUTGOING)?));
    let underway = driver.store().run(look).await?;
    let mut hosts = BTreeMap::new();
    let mut views = Vec::with_capacity(underway.len());
    for message in underway {
        let (name, hosts) = match hosts.entry(message.to) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let hosts = deposit::hosts_of(driver, message.to).await;
                place.insert((driver.name_of(&message.to).await, hosts))
            }
        };
        let is_held = message.state == State::Held;
        views.push(OutgoingView {
            id: HEXLOWER.encode(&message.id),
            to: name.clone(),
            state: in_words(message.state),
            held_by: if is_held { names_of(driver, &message.holders, hosts).await } else { Vec::new() },
            sent: times::time(message.sent),
            bytes: message.bytes,
        });
    }
    Ok(views)
}

/// The most messages that are listed at once.
const MOST_OUTGOING: usize = 1_000;

/// These were given up.
pub(crate) fn settle_given_up(driver: &Driver, ids: impl IntoIterator<Item = MessageId>) {
    for id in ids {
        driver.settle(id, MessageState::Expired);
    }
}
