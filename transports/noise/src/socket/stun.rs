//! STUN beside QUIC on the endpoint's UDP sockets (RFC 9443): what is asked is answered where the owner wants it, and what was asked is answered to whoever waits.
//!
//! Tunnels and TCP carry none: nobody behind them sees an address of ours.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, SystemTime},
};

use noq::{
    UdpSender,
    udp::{RecvMeta, Transmit},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use wayside_stun::{Answer, Ask, Client, Failure, Port, Request, Responder, Socket, TransactionId, is_stun};

use super::route::canonical;
use crate::{
    core::agreement::fill_random,
    seldom::{Budget, Seldom},
};

/// Requests that are looked at in a second, whoever sends them. Each costs up to three HMACs, some microseconds; what is answered of them the responder
/// bounds.
const MOST_LOOKED_AT: u32 = 2_000;
/// Where a transaction's id is in a message (RFC 8489, section 5).
const ID: std::ops::Range<usize> = 8..20;
/// Sockets beside the endpoint's own are numbered from here.
const FIRST_LONE: u64 = 1 << 32;

/// STUN of one endpoint.
pub(crate) struct Stun {
    hands: Mutex<HashMap<Socket, Pin<Box<dyn UdpSender>>>>,
    next: AtomicU64,
    serving: Mutex<Option<Serving>>,
    asking: Mutex<Asking>,
    /// How many transactions are under way: mostly none, and then nothing is read.
    under_way: AtomicUsize,
    /// Requests of ours that may come back to ourselves.
    returning: Mutex<HashMap<TransactionId, oneshot::Sender<()>>>,
    /// How many of those there are: mostly none, and then nothing is looked for.
    awaited: AtomicUsize,
    origin: Instant,
}

/// Two sockets of ours, and where each is seen from outside.
pub(crate) type Between = [(Socket, SocketAddr); 2];

/// Whom we answer, and over which sockets.
pub(crate) struct Serving {
    responder: Responder,
    /// The first and the second socket over IPv4, and over IPv6.
    ports: [Option<(Socket, Socket)>; 2],
    looked_at: Budget,
    spent: Seldom,
}

impl Serving {
    pub(crate) fn new(responder: Responder, ports: [Option<(Socket, Socket)>; 2]) -> Self {
        let looked_at = Budget::new(MOST_LOOKED_AT, Duration::from_secs(1));
        Self { responder, ports, looked_at, spent: Seldom::default() }
    }

    /// Whether there is time for one more.
    fn has_time(&mut self) -> bool {
        if self.looked_at.is_left() {
            self.looked_at.spend();
            return true;
        }
        if let Some(times) = self.spent.happened() {
            tracing::warn!(times, "more STUN requests than can be looked at: some are dropped");
        }
        false
    }
}

#[derive(Default)]
struct Asking {
    client: Client,
    waiting: BTreeMap<TransactionId, oneshot::Sender<Result<Answer, Failure>>>,
}

impl Stun {
    pub(super) fn new() -> Self {
        Self {
            hands: Mutex::default(),
            next: AtomicU64::new(FIRST_LONE),
            serving: Mutex::default(),
            asking: Mutex::default(),
            under_way: AtomicUsize::new(0),
            returning: Mutex::default(),
            awaited: AtomicUsize::new(0),
            origin: Instant::now(),
        }
    }

    /// The endpoint's UDP socket of this number sends by this.
    pub(super) fn add_own(&self, number: usize, hand: Pin<Box<dyn UdpSender>>) {
        lock(&self.hands).insert(own(number), hand);
    }

    /// Another socket, which sends by this; returns its name.
    pub(super) fn add_lone(&self, hand: Pin<Box<dyn UdpSender>>) -> Socket {
        let socket = Socket(self.next.fetch_add(1, Ordering::Relaxed));
        lock(&self.hands).insert(socket, hand);
        socket
    }

    /// Such a socket is no more.
    pub(super) fn remove_lone(&self, socket: Socket) {
        lock(&self.hands).remove(&socket);
    }

    /// Answers by this from now on, or nobody.
    pub(crate) fn serve(&self, serving: Option<Serving>) {
        *lock(&self.serving) = serving;
    }

    /// Runs one transaction. Dropping the future ends it.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        let (id, told) = {
            let mut id = TransactionId([0; 12]);
            fill_random(&mut id.0);
            let (tell, told) = oneshot::channel();
            let mut asking = lock(&self.asking);
            if asking.client.start(self.now(), id, ask).is_err() {
                return Err(Failure::TimedOut { sent: 0 });
            }
            asking.waiting.insert(id, tell);
            (id, told)
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay { stun: self, id };
        tokio::pin!(told);
        loop {
            self.advance();
            let due = lock(&self.asking).client.poll_timeout();
            tokio::select! {
                // Whoever has it tells before it is dropped.
                outcome = &mut told => return outcome.unwrap_or(Err(Failure::TimedOut { sent: 0 })),
                () = until(due.map(|due| self.origin + due)) => {}
            }
        }
    }

    /// Whether what one of two sockets sends to where the other is seen from outside comes in there, either way round. Each sends one request of 20 bytes at
    /// once and again after each pause, and the last pause is waited out. Dropping the future ends it.
    pub(crate) async fn comes_back(&self, between: Between, pauses: &[Duration]) -> bool {
        let [(one, one_outside), (other, other_outside)] = between;
        let mut id = TransactionId([0; 12]);
        fill_random(&mut id.0);
        let (tell, mut told) = oneshot::channel();
        lock(&self.returning).insert(id, tell);
        self.awaited.fetch_add(1, Ordering::Relaxed);
        let _awaited = Awaited { stun: self, id };
        let request = Request::plain().encode(id);
        for pause in pauses {
            // The first of them opens the one way, the second the other.
            self.send(one, None, other_outside, &request);
            self.send(other, None, one_outside, &request);
            if timeout(*pause, &mut told).await.is_ok_and(|told| told.is_ok()) {
                return true;
            }
        }
        false
    }

    /// Takes what `is_stun` says is STUN. `local`: at which of this machine's addresses it arrived, if the system says so.
    pub(super) fn take(&self, via: Socket, local: Option<IpAddr>, from: SocketAddr, datagram: &[u8]) {
        // The type of a Binding request (RFC 8489, section 5); whatever is not one may be an answer to one.
        if datagram.starts_with(&[0, 1]) {
            if !self.is_ours(datagram) {
                self.answer(via, local, from, datagram);
            }
        } else if self.under_way.load(Ordering::Relaxed) > 0 {
            let mut asking = lock(&self.asking);
            if asking.client.received(via, from, datagram) {
                asking.tell();
            }
        }
    }

    /// Whether a request is one that we have sent to ourselves, by the 12 random bytes that nobody else knows; whoever waits for it is told.
    fn is_ours(&self, request: &[u8]) -> bool {
        if self.awaited.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let Some(id) = request.get(ID).and_then(|id| id.try_into().ok()).map(TransactionId) else {
            return false;
        };
        let mut returning = lock(&self.returning);
        // Of several copies the first one tells.
        returning.remove(&id).is_some_and(|tell| tell.send(()).is_ok())
    }

    fn answer(&self, via: Socket, local: Option<IpAddr>, from: SocketAddr, datagram: &[u8]) {
        let (via, reply) = {
            let mut serving = lock(&self.serving);
            let Some(serving) = serving.as_mut() else { return };
            let pair = serving.ports.get(usize::from(from.is_ipv6())).copied().flatten();
            let port = match pair {
                Some((_, second)) if second == via => Port::Second,
                _ if via.0 < FIRST_LONE => Port::First,
                // Opened to ask.
                _ => return,
            };
            if !serving.has_time() {
                return;
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let Ok(reply) = serving.responder.respond(now, port, from, datagram) else { return };
            let via = match (reply.via, pair) {
                (asked, _) if asked == port => via,
                (Port::First, Some((first, _))) => first,
                (Port::Second, Some((_, second))) => second,
                (_, None) => return,
            };
            (via, reply)
        };
        self.send(via, local, reply.to, &reply.datagram);
    }

    /// Sends what is due, and tells whoever waited in vain.
    fn advance(&self) {
        let mut asking = lock(&self.asking);
        asking.client.handle_timeout(self.now());
        asking.tell();
        let due: Vec<_> = std::iter::from_fn(|| asking.client.poll_transmit()).collect();
        drop(asking);
        for transmit in due {
            self.send(transmit.via, None, transmit.to, &transmit.datagram);
        }
    }

    fn send(&self, via: Socket, src_ip: Option<IpAddr>, to: SocketAddr, datagram: &[u8]) {
        let transmit =
            Transmit { destination: to, ecn: None, contents: datagram, segment_size: None, src_ip };
        if let Some(hand) = lock(&self.hands).get_mut(&via) {
            // Where the socket takes nothing now it is lost, as it may be on any wire.
            let _ = hand.as_mut().poll_send(&transmit, &mut Context::from_waker(Waker::noop()));
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl Asking {
    fn tell(&mut self) {
        while let Some((id, outcome)) = self.client.poll_outcome() {
            if let Some(tell) = self.waiting.remove(&id) {
                // Nobody may wait any more.
                let _ = tell.send(outcome);
            }
        }
    }
}

/// A transaction that somebody waits for.
struct UnderWay<'a> {
    stun: &'a Stun,
    id: TransactionId,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.stun.under_way.fetch_sub(1, Ordering::Relaxed);
        let mut asking = lock(&self.stun.asking);
        asking.client.cancel(self.id);
        asking.waiting.remove(&self.id);
    }
}

/// A request that may come back.
struct Awaited<'a> {
    stun: &'a Stun,
    id: TransactionId,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.stun.awaited.fetch_sub(1, Ordering::Relaxed);
        lock(&self.stun.returning).remove(&self.id);
    }
}

