//! One meeting under way: what [`Traversal`] decides, done with real sockets.
//!
//! Whoever reads a datagram feeds it in and sends what comes of it at once, so that no answer waits for a task. What is due by time, and what takes long, a task
//! does.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};
use wayside_path::{
    Candidate, Nat, Traversal,
    traversal::{
        Heard, MANY, Output, Reached, Role, Setup, Socket, Transmit, Why,
        guard::{Place, Surroundings},
    },
};

use super::{
    Shared,
    route::{TunnelId, canonical},
};
use crate::{
    core::{
        punch::{self, Punch},
        schedule::Directions,
    },
    secret::Secret32,
};

/// What happens in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeetEvent {
    /// The peer answers here.
    Reached(Reached),
    /// Ports are being guessed at.
    GuessingBegan,
    /// Somebody whom we trust may know whether the peer is at this address: to be told by [`Meet::attested`](crate::Meet::attested).
    Verify(IpAddr),
    /// It does not work so far.
    Stuck(Why),
}

/// Addresses from which the peer spoke without having named them, that are remembered.
const MOST_LEARNT: usize = 32;
/// Ways to one peer.
const MOST_REACHED: usize = 64;
/// A way that was reached over a spare socket stays open for so long after its meeting, since the link may have come up another way first, and opens a
/// path there next.
const LINGER: Duration = Duration::from_secs(10);
/// Connections of one peer to this side.
const MOST_CALLERS: usize = 8;
/// Places where a first datagram goes along with a question: the public address of each family, mostly. It has 1,200 bytes, and should go to few who did not ask
/// for it.
const MOST_EARLY: usize = 2;
/// What is due is looked for so often at most.
const TICK: Duration = Duration::from_millis(1);

/// One meeting.
pub(crate) struct Talk {
    ours: Secret32,
    theirs: Secret32,
    origin: Instant,
    /// How many sockets the endpoint has of its own: spare ones have higher numbers.
    own: usize,
    role: Role,
    state: Mutex<State>,
    /// Something may be due earlier, or is to be done.
    stirred: Notify,
    /// Another way was reached, or it is over.
    news: Notify,
    events: mpsc::Sender<MeetEvent>,
}

struct State {
    traversal: Traversal,
    named: Vec<SocketAddr>,
    learnt: BTreeSet<SocketAddr>,
    /// The spare sockets' numbers, by the numbers that they have in the meeting.
    spares: Vec<usize>,
    /// So many are to be opened.
    wanted: Option<u16>,
    /// Those that are of no use any more are to be closed.
    has_surplus: bool,
    reached: Vec<Reached>,
    /// Where a question has gone all the way and a first datagram goes along, for the side that dials.
    early: Vec<(usize, SocketAddr)>,
    surroundings: Surroundings,
    /// Connections that the peer made to this side, the oldest first.
    callers: Vec<TunnelId>,
    is_over: bool,
}

impl Talk {
    /// Begins; nothing is sent before it is [driven](Self::drive).
    pub(crate) fn new(
        keys: Directions,
        setup: Setup,
        candidates: &[Candidate],
        theirs_nat: Nat,
        events: mpsc::Sender<MeetEvent>,
    ) -> Self {
        let Directions { initiator, responder } = keys;
        let (ours, theirs) = match setup.role {
            Role::Dials => (initiator, responder),
            Role::Waits => (responder, initiator),
        };
        let (own, role, surroundings) = (setup.sockets.len(), setup.role, setup.surroundings.clone());
        let mut traversal = Traversal::new(Duration::ZERO, setup);
        traversal.peer(Duration::ZERO, candidates, theirs_nat);
        let state = State {
            traversal,
            named: addresses(candidates),
            learnt: BTreeSet::new(),
            spares: Vec::new(),
            wanted: None,
            has_surplus: false,
            reached: Vec::new(),
            early: Vec::new(),
            surroundings,
            callers: Vec::new(),
            is_over: false,
        };
        Self {
            ours,
            theirs,
            origin: Instant::now(),
            own,
            role,
            state: Mutex::new(state),
            stirred: Notify::new(),
            news: Notify::new(),
            events,
        }
    }

