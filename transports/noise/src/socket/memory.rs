//! A network within one process: for tests in virtual time, and for what must not touch a real network.
//!
//! Any address can be bound once. A datagram arrives after the latency, unless it is lost; time is Tokio's, which a test may pause.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use io::IoSliceMut;
use noq::{
    AsyncUdpSocket, UdpSender,
    udp::{RecvMeta, Transmit},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// Datagrams that wait for one socket; beyond it they are lost, as in a kernel's buffer.
const MOST_WAITING: usize = 4096;
/// The first port that is given out where none is asked for (RFC 6335, section 6: the dynamic ports).
const FIRST_FREE_PORT: u16 = 49_152;

/// Latency, its variation, and loss between any two sockets. Clones are the same network.
#[derive(Clone)]
pub struct MemoryNetwork(Arc<Mutex<State>>);

struct State {
    latency: Duration,
    /// Of a thousand datagrams.
    lost: u64,
    /// How much longer some take than others.
    jitter: Duration,
    /// What loses and delays datagrams draws from here, so that one seed does the same to them.
    seed: u64,
    cut: bool,
    /// Nothing goes to or comes from these.
    isolated: HashSet<SocketAddr>,
    sent: u64,
    next_port: u16,
    sockets: HashMap<SocketAddr, Inbox>,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<Datagram>,
    waker: Option<Waker>,
}

struct Datagram {
    due: Instant,
    from: SocketAddr,
    bytes: Vec<u8>,
}

impl MemoryNetwork {
    /// A network on which everything takes `latency` one way.
    pub fn new(latency: Duration) -> Self {
        Self(Arc::new(Mutex::new(State {
            latency,
            lost: 0,
            jitter: Duration::ZERO,
            seed: 1,
            cut: false,
            isolated: HashSet::new(),
            sent: 0,
            next_port: FIRST_FREE_PORT,
            sockets: HashMap::new(),
        })))
    }

    /// Loses so many of a thousand datagrams from now on, by a sequence that the seed starts.
    pub fn lose(&self, per_thousand: u64, seed: u64) {
        let mut state = self.lock();
        (state.lost, state.seed) = (per_thousand, seed);
    }

    /// Has each datagram take up to so much longer from now on, so that some overtake others.
    pub fn jitter(&self, most: Duration) {
        self.lock().jitter = most;
    }

    /// Cuts the network, or heals it.
    pub fn cut(&self, cut: bool) {
        self.lock().cut = cut;
    }

    /// Cuts one address off for good: nothing goes to or comes from it any more.
    pub fn isolate(&self, address: SocketAddr) {
        self.lock().isolated.insert(address);
    }

    /// How many datagrams were sent on it so far, whatever became of them.
    pub fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// How many sockets are bound on it.
    pub fn sockets(&self) -> usize {
        self.lock().sockets.len()
    }

    pub(super) fn bind(&self, mut address: SocketAddr) -> io::Result<Box<dyn AsyncUdpSocket>> {
        let mut state = self.lock();
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        while address.port() == 0
            || (address.port() >= FIRST_FREE_PORT && state.sockets.contains_key(&address))
        {
            address.set_port(state.next_port);
            state.next_port = state.next_port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
        }
        if state.sockets.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.sockets.insert(address, Inbox::default());
        Ok(Box::new(MemorySocket { address, network: self.clone(), alarm: None }))
    }

    /// Sends one datagram from a socket.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.lock().send(from, to, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryNetwork")
    }
}

impl State {
    fn draw(&mut self) -> u64 {
        // xorshift64 (Marsaglia, 2003).
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.sent += 1;
        let is_isolated = self.isolated.contains(&from) || self.isolated.contains(&to);
        if self.draw() % 1000 < self.lost || self.cut || is_isolated {
            return;
        }
        let jitter = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let late = if jitter > 0 { Duration::from_micros(self.draw() % jitter) } else { Duration::ZERO };
        let due = Instant::now() + self.latency + late;
        let Some(inbox) = self.sockets.get_mut(&to) else { return };
        if inbox.waiting.len() < MOST_WAITING {
            let at = inbox.waiting.partition_point(|earlier| earlier.due <= due);
            inbox.waiting.insert(at, Datagram { due, from, bytes: bytes.to_vec() });
            if let Some(waker) = inbox.waker.take() {
                waker.wake();
            }
        }
    }
}

struct MemorySocket {
    address: SocketAddr,
    network: MemoryNetwork,
    /// When the next datagram is due.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for MemorySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySocket").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.network.lock().sockets.remove(&self.address);
    }
}

impl AsyncUdpSocket for MemorySocket {
    fn create_sender(&self) -> Pin<Box<dyn UdpSender>> {
        Box::pin(MemorySender { address: self.address, network: self.network.clone() })
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut state = self.network.lock();
            let Some(inbox) = state.sockets.get_mut(&self.address) else { return Poll::Pending };
            let (now, mut count) = (Instant::now(), 0);
            for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()) {
                if inbox.waiting.front().is_none_or(|datagram| datagram.due > now) {
                    break;
                }
                let Some(datagram) = inbox.waiting.pop_front() else { break };
                let Some(room) = buffer.get_mut(..datagram.bytes.len()) else { continue };
                room.copy_from_slice(&datagram.bytes);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) =
                    (datagram.from, datagram.bytes.len(), datagram.bytes.len());
                count += 1;
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            let due = inbox.waiting.front().map(|datagram| datagram.due);
            inbox.waker = Some(cx.waker().clone());
            drop(state);
            let Some(due) = due else { return Poll::Pending };
            let alarm = self.alarm.insert(Box::pin(sleep_until(due)));
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct MemorySender {
    address: SocketAddr,
    network: MemoryNetwork,
}

impl UdpSender for MemorySender {
    fn poll_send(self: Pin<&mut Self>, transmit: &Transmit<'_>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.network.lock();
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for datagram in transmit.contents.chunks(segment) {
            state.send(self.address, transmit.destination, datagram);
        }
        Poll::Ready(Ok(()))
    }
}
