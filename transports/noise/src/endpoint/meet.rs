//! Meeting a peer behind NATs: both sides ask and answer probes until they get through, and whoever dials links over what was reached.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::sleep,
};
use wayside_path::{
    Candidate, Nat,
    traversal::{Role, Setup, Why, guard::Surroundings},
};

use super::{
    Endpoint,
    dial::AFTER_UDP,
    linker::{Linker, Ways},
};
use crate::{
    Attempt, Expectation, Kind, Link, LinkError, Remote,
    core::{agreement::fill_random, punch},
    link::WeakLink,
    socket::{
        Shared,
        route::TunnelId,
        talk::{MeetEvent, Talk},
        tcp,
    },
};

/// What both sides have told each other, and what this one knows of itself.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// Whom to meet. Its secrets are those of the probes as well, so that no two meetings may have the same.
    pub expectation: Expectation,
    /// Whether this side dials, or has given its word and waits.
    pub role: Role,
    /// Where the peer may be reached by UDP: 32 at most, further ones are left out.
    pub candidates: Vec<Candidate>,
    /// Where else it may be reached: TCP ports, and tunnels for the side that dials. 32 at most; TCP ports that no peer has are left out as UDP ones are.
    ///
    /// The side that waits connects to TCP ports as well, since it may be the one whose network lets only that out; the other side then makes the link
    /// through its connection.
    pub others: Vec<Remote>,
    /// What the peer knows of the NAT in front of it.
    pub theirs: Nat,
    /// What there is around this machine.
    pub surroundings: Surroundings,
    /// The NAT in front of it.
    pub nat: Nat,
    /// For the side that waits: after about how long the other side has read its word.
    pub latency: Duration,
    /// Whether ports may be guessed at for this peer now ([`Budget`](wayside_path::Budget)).
    pub may_guess: bool,
}

/// A meeting under way. Dropping it ends it: nothing more is asked or answered, and spare sockets are closed; those that have led to the peer ten seconds
/// later, unless a path leads over them.
pub struct Meet {
    expectation: Expectation,
    others: Mutex<Vec<Remote>>,
    /// What there is around this machine.
    surroundings: Mutex<Surroundings>,
    /// So many of them were named when it began.
    named: usize,
    /// There is another one.
    added: Notify,
    /// What it came to.
    linked: Mutex<Option<WeakLink>>,
    linker: Linker,
    talk: Arc<Talk>,
    /// What the endpoint knows it by; `None` where there are too many meetings, and this one asks nothing.
    number: Option<u64>,
    /// The side that waits, connecting by TCP; aborted on drop. `None` on the side that dials.
    calls: Option<Mutex<JoinSet<()>>>,
}

/// Addresses of a peer, since it may have named them. A record carries six.
const MAX_CANDIDATES: usize = 32;
/// Events that wait to be read.
const EVENTS: usize = 64;
/// How long one way has to itself, in round trips, before the next one is dialled as well: a handshake takes one, and something may be lost.
const ROUND_TRIPS: u32 = 3;
/// At least, and at most, since a peer may answer late.
const LEAST_AHEAD: Duration = Duration::from_millis(100);
const MOST_AHEAD: Duration = Duration::from_secs(1);
/// How often the side that waits asks through a connection that it made.
const CALL_AGAIN: Duration = Duration::from_secs(1);
/// Between a connection that has ended and the next one, the first time and at most: the peer, if it is one, ends a stranger's after ten seconds.
const CALL_PAUSE: Duration = Duration::from_secs(1);
const MOST_CALL_PAUSE: Duration = Duration::from_secs(30);
/// Connections to one port in one meeting.
const MOST_CALLS: u32 = 20;

impl Endpoint {
    /// Begins to meet a peer: asks it for answers wherever it may be, and answers it, until the returned handle is dropped. Up to 64 events wait to be read; later
    /// ones are lost.
    ///
    /// The side that dials then calls [`Meet::link`]. The side that waits has to [expect](Self::expect) the peer as well, and [accepts](Self::accept)
    /// the link.
    ///
    /// 128 meetings can be under way. A further one asks and answers nothing, with a warning in the log; the side that dials then tries the candidates as
    /// [`connect`](Self::connect) does.
    ///
    /// Must be called within a Tokio runtime.
    pub fn meet(&self, meeting: Meeting) -> (Meet, mpsc::Receiver<MeetEvent>) {
        let Meeting { expectation, role, mut candidates, mut others, .. } = meeting;
        candidates.truncate(MAX_CANDIDATES);
        others.truncate(MAX_CANDIDATES);
        others.retain(|other| match other {
            Remote::Tcp(address) => meeting.surroundings.place(*address).is_ok(),
            _ => true,
        });
        let (events, happened) = mpsc::channel(EVENTS);
        let around = meeting.surroundings.clone();
        let mut seed = [0; 8];
        fill_random(&mut seed);
        let setup = Setup {
            role,
            sockets: self.addresses.clone(),
            surroundings: meeting.surroundings,
            nat: meeting.nat,
            latency: meeting.latency,
            may_guess: meeting.may_guess,
            seed: u64::from_le_bytes(seed),
            counted: milliseconds(),
        };
        let keys = punch::keys(&expectation.gate, &expectation.psk);
        let talk = Arc::new(Talk::new(keys, setup, &candidates, meeting.theirs, events));
        let number = self.shared.meetings.add(Arc::clone(&talk));
        if number.is_some() {
            let gate = Arc::clone(&self.gate);
            tokio::spawn(Arc::clone(&talk).drive(Arc::clone(&self.shared), move || gate.is_closed()));
        }
        let waits = role == Role::Waits && number.is_some();
        let meet = Meet {
            expectation,
            named: others.len(),
            others: Mutex::new(others.clone()),
            surroundings: Mutex::new(around),
            added: Notify::new(),
            linked: Mutex::default(),
            linker: self.linker(),
            talk,
            number,
            calls: waits.then(Mutex::default),
        };
        others.into_iter().for_each(|other| meet.call(other));
        (meet, happened)
    }
}

