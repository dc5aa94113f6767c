//! Breaks things, with a seed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Clock, ErrorKind, Fetch, Probe, Receipt, Record,
    RecordStream, RingTarget, SharedBridge, Timestamp, Watch,
};

/// Which faults each operation has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChaosProfile {
    /// Of publications.
    pub publish: Faults,
    /// Of fetches.
    pub fetch: Faults,
    /// Of opening a watch, and of each batch that it yields.
    pub watch: Faults,
    /// Of retractions.
    pub retract: Faults,
    /// Of ringing.
    pub ring: Faults,
    /// Of probes.
    pub probe: Faults,
}

impl ChaosProfile {
    /// The same faults in every operation.
    pub const fn all(faults: Faults) -> Self {
        Self { publish: faults, fetch: faults, watch: faults, retract: faults, ring: faults, probe: faults }
    }

    /// What the contract lets a service do at any time: delays in everything, duplicates and disorder in what is found.
    /// A bridge with it passes the conformance suite.
    pub const fn lawful() -> Self {
        let late = Faults { delay: 0.3, max_delay: Duration::from_millis(5), ..Faults::none() };
        let muddled = Faults { duplicate: 0.3, reorder: 0.5, ..late };
        Self { publish: late, fetch: muddled, watch: muddled, retract: late, ring: late, probe: late }
    }
}

/// How likely each fault is, from 0 (never) to 1 (each time).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// It fails with an error of any kind, and nothing was done.
    pub fail: f64,
    /// It is done, and the answer is lost: `Unreachable`.
    pub lose_answer: f64,
    /// It says that it was done, and was not; of what is found, a record is missing.
    pub drop: f64,
    /// It takes up to [`Faults::max_delay`] longer.
    pub delay: f64,
    /// The longest delay.
    pub max_delay: Duration,
    /// It is done twice; of what is found, a record is there twice.
    pub duplicate: f64,
    /// What is found, or taken back, comes in another order; a publication lets others go first.
    pub reorder: f64,
    /// A byte is changed: of the record on its way in or out, of a receipt; a probe tells a wrong time.
    pub corrupt: f64,
}

impl Faults {
    /// None at all.
    pub const fn none() -> Self {
        Self {
            fail: 0.0,
            lose_answer: 0.0,
            drop: 0.0,
            delay: 0.0,
            max_delay: Duration::ZERO,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
        }
    }
}

/// Breaks operations of a bridge as a profile says. The same seed and the same calls in the same order give the same
/// faults.
///
/// Batches stay within the limit that was asked for, and cursors stay what they were: what is dropped here is lost, as
/// it is when a service loses it.
#[derive(Clone)]
pub struct Chaos {
    inner: SharedBridge,
    clock: Arc<dyn Clock>,
    profile: ChaosProfile,
    seeds: Arc<Mutex<ChaCha12Rng>>,
}

impl Chaos {
    /// This bridge, broken by this profile and seed.
    pub fn new(inner: SharedBridge, clock: Arc<dyn Clock>, profile: ChaosProfile, seed: u64) -> Self {
        let seeds = Arc::new(Mutex::new(ChaCha12Rng::seed_from_u64(seed)));
        Self { inner, clock, profile, seeds }
    }

    /// One operation's dice: its own, so that what runs beside it changes nothing.
    fn dice(&self, faults: Faults) -> Dice {
        let seed = self.seeds.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        Dice { rng: ChaCha12Rng::seed_from_u64(seed), faults, clock: Arc::clone(&self.clock) }
    }
}

