//! Who asks and answers probes: every link, by the keys that its handshake gave.
//!
//! Answering needs nobody awake: it happens where datagrams are read. A probe is tried with the keys of the links that have a path to where
//! it came from; one from elsewhere, of a peer that has moved, with those of any link, as far as a budget goes.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    core::probe::{LEN, Probe, Taken},
    secret::Secret32,
    seldom::Seldom,
};

/// Questions of one link that may still be answered.
const MOST_ASKED: usize = 64;
/// How often a probe from an unknown address is tried with a key, a second, for the whole endpoint: each costs about a microsecond.
const STRAY_BUDGET: u32 = 5_000;
/// Between two addresses to which a peer is followed. A peer can name any address, by the source that it writes on a probe, and we open a path there.
const STRAY_PAUSE: Duration = Duration::from_millis(250);
/// How long an answer from where no path leads may take before it is asked for again; each further one may take twice as long.
const REACH_PAUSE: Duration = Duration::from_millis(100);

/// The probes of one link.
pub(crate) struct Prober {
    ours: Secret32,
    theirs: Secret32,
    state: Mutex<State>,
    moved: Notify,
    answered: Notify,
    /// Whoever asks at an address where no path leads is to begin anew.
    hurried: Notify,
}

#[derive(Default)]
struct State {
    last: u64,
    taken: Taken,
    asked: VecDeque<(u64, SocketAddr, Instant)>,
    answers: BTreeMap<SocketAddr, Answers>,
    /// Where the peer spoke from, and no path leads.
    stray: Option<SocketAddr>,
    /// When it may be followed there.
    follow_at: Option<Instant>,
}

/// What came back over the path to one address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// How many questions were asked.
    pub(crate) asked: u64,
    /// How many answers came.
    pub(crate) count: u64,
    /// The smoothed round-trip time.
    pub(crate) rtt: Option<Duration>,
}

impl Prober {
    pub(crate) fn new(ours: Secret32, theirs: Secret32) -> Self {
        Self {
            ours,
            theirs,
            state: Mutex::default(),
            moved: Notify::new(),
            answered: Notify::new(),
            hurried: Notify::new(),
        }
    }

    /// A question for the path to this address.
    pub(crate) fn ask(&self, to: SocketAddr) -> [u8; LEN] {
        let mut state = lock(&self.state);
        state.last += 1;
        let number = state.last;
        if state.asked.len() >= MOST_ASKED {
            state.asked.pop_front();
        }
        state.asked.push_back((number, to, Instant::now()));
        state.answers.entry(to).or_default().asked += 1;
        Probe::Ask(number).seal(&self.ours)
    }

    /// Asks at an address, through `send`, until an answer comes from there; `false` where it is to be [begun anew](Self::hurry).
    pub(crate) async fn reach(&self, address: SocketAddr, send: impl Fn(&[u8])) -> bool {
        let (before, mut pause) = (self.answers(address).count, REACH_PAUSE);
        let has_answered = || self.answers(address).count > before;
        let hurried = self.hurried.notified();
        tokio::pin!(hurried);
        hurried.as_mut().enable();
        loop {
            send(&self.ask(address));
            let deadline = Instant::now() + pause;
            let answer = async {
                loop {
                    let answered = self.answered.notified();
                    tokio::pin!(answered);
                    answered.as_mut().enable();
                    if has_answered() {
                        return;
                    }
                    answered.await;
                }
            };
            tokio::select! {
                answered = timeout_at(deadline, answer) => if answered.is_ok() {
                    return true;
                },
                () = &mut hurried => return has_answered(),
            }
            pause = pause.saturating_mul(2);
        }
    }

    /// The peer is said to answer somewhere: whoever asks for it begins anew.
    pub(crate) fn hurry(&self) {
        self.hurried.notify_waiters();
    }

    /// What came back from this address so far.
    pub(crate) fn answers(&self, from: SocketAddr) -> Answers {
        lock(&self.state).answers.get(&from).copied().unwrap_or_default()
    }

    /// No path leads there any more.
    pub(crate) fn forget(&self, address: SocketAddr) {
        lock(&self.state).answers.remove(&address);
    }

    /// Waits until the peer has spoken from where no path leads, and says from where it did last; four times a second at most.
    pub(crate) async fn stray(&self) -> SocketAddr {
        loop {
            let moved = self.moved.notified();
            let wait = match self.take_stray() {
                Ok(from) => return from,
                Err(wait) => wait,
            };
            match wait {
                Some(at) => sleep_until(at).await,
                None => moved.await,
            }
        }
    }

    /// Where the peer has spoken from; or when to ask again, if anything is known of that.
    fn take_stray(&self) -> Result<SocketAddr, Option<Instant>> {
        let (mut state, now) = (lock(&self.state), Instant::now());
        if let (Some(at), Some(_)) = (state.follow_at.filter(|at| *at > now), state.stray) {
            return Err(Some(at));
        }
        let from = state.stray.take().ok_or(None)?;
        state.follow_at = Some(now + STRAY_PAUSE);
        Ok(from)
    }

