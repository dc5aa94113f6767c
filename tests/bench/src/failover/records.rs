//! Records that flow over a link, numbered, and when each arrives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout_at};

use super::links::OpenPath;
use crate::Failure;
use crate::processes::{SOON, Worker};
use crate::worker;

/// Between two records.
const PACE: Duration = Duration::from_millis(2);
/// A number and the moment at which it was written, eight bytes each.
pub(super) const RECORD: usize = 16;

/// What an end can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Write a record every two milliseconds.
    Start,
    /// Write no more.
    Stop,
    /// Write one.
    One,
    /// Forget when records arrived; how many did is kept.
    Forget,
    /// Say what arrived, in particular from the first moment on and after the second.
    Seen(Moment, Moment),
    /// Say which paths there are.
    Paths,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Sent(Sent),
    Seen(Seen),
    Paths(Vec<OpenPath>),
}

/// A moment of the clock that all processes of a machine share, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(super) fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        Self(now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs())
    }

    pub(super) fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// How many records an end has written since the link began, and when the last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(super) total: u64,
    pub(super) last: Moment,
}

/// What an end has read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Since the link began.
    pub(super) total: u64,
    /// When the first one arrived after the moment asked for.
    pub(super) first: Option<Moment>,
    /// The longest time without a record.
    pub(super) longest: Duration,
    /// Why no more can come.
    pub(super) ended: Option<String>,
}

/// What arrives, as whoever reads it sees it.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Arrivals>>);

#[derive(Default)]
struct Arrivals {
    total: u64,
    times: Vec<Moment>,
    ended: Option<String>,
}

impl Log {
    /// Reads records until the link ends, or one is missing.
    pub(super) async fn read(self, mut recv: impl AsyncReadExt + Unpin) {
        let mut record = [0; RECORD];
        let ended = loop {
            if let Err(error) = recv.read_exact(&mut record).await {
                break error.to_string();
            }
            let (number, _) = record.split_at(RECORD / 2);
            let mut log = self.lock();
            if number != log.total.to_be_bytes() {
                break format!("after {} records comes another one than the next", log.total);
            }
            log.total += 1;
            log.times.push(Moment::now());
        };
        self.lock().ended = Some(ended);
    }

    pub(super) fn forget(&self) {
        self.lock().times.clear();
    }

    pub(super) fn end(&self, why: String) {
        self.lock().ended.get_or_insert(why);
    }

    pub(super) fn seen(&self, from: Moment, after: Moment) -> Seen {
        let log = self.lock();
        let gaps = log.times.iter().zip(log.times.iter().skip(1)).filter(|(_, next)| **next >= from);
        Seen {
            total: log.total,
            first: log.times.iter().find(|time| **time > after).copied(),
            longest: gaps.map(|(before, next)| next.since(*before)).max().unwrap_or_default(),
            ended: log.ended.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arrivals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the next record is due. What could not be written in time is not made up for.
pub(super) fn pace() -> Interval {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// How often whoever measures looks at what has arrived.
const LOOK: Duration = Duration::from_millis(20);
/// For how long data may stand still before it is taken for lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// An end, as whoever measures sees it.
pub(super) struct End(pub(super) Worker);

impl End {
    async fn ask(&mut self, order: Order) -> Result<Answer, Failure> {
        match self.0.ask(worker::Order::Records(order), SOON).await? {
            worker::Answer::Records(answer) => Ok(answer),
            other => Err(format!("an end answered {other:?}").into()),
        }
    }

    pub(super) async fn tell(&mut self, order: Order) -> Result<(), Failure> {
        self.ask(order).await.map(drop)
    }

    /// Writes one record, or no more of them.
    pub(super) async fn sent(&mut self, order: Order) -> Result<Sent, Failure> {
        match self.ask(order).await? {
            Answer::Sent(sent) => Ok(sent),
            other => Err(format!("an end answered {other:?}").into()),
        }
    }

    pub(super) async fn paths(&mut self) -> Result<Vec<OpenPath>, Failure> {
        match self.ask(Order::Paths).await? {
            Answer::Paths(paths) => Ok(paths),
            other => Err(format!("an end answered {other:?}").into()),
        }
    }

    /// Waits until what has arrived is `enough`.
    pub(super) async fn seen(
        &mut self,
        (from, after): (Moment, Moment),
        enough: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = match self.ask(Order::Seen(from, after)).await? {
                Answer::Seen(seen) => seen,
                other => return Err(format!("an end answered {other:?}").into()),
            };
            if enough(&seen) {
                return Ok(seen);
            }
            if let Some(ended) = seen.ended {
                return Err(format!("the link ended: {ended}").into());
            }
            let wait = tokio::time::sleep(LOOK);
            timeout_at(deadline, wait)
                .await
                .map_err(|_| format!("no recovery in {} s", PATIENCE.as_secs()))?;
        }
    }
}
