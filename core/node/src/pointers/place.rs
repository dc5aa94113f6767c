//! A place where public names lie: what is done there, each thing within its time.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use wayside_bridge::{
    BridgeError, Class, Collision, ErrorKind, Fetch, Kept, Key, Keys, Lookup, Place, Receipt, Record,
    SharedBridge, Timestamp,
};
use wayside_proto::UnixMillis;
use wayside_proto::pointer::{Pointer, PointerName};

use crate::api::types::{ApiError, ErrorCode};
use crate::driver::Driver;

/// How long a service may take over one thing.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most records under one name that are looked at: in a place where anybody writes there may be any number.
const MOST_OF_NAME: usize = 64;
/// The most records of a place that are looked at when its names are listed.
const MOST_LISTED: usize = 10_000;
/// The most batches that a service may need for that.
const MOST_BATCHES: usize = 256;

/// A bridge of ours that carries public names.
#[derive(Clone, Debug)]
pub(crate) struct PlaceAt {
    /// What the bridge is called.
    pub(crate) name: String,
    bridge: SharedBridge,
}

impl PlaceAt {
    /// The bridge of this name.
    pub(crate) async fn named(driver: &Driver, name: &str) -> Result<Self, ApiError> {
        let bridge = bridge(driver, name).await?;
        carries(&bridge).then(|| Self { name: name.to_owned(), bridge }).ok_or_else(|| {
            let message = format!(
                "no public names can lie at `{name}`: choose another --place, or write the card to a file with --file"
            );
            ApiError::new(ErrorCode::Usage, message)
        })
    }

    /// The first bridge that carries public names and reaches one of the pointer's places, in their order.
    pub(crate) async fn of(driver: &Driver, pointer: &Pointer) -> Result<Self, ApiError> {
        let bridges = driver.bridges_to_try().await?;
        let places = pointer.points().iter().map(ToString::to_string);
        let reached = places.flat_map(|place| {
            let reaches = move |(view, _): &&(crate::api::types::BridgeView, _)| {
                view.healthy && view.locators.contains(&place)
            };
            bridges.iter().filter(reaches)
        });
        // A card lies where it waits for whoever comes, unless its owner says otherwise.
        let mut carrying = reached
            .filter_map(|(view, bridge)| Some((view, bridge.clone()?)))
            .filter(|(_, bridge)| carries(bridge) && bridge.capability().kept == Kept::Service);
        let found = carrying.next().map(|(view, bridge)| Self { name: view.name.clone(), bridge });
        found.ok_or_else(|| {
            let message = "no public names can lie at any of these bridges: choose another with --place, or write the card to a \
                           file with --file";
            ApiError::new(ErrorCode::Usage, message)
        })
    }

    /// Publishes a pointer and returns what takes it back.
    pub(crate) async fn publish(&self, pointer: &Pointer) -> Result<Vec<u8>, ApiError> {
        let name = Key::Name(pointer.name().as_str().to_owned());
        let bytes = Bytes::from(pointer.to_bytes());
        // By the day, so that it tells no more than the pointer does.
        let until = Timestamp::from_secs(pointer.expires().as_secs().div_ceil(86_400).saturating_mul(86_400));
        let record = Record::new(name, Class::Pointer, until, bytes);
        let receipt =
            in_time(self.bridge.publish(&record)).await.map_err(|error| of_bridge(&self.name, &error))?;
        Ok(receipt.as_bytes().to_vec())
    }

    /// Whether a later record of a name takes the place of an earlier one: then a receipt of the earlier may stand for the later.
    pub(crate) fn replaces(&self) -> bool {
        let limits = self.bridge.capability().class(Class::Pointer);
        limits.is_some_and(|limits| limits.collision == Collision::Overwrite)
    }

    /// Whether a pointer of this one's account and name lies there that ends no earlier than then.
    pub(crate) async fn has(&self, pointer: &Pointer, until: UnixMillis) -> Result<bool, ApiError> {
        let records = records_of(&self.bridge, pointer.name()).await;
        let records = records.map_err(|error| of_bridge(&self.name, &error))?;
        let same = |bytes: &Bytes| {
            Pointer::read(bytes).is_ok_and(|found| {
                found.account() == pointer.account()
                    && found.name() == pointer.name()
                    && found.expires() >= until
            })
        };
        Ok(records.iter().any(same))
    }
}

