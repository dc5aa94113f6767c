//! How much its owner lets a relay do, and what follows from that for bursts, turns and queues.

use std::time::Duration;

/// What the owner of a relay lets it do for friends. What an end sends is counted for the friend whose end it is, frames and all, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second for all together. `None`: as fast as it goes.
    pub rate: Option<u64>,
    /// Bytes a calendar month (UTC) for all together. `None`: any number. The last batch may go over it.
    pub month: Option<u64>,
    /// Circuits at a time, with those that wait for their other end.
    pub circuits: u32,
    /// Bytes a second for each friend.
    pub friend_rate: Option<u64>,
    /// Bytes a calendar month for each friend.
    pub friend_month: Option<u64>,
    /// Ends of circuits that each friend has at a time.
    pub friend_circuits: u32,
    /// How long a circuit waits for its other end.
    pub half_open: Duration,
    /// Bytes that wait for their turn, of all friends together, [`OVERHEAD`] for each batch among them.
    pub queue: usize,
    /// Bytes that wait for their turn, of each friend.
    pub friend_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: None,
            month: None,
            circuits: 256,
            friend_rate: None,
            friend_month: None,
            friend_circuits: 32,
            half_open: HALF_OPEN,
            queue: QUEUE,
            friend_queue: FRIEND_QUEUE,
        }
    }
}

/// Longer than a record takes over the slower bridges, so that who answered still waits when its answer has been read.
const HALF_OPEN: Duration = Duration::from_secs(180);
/// Four of the largest batches: 0.2 s at 10 Mbit/s, which is a usual uplink, and enough for a driver that lags behind a burst.
const FRIEND_QUEUE: usize = 256 << 10;
/// Sixteen friends at once, each with a full queue.
const QUEUE: usize = 4 << 20;

/// What a batch that waits costs besides its bytes: its entry and the allocator's. Without it a flood of the shortest frames would take many times the
/// memory that the bounds name.
pub const OVERHEAD: usize = 128;
/// The largest batch that a system hands over at once.
pub(crate) const LARGEST: usize = 1 << 16;

/// What one turn is worth where nothing limits the rate. A largest batch takes four turns, which it pays back afterwards.
const QUANTUM: u64 = 16 << 10;
/// What one turn is worth at least: a datagram.
const LEAST_QUANTUM: u64 = 1_500;
/// Where a rate is kept, batches are split to what it lets through in this time, so that nobody waits for the whole of another one's.
const PIECE: Duration = Duration::from_millis(10);
/// How much of a rate may come at once after a silence.
const BURST: Duration = Duration::from_millis(50);
/// How much waits at most where a rate is kept: more would be late rather than lost, and senders take loss for their measure.
const DELAY: Duration = Duration::from_millis(250);

/// How many bytes go through in that time.
fn within(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// How many bytes may come at once at this rate. Not less than two datagrams.
pub(crate) fn burst(rate: u64) -> u64 {
    within(rate, BURST).max(2 * LEAST_QUANTUM)
}

/// What the fair queue keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) rate: Option<u64>,
    pub(crate) friend_rate: Option<u64>,
    /// What a turn is worth, in bytes.
    pub(crate) quantum: i64,
    /// The most that is handed out at once, if it is more than one frame.
    pub(crate) piece: usize,
    /// The most that waits, in all and for each friend.
    pub(crate) all: usize,
    pub(crate) each: usize,
}

impl Limits {
    pub(crate) fn shape(&self) -> Shape {
        let lower = [self.rate, self.friend_rate].into_iter().flatten().min();
        let piece = lower.map(|rate| within(rate, PIECE));
        let quantum = piece.map_or(QUANTUM, |piece| piece.clamp(LEAST_QUANTUM, QUANTUM));
        // A largest batch has room at any rate.
        let waiting = |rate: Option<u64>| {
            rate.map_or(usize::MAX, |rate| size(within(rate, DELAY)).max(LARGEST + OVERHEAD))
        };
        Shape {
            rate: self.rate,
            friend_rate: self.friend_rate,
            quantum: i64::try_from(quantum).unwrap_or(i64::MAX),
            piece: piece.map_or(usize::MAX, size),
            all: self.queue.min(waiting(self.rate)),
            each: self.friend_queue.min(waiting(lower)),
        }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