    /// Does what is due, until it [ends](Self::end) or the endpoint does.
    pub(crate) async fn drive(self: Arc<Self>, shared: Arc<Shared>, is_closed: impl Fn() -> bool) {
        while !self.lock().is_over && !is_closed() {
            let due = self.tick(&shared);
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.stirred.notified() => {}
            }
        }
        let kept = self.end(&shared);
        if !kept.is_empty() {
            sleep(LINGER).await;
            shared.close_spares(kept);
        }
    }

    /// Where the peer said that it may be reached.
    pub(crate) fn named(&self) -> Vec<SocketAddr> {
        self.lock().named.clone()
    }

    /// Where its probes come from, as far as is known.
    pub(super) fn known(&self) -> Vec<SocketAddr> {
        let state = self.lock();
        state.named.iter().chain(&state.learnt).copied().collect()
    }

    /// The peer has said anew where it may be reached.
    pub(crate) fn peer(&self, candidates: &[Candidate], nat: Nat) {
        let mut state = self.lock();
        state.named = addresses(candidates);
        state.traversal.peer(self.now(), candidates, nat);
        self.stirred.notify_one();
    }

    pub(crate) fn ours(&self, nat: Nat) {
        self.lock().traversal.ours(self.now(), nat);
        self.stirred.notify_one();
    }

    pub(crate) fn begun(&self) {
        self.lock().traversal.begun(self.now());
        self.stirred.notify_one();
    }

    pub(crate) fn moved(&self, surroundings: Surroundings) {
        let mut state = self.lock();
        state.surroundings = surroundings.clone();
        state.traversal.moved(self.now(), surroundings);
        drop(state);
        self.stirred.notify_one();
    }

    pub(crate) fn attested(&self, ip: IpAddr) {
        self.lock().traversal.attested(self.now(), ip);
        self.stirred.notify_one();
    }

    pub(crate) fn why(&self) -> Option<Why> {
        self.lock().traversal.why()
    }

    /// The ways that were reached so far, in that order, each by the number of its socket.
    pub(crate) fn reached(&self) -> Vec<(usize, Reached)> {
        let state = self.lock();
        let ways = state.reached.iter();
        ways.filter_map(|way| Some((state.number(self.own, way.socket)?, *way))).collect()
    }

    /// Waits for the way that is reached as so manieth; `None` where the meeting is over.
    pub(crate) async fn way(&self, place: usize) -> Option<(usize, Reached)> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(way) = self.reached().get(place) {
                return Some(*way);
            }
            if self.lock().is_over {
                return None;
            }
            news.await;
        }
    }

    /// Waits for a place where a first datagram may go along with a question, the so manieth; `None` where the meeting is over.
    pub(crate) async fn early(&self, place: usize) -> Option<(usize, SocketAddr)> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let state = self.lock();
                if let Some(early) = state.early.get(place) {
                    return Some(*early);
                }
                if state.is_over || place >= MOST_EARLY {
                    return None;
                }
            }
            news.await;
        }
    }

    /// Has its task look what is to be done.
    pub(super) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits for the connection that the peer makes to this side as so manieth; `None` where the meeting is over.
    pub(crate) async fn caller(&self, place: usize) -> Option<TunnelId> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let state = self.lock();
                if let Some(caller) = state.callers.get(place) {
                    return Some(*caller);
                }
                if state.is_over {
                    return None;
                }
            }
            news.await;
        }
    }

    /// Waits until the meeting is over.
    pub(crate) async fn over(&self) {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.lock().is_over {
                return;
            }
            news.await;
        }
    }

    /// A question that goes through a connection to the peer.
    pub(crate) fn question(&self) -> [u8; punch::LEN] {
        let number = self.lock().traversal.number();
        Punch::Ask(number).seal(&self.ours)
    }

    /// Takes what came through a connection that the peer made; whether it shows who is at its other end. What comes back to a question of ours says nothing more
    /// than that the question arrived.
    pub(super) fn called(&self, caller: TunnelId, said: Punch) -> bool {
        let Punch::Ask(number) = said else { return false };
        let mut state = self.lock();
        if state.is_over || !state.traversal.is_new(number) {
            return false;
        }
        if state.callers.len() < MOST_CALLERS && !state.callers.contains(&caller) {
            state.callers.push(caller);
            self.news.notify_waiters();
        }
        true
    }

    /// Whether a spare socket is this meeting's.
    pub(super) fn has_spare(&self, number: usize) -> bool {
        self.lock().spares.contains(&number)
    }

    /// What a datagram says, if it is this peer's.
    pub(super) fn open(&self, datagram: &[u8]) -> Option<Punch> {
        Punch::open(&self.theirs, datagram)
    }

    /// Takes what the peer says; whether it is the first thing that came from there.
    pub(super) fn heard(&self, shared: &Shared, socket: usize, from: SocketAddr, said: Punch) -> bool {
        let mut state = self.lock();
        let Some(socket) = state.socket(self.own, socket) else { return false };
        let heard = match said {
            Punch::Ask(number) => Heard::Ask(number),
            Punch::Answer(number, seen) => Heard::Answer { number, seen },
        };
        state.traversal.heard(self.now(), socket, from, heard);
        if !self.carry_out(&mut state, shared) {
            // A copy of something, or too late: it says nothing of where the peer is.
            return false;
        }
        self.stirred.notify_one();
        state.learnt.len() < MOST_LEARNT && !state.named.contains(&from) && state.learnt.insert(from)
    }

    /// It is over: nothing more is asked. The spare sockets that led nowhere close; returns those that did lead to the peer.
    pub(super) fn end(&self, shared: &Shared) -> Vec<usize> {
        let mut state = self.lock();
        state.is_over = true;
        let (kept, surplus) = state.used_and_surplus(self.own);
        drop(state);
        shared.close_spares(surplus);
        self.news.notify_waiters();
        self.stirred.notify_one();
        kept
    }

    /// Does what is due now; when to look again.
    fn tick(&self, shared: &Shared) -> Instant {
        let wanted = {
            let mut state = self.lock();
            state.traversal.handle_timeout(self.now());
            self.carry_out(&mut state, shared);
            if std::mem::take(&mut state.has_surplus) {
                shared.close_spares(state.used_and_surplus(self.own).1);
            }
            state.wanted.take()
        };
        if let Some(count) = wanted {
            // Takes some milliseconds, in which answers go on.
            let opened = shared.open_spares(count.min(MANY));
            let mut state = self.lock();
            if state.is_over {
                // Meanwhile.
                shared.close_spares(opened);
                return Instant::now();
            }
            let count = u16::try_from(opened.len()).unwrap_or(u16::MAX);
            state.spares = opened;
            state.traversal.spares_opened(self.now(), count);
        }
        let (now, state) = (self.now(), self.lock());
        let due = state.traversal.poll_timeout(now).unwrap_or(Duration::MAX);
        let far = Duration::from_secs(3600);
        self.origin + due.clamp(now + TICK, now + far)
    }

    /// Does what was decided; whether anything was.
    fn carry_out(&self, state: &mut State, shared: &Shared) -> bool {
        let mut did_something = false;
        while let Some(output) = state.traversal.poll_output() {
            did_something = true;
            let event = match output {
                Output::Send(transmit) => {
                    self.send(state, shared, transmit);
                    continue;
                }
                Output::OpenSpares(count) => {
                    state.wanted = Some(count);
                    self.stirred.notify_one();
                    continue;
                }
                Output::CloseSpares => {
                    state.has_surplus = true;
                    continue;
                }
                Output::Reached(way) => {
                    if state.reached.len() < MOST_REACHED {
                        state.reached.push(way);
                    }
                    if let (Socket::Spare(_), Some(number)) = (way.socket, state.number(self.own, way.socket))
                    {
                        shared.spares.leads(number, way.remote);
                    }
                    self.news.notify_waiters();
                    MeetEvent::Reached(way)
                }
                Output::GuessingBegan => MeetEvent::GuessingBegan,
                Output::Verify(ip) => MeetEvent::Verify(ip),
                Output::Stuck(why) => MeetEvent::Stuck(why),
            };
            tracing::debug!(?event, "a meeting");
            // Where nobody reads them, what happens goes on all the same.
            let _ = self.events.try_send(event);
        }
        did_something
    }

    fn send(&self, state: &mut State, shared: &Shared, transmit: Transmit) {
        let Some(number) = state.number(self.own, transmit.socket) else { return };
        let punch = if transmit.is_answer {
            // It goes to where the question came from.
            Punch::Answer(transmit.number, transmit.to)
        } else {
            Punch::Ask(transmit.number)
        };
        let datagram: [u8; punch::LEN] = punch.seal(&self.ours);
        shared.send_over(number, transmit.to, &datagram, transmit.hops);
        if self.role == Role::Dials && !transmit.is_answer && transmit.hops.is_none() && number < self.own {
            self.may_be_early(state, number, transmit.to);
        }
    }

    /// A question has gone all the way to where the peer said that it is: its answer may as well be that of the link's own first datagram.
    fn may_be_early(&self, state: &mut State, socket: usize, to: SocketAddr) {
        let is_new = state.early.iter().all(|(_, known)| *known != to);
        if state.early.len() < MOST_EARLY
            && is_new
            && state.named.contains(&to)
            && matches!(state.surroundings.place(to), Ok(Place::Public | Place::Near))
        {
            state.early.push((socket, to));
            self.news.notify_waiters();
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The number of a socket of the meeting.
    fn number(&self, own: usize, socket: Socket) -> Option<usize> {
        match socket {
            Socket::Own(at) => (at < own).then_some(at),
            Socket::Spare(at) => self.spares.get(usize::from(at)).copied(),
        }
    }

    /// A socket of the meeting, by its number.
    fn socket(&self, own: usize, number: usize) -> Option<Socket> {
        if number < own {
            return Some(Socket::Own(number));
        }
        let at = self.spares.iter().position(|it| *it == number)?;
        Some(Socket::Spare(u16::try_from(at).ok()?))
    }

    /// The spare sockets over which something was reached, and the others.
    fn used_and_surplus(&self, own: usize) -> (Vec<usize>, Vec<usize>) {
        let used: BTreeSet<_> = self.reached.iter().filter_map(|way| self.number(own, way.socket)).collect();
        self.spares.iter().partition(|number| used.contains(number))
    }
}

fn addresses(candidates: &[Candidate]) -> Vec<SocketAddr> {
    candidates.iter().map(|it| canonical(it.address)).collect()
}
