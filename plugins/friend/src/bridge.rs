//! The bridge: each method is a request to the friend.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Cursor, Delivery, Fetch, Key, Keys, Locator, Lookup, Monotonic, Probe, Receipt, Record, RecordStream,
    RingTarget, Slot, Timestamp, Visibility, Watch,
};

use crate::carrier::Carrier;
use crate::client::{Client, Feed, News};
use crate::error::FriendError;
use crate::limits::{Limits, MAX_BATCH, MAX_KEYS, MAX_RECORD};
use crate::wire::{Id, Note, Position, Reply, Request};

/// A friend who holds records for friends.
pub struct FriendBridge {
    client: Arc<Client>,
    locator: Locator,
    title: String,
    capability: Capability,
}

/// From a publication to the watcher's batch, half a round trip to the friend of either side, where ours is not known.
const LATENCY: Duration = Duration::from_secs(1);
/// The same for what is quicker than machines are at waking up.
const LEAST: Duration = Duration::from_millis(50);
/// How long a stream must have lasted to be opened again by itself when it is lost.
const LASTED: Duration = Duration::from_secs(5);

impl FriendBridge {
    /// One over this way to the friend. If there is a link now it tells how far away she is.
    pub(crate) async fn open(carrier: Arc<dyn Carrier>, context: BridgeContext) -> Result<Self, FriendError> {
        let account = carrier.account();
        let locator =
            Locator::new(crate::KIND, &account).ok_or_else(|| FriendError::Account(account.clone()))?;
        let title = format!("a place at {}'s", carrier.name());
        // Where there is none the bridge is opened all the same, so that people see what it is; its first request says why it does not work.
        let channel = carrier.open().await.ok();
        let capability = capability(latency(channel.as_ref().and_then(|channel| channel.rtt)));
        Ok(Self { client: Arc::new(Client::new(carrier, context, channel)), locator, title, capability })
    }

    /// What the clock reads at the friend, and how long it took to tell.
    async fn ask_time(&self) -> Result<(u64, Duration), FriendError> {
        let clock = &self.client.context().clock;
        let asked = clock.monotonic();
        match self.client.ask(Request::Probe).await? {
            Reply::Here(time) => Ok((time, clock.monotonic().since(asked))),
            _ => Err(self.client.garbled()),
        }
    }
}

#[async_trait]
impl Bridge for FriendBridge {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new(crate::KIND, self.title.clone(), vec![self.locator.clone()])
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let Key::Slot(slot) = record.key else {
            return Err(BridgeError::unsupported("a friend holds no records under public names"));
        };
        let (not_after, bytes) = (record.not_after.as_secs(), record.bytes.clone());
        let note = Note { slot: slot.into(), not_after, bytes };
        match self.client.ask(Request::Leave(note)).await? {
            Reply::Left(position) => {
                Receipt::new(position.0.to_vec()).ok_or_else(|| self.client.garbled().into())
            }
            _ => Err(self.client.garbled().into()),
        }
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, std::slice::from_ref(&self.locator))?;
        let keys = Asked::new(&request.keys);
        let limit = request.limit.min(MAX_BATCH);
        let look = Request::Look {
            keys: keys.ids(),
            after: keys.position(request.cursor.as_ref()),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        match self.client.ask(look).await? {
            Reply::Batch { records, position, more, time } if records.len() <= limit => {
                Ok(keys.batch(News { records, position, more, time }))
            }
            _ => Err(self.client.garbled().into()),
        }
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, std::slice::from_ref(&self.locator))?;
        let keys = Asked::new(&request.keys);
        let after = keys.position(request.cursor.as_ref());
        let client = Arc::clone(&self.client);
        let opened = client.context().clock.monotonic();
        let feed = client.watch(keys.ids(), after).await?;
        let watching = Watching { client, keys, after, feed, opened };
        Ok(futures::stream::try_unfold(watching, |mut watching| async move {
            let batch = watching.next().await?;
            Ok(Some((batch, watching)))
        })
        .boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let positions: Vec<Position> =
            receipts.iter().filter_map(|receipt| position(receipt.as_bytes())).collect();
        for some in positions.chunks(MAX_BATCH) {
            match self.client.ask(Request::Retract(some.to_vec())).await? {
                Reply::Done => {}
                _ => return Err(self.client.garbled().into()),
            }
        }
        Ok(())
    }

    async fn ring(&self, _: &RingTarget) -> Result<(), BridgeError> {
        // No bell to ring, so nothing for `permit_ring` to permit.
        Err(BridgeError::unsupported("a friend rings nobody for us"))
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let (time, latency) = self.ask_time().await?;
        Ok(Probe::new(latency).with_service_time(Some(Timestamp::from_secs(time))))
    }
}