    /// Takes a probe if it is of this link; the answer, if it wants one.
    fn arrived(&self, from: SocketAddr, is_known: bool, datagram: &[u8]) -> Option<Option<[u8; LEN]>> {
        let probe = Probe::open(&self.theirs, datagram)?;
        let mut state = lock(&self.state);
        match probe {
            Probe::Ask(number) => {
                if !state.taken.take(number) {
                    return Some(None);
                }
                if !is_known {
                    state.stray = Some(from);
                    self.moved.notify_one();
                }
                Some(Some(Probe::Answer(number).seal(&self.ours)))
            }
            Probe::Answer(number) => {
                // Only over the path that was asked.
                let at = state.asked.iter().position(|(asked, to, _)| *asked == number && *to == from);
                if let Some((_, _, when)) = at.and_then(|at| state.asked.remove(at))
                    && let Some(answers) = state.answers.get_mut(&from)
                {
                    let rtt = when.elapsed();
                    answers.count += 1;
                    // As RFC 9002, section 5.3, smooths, but quicker: there are few samples.
                    answers.rtt = Some(answers.rtt.map_or(rtt, |before| (before * 3 + rtt) / 4));
                    self.answered.notify_waiters();
                }
                Some(None)
            }
        }
    }
}

/// All links of an endpoint, by where their paths lead.
#[derive(Default)]
pub(crate) struct Probers(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    links: BTreeMap<u64, Arc<Prober>>,
    by_remote: HashMap<SocketAddr, Vec<u64>>,
    /// Where the search for a stray probe's link begins next.
    turn: u64,
    budget: u32,
    refilled: Option<Instant>,
    spent: Seldom,
}

/// What a datagram from somewhere is to somebody.
pub(crate) enum Arrived {
    /// Nobody's.
    Nothing,
    Taken(Option<[u8; LEN]>),
}

impl Probers {
    pub(crate) fn add(&self, prober: Arc<Prober>) -> u64 {
        let mut table = lock(&self.0);
        table.next += 1;
        let number = table.next;
        table.links.insert(number, prober);
        number
    }

    pub(super) fn remove(&self, link: u64) {
        lock(&self.0).links.remove(&link);
    }

    pub(crate) fn path_opened(&self, link: u64, remote: SocketAddr) {
        lock(&self.0).by_remote.entry(remote).or_default().push(link);
    }

    pub(super) fn path_closed(&self, link: u64, remote: SocketAddr) {
        let mut table = lock(&self.0);
        let Some(links) = table.by_remote.get_mut(&remote) else { return };
        if let Some(at) = links.iter().position(|it| *it == link) {
            links.swap_remove(at);
        }
        if links.is_empty() {
            table.by_remote.remove(&remote);
        }
    }

    pub(super) fn is_known(&self, remote: SocketAddr) -> bool {
        lock(&self.0).by_remote.contains_key(&remote)
    }

    pub(crate) fn arrived(&self, from: SocketAddr, datagram: &[u8]) -> Arrived {
        let mut table = lock(&self.0);
        for link in table.by_remote.get(&from).into_iter().flatten() {
            if let Some(answer) = table.links.get(link).and_then(|it| it.arrived(from, true, datagram)) {
                return Arrived::Taken(answer);
            }
        }
        table.refill();
        let (turn, budget) = (table.turn, table.budget as usize);
        let mut order = table.links.range(turn..).chain(table.links.range(..turn)).take(budget);
        let (mut tried, mut found) = (0, Arrived::Nothing);
        for (_, prober) in order.by_ref() {
            tried += 1;
            if let Some(answer) = prober.arrived(from, false, datagram) {
                found = Arrived::Taken(answer);
                break;
            }
        }
        // The next one is tried with the keys that this one did not get to.
        let next = order.next().map_or(turn, |(number, _)| *number);
        table.turn = next;
        let left = table.budget.saturating_sub(tried);
        table.budget = left;
        if left == 0
            && !table.links.is_empty()
            && let Some(times) = table.spent.happened()
        {
            tracing::warn!(times, %from, "more probes from unknown addresses than can be looked at: some are dropped");
        }
        found
    }
}

#[cfg(test)]
impl Probers {
    pub(super) fn sizes(&self) -> (usize, usize) {
        let table = lock(&self.0);
        (table.links.len(), table.by_remote.len())
    }
}

impl Table {
    fn refill(&mut self) {
        let now = Instant::now();
        if self.refilled.is_none_or(|at| now - at >= Duration::from_secs(1)) {
            (self.refilled, self.budget) = (Some(now), STRAY_BUDGET);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
