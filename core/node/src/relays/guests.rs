//! Links that come in by the guest gate: nameless until a stream shows a token, and for nothing but what tokens are for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::keys::AccountId;

use super::hello::{GuestProtocol, GuestProtocols, PATIENCE, greeted};
use super::{Judged, lock};
use crate::driver::Driver;
use crate::links::address;

/// The most links with guests at a time.
const MOST: usize = 1_024;
/// The most of them with one device.
const MOST_OF_ONE: usize = 8;
/// Streams of one guest that are served at the same time; further ones wait.
const STREAMS: usize = 32;
/// How long a guest may speak of nothing. Who dialled closes a link that it has not used for a minute.
const IDLE: Duration = Duration::from_secs(180);

/// All guests.
#[derive(Debug)]
pub(super) struct Guests {
    room: Arc<Semaphore>,
    /// Those that have shown a token, by their links' numbers.
    known: Mutex<BTreeMap<u64, Known>>,
}

#[derive(Debug)]
struct Known {
    /// Whose token it is.
    account: AccountId,
    /// The key of the device that shows it.
    subject: [u8; 32],
    link: Link,
}

impl Default for Guests {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), known: Mutex::default() }
    }
}

impl Guests {
    /// A guest has shown whose token it has. `false` where that device has too many links already.
    fn is_welcome(&self, link: &Link, account: AccountId, subject: [u8; 32]) -> bool {
        let mut known = lock(&self.known);
        let number = link.number();
        let others = known.iter().filter(|(other, it)| **other != number && it.subject == subject).count();
        let is_welcome = others < MOST_OF_ONE;
        if is_welcome {
            known.entry(number).or_insert_with(|| Known { account, subject, link: link.clone() });
        }
        is_welcome
    }

    fn left(&self, link: &Link) {
        lock(&self.known).remove(&link.number());
    }

    /// A friend may do nothing here any more.
    pub(super) fn turn_out(&self, account: &AccountId) {
        let known = lock(&self.known);
        let theirs = known.values().filter(|it| it.account == *account);
        theirs.for_each(|it| it.link.close("you may not any more"));
    }
}

/// Serves a guest until its link ends, or ends it.
pub(crate) async fn serve(driver: Driver, link: Link, protocols: Arc<GuestProtocols>) {
    let guests = &driver.relays().0.guests;
    let Ok(_room) = Arc::clone(&guests.room).try_acquire_owned() else {
        return link.close("too many guests");
    };
    let (counts, _) = watch::channel(Count { streams: 0, since: Instant::now(), is_known: false });
    let why = tokio::select! {
        _ = link.closed() => "ended",
        () = streams(&driver, &link, &protocols, &counts) => "ended",
        () = idle(&counts) => "nothing is asked for",
        () = tell(&link, &counts) => "ended",
    };
    link.close(why);
    guests.left(&link);
}

/// Tells a guest how it is seen, once it has shown a token that counts.
async fn tell(link: &Link, counts: &watch::Sender<Count>) {
    if counts.subscribe().wait_for(|count| count.is_known).await.is_ok()
        && let Err(error) = address::tell_guest(link).await
    {
        tracing::debug!(%error, "a guest does not hear how it is seen");
    }
    // It may want nothing but circuits: that ends no link.
    std::future::pending().await
}

/// What a guest's link is used for.
struct Count {
    streams: usize,
    /// Since when it is so.
    since: Instant,
    /// Whether a token was shown that counts.
    is_known: bool,
}

/// Waits until the guest has shown no token for too long, or used the link for nothing.
async fn idle(counts: &watch::Sender<Count>) {
    let mut changes = counts.subscribe();
    loop {
        let due = {
            let count = changes.borrow_and_update();
            match (count.is_known, count.streams) {
                (false, _) => Some(count.since + PATIENCE),
                (true, 0) => Some(count.since + IDLE),
                (true, _) => None,
            }
        };
        let over = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn streams(driver: &Driver, link: &Link, protocols: &GuestProtocols, counts: &watch::Sender<Count>) {
    let mut served = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = link.accept(), if served.len() < STREAMS => accepted,
            Some(_) = served.join_next() => {
                let is_served = |count: &mut Count| {
                    count.streams = served.len();
                    if count.is_known {
                        count.since = Instant::now();
                    }
                };
                counts.send_modify(is_served);
                continue;
            }
        };
        let Ok((name, stream)) = accepted else { return };
        let Some(protocol) = protocols.get(name.as_str()).map(Arc::clone) else { continue };
        served.spawn(one(driver.clone(), link.clone(), protocol, stream, counts.clone()));
        counts.send_modify(|count| count.streams = served.len());
    }
}

async fn one(
    driver: Driver,
    link: Link,
    protocol: Arc<dyn GuestProtocol>,
    mut stream: Stream,
    counts: watch::Sender<Count>,
) {
    let judged = match greeted(&driver, &link, &mut stream, protocol.purpose()).await {
        Ok(judged) => judged,
        Err(error) => return tracing::debug!(%error, "a guest does not say hello"),
    };
    if let Judged::Good { account, token } = &judged {
        if !driver.relays().0.guests.is_welcome(&link, *account, token.last) {
            return link.close("too many links of one device");
        }
        counts.send_modify(|count| count.is_known = true);
    }
    protocol.accept(judged, link, stream).await;
}
