//! Spare sockets: opened for one meeting, so that a NAT which gives every socket another port opens many doors; closed with it, but for those over which a
//! link's path leads.
//!
//! There may be hundreds, of which hardly one ever receives anything. So each has a waker of its own, and only those that were woken are looked at.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;
use noq::{UdpSender, udp::RecvMeta};

use super::{
    Bound,
    source::{Hand, Network},
    udp::Size,
};

/// Spare sockets of all meetings of an endpoint. A process has 1,024 files by default on Linux.
const MOST: usize = 512;
/// Where the system gives no more, so many are given back: others want files as well.
const GIVEN_BACK: usize = 16;

/// The spare sockets of an endpoint.
pub(crate) struct Spares {
    network: Network,
    table: Mutex<Table>,
    woken: Arc<Woken>,
}

struct Table {
    /// Above all numbers so far, and above those of the endpoint's own sockets: none is ever another socket's.
    next: usize,
    open: BTreeMap<usize, Spare>,
    /// Over which of them an address answers.
    leading: HashMap<SocketAddr, usize>,
}

struct Spare {
    bound: Bound,
    hand: Hand,
    waker: Waker,
    /// A meeting may use it.
    in_meeting: bool,
    /// How many paths of links lead over it.
    paths: usize,
}

/// Those that were woken, in turn.
#[derive(Default)]
struct Woken {
    queue: Mutex<VecDeque<(usize, Arc<Signal>)>>,
    reader: AtomicWaker,
}

/// Has one socket looked at.
struct Signal {
    number: usize,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            let woken = Arc::clone(&self.woken);
            lock(&woken.queue).push_back((self.number, self));
            woken.reader.wake();
        }
    }
}

impl Spares {
    /// For an endpoint that has so many sockets of its own.
    pub(super) fn new(own: usize, network: Network) -> Self {
        let table = Table { next: own, open: BTreeMap::new(), leading: HashMap::new() };
        Self { network, table: Mutex::new(table), woken: Arc::default() }
    }

    /// Opens so many for a meeting, or fewer where there are no more; returns their numbers.
    pub(crate) fn open(&self, address: SocketAddr, count: usize) -> Vec<usize> {
        let mut opened = Vec::new();
        while opened.len() < count {
            match self.open_one(address) {
                Ok(Some(number)) => opened.push(number),
                Ok(None) => {
                    tracing::warn!(most = MOST, "so many spare sockets are open: there are no more");
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, opened = opened.len(), wanted = count, "no more spare sockets");
                    let kept = opened.len().saturating_sub(GIVEN_BACK);
                    self.close(opened.split_off(kept));
                    break;
                }
            }
        }
        opened
    }

    fn open_one(&self, address: SocketAddr) -> io::Result<Option<usize>> {
        let mut table = self.lock();
        if table.open.len() >= MOST {
            return Ok(None);
        }
        let (inner, hand) = self.network.bind(address, Size::Small)?;
        let number = table.next;
        table.next += 1;
        let signal =
            Arc::new(Signal { number, is_queued: AtomicBool::new(false), woken: Arc::clone(&self.woken) });
        let waker = Waker::from(signal);
        let bound = Bound { inner, failed: false };
        table.open.insert(number, Spare { bound, hand, waker: waker.clone(), in_meeting: true, paths: 0 });
        drop(table);
        // Once, so that it registers its waker.
        waker.wake();
        Ok(Some(number))
    }

    /// No meeting uses them any more. They close, but for those over which paths lead; returns which did.
    pub(crate) fn close(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let (mut table, mut closed) = (self.lock(), Vec::new());
        for number in numbers {
            let Some(spare) = table.open.get_mut(&number) else { continue };
            spare.in_meeting = false;
            if spare.paths == 0 {
                table.remove(number);
                closed.push(number);
            }
        }
        closed
    }

    /// The peer answers at this address, over this socket.
    pub(crate) fn leads(&self, number: usize, to: SocketAddr) {
        let mut table = self.lock();
        if table.open.contains_key(&number) {
            table.leading.insert(to, number);
        }
    }

    /// Over which of them an address answers, if over any.
    pub(crate) fn leading_to(&self, remote: SocketAddr) -> Option<usize> {
        self.lock().leading.get(&remote).copied()
    }

    /// A path leads over it.
    pub(super) fn path_opened(&self, number: usize) {
        if let Some(spare) = self.lock().open.get_mut(&number) {
            if spare.paths == 0 {
                spare.hand.enlarge();
            }
            spare.paths += 1;
        }
    }

    /// A path leads over it no more; whether it is closed now.
    pub(super) fn path_closed(&self, number: usize) -> bool {
        let mut table = self.lock();
        let Some(spare) = table.open.get_mut(&number) else { return false };
        spare.paths = spare.paths.saturating_sub(1);
        let closes = spare.paths == 0 && !spare.in_meeting;
        if closes {
            table.remove(number);
        }
        closes
    }

    /// Sends a probe over one.
    pub(super) fn send_probe(&self, number: usize, to: SocketAddr, datagram: &[u8], hops: Option<u8>) {
        let hand = self.lock().open.get(&number).map(|spare| spare.hand.clone());
        if let Some(hand) = hand {
            hand.send(to, datagram, hops);
        }
    }

    /// What sends QUIC's datagrams over one; `None` once it is closed.
    pub(super) fn sender(&self, number: usize) -> Option<Pin<Box<dyn UdpSender>>> {
        Some(self.lock().open.get(&number)?.bound.inner.create_sender())
    }

    /// Datagrams that came in over any of them, and over which.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<(usize, usize)> {
        self.woken.reader.register(cx.waker());
        loop {
            let Some((number, signal)) = lock(&self.woken.queue).pop_front() else { return Poll::Pending };
            signal.is_queued.store(false, Ordering::Release);
            let mut table = self.lock();
            let Some(spare) = table.open.get_mut(&number) else { continue };
            let waker = spare.waker.clone();
            let received = spare.bound.poll(&mut Context::from_waker(&waker), buffers, metas);
            drop(table);
            if let Some(received) = received {
                // There may be more, after the others' turn.
                waker.wake();
                return Poll::Ready((number, received));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

#[cfg(test)]
impl Spares {
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        // What waits there holds the queue.
        lock(&self.woken.queue).clear();
    }
}

impl Table {
    fn remove(&mut self, number: usize) {
        self.open.remove(&number);
        self.leading.retain(|_, over| *over != number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
