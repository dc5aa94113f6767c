//! The bridge: the contract of wayside over the service.
//!
//! Each method keeps to what `docs/BRIDGE-SPEC.md` says of it; the sentences are named where it is not obvious.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision, Cursor,
    Delivery, ErrorKind, Fetch, Locator, Probe, Receipt, Record, RecordStream, RingTarget,
    Visibility, Watch, file,
};

use crate::Service;

/// The largest record, in bytes: mail between friends has some tens of thousands, everything else some hundreds.
const MAX_RECORD: usize = 64 * 1024;
/// How long a record stays at least.
const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// The least time between two looks at the service.
const INTERVAL: Duration = Duration::from_millis(500);
/// Entries that one fetch looks at, so that a place full of junk gives many short answers and not one long one (H3).
const LOOKS: usize = 2_000;

/// A bridge to the service.
#[derive(Debug)]
pub struct Kind {
    service: Arc<Service>,
    capability: Capability,
    locators: Vec<Locator>,
}

impl Kind {
    /// A bridge to this service.
    pub fn new(service: Service) -> Self {
        let class = ClassCapability::new(MAX_RECORD, RETENTION, Collision::Append, true);
        let visible = Visibility {
            service: vec![
                "who runs it: everything that readers see, and your IP address".to_owned(),
            ],
            readers: vec!["how many records there are, how large, and when they came".to_owned()],
        };
        Self {
            capability: Capability::new(
                Class::ALL.map(|name| (name, class)),
                Delivery::Poll { interval: INTERVAL },
                visible,
            ),
            // The same for everybody who shares the place, wherever each sees it (D2).
            locators: Locator::new("{{kind}}", service.mark()).into_iter().collect(),
            service: Arc::new(service),
        }
    }

    /// Does what blocks where it may. A future that is dropped leaves it to run on to its end: nothing is half done (X1).
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, BridgeError> {
        let service = Arc::clone(&self.service);
        match tokio::task::spawn_blocking(move || work(&service)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(BridgeError::new(
                ErrorKind::Unreachable,
                "the place cannot be used: is it there?",
            )
            .with_source(error)),
            Err(error) => Err(
                BridgeError::new(ErrorKind::Internal, "the bridge is ending").with_source(error),
            ),
        }
    }

    /// A number as receipt and cursor: with the mark, so that another place's is told from ours (F6, R3).
    fn stamp(&self, number: u64) -> Vec<u8> {
        format!("{number}-{}", self.service.mark()).into_bytes()
    }

    fn number(&self, stamp: &[u8]) -> Option<u64> {
        let (number, mark) = std::str::from_utf8(stamp).ok()?.split_once('-')?;
        number.parse().ok().filter(|_| mark == self.service.mark())
    }
}

#[async_trait]
impl Bridge for Kind {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new(
            "{{kind}}",
            "{{service}}",
            self.locators.clone(),
        )
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let too_large = || BridgeError::new(ErrorKind::Refused, "the record is too large");
        let (contents, _) = file::encode(record).ok_or_else(too_large)?;
        let number = self
            .blocking(move |service| service.append(&contents))
            .await?;
        Receipt::new(self.stamp(number)).ok_or_else(too_large)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.locators)?;
        let known = request
            .cursor
            .as_ref()
            .and_then(|cursor| self.number(cursor.as_bytes()));
        let known = known.unwrap_or(0);
        let (keys, limit) = (request.keys, request.limit);
        let (records, seen, more, skipped) = self
            .blocking(move |service| {
                let numbers = service.after(known)?;
                let (mut records, mut seen, mut skipped) = (Vec::new(), known, 0);
                for number in numbers.iter().take(LOOKS) {
                    if records.len() == limit {
                        break;
                    }
                    seen = *number;
                    let contents = service.read(*number, file::max_file(Class::Meeting))?;
                    match contents.map(Bytes::from).as_ref().and_then(file::decode) {
                        // Whatever its bytes are (H1).
                        Some(found) if keys.contains(&found.record.key) => {
                            records.push(found.record)
                        }
                        Some(_) => {}
                        // Somebody else's, or junk (H2).
                        None => skipped += 1,
                    }
                }
                Ok((
                    records,
                    seen,
                    numbers.last().is_some_and(|last| *last > seen),
                    skipped,
                ))
            })
            .await?;
        Ok(Batch::new(records, Cursor::new(self.stamp(seen)))
            .with_more(more)
            .with_skipped(skipped))
    }

    async fn watch(&self, _request: Watch) -> Result<RecordStream, BridgeError> {
        Err(BridgeError::unsupported("this bridge is polled"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.capability.permit_retract()?;
        let numbers: Vec<u64> = receipts
            .iter()
            .filter_map(|receipt| self.number(receipt.as_bytes()))
            .collect();
        self.blocking(move |service| {
            numbers
                .into_iter()
                .try_for_each(|number| service.remove(number))
        })
        .await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let asked = Instant::now();
        self.blocking(Service::check).await?;
        Ok(Probe::new(asked.elapsed()))
    }
}
