//! Forwarding for friends: frames that arrive for a circuit are sent on at once, by whoever reads the socket, along the way that the other end's link takes now.
//!
//! What is to be forwarded, in which order and how much of it, the [`Switch`] decides. Where a rate is kept, and where a socket takes nothing now, batches wait in it, and a task sends
//! them later.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, SystemTime},
};

use noq::{UdpSender, udp};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};
use wayside_relay::{CircuitId, Ended, Now, Reason, Switch, Transmit, circuit_of};

use super::{Shared, route::Route, way::Way};
use crate::{core::agreement::fill_random, seldom::Seldom};

/// What happens to circuits that pass here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayEvent {
    /// The other end has come, and the circuit carries datagrams from now on.
    Joined {
        /// The [number](crate::Link::number) of the link over which this end was asked for.
        link: u64,
        /// This end.
        circuit: CircuitId,
    },
    /// This end is over, though whoever has it did not close it.
    Ended {
        /// The [number](crate::Link::number) of the link over which this end was asked for.
        link: u64,
        /// This end.
        circuit: CircuitId,
        /// Why.
        reason: Reason,
    },
}

/// Events that nobody has read. A circuit has two at each end, so that this is more than any relay has circuits.
const MOST_TOLD: usize = 1 << 16;

/// The relay of one endpoint, if it is one.
pub(crate) struct Forwarder {
    is_on: AtomicBool,
    relaying: Mutex<Option<Relaying>>,
    /// Held while something is sent, and never while the other one is waited for by whoever reads the socket.
    sending: Mutex<Sending>,
    task: Arc<Task>,
    waker: Waker,
    origin: Instant,
}

/// While it is one.
pub(crate) struct Relaying {
    pub(crate) switch: Switch<u64>,
    /// Which ways the links take that have circuits.
    ways: HashMap<u64, Arc<Way>>,
    /// Over which link each end was asked for.
    ends: HashMap<CircuitId, u64>,
    told: VecDeque<RelayEvent>,
    untold: Seldom,
    /// When the task looks again by itself.
    due: Option<Duration>,
    /// Which of the relays that this endpoint was it is.
    number: u64,
}

#[derive(Default)]
struct Sending {
    sender: Option<Pin<Box<dyn UdpSender>>>,
    /// What the socket takes when there is room in it again.
    waiting: Option<Transmit<u64>>,
    /// How many relays this endpoint was.
    relays: u64,
}

/// Wakes whoever sends what waits.
#[derive(Default)]
struct Task(Notify);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Default for Forwarder {
    fn default() -> Self {
        let task = Arc::<Task>::default();
        Self {
            is_on: AtomicBool::new(false),
            relaying: Mutex::default(),
            sending: Mutex::default(),
            waker: Waker::from(Arc::clone(&task)),
            task,
            origin: Instant::now(),
        }
    }
}

impl Forwarder {
    /// What is forwarded goes out by this.
    pub(super) fn send_by(&self, sender: Pin<Box<dyn UdpSender>>) {
        lock(&self.sending).sender = Some(sender);
    }

    /// Whether this endpoint is a relay now.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Forwards from now on, instead of the relay that was there; the number of this one.
    pub(crate) fn begin(&self, switch: impl FnOnce([u8; 32]) -> Switch<u64>) -> u64 {
        let mut seed = [0; 32];
        fill_random(&mut seed);
        let number = {
            let mut sending = lock(&self.sending);
            sending.waiting = None;
            sending.relays += 1;
            sending.relays
        };
        let relaying = Relaying {
            switch: switch(seed),
            ways: HashMap::new(),
            ends: HashMap::new(),
            told: VecDeque::new(),
            untold: Seldom::default(),
            due: None,
            number,
        };
        *lock(&self.relaying) = Some(relaying);
        self.is_on.store(true, Ordering::Relaxed);
        number
    }

    /// Forwards nothing any more, if it is still that relay.
    pub(crate) fn end(&self, number: u64) {
        let mut relaying = lock(&self.relaying);
        if relaying.as_ref().is_some_and(|it| it.number == number) {
            *relaying = None;
            self.is_on.store(false, Ordering::Relaxed);
            self.task.0.notify_one();
        }
    }

    /// Does something with that relay, if it is still the one; whoever sends later looks whether there is something to do.
    pub(crate) fn with<T>(&self, number: u64, act: impl FnOnce(&mut Relaying, Now) -> T) -> Option<T> {
        let done = {
            let mut relaying = lock(&self.relaying);
            let relaying = relaying.as_mut().filter(|it| it.number == number)?;
            act(relaying, self.now())
        };
        self.task.0.notify_one();
        Some(done)
    }

    /// A link is over: so are the circuits over it, and their other ends are told.
    pub(crate) fn leave(&self, link: u64) {
        if !self.is_on() {
            return;
        }
        let mut relaying = lock(&self.relaying);
        let Some(relaying) = relaying.as_mut() else { return };
        if relaying.ways.remove(&link).is_some() {
            relaying.ends.retain(|_, it| *it != link);
            for other in relaying.switch.leave(link) {
                relaying.left(other);
            }
            self.task.0.notify_one();
        }
    }