/// Since 1970: no side asks as many questions as that, so that what it counts from there is above whatever it counted before.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

impl Meet {
    /// The peer has said anew where it may be reached, and which ports its NAT gives; what it said before holds no more. A later word also shows
    /// that it is there now.
    pub fn peer(&self, candidates: &[Candidate], nat: impl Into<Nat>) {
        self.talk.peer(candidates.get(..MAX_CANDIDATES).unwrap_or(candidates), nat.into());
        if let Some(number) = self.number {
            self.linker.shared.meetings.renamed(number);
        }
    }

    /// There is another way to the peer, such as a circuit through a relay. The side that dials tries it at once, or where there is a link by now it [learns](Link::learn) of it; the side that
    /// waits connects to a TCP port, and to anything else waits for the peer to come through. Beyond 64, those named at first included, it is left out; so is a TCP port that no peer has.
    pub fn add(&self, remote: impl Into<Remote>) {
        let remote = remote.into();
        if let Remote::Tcp(address) = remote
            && lock(&self.surroundings).place(address).is_err()
        {
            return;
        }
        {
            let mut others = lock(&self.others);
            if others.contains(&remote) || others.len() >= 2 * MAX_CANDIDATES {
                return;
            }
            others.push(remote);
        }
        self.added.notify_waiters();
        self.call(remote);
        if let Some(link) = lock(&self.linked).as_ref().and_then(WeakLink::upgrade) {
            link.learn(remote);
        }
    }

    /// On the side that waits: connects to a TCP port.
    fn call(&self, other: Remote) {
        if let (Remote::Tcp(address), Some(calls)) = (other, &self.calls) {
            let (shared, talk) = (Arc::clone(&self.linker.shared), Arc::clone(&self.talk));
            lock(calls).spawn(call(shared, talk, address));
        }
    }

    /// The NAT in front of this machine was measured anew.
    pub fn ours(&self, nat: Nat) {
        self.talk.ours(nat);
    }

    /// For the side that waits: the peer is at it now, as a link with it shows that came through a relay.
    pub fn begun(&self) {
        self.talk.begun();
    }

    /// This machine is elsewhere now, or its router has begun anew.
    pub fn moved(&self, surroundings: Surroundings) {
        *lock(&self.surroundings) = surroundings.clone();
        self.talk.moved(surroundings);
    }

    /// Somebody whom we trust knows that the peer is at this address.
    pub fn attested(&self, ip: IpAddr) {
        self.talk.attested(ip);
    }

    /// For the side that dials: links over the first way that was reached; the next ones are tried as well where it does not complete soon, and the other
    /// candidates (TCP, tunnels) a little later than at once. Where both sides dial one session that both expect, one link survives.
    ///
    /// Cancelling it, by dropping the future, gives all tries up; the meeting goes on.
    ///
    /// # Errors
    /// [`LinkError::Timeout`], which says of each address why it was not reached; [`LinkError::NobodyToDial`], or [`LinkError::EndpointClosed`].
    pub async fn link(&self, timeout: Duration) -> Result<Link, LinkError> {
        let linked = self.linker.link(self.expectation.clone(), self, timeout).await;
        if let Ok(link) = &linked {
            *lock(&self.linked) = Some(link.downgrade());
            // What was added while the link was made.
            lock(&self.others).iter().skip(self.named).for_each(|other| link.learn(*other));
            tokio::spawn(learn_of_callers(Arc::clone(&self.talk), link.downgrade()));
            if link.kind() == Kind::Relayed {
                tokio::spawn(learn_of_ways(Arc::clone(&self.talk), link.downgrade()));
            }
        }
        linked.map_err(|error| match error {
            LinkError::Timeout { mut attempts } => {
                attempts.extend(self.unreached());
                LinkError::Timeout { attempts }
            }
            error => error,
        })
    }

