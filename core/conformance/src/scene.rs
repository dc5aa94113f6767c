//! What a case works with: handles that are kept account of, keys nobody has used, and ways to look.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;
use wayside_bridge::{
    Batch, Bridge, BridgeError, Capability, Class, Cursor, Delivery, Entropy, Fetch, Key, Keys, Receipt,
    Record, RecordStream, SeededEntropy, SharedBridge, Slot, Timestamp,
};

use crate::case::Failure;
use crate::run::Settings;
use crate::spec::{self, Sentence};
use crate::tally::Tally;
use crate::walk::{PAGES, ensure_asked_for};
pub(crate) use crate::walk::{place_of, walk};
use crate::{Harness, Missing, Namespace, Supply};

/// The length of a day, in seconds: records are published by the day at most.
pub(crate) const DAY: u64 = 86_400;
/// How long the suite pauses between looks at a place that is pushed.
const GLANCE: Duration = Duration::from_millis(20);

/// Why a case does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    Fail(Failure),
    Skip(String),
}

impl Stop {
    /// The bridge broke this sentence.
    pub(crate) fn broken(sentence: &'static Sentence, expected: String, seen: String) -> Self {
        Self::Fail(Failure { sentence: Some(sentence), expected, seen })
    }

    /// The same, where here another sentence says why it should have been so. What is no fault of the bridge's stays that.
    pub(crate) fn under(self, sentence: &'static Sentence) -> Self {
        match self {
            Self::Fail(Failure { sentence: Some(_), expected, seen }) => {
                Self::broken(sentence, expected, seen)
            }
            other => other,
        }
    }
}

/// What a case answers.
pub(crate) type Step<T = ()> = Result<T, Stop>;

/// Where the condition does not hold the case fails: which sentence was broken, what was expected, and what was seen instead.
macro_rules! ensure {
    ($condition:expr, $sentence:ident, $expected:literal, $($seen:tt)+) => {
        if !$condition {
            return Err($crate::scene::Stop::broken(
                &$crate::spec::$sentence,
                format!($expected),
                format!($($seen)+),
            ));
        }
    };
}
pub(crate) use ensure;

/// The case cannot be tried here.
pub(crate) fn skip<T>(reason: impl Into<String>) -> Step<T> {
    Err(Stop::Skip(reason.into()))
}

/// One case's run in one namespace.
pub(crate) struct Scene<'a> {
    pub(crate) harness: &'a dyn Harness,
    pub(crate) namespace: &'a dyn Namespace,
    pub(crate) settings: &'a Settings,
    pub(crate) tally: &'a Tally,
    pub(crate) entropy: SeededEntropy,
}