#[cfg(test)]
impl Stun {
    /// How many requests may come back.
    pub(crate) fn awaited(&self) -> (usize, usize) {
        (self.awaited.load(Ordering::Relaxed), lock(&self.returning).len())
    }

    /// How many transactions are under way, how many wait for one, and how many sockets send.
    pub(crate) fn tables(&self) -> (usize, usize, usize) {
        let waiting = lock(&self.asking).waiting.len();
        (self.under_way.load(Ordering::Relaxed), waiting, lock(&self.hands).len())
    }
}

/// The endpoint's UDP socket of this number.
pub(crate) fn own(number: usize) -> Socket {
    Socket(u64::try_from(number).unwrap_or(FIRST_LONE).min(FIRST_LONE - 1))
}

/// Takes STUN out of what a socket received, and moves the rest together.
pub(super) fn take_out(stun: &Stun, via: Socket, buffer: &mut [u8], meta: &mut RecvMeta) {
    let filled = meta.len.min(buffer.len());
    let stride = meta.stride.clamp(1, filled.max(1));
    if !buffer.get(..filled).is_some_and(|it| it.chunks(stride).any(is_stun)) {
        return;
    }
    let (mut kept, from) = (0, canonical(meta.addr));
    for start in (0..filled).step_by(stride) {
        let datagram = start..(start + stride).min(filled);
        match buffer.get(datagram.clone()) {
            Some(bytes) if is_stun(bytes) => stun.take(via, meta.dst_ip, from, bytes),
            _ => {
                let length = datagram.len();
                buffer.copy_within(datagram, kept);
                kept += length;
            }
        }
    }
    meta.len = kept;
}

/// Whether a socket goes on after an error.
pub(super) fn goes_on(error: &io::Error) -> bool {
    super::is_about_one_peer(error)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "stun_tests.rs"]
mod tests;
