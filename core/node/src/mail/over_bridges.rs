//! Small things by way of bridges, where our user lets mail lie: what waits for a friend with whom there is no link, and what is told to one whom no host keeps mail for.
//!
//! What should lie where is looked at anew again and again, beside what lies there already: so what is over is taken back after a crash too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, MOST_MAIL, MailRoots};
use wayside_proto::mailbox::outbox::{self, Sealed};
use wayside_proto::mailbox::seal;
use wayside_proto::mailbox::wire::BlobHash;

use super::{deposit, news};
use crate::driver::Driver;
use crate::store::StoreError;

/// How often it is looked beside what wakes it: a link that is about to come needs no bridge, a receipt may have come.
const OFTEN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How old something is before it is left: a link may be about to come.
const FIRST_LINK: u64 = 1;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });
/// The most of what waits for one friend, the oldest first, that lies at bridges.
const MOST: usize = 64;
/// How long news lie there. What is told later takes the place of what was told before.
const NEWS: Duration = Duration::from_secs(7 * 86_400);

/// Leaves and takes back, as long as the node runs.
pub(super) async fn keep(driver: Driver) {
    let (mut accepted, mut links) = (driver.message_accepted(), driver.links_changed());
    let (mut owing, mut settled) = (driver.mail().owing(), driver.settled());
    let mut roots = BTreeMap::new();
    loop {
        accepted.borrow_and_update();
        links.borrow_and_update();
        owing.borrow_and_update();
        if let Err(error) = look(&driver, &mut roots).await {
            tracing::debug!(%error, "mail over bridges waits for the disk");
        }
        tokio::time::sleep(PAUSE).await;
        let is_over = tokio::select! {
            changed = accepted.changed() => changed.is_err(),
            changed = links.changed() => changed.is_err(),
            changed = owing.changed() => changed.is_err(),
            _ = settled.recv() => false,
            () = tokio::time::sleep(OFTEN) => false,
        };
        if is_over {
            return;
        }
    }
}

async fn look(driver: &Driver, known: &mut BTreeMap<AccountId, MailRoots>) -> Result<(), StoreError> {
    let friends = driver.look(|engine, _| {
        let heard = |friend: &&Friend| !friend.blocked();
        let friends = engine.friends().filter(heard).map(Friend::account).collect::<Vec<_>>();
        (friends, engine.mail_out())
    });
    // The node is ending otherwise.
    let Ok((friends, out)) = friends.await else { return Ok(()) };
    let roots = roots(driver, &friends);
    if roots != *known && driver.set_mail_roots(roots.clone()).await.is_ok() {
        *known = roots;
    }
    let owed = news::whom(driver).await?;
    let queues = driver.store().run(|store| store.look_at_mail(|look| Ok(outbox::queues(look)?))).await?;
    let mut busy: BTreeSet<AccountId> = queues.into_iter().map(|(to, _)| to).collect();
    busy.extend(out.iter().map(|(to, _)| *to));
    busy.extend(&owed);
    for to in known.keys().filter(|to| busy.contains(to)) {
        let waiting = waiting(driver, *to).await?;
        let of_friend = out.iter().filter(|(friend, _)| friend == to).map(|(_, hash)| *hash);
        let over = of_friend.filter(|hash| !hash.is_news() && waiting.iter().all(|one| one.hash != *hash));
        driver.take_back_mail(over.collect()).await;
        if driver.links().of(to).is_some() {
            continue;
        }
        for Waiting { hash, blob, lifetime } in waiting {
            if let Some(blob) = blob
                && !driver.leave_mail(to, hash, blob, lifetime).await
            {
                break;
            }
        }
        if owed.contains(to) {
            tell(driver, *to, &out).await?;
        }
    }
    Ok(())
}

/// What mail goes under with those of whom both ways are known.
fn roots(driver: &Driver, friends: &[AccountId]) -> BTreeMap<AccountId, MailRoots> {
    let mail = driver.mail();
    let of = |friend: &AccountId| {
        let to = mail.targets_of(friend).values().next()?.access.root.clone();
        Some((*friend, MailRoots { to, from: mail.root_of(friend) }))
    };
    friends.iter().filter_map(of).collect()
}

/// Something that waits for a friend.
struct Waiting {
    hash: BlobHash,
    /// Where it is small enough and old enough to be left.
    blob: Option<Vec<u8>>,
    lifetime: Duration,
}

async fn waiting(driver: &Driver, to: AccountId) -> Result<Vec<Waiting>, StoreError> {
    let wall = driver.clock().wall();
    let waiting = driver.store().run(move |store| {
        let now = store.age_at(wall)?;
        store.look_at_mail(|look| {
            let items = outbox::waiting(look, &to, 0, MOST)?.into_iter().map(|item| {
                let blob = match item.sealed {
                    Sealed::Blob(blob) => Some(blob),
                    _ => None,
                };
                let due = now.since(item.born) >= FIRST_LINK && item.ends.since(now) > 0;
                let blob = blob.filter(|blob| due && blob.len() <= MOST_MAIL);
                Waiting { hash: item.hash, blob, lifetime: Duration::from_secs(item.ends.since(now)) }
            });
            Ok(items.collect::<Vec<_>>())
        })
    });
    waiting.await
}

/// Tells a friend what it is owed, where nobody keeps mail for it who could: a sender that never hears of a receipt keeps what it sent.
async fn tell(
    driver: &Driver,
    to: AccountId,
    out: &BTreeSet<(AccountId, BlobHash)>,
) -> Result<(), StoreError> {
    if !deposit::hosts_of(driver, to).await.is_empty() {
        return Ok(());
    }
    let told = news::news(driver, to, false, true).await?;
    if told.is_empty() {
        return Ok(());
    }
    let before = out.iter().filter(|(friend, hash)| *friend == to && hash.is_news());
    let before: Vec<_> = before.map(|(_, hash)| *hash).collect();
    for news::Told { receipt, blob } in told {
        let name = BlobHash::of_news(&blob);
        if driver.leave_mail(&to, name, blob, NEWS).await {
            news::told(driver, to, receipt).await?;
        }
    }
    driver.take_back_mail(before).await;
    Ok(())
}

/// What lies at bridges is known by a hash alone, also after a restart: that of news begins with zeros, as no other does.
trait OfNews {
    fn of_news(blob: &[u8]) -> Self;
    fn is_news(&self) -> bool;
}

/// How many.
const ZEROS: usize = 8;

impl OfNews for BlobHash {
    fn of_news(blob: &[u8]) -> Self {
        let mut hash = seal::hash(blob).0;
        hash.iter_mut().take(ZEROS).for_each(|byte| *byte = 0);
        Self(hash)
    }

    fn is_news(&self) -> bool {
        self.0.iter().take(ZEROS).all(|byte| *byte == 0)
    }
}