impl fmt::Debug for FriendBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FriendBridge").field("locator", &self.locator).finish_non_exhaustive()
    }
}

/// A watch that goes on when the stream is lost and can be opened again.
struct Watching {
    client: Arc<Client>,
    keys: Asked,
    after: Option<Position>,
    feed: Feed,
    opened: Monotonic,
}

impl Watching {
    async fn next(&mut self) -> Result<Batch, FriendError> {
        loop {
            match self.feed.next().await {
                Ok(news) => {
                    self.after = Some(news.position);
                    return Ok(self.keys.batch(news));
                }
                Err(FriendError::Lost(friend)) => {
                    let now = self.client.context().clock.monotonic();
                    // A friend who lets go of each stream at once is not asked as fast as that goes.
                    if now.since(self.opened) < LASTED {
                        return Err(FriendError::Lost(friend));
                    }
                    tracing::debug!(friend, "a stream was lost and is opened again");
                    self.feed = self.client.watch(self.keys.ids(), self.after).await?;
                    self.opened = now;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The slots of the keys asked for; a friend has no others.
struct Asked {
    slots: BTreeSet<Slot>,
    /// Tells cursors for these keys from others: what came before one was handed out for its keys alone.
    digest: [u8; 8],
}

impl Asked {
    fn new(keys: &Keys) -> Self {
        let slots: BTreeSet<Slot> = match keys {
            // Never permitted.
            Keys::All => BTreeSet::new(),
            Keys::These(keys) => keys.iter().filter_map(slot_of).collect(),
        };
        let mut hash = Sha256::new();
        slots.iter().for_each(|slot| hash.update(slot.0));
        let mut digest = [0; 8];
        digest.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self { slots, digest }
    }

    fn ids(&self) -> Vec<Id> {
        self.slots.iter().copied().map(Id::from).collect()
    }

    /// The position of a cursor; the beginning where it is none for these keys.
    fn position(&self, cursor: Option<&Cursor>) -> Option<Position> {
        let (bytes, digest) = cursor?.as_bytes().split_last_chunk::<8>()?;
        (*digest == self.digest).then(|| position(bytes)).flatten()
    }

    /// A batch, without what nobody asked for.
    fn batch(&self, News { records, position, more, time }: News) -> Batch {
        let came = records.len();
        let wanted = |note: &Note| self.slots.contains(&note.slot.into()) && note.bytes.len() <= MAX_RECORD;
        let records: Vec<Record> = records.into_iter().filter(wanted).map(record).collect();
        let skipped = came.saturating_sub(records.len());
        Batch::new(records, Cursor::new([&position.0[..], &self.digest].concat()))
            .with_more(more)
            .with_service_time(Some(Timestamp::from_secs(time)))
            .with_skipped(u64::try_from(skipped).unwrap_or(u64::MAX))
    }
}

const fn slot_of(key: &Key) -> Option<Slot> {
    match key {
        Key::Slot(slot) => Some(*slot),
        Key::Name(_) => None,
    }
}

fn position(bytes: &[u8]) -> Option<Position> {
    bytes.try_into().ok().map(Position)
}

fn record(note: Note) -> Record {
    Record::new(Key::Slot(note.slot.into()), Class::Meeting, note.expires(), note.bytes)
}

/// What a record takes from one side to the other: half of our round trip to the friend, and half of the other side's, which may well be three times as long.
fn latency(rtt: Option<Duration>) -> Duration {
    rtt.map_or(LATENCY, |rtt| rtt.saturating_mul(2).max(LEAST))
}

fn capability(latency: Duration) -> Capability {
    let limits = ClassCapability::new(MAX_RECORD, Limits::default().lifetime, Collision::Append, true);
    let phrases = |phrases: &[&str]| phrases.iter().map(|&phrase| phrase.to_owned()).collect();
    let visible = Visibility {
        service: phrases(&[
            "when you leave a record and when you wait for one",
            "which of their friends reads what you left: whom you meet there, and when",
            "your IP address, over the link that you have with them anyway",
        ]),
        readers: phrases(&[
            "that you know this friend: your card and your invites name the place",
            "nothing of your records but random bytes, and those only under a slot that they know",
        ]),
    };
    Capability::new([(Class::Meeting, limits)], Delivery::Push { latency }, visible)
        .with_lookup(Lookup::Key)
        .with_max_keys(MAX_KEYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_friend_who_is_near_is_quick_and_of_whom_nothing_is_known_is_not() {
        let declared = |ms| latency(Some(Duration::from_millis(ms))).as_millis();
        assert_eq!([0, 10, 40, 600].map(declared), [50, 50, 80, 1_200]);
        assert_eq!(latency(None), LATENCY);
    }
}