    /// Sends what waits when its time comes, and tells what happens, until it is another relay, or none.
    pub(crate) async fn run(&self, shared: &Shared, number: u64, events: &mpsc::Sender<RelayEvent>) {
        loop {
            let looked = self.with_task(number, |relaying, now| {
                for ended in relaying.switch.handle_timeout(now) {
                    relaying.over(ended);
                }
            });
            if looked.is_none() {
                return;
            }
            self.pump(shared);
            let looked = self.with_task(number, |relaying, _| {
                relaying.due = relaying.switch.poll_timeout();
                (relaying.due, !relaying.told.is_empty())
            });
            let Some((due, has_news)) = looked else { return };
            let due = due.map(|due| self.origin + due);
            tokio::select! {
                // Where nobody listens any more what there is to tell is forgotten.
                place = events.reserve(), if has_news => {
                    let next = self.with_task(number, |relaying, _| relaying.told.pop_front()).flatten();
                    if let (Ok(place), Some(next)) = (place, next) {
                        place.send(next);
                    }
                }
                () = until(due) => {}
                () = self.task.0.notified() => {}
            }
        }
    }

    fn with_task<T>(&self, number: u64, act: impl FnOnce(&mut Relaying, Now) -> T) -> Option<T> {
        let mut relaying = lock(&self.relaying);
        let relaying = relaying.as_mut().filter(|it| it.number == number)?;
        Some(act(relaying, self.now()))
    }

    /// Sends whatever may be sent now.
    fn pump(&self, shared: &Shared) {
        let mut sending = lock(&self.sending);
        let Sending { sender: Some(sender), waiting, .. } = &mut *sending else { return };
        let mut cx = Context::from_waker(&self.waker);
        loop {
            let next = {
                let mut relaying = lock(&self.relaying);
                let Some(relaying) = relaying.as_mut() else { return };
                let transmit = waiting.take().or_else(|| relaying.switch.poll_transmit(self.now()));
                transmit.map(|it| (relaying.ways.get(&it.via).cloned(), it))
            };
            let Some((way, transmit)) = next else { return };
            // Whoever was to have it is gone, or would have it through another relay: lost, as on a wire that was cut.
            let address = way.as_ref().and_then(|way| way.address());
            let Some((way, address)) = way.zip(address) else { continue };
            if shared.routes.relayed(address).is_some() {
                continue;
            }
            let contents: &[u8] = &transmit.contents;
            let segment = Some(transmit.segment).filter(|segment| *segment < contents.len());
            let batch = udp::Transmit {
                destination: address,
                ecn: None,
                contents,
                segment_size: segment,
                src_ip: None,
            };
            match sender.as_mut().poll_send(&batch, &mut cx) {
                Poll::Ready(_) => {
                    way.sends();
                    if let Some(relaying) = lock(&self.relaying).as_mut() {
                        relaying.switch.recycle(transmit.contents);
                    }
                }
                Poll::Pending => {
                    *waiting = Some(transmit);
                    return;
                }
            }
        }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { since: self.origin.elapsed(), unix: unix.as_secs() }
    }
}

impl Relaying {
    /// A link, which goes this way, has this end of a circuit from now on.
    pub(crate) fn opened(&mut self, link: u64, way: Arc<Way>, circuit: CircuitId) {
        self.ways.insert(link, way);
        self.ends.insert(circuit, link);
    }

    /// An end was closed by whoever had it.
    pub(crate) fn closed(&mut self, link: u64, circuit: CircuitId) {
        if self.ends.get(&circuit) == Some(&link) {
            self.ends.remove(&circuit);
            if !self.ends.values().any(|it| *it == link) {
                self.ways.remove(&link);
            }
        }
    }

    /// The other end of one that was closed is over.
    pub(crate) fn left(&mut self, (via, circuit): (u64, CircuitId)) {
        self.over(Ended { via, circuit, reason: Reason::Left, retry: None });
    }

    /// An end is over.
    pub(crate) fn over(&mut self, ended: Ended<u64>) {
        let Ended { via, circuit, reason, .. } = ended;
        self.closed(via, circuit);
        self.tell(RelayEvent::Ended { link: via, circuit, reason });
    }

    /// The way of the link with whoever sent a frame that was verified.
    fn way_of(&self, frame: &[u8]) -> Option<&Arc<Way>> {
        self.ways.get(self.ends.get(&circuit_of(frame)?)?)
    }

    /// Has whoever listens told.
    pub(crate) fn tell(&mut self, event: RelayEvent) {
        if self.told.len() < MOST_TOLD {
            self.told.push_back(event);
        } else if let Some(times) = self.untold.happened() {
            tracing::warn!(times, "nobody reads what happens to circuits: some of it is forgotten");
        }
    }
}

impl Shared {
    /// Forwards the frames of one circuit that datagrams of one batch begin with; how many bytes those are, none where the first one is no frame of a circuit that passes here.
    pub(super) fn forward(&self, from: Route, frames: &[u8], segment: usize) -> usize {
        let forwarder = &self.forwarder;
        let (taken, sender) = {
            let mut relaying = lock(&forwarder.relaying);
            let Some(it) = relaying.as_mut() else { return 0 };
            (it.switch.arrived(frames, segment), it.way_of(frames).cloned())
        };
        if taken == 0 {
            return 0;
        }
        if let (Some(way), Some(from)) = (sender, self.called(from)) {
            way.hears(from);
        }
        forwarder.pump(self);
        let mut relaying = lock(&forwarder.relaying);
        if let Some(it) = relaying.as_mut()
            && let Some(due) = it.switch.poll_timeout()
            && it.due.is_none_or(|planned| due < planned)
        {
            it.due = Some(due);
            forwarder.task.0.notify_one();
        }
        taken
    }
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
