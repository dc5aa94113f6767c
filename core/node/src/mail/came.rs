//! What comes, by whatever way: opened beside each other, and taken in with one transaction, in which it is shown as well.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, DevicePublic};
use wayside_proto::engine::Input;
use wayside_proto::mailbox::inbox::{self, Arrival, Limits};
use wayside_proto::mailbox::item::{Content, Item, Kind, MessageId, News, Ordered, Receipt};
use wayside_proto::mailbox::prekeys::Prekeys;
use wayside_proto::mailbox::seal::{self, OpenError};
use wayside_proto::mailbox::wire::Access;
use wayside_proto::mailbox::{Age, outbox};

use super::files::Arriving;
use super::{Mail, access, states};
use crate::api::types::NodeEvent;
use crate::driver::Driver;
use crate::store::{InboxEntry, MailChange, StoreError};

/// What one device of a friend's may make wait here before its turn: as much as two of the largest attachments.
const HELD: Limits = Limits { held: 2_048, bytes: 48 << 20 };
/// So many are opened by one thread before another one is asked to help.
const SHARE: usize = 16;

/// What became of a blob that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is on disk here, or was before: whoever kept it need not any longer.
    Taken,
    /// It cannot be read, now or ever: whoever kept it need not any longer.
    Useless,
    /// There is no room: it is to come again.
    Full,
}

/// A blob that came, and from whom it is said to be.
pub(super) type Blob = (AccountId, Vec<u8>);

/// Blobs that came for us from a friend, by whatever way, in this order: opened, and on disk when this returns.
pub(crate) async fn came(
    driver: &Driver,
    from: AccountId,
    blobs: Vec<Vec<u8>>,
) -> Result<Vec<Came>, StoreError> {
    all_came(driver, blobs.into_iter().map(|blob| (from, blob)).collect()).await
}

/// The same from several friends.
pub(super) async fn all_came(driver: &Driver, blobs: Vec<Blob>) -> Result<Vec<Came>, StoreError> {
    let opened = open_all(driver, blobs).await?;
    let (mail, limits, wall) = (driver.mail().clone(), driver.limits(), driver.clock().wall());
    let (results, effects) = driver
        .store()
        .run(move |store| store.mail(|change| take_all(change, &mail, opened, u64::from(limits.inbox), wall)))
        .await?;
    effects.happen(driver).await?;
    Ok(results)
}

/// What opened; `None` where it did not.
type Opened = Vec<(AccountId, Option<Item>)>;

/// The keys of a friend's devices.
type Devices = BTreeMap<AccountId, Vec<DevicePublic>>;

async fn open_all(driver: &Driver, blobs: Vec<Blob>) -> Result<Opened, StoreError> {
    let senders: BTreeSet<AccountId> = blobs.iter().map(|(from, _)| *from).collect();
    let devices = driver.look(move |engine, _| {
        let friends = senders.iter().filter_map(|account| engine.friend(account));
        let heard = friends.filter(|friend| !friend.blocked());
        let devices = heard.map(|friend| {
            let devices = friend.card().roster().devices.iter().map(|entry| entry.keys).collect();
            (friend.account(), devices)
        });
        devices.collect::<Devices>()
    });
    // The node is ending otherwise.
    let devices = std::sync::Arc::new(devices.await.map_err(|error| ending(&error))?);
    let prekeys = std::sync::Arc::new(driver.mail().keys().prekeys().clone());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = blobs.len().div_ceil(threads).max(SHARE);
    let mut parts = Vec::new();
    let mut rest = blobs;
    while !rest.is_empty() {
        let later = rest.split_off(share.min(rest.len()));
        let (mail, devices, prekeys) = (driver.mail().clone(), devices.clone(), prekeys.clone());
        parts.push(tokio::task::spawn_blocking(move || {
            let open = |(from, blob): Blob| (from, open(&mail, &devices, &prekeys, &from, &blob));
            rest.into_iter().map(open).collect::<Vec<_>>()
        }));
        rest = later;
    }
    let mut opened = Vec::new();
    for part in parts {
        opened.extend(part.await.map_err(|error| ending(&error))?);
    }
    Ok(opened)
}

fn open(mail: &Mail, devices: &Devices, prekeys: &Prekeys, from: &AccountId, blob: &[u8]) -> Option<Item> {
    // Of somebody who is no friend any more, or blocked, nothing is read.
    let devices = devices.get(from)?;
    let senders: Vec<[u8; 32]> = devices.iter().map(|keys| keys.noise).collect();
    let us = (&mail.0.account, mail.0.device);
    let opened = seal::open(us, prekeys, from, &senders, blob);
    let bytes = match opened {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(OpenError::KeyGone) => {
            tracing::warn!(
                "something from a friend was sealed to a key that is gone: it cannot be read any more"
            );
            return None;
        }
        Err(error) => {
            tracing::debug!(%error, "something that came does not open");
            return None;
        }
    };
    let item = Item::from_bytes(&bytes).ok()?;
    devices.iter().any(|keys| keys.id() == item.device).then_some(item)
}

/// What follows once it is on disk.
#[derive(Default)]
struct Effects {
    shown: Vec<(AccountId, MessageId)>,
    delivered: Vec<(AccountId, MessageId)>,
    cards: Vec<(AccountId, Vec<u8>)>,
    access: Vec<(AccountId, Access)>,
    /// Who waits for something of ours that is over.
    behind: BTreeSet<AccountId>,
    owes: bool,
}

