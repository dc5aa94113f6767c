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
use crate::api::types::{MessageState, NodeEvent};
use crate::driver::Driver;
use crate::store::StoreError;

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

/// These were given up.
pub(crate) fn settle_given_up(driver: &Driver, ids: impl IntoIterator<Item = MessageId>) {
    for id in ids {
        driver.settle(id, MessageState::Expired);
    }
}