/// A bridge of ours that works.
pub(crate) async fn bridge(driver: &Driver, name: &str) -> Result<SharedBridge, ApiError> {
    let bridges = driver.bridges_to_try().await?;
    let Some((view, bridge)) = bridges.into_iter().find(|(view, _)| view.name == name) else {
        let message = format!("there is no bridge `{name}`: `wayside bridge list` lists them");
        return Err(ApiError::new(ErrorCode::NotFound, message));
    };
    bridge.filter(|_| view.healthy).ok_or_else(|| {
        let why = view.error.unwrap_or_else(|| "not tried yet".to_owned());
        ApiError::new(ErrorCode::Bridge, format!("the bridge `{name}` does not work: {why}"))
    })
}

/// Takes records of ours back, at a bridge that works.
pub(crate) async fn take_back(driver: &Driver, name: &str, receipts: Vec<Vec<u8>>) -> Result<(), ApiError> {
    let bridge = bridge(driver, name).await?;
    let receipts: Vec<Receipt> = receipts.into_iter().filter_map(Receipt::new).collect();
    in_time(bridge.retract(&receipts)).await.map_err(|error| of_bridge(name, &error))
}

fn carries(bridge: &SharedBridge) -> bool {
    bridge.capability().class(Class::Pointer).is_some_and(|limits| limits.max_record >= Pointer::MAX)
}

/// What lies under a name, of those records that a card could be: a bounded number of a bounded size, whatever the service says.
pub(crate) async fn records_of(bridge: &SharedBridge, name: &PointerName) -> Result<Vec<Bytes>, BridgeError> {
    let key = Key::Name(name.as_str().to_owned());
    let mut request = Fetch::new(Place::Own, Keys::These(BTreeSet::from([key.clone()])));
    let fetched = async {
        let mut found = Vec::new();
        for _ in 0..MOST_BATCHES {
            let batch = bridge.fetch(request.clone()).await?;
            let fits = |record: &Record| {
                record.key == key && record.class == Class::Pointer && record.bytes.len() <= Pointer::MAX_TEXT
            };
            found.extend(batch.records.into_iter().filter(fits).map(|record| record.bytes));
            if !batch.more || batch.cursor.is_none() || found.len() >= MOST_OF_NAME {
                break;
            }
            request = request.after(batch.cursor);
        }
        found.truncate(MOST_OF_NAME);
        Ok(found)
    };
    in_time(fetched).await
}

/// What lies at a place under public names.
#[derive(Debug, Default)]
pub(crate) struct ListedRecords {
    /// Each name with what lies under it.
    pub(crate) records: Vec<(PointerName, Bytes)>,
    /// Whether there is more than was looked at.
    pub(crate) more: bool,
}

/// All names at a bridge of ours.
pub(crate) async fn all_names(driver: &Driver, name: &str) -> Result<ListedRecords, ApiError> {
    let bridge = bridge(driver, name).await?;
    if bridge.capability().lookup != Lookup::List {
        let message = format!(
            "what lies at `{name}` cannot be listed: ask for a name with `wayside pointer fetch {name}#NAME`"
        );
        return Err(ApiError::new(ErrorCode::Usage, message));
    }
    let mut request = Fetch::new(Place::Own, Keys::All);
    let listed = async {
        let (mut listed, mut looked_at) = (ListedRecords { more: true, ..ListedRecords::default() }, 0);
        for _ in 0..MOST_BATCHES {
            let batch = bridge.fetch(request.clone()).await?;
            looked_at += batch.records.len();
            listed.records.extend(batch.records.into_iter().filter_map(|record| match record.key {
                Key::Name(name)
                    if record.class == Class::Pointer && record.bytes.len() <= Pointer::MAX_TEXT =>
                {
                    Some((PointerName::new(&name)?, record.bytes))
                }
                _ => None,
            }));
            if !batch.more || batch.cursor.is_none() {
                listed.more = false;
                break;
            }
            if looked_at >= MOST_LISTED {
                break;
            }
            request = request.after(batch.cursor);
        }
        Ok(listed)
    };
    in_time(listed).await.map_err(|error| of_bridge(name, &error))
}

/// What a service answers in time.
async fn in_time<T>(work: impl Future<Output = Result<T, BridgeError>>) -> Result<T, BridgeError> {
    within(PATIENCE, work).await
}

/// What a service answers within so long.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, BridgeError>>,
) -> Result<T, BridgeError> {
    let slow = || {
        let message = format!("no answer within {} seconds: try again later", patience.as_secs());
        BridgeError::new(ErrorKind::Unreachable, message)
    };
    timeout(patience, work).await.unwrap_or_else(|_| Err(slow()))
}

fn of_bridge(name: &str, error: &BridgeError) -> ApiError {
    ApiError::new(ErrorCode::Bridge, format!("`{name}`: {}", error.message()))
}
