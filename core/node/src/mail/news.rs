//! News: what a friend is told beside messages. What came of what it sent, below which number nothing comes any more, our card, and what it takes to seal for us. Over the link where there
//! is one, and otherwise by the friend's hosts, so that two who are never online together know how they stand.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::item::{News, Receipt};
use wayside_proto::mailbox::wire::Answer;
use wayside_proto::mailbox::{inbox, outbox};

use super::{Mail, deposit, lock};
use crate::driver::Driver;
use crate::store::StoreError;

/// How long what came is gathered before its senders are told.
pub(super) const GATHER: Duration = Duration::from_millis(200);
/// How long it waits for a link before hosts are tried, where one may be about to come.
const FIRST_LINK: Duration = Duration::from_secs(1);
/// How long to wait with somebody who could not be told.
const AGAIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How long hosts are waited for; after it what is told is put together anew.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Friends who are told at a time.
const AT_ONCE: usize = 64;

/// News for one friend.
pub(super) struct Told {
    /// What of it is a receipt.
    pub(super) receipt: Option<Receipt>,
    pub(super) blob: Vec<u8>,
}

impl Mail {
    /// Changes when somebody is to be told something.
    pub(super) fn owing(&self) -> watch::Receiver<()> {
        self.0.owing.subscribe()
    }

    /// Whether a friend is to be told something.
    fn is_over(&self, account: &AccountId) -> bool {
        lock(&self.0.over).contains(account)
    }

    /// Something of ours for these is over, which they may be waiting for.
    pub(super) fn are_over(&self, accounts: impl IntoIterator<Item = AccountId>) {
        lock(&self.0.over).extend(accounts);
        self.owes();
    }
}

/// Puts together what a friend is to be told, one for each of its devices that is owed a receipt; without `always` nothing where nothing is to be told. With `all` card and access are in
/// it, which whoever has a link is given by other ways.
pub(super) async fn news(
    driver: &Driver,
    to: AccountId,
    always: bool,
    all: bool,
) -> Result<Vec<Told>, StoreError> {
    let mail = driver.mail().clone();
    let is_over = mail.is_over(&to);
    let card = match all {
        // Without it where it cannot be made now.
        true => driver.change(|engine, now| engine.own_card(now).to_bytes()).await.ok(),
        false => None,
    };
    let wall = driver.clock().wall();
    let told = driver.store().run(move |store| {
        let owed = store.look_at_mail(|look| Ok(inbox::receipts(look, &to)?))?;
        if owed.is_empty() && !is_over && !always {
            return Ok(Vec::new());
        }
        let mut receipts: Vec<Option<Receipt>> = owed.into_iter().map(Some).collect();
        if receipts.is_empty() {
            receipts.push(None);
        }
        store.mail(|change| {
            let now = change.age(wall)?;
            let mut seals = mail.seals(&to, now, wall);
            let mut told = Vec::new();
            for receipt in receipts {
                let news = News {
                    seq: change.next_news(wall)?,
                    receipt: receipt.clone(),
                    floor: outbox::floor(&change.tables, &to)?,
                    card: card.clone(),
                    access: all.then(|| mail.access_for(&to, now)),
                };
                told.extend(seals.news(news).map(|blob| Told { receipt, blob }));
            }
            Ok(told)
        })
    });
    told.await
}

/// A friend has these news, or somebody keeps them for it.
pub(super) async fn told(driver: &Driver, to: AccountId, receipt: Option<Receipt>) -> Result<(), StoreError> {
    lock(&driver.mail().0.over).remove(&to);
    let Some(receipt) = receipt else { return Ok(()) };
    driver
        .store()
        .run(move |store| store.mail(|change| Ok(inbox::told(&mut change.tables, &to, &receipt)?)))
        .await
}

/// Tells those with whom there is no link by way of their hosts, as long as the node runs.
pub(super) async fn keep(driver: Driver) {
    let mut owing = driver.mail().owing();
    let mut under_way = JoinSet::new();
    let mut telling = BTreeSet::new();
    loop {
        owing.borrow_and_update();
        match whom(&driver).await {
            Ok(whom) => {
                for account in whom {
                    if under_way.len() < AT_ONCE && telling.insert(account) {
                        let driver = driver.clone();
                        under_way.spawn(async move {
                            tell(&driver, account).await;
                            account
                        });
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "it is not known who is to be told what came"),
        }
        tokio::select! {
            changed = owing.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER).await;
            }
            Some(Ok(account)) = under_way.join_next() => drop(telling.remove(&account)),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Those who are to be told something and have no link, some of them at a time.
pub(super) async fn whom(driver: &Driver) -> Result<BTreeSet<AccountId>, StoreError> {
    let owed = driver.store().run(|store| store.look_at_mail(|look| Ok(inbox::owed(look, AT_ONCE)?)));
    let mut whom: BTreeSet<AccountId> = owed.await?.into_iter().collect();
    whom.extend(lock(&driver.mail().0.over).iter().copied());
    whom.retain(|account| driver.links().of(account).is_none());
    Ok(whom)
}

async fn tell(driver: &Driver, to: AccountId) {
    tokio::time::sleep(FIRST_LINK).await;
    if driver.links().of(&to).is_some() {
        return;
    }
    match tell_by_hosts(driver, to).await {
        Ok(true) => {}
        Ok(false) => tokio::time::sleep(AGAIN).await,
        Err(error) => {
            tracing::debug!(%error, "what came is not told yet");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether it is with somebody who keeps it, or carries it where the card names fewer hosts than copies are wanted. As many get it as copies are wanted, of those that are there soon enough.
async fn tell_by_hosts(driver: &Driver, to: AccountId) -> Result<bool, StoreError> {
    let named = deposit::named_by(driver, to).await;
    let hosts: Vec<_> = named.iter().filter(|host| !host.is_itself()).collect();
    let copies = usize::from(driver.mail().own().copies);
    let mut couriers = Vec::new();
    if !named.is_empty() && hosts.len() < copies {
        couriers = deposit::couriers_for(driver, to).await;
    }
    if hosts.is_empty() && couriers.is_empty() {
        return Ok(false);
    }
    let mut is_told = false;
    for Told { receipt, blob } in news(driver, to, false, true).await? {
        let until = Instant::now() + PATIENCE;
        let blob = &blob;
        let with_hosts = hosts.iter().map(|host| deposit::leave_with_host(driver, to, host, blob, until));
        let carried =
            couriers.iter().map(|courier| deposit::leave_with_courier(driver, to, *courier, blob, until));
        let mut leaving: FuturesUnordered<_> =
            with_hosts.map(FutureExt::boxed).chain(carried.map(FutureExt::boxed)).collect();
        let mut stored = 0;
        while stored < copies
            && let Some(answer) = leaving.next().await
        {
            // A courier that is the host itself does not count beside it.
            stored += usize::from(answer == Some(Answer::Stored));
            if matches!(answer, Some(Answer::Stored | Answer::Here)) && !std::mem::replace(&mut is_told, true)
            {
                told(driver, to, receipt.clone()).await?;
            }
        }
    }
    Ok(is_told)
}