impl Scene<'_> {
    /// Member `who`'s bridge; again is after a restart.
    pub(crate) async fn handle(&self, who: usize) -> Step<SharedBridge> {
        let bridge = self.namespace.handle(who).await.map_err(said(&spec::C3, "opening a handle"))?;
        Ok(self.tally.watch_over(who, bridge))
    }

    /// Two members' bridges.
    pub(crate) async fn pair(&self) -> Step<(SharedBridge, SharedBridge)> {
        Ok((self.handle(0).await?, self.handle(1).await?))
    }

    /// A key of this class that nobody has used.
    pub(crate) fn key(&self, class: Class) -> Key {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let slot = Slot(bytes);
        match class {
            Class::Meeting | Class::Custody => Key::Slot(slot),
            Class::Pointer => Key::Name(format!("t{slot}")),
        }
    }

    /// Bytes that look sealed.
    pub(crate) fn noise(&self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A record under this key that lives for a week or so.
    pub(crate) fn record(&self, class: Class, key: &Key, bytes: impl Into<Vec<u8>>) -> Record {
        Record::new(key.clone(), class, self.day_after(7), bytes.into())
    }

    /// A short record under a new key.
    pub(crate) fn short(&self, bridge: &dyn Bridge, class: Class) -> Record {
        let most = bridge.capability().class(class).map_or(0, |limits| limits.max_record);
        self.record(class, &self.key(class), self.noise(most.min(48)))
    }

    /// Midnight, so many whole days after today's.
    pub(crate) fn day_after(&self, days: u64) -> Timestamp {
        let today = self.namespace.now().as_secs() / DAY;
        Timestamp::from_secs(today.saturating_add(days).saturating_add(1).saturating_mul(DAY))
    }

    /// Everything of these keys that `reader` finds in `writer`'s place now, in batches of the usual size.
    pub(crate) async fn find(
        &self,
        reader: &dyn Bridge,
        writer: &dyn Bridge,
        keys: &Keys,
    ) -> Step<Vec<Record>> {
        Ok(walk(reader, &place_of(reader, writer), keys, None, Fetch::LIMIT, PAGES).await?.records)
    }

    /// Looks until what is found pleases, as this sentence says that it does in the end.
    pub(crate) async fn find_until(
        &self,
        reader: &dyn Bridge,
        writer: &dyn Bridge,
        keys: &Keys,
        sentence: &'static Sentence,
        expected: &str,
        pleases: impl Fn(&[Record]) -> bool,
    ) -> Step {
        let found = self.look(reader, writer, keys, pleases).await?;
        found.map_err(|found| Stop::broken(sentence, expected.to_owned(), describe(&found)))
    }

    /// Looks for as long as the capability lets it take; tells what was found in the end where that does not please.
    async fn look(
        &self,
        reader: &dyn Bridge,
        writer: &dyn Bridge,
        keys: &Keys,
        pleases: impl Fn(&[Record]) -> bool,
    ) -> Step<Result<(), Vec<Record>>> {
        let deadline = Instant::now() + self.patience(reader.capability());
        loop {
            let found = self.find(reader, writer, keys).await?;
            if pleases(&found) {
                return Ok(Ok(()));
            }
            if Instant::now() >= deadline {
                return Ok(Err(found));
            }
            tokio::time::sleep(pause(reader.capability())).await;
        }
    }

    /// Looks until this record is found under its key.
    pub(crate) async fn find_record(
        &self,
        reader: &dyn Bridge,
        writer: &dyn Bridge,
        record: &Record,
    ) -> Step {
        let keys = just(&record.key);
        let found = self.look(reader, writer, &keys, |found| found.contains(record)).await?;
        found.map_err(|found| {
            // Something is there, and not as it was published.
            let sentence = if found.is_empty() { &spec::P1 } else { &spec::P2 };
            Stop::broken(sentence, format!("the published {record:?} is found"), describe(&found))
        })
    }

    /// Looks until this record is not found any more.
    pub(crate) async fn find_gone(&self, reader: &dyn Bridge, writer: &dyn Bridge, record: &Record) -> Step {
        let keys = just(&record.key);
        let gone = |found: &[_]| !found.contains(record);
        self.find_until(reader, writer, &keys, &spec::R1, "the record that was taken back is gone", gone)
            .await
    }

    /// How long something may take that the service does by itself.
    pub(crate) fn patience(&self, capability: &Capability) -> Duration {
        self.settings.slack.saturating_add(capability.delivery.latency().saturating_mul(2))
    }

    /// A batch of a stream, within the patience.
    pub(crate) async fn next(&self, bridge: &dyn Bridge, stream: &mut RecordStream) -> Step<Batch> {
        match tokio::time::timeout(self.patience(bridge.capability()), stream.next()).await {
            Ok(Some(Ok(batch))) => Ok(batch),
            Ok(Some(Err(error))) => Err(said(&spec::C3, "watching")(error)),
            Ok(None) => {
                let expected = "the stream goes on, or ends with an error".to_owned();
                Err(Stop::broken(&spec::W6, expected, "it ended without one".to_owned()))
            }
            Err(_) => {
                let expected = "the watcher is woken by the news".to_owned();
                Err(Stop::broken(&spec::W1, expected, "it was not woken".to_owned()))
            }
        }
    }

    /// Reads a stream until all of these have come, each under a key that was asked for; tells the last cursor.
    pub(crate) async fn next_until(
        &self,
        bridge: &dyn Bridge,
        stream: &mut RecordStream,
        keys: &Keys,
        wanted: &[Record],
    ) -> Step<Option<Cursor>> {
        let mut missing: Vec<&Record> = wanted.iter().collect();
        let mut cursor = None;
        while !missing.is_empty() {
            let batch = self.next(bridge, stream).await?;
            ensure_asked_for(keys, &batch)?;
            missing.retain(|record| !batch.records.contains(record));
            cursor = batch.cursor;
        }
        Ok(cursor)
    }
}