#[async_trait]
impl Bridge for Chaos {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }

    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        let mut dice = self.dice(self.profile.publish);
        dice.before().await?;
        if dice.roll(dice.faults.reorder) {
            // Whoever publishes meanwhile overtakes.
            self.clock.sleep(dice.faults.max_delay).await;
        }
        if dice.roll(dice.faults.drop) {
            return Receipt::new(dice.number().to_be_bytes().to_vec())
                .ok_or_else(|| BridgeError::new(ErrorKind::Internal, "a number is longer than a receipt"));
        }
        let mut record = record.clone();
        if dice.roll(dice.faults.corrupt) {
            dice.corrupt(&mut record);
        }
        if dice.roll(dice.faults.duplicate) {
            self.inner.publish(&record).await?;
        }
        let receipt = self.inner.publish(&record).await?;
        dice.after()?;
        Ok(receipt)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        let mut dice = self.dice(self.profile.fetch);
        dice.before().await?;
        let limit = request.limit;
        let mut batch = self.inner.fetch(request).await?;
        dice.muddle(&mut batch, limit);
        dice.after()?;
        Ok(batch)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        let mut dice = self.dice(self.profile.watch);
        dice.before().await?;
        let stream = self.inner.watch(request).await?;
        dice.after()?;
        let broken = futures::stream::unfold(Some((stream, dice)), |running| async move {
            let (mut stream, mut dice) = running?;
            let item = match stream.next().await? {
                Ok(mut batch) => match dice.before().await {
                    Ok(()) => {
                        dice.muddle(&mut batch, Fetch::LIMIT);
                        Ok(batch)
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            let go_on = item.is_ok().then_some((stream, dice));
            Some((item, go_on))
        });
        Ok(broken.boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let mut dice = self.dice(self.profile.retract);
        dice.before().await?;
        if dice.roll(dice.faults.drop) {
            return Ok(());
        }
        let mut receipts = receipts.to_vec();
        if dice.roll(dice.faults.reorder) {
            dice.shuffle(&mut receipts);
        }
        if dice.roll(dice.faults.corrupt)
            && let Some(receipt) = receipts.first_mut()
        {
            let changed = Receipt::new(dice.flip(receipt.as_bytes()));
            *receipt = changed.unwrap_or_else(|| receipt.clone());
        }
        if dice.roll(dice.faults.duplicate) {
            self.inner.retract(&receipts).await?;
        }
        self.inner.retract(&receipts).await?;
        dice.after()
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        let mut dice = self.dice(self.profile.ring);
        dice.before().await?;
        if dice.roll(dice.faults.drop) {
            return Ok(());
        }
        if dice.roll(dice.faults.duplicate) {
            self.inner.ring(target).await?;
        }
        self.inner.ring(target).await?;
        dice.after()
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let mut dice = self.dice(self.profile.probe);
        dice.before().await?;
        if dice.roll(dice.faults.drop) {
            return Ok(Probe::default());
        }
        if dice.roll(dice.faults.duplicate) {
            self.inner.probe().await?;
        }
        let mut probe = self.inner.probe().await?;
        if dice.roll(dice.faults.corrupt) {
            probe.service_time = Some(Timestamp::from_secs(dice.number()));
        }
        dice.after()?;
        Ok(probe)
    }
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chaos").field(&self.inner).field(&self.profile).finish()
    }
}

/// The errors that a service or a bridge may give at any time.
const KINDS: [ErrorKind; 11] = [
    ErrorKind::Unreachable,
    ErrorKind::Denied,
    ErrorKind::RateLimited,
    ErrorKind::Full,
    ErrorKind::Refused,
    ErrorKind::Unsupported,
    ErrorKind::Gone,
    ErrorKind::Lagged,
    ErrorKind::Garbled,
    ErrorKind::Configuration,
    ErrorKind::Internal,
];

/// One operation's luck.
struct Dice {
    rng: ChaCha12Rng,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl Dice {
    /// Whether something of this likelihood happens. Always draws, so that one fault does not shift the others.
    fn roll(&mut self, likelihood: f64) -> bool {
        let drawn = f64::from(self.rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
        drawn < likelihood
    }

    fn number(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// One of `0..below`; zero where there is none.
    fn below(&mut self, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % below).unwrap_or(0)
    }

    /// Delays, then perhaps fails.
    async fn before(&mut self) -> Result<(), BridgeError> {
        let part = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        if self.roll(self.faults.delay) {
            self.clock.sleep(self.faults.max_delay.mul_f64(part)).await;
        }
        let which = self.below(KINDS.len());
        let kind = KINDS.get(which).copied().unwrap_or(ErrorKind::Internal);
        match self.roll(self.faults.fail) {
            true => Err(BridgeError::new(kind, format!("chaos: {kind:?}"))),
            false => Ok(()),
        }
    }

    /// Perhaps loses the answer.
    fn after(&mut self) -> Result<(), BridgeError> {
        match self.roll(self.faults.lose_answer) {
            true => Err(BridgeError::new(ErrorKind::Unreachable, "chaos: the answer was lost")),
            false => Ok(()),
        }
    }

    /// Does to what was found all that may happen to it.
    fn muddle(&mut self, batch: &mut Batch, limit: usize) {
        let mut records = Vec::with_capacity(batch.records.len());
        let whole = batch.records.len();
        for (done, mut record) in std::mem::take(&mut batch.records).into_iter().enumerate() {
            let (dropped, twice) = (self.roll(self.faults.drop), self.roll(self.faults.duplicate));
            if self.roll(self.faults.corrupt) {
                self.corrupt(&mut record);
            }
            if dropped {
                continue;
            }
            let left = whole.saturating_sub(done);
            if twice && records.len().saturating_add(left) < limit {
                records.push(record.clone());
            }
            records.push(record);
        }
        if self.roll(self.faults.reorder) {
            self.shuffle(&mut records);
        }
        batch.records = records;
    }

    /// Fisher and Yates' shuffle.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last.saturating_add(1));
            items.swap(last, other);
        }
    }

    fn corrupt(&mut self, record: &mut Record) {
        record.bytes = self.flip(&record.bytes).into();
    }

    /// The same bytes but for one bit.
    fn flip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let (which, bit) = (self.below(bytes.len()), self.below(8));
        if let Some(byte) = bytes.get_mut(which) {
            *byte ^= 1 << bit;
        }
        bytes
    }
}

#[cfg(test)]
#[path = "chaos_tests.rs"]
mod tests;