    /// The addresses that did not answer, and why.
    fn unreached(&self) -> Vec<Attempt> {
        let (Some(why), true) = (self.talk.why(), self.number.is_some()) else { return Vec::new() };
        let candidates = self.talk.named().into_iter().map(Remote::Udp);
        candidates.map(|candidate| Attempt { candidate, failure: in_words(why).to_owned() }).collect()
    }
}

impl Ways for Meet {
    fn first(&self) -> Vec<Remote> {
        let plainly = if self.number.is_some() { Vec::new() } else { self.talk.named() };
        let others = lock(&self.others).iter().take(self.named).copied().collect::<Vec<_>>();
        plainly.into_iter().map(Remote::Udp).chain(others).collect()
    }

    async fn found(&self, place: usize) -> Option<(usize, SocketAddr)> {
        if place > 0 {
            let before = self.talk.reached().get(place - 1).map(|(_, way)| way.rtt).unwrap_or_default();
            sleep((before * ROUND_TRIPS).clamp(LEAST_AHEAD, MOST_AHEAD)).await;
        }
        self.number?;
        self.talk.way(place).await.map(|(socket, way)| (socket, way.remote))
    }

    async fn early(&self, place: usize) -> Option<(usize, SocketAddr)> {
        self.number?;
        self.talk.early(place).await
    }

    async fn came(&self, place: usize) -> Option<TunnelId> {
        self.number?;
        let caller = self.talk.caller(place).await?;
        // What UDP carries at all it mostly has carried by then.
        sleep(AFTER_UDP).await;
        Some(caller)
    }

    async fn added(&self, place: usize) -> Option<Remote> {
        self.number?;
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            if let Some(other) = lock(&self.others).get(self.named + place) {
                return Some(*other);
            }
            tokio::select! {
                () = added => {}
                () = self.talk.over() => return None,
            }
        }
    }

    fn further(&self, kind: Kind) -> Vec<Remote> {
        let mut all: Vec<Remote> = Vec::new();
        let reached = self.talk.reached().into_iter().map(|(_, way)| way.remote);
        // While a link is relayed its meeting goes on, which asks there as both sides' NATs want it: one question too far may spoil what is guessed.
        let asks = kind == Kind::Relayed && self.number.is_some();
        let named = if asks { Vec::new() } else { self.talk.named() };
        let udp = reached.chain(named).map(Remote::Udp);
        let others = lock(&self.others).clone();
        for remote in udp.chain(others) {
            if !all.contains(&remote) {
                all.push(remote);
            }
        }
        all
    }
}

impl Drop for Meet {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.linker.shared.end_meeting(number, &self.talk);
        }
    }
}

impl fmt::Debug for Meet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meet").field("session", &self.expectation.session).finish_non_exhaustive()
    }
}

/// Has a link that is relayed learn of the connections that the peer makes to this side, for as long as the meeting goes on: it mostly comes up before the first one.
async fn learn_of_callers(talk: Arc<Talk>, link: WeakLink) {
    let mut place = 0;
    while let Some(caller) = talk.caller(place).await {
        let Some(link) = link.upgrade() else { return };
        if link.kind() == Kind::Relayed {
            link.learn(Remote::Tunnel(caller));
        }
        place += 1;
    }
}

/// Has a link that came up through a relay learn of each way that is reached, for as long as the meeting goes on; then of all that the peer named.
async fn learn_of_ways(talk: Arc<Talk>, link: WeakLink) {
    let mut place = 0;
    while let Some((_, way)) = talk.way(place).await {
        let Some(link) = link.upgrade() else { return };
        link.learn(Remote::Udp(way.remote));
        place += 1;
    }
    if let Some(link) = link.upgrade() {
        talk.named().into_iter().for_each(|address| link.learn(Remote::Udp(address)));
    }
}

/// Connects to a peer's TCP port, and asks for it there until it makes its link through that: not before it has read our word, and it gives a stranger little time.
async fn call(shared: Arc<Shared>, talk: Arc<Talk>, remote: SocketAddr) {
    sleep(AFTER_UDP).await;
    let mut pause = CALL_PAUSE;
    for _ in 0..MOST_CALLS {
        match tcp::dial(&shared, remote).await {
            Ok(dialled) => {
                while shared.is_open(dialled.address) {
                    shared.send_aside(dialled.address, &talk.question());
                    sleep(CALL_AGAIN).await;
                }
            }
            Err(error) => tracing::debug!(%remote, %error, "no TCP connection to a peer that is expected"),
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MOST_CALL_PAUSE);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_words(why: Why) -> &'static str {
    match why {
        Why::NoCandidate => "not an address that may be asked",
        Why::NoPublicAddress => "no answer, and it has no address on the internet as far as it knows",
        Why::BothUnpredictable => "no answer: the NATs of both sides give ports that nobody can know",
        Why::NotAttested => {
            "no answer: its NAT gives ports that would have to be guessed, and nobody whom we trust says that it is there"
        }
        Why::GuessedLately => {
            "no answer: its NAT gives ports that would have to be guessed, and that was done a moment ago"
        }
        Why::NotGuessed => "no answer: its NAT gives ports that were guessed at, and none was hit",
        Why::Silent => "no answer",
    }
}