/// The class that cases use where any will do.
pub(crate) fn any_class(bridge: &dyn Bridge) -> Step<Class> {
    match bridge.capability().classes.keys().next() {
        Some(class) => Ok(*class),
        None => {
            let expected = "the capability declares a class".to_owned();
            Err(Stop::broken(&spec::D3, expected, "it declares none".to_owned()))
        }
    }
}

/// A class whose records can be taken back.
pub(crate) fn retractable(bridge: &dyn Bridge) -> Step<Class> {
    match bridge.capability().classes.iter().find(|(_, limits)| limits.retract) {
        Some((class, _)) => Ok(*class),
        None => skip("the bridge declares that nothing can be taken back"),
    }
}

/// Whether it is pushed; the case is skipped where it is polled.
pub(crate) fn pushed(bridge: &dyn Bridge) -> Step {
    match bridge.capability().delivery {
        Delivery::Push { .. } => Ok(()),
        Delivery::Poll { .. } => skip("the bridge is polled: there is nothing to watch"),
    }
}

/// Publishes, or says what went wrong.
pub(crate) async fn publish(bridge: &dyn Bridge, record: &Record) -> Step<Receipt> {
    bridge.publish(record).await.map_err(said(&spec::C3, "publishing"))
}

/// This key alone.
pub(crate) fn just(key: &Key) -> Keys {
    Keys::These(BTreeSet::from([key.clone()]))
}

/// The keys of these records.
pub(crate) fn keys_of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Keys {
    Keys::These(records.into_iter().map(|record| record.key.clone()).collect())
}

/// Runs a future for at most so many polls, and drops it.
pub(crate) async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if let std::task::Poll::Ready(output) = futures::poll!(future.as_mut()) {
            return Some(output);
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    None
}

/// How long to wait between two looks.
pub(crate) fn pause(capability: &Capability) -> Duration {
    match capability.delivery {
        Delivery::Push { .. } => GLANCE,
        Delivery::Poll { interval } => interval.max(GLANCE),
    }
}

/// An error of the bridge where there should be none, as this sentence says.
pub(crate) fn said<'a>(sentence: &'static Sentence, doing: &'a str) -> impl Fn(BridgeError) -> Stop + 'a {
    move |error| Stop::broken(sentence, format!("{doing} works"), format!("{:?}: {error}", error.kind()))
}

/// What the harness lacks skips the case; what it fails at fails it.
pub(crate) fn supplied<T>(supply: Supply<T>) -> Step<T> {
    supply.map_err(|missing| match missing {
        Missing::NotApplicable(reason) => Stop::Skip(reason.into_owned()),
        Missing::Failed(error) => Stop::Fail(Failure::elsewhere(
            "the harness supplies what it says it can".to_owned(),
            format!("{:?}: {error}", error.kind()),
        )),
    })
}

fn describe(found: &[Record]) -> String {
    match found {
        [] => "nothing is found".to_owned(),
        [one] => format!("{one:?} is found"),
        many => format!("{} records are found", many.len()),
    }
}