fn take_all(
    change: &mut MailChange<'_>,
    mail: &Mail,
    opened: Opened,
    most_unread: u64,
    wall: UnixMillis,
) -> Result<(Vec<Came>, Effects), StoreError> {
    let now = change.age(wall)?;
    let mut taking = Taking {
        change,
        files: Arriving::new(mail.0.files.clone(), mail.own().attach),
        effects: Effects::default(),
        unread: BTreeMap::new(),
        most_unread,
        us: mail.0.device,
        now,
        wall,
    };
    let mut results = Vec::with_capacity(opened.len());
    for (from, item) in opened {
        results.push(match item {
            Some(Item { device, kind: Kind::Ordered(item) }) => taking.ordered(&from, &device, item)?,
            Some(Item { device, kind: Kind::News(news) }) => taking.news(&from, &device, news)?,
            None => Came::Useless,
        });
    }
    taking.files.sync()?;
    Ok((results, taking.effects))
}

/// One transaction's worth.
struct Taking<'a, 'b> {
    change: &'a mut MailChange<'b>,
    files: Arriving,
    effects: Effects,
    /// How many messages of whom were not read yet.
    unread: BTreeMap<AccountId, u64>,
    most_unread: u64,
    us: DeviceId,
    now: Age,
    wall: UnixMillis,
}

impl Taking<'_, '_> {
    fn ordered(&mut self, from: &AccountId, device: &DeviceId, item: Ordered) -> Result<Came, StoreError> {
        if matches!(item.content, Content::Message(..)) && self.unread(from)? >= self.most_unread {
            return Ok(Came::Full);
        }
        let arrival = inbox::take(&mut self.change.tables, from, device, item, &HELD)?;
        let in_order = match arrival {
            Arrival::Taken(in_order) => in_order,
            // It is told again that it is here: whoever sends it again does not know.
            Arrival::Known => Vec::new(),
            Arrival::Full => return Ok(Came::Full),
            Arrival::Absurd => return Ok(Came::Useless),
        };
        self.effects.owes = true;
        self.show_all(from, in_order)?;
        Ok(Came::Taken)
    }

    fn news(&mut self, from: &AccountId, device: &DeviceId, news: News) -> Result<Came, StoreError> {
        let Some(in_order) = inbox::news(&mut self.change.tables, from, device, &news)? else {
            return Ok(Came::Taken);
        };
        self.effects.owes |= !in_order.is_empty();
        self.show_all(from, in_order)?;
        // Of another device of ours it says nothing about this one's.
        if let Some(receipt) = news.receipt.as_ref().filter(|it| it.device == self.us) {
            self.receipt(from, receipt)?;
        }
        self.effects.cards.extend(news.card.map(|card| (*from, card)));
        let own = |access: &Access| access.device == *device;
        self.effects.access.extend(news.access.filter(own).map(|access| (*from, access)));
        Ok(Came::Taken)
    }

    fn receipt(&mut self, from: &AccountId, receipt: &Receipt) -> Result<(), StoreError> {
        let delivered = outbox::receipt(&mut self.change.tables, self.now, from, receipt)?;
        self.effects.delivered.extend(delivered.into_iter().map(|id| (*from, id)));
        if outbox::behind(&self.change.tables, from)? {
            self.effects.behind.insert(*from);
        }
        Ok(())
    }

    fn unread(&mut self, from: &AccountId) -> Result<u64, StoreError> {
        if let Some(known) = self.unread.get(from) {
            return Ok(*known);
        }
        let unread = self.change.unread_from(from)?;
        self.unread.insert(*from, unread);
        Ok(unread)
    }

    fn show_all(&mut self, from: &AccountId, in_order: Vec<Ordered>) -> Result<(), StoreError> {
        for Ordered { sent, content, .. } in in_order {
            match content {
                Content::Chunk(file, at, bytes) => {
                    self.files.part(self.change, self.now, from, &file, at, &bytes)?;
                }
                Content::Message(id, text, files) => {
                    let files: Vec<_> = files
                        .iter()
                        .map(|file| self.files.whole(self.change, from, &id, file))
                        .collect::<Result<_, _>>()?;
                    let files = (!files.is_empty()).then_some(files);
                    let entry = InboxEntry { id, from: *from, text, sent, received: self.wall, files };
                    self.change.show(&entry)?;
                    self.unread.entry(*from).and_modify(|unread| *unread = unread.saturating_add(1));
                    self.effects.shown.push((*from, id));
                }
            }
        }
        Ok(())
    }
}

impl Effects {
    async fn happen(self, driver: &Driver) -> Result<(), StoreError> {
        for (from, id) in self.shown {
            let (id, account) = (HEXLOWER.encode(&id), from.to_string());
            driver.tell(NodeEvent::MessageReceived { id, from: driver.name_of(&from).await, account });
        }
        states::delivered(driver, self.delivered).await?;
        let mut learned: BTreeMap<AccountId, Option<Access>> = BTreeMap::new();
        for (account, bytes) in self.cards {
            learned.entry(account).or_default();
            let taken = driver.change(move |engine, now| engine.handle(now, Input::Card { account, bytes }));
            if let Err(error) = taken.await {
                // It comes again with the next news, or over a link.
                tracing::debug!(%error, "a card that came was not taken");
            }
        }
        for (account, access) in self.access {
            learned.insert(account, Some(access));
        }
        for (account, access) in learned {
            access::learn(driver, account, access).await?;
        }
        let mail = driver.mail();
        if !self.behind.is_empty() {
            super::lock(&mail.0.over).extend(self.behind);
            mail.owes();
        }
        if self.owes {
            mail.owes();
        }
        Ok(())
    }
}

fn ending(error: &impl std::fmt::Display) -> StoreError {
    StoreError::Io(std::io::Error::other(error.to_string()))
}
