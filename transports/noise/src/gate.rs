//! The gate: which datagram may reach the QUIC state machine.
//!
//! QUIC answers strangers: with version negotiation, stateless resets, Retry, or a close. So nothing of a stranger's
//! gets that far. A first datagram passes when its id carries the tag of an open gate, its Initial packet opens under
//! that gate's keys, and the Noise message in it verifies: psk, our key, and whom the gate is for. Where that message takes
//! two datagrams, they are held until both are there.
//! Every later packet is addressed to an id that this endpoint chose and can recognise.

mod held;
mod own_ids;
mod remembered;
mod sieve;
mod sources;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    Ciphers, Whom,
    core::{
        GATE_ID_LEN,
        gate_keys::GateKeys,
        handshake::{HandshakeError, Parties, Responder},
        initial::{Header, Opening},
        pieces::{Piece, Pieces, Progress},
        suite::{Kem, Suite},
    },
    expectation::Expectation,
    secret::{Secret32, SessionId, StaticKey},
    seldom::{Budget, Seldom},
};

#[cfg(feature = "quinn")]
pub(crate) use self::sieve::Received;
use self::{
    held::{Flown, Held},
    remembered::Remembered,
    sources::Sources,
};
pub(crate) use self::{
    own_ids::{LOCAL_ID_LEN, OwnIds},
    sieve::Sieve,
};

/// Gates open at once: a thousand doors for guests, and as many for friends. Each costs one HMAC (0.3 µs, measured by the ignored test below) for a first datagram with an unknown tag.
const MAX_GATES: usize = 2048;
/// Handshakes under way at once, in one gate and in all of them; beyond it, first datagrams are dropped.
const MAX_UNDER_WAY_PER_GATE: usize = 32;
const MAX_UNDER_WAY: usize = 512;
/// First messages of one gate that are verified, a second: each costs up to three X25519, some 0.1 ms. Only who has the gate key can send them, and
/// an honest peer sends one a candidate every other second.
const MAX_VERIFIED: u32 = 100;
/// Gates that were shut and whose first messages are still remembered, in case they are opened again.
const MAX_SHUT: usize = 64;

pub(crate) struct Gate {
    local: StaticKey,
    ciphers: Ciphers,
    own_ids: OwnIds,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    open: BTreeMap<SessionId, OpenGate>,
    /// What passed gates that are shut now, oldest first.
    shut: VecDeque<(Secret32, Remembered)>,
    under_way: HashMap<[u8; GATE_ID_LEN], UnderWay>,
    held: Held,
    sources: Sources,
    log: Log,
}

/// What anybody, or anybody with the gate key, could fill a log with.
#[derive(Default)]
struct Log {
    unsearched: Seldom,
    crowded: Seldom,
    unverified: Seldom,
}

struct OpenGate {
    expectation: Arc<Expectation>,
    keys: Arc<GateKeys>,
    seen: Remembered,
    verifications: Budget,
}

/// A link whose first message has verified, until its handshake ends one way or the other.
struct UnderWay {
    session: SessionId,
    remote: SocketAddr,
    keys: Arc<GateKeys>,
    since: Instant,
    admitted: Option<Admitted>,
}

/// What the gate found out, handed over to the handshake so that what was judged is what is used.
pub(crate) struct Admitted {
    pub(crate) expectation: Arc<Expectation>,
    pub(crate) keys: Arc<GateKeys>,
    pub(crate) responder: Responder,
}

/// What becomes of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody hears of it; or not yet, and a copy is held.
    Drop,
    /// On to the QUIC state machine.
    Pass,
    /// It was the last of a first flight: all of them on to the QUIC state machine, in this order, this one included.
    Release(Vec<Vec<u8>>),
}

impl Gate {
    /// `patience` is how long a handshake may be under way before its place is given to another.
    pub(crate) fn new(local: StaticKey, ciphers: Ciphers, patience: Duration) -> Arc<Self> {
        Arc::new(Self { local, ciphers, own_ids: OwnIds::default(), patience, state: Mutex::default() })
    }

    pub(crate) fn local(&self) -> &StaticKey {
        &self.local
    }

    pub(crate) fn own_ids(&self) -> &OwnIds {
        &self.own_ids
    }

    /// Opens a gate. The same session replaces its former gate; at the bound the call is dropped and says so.
    pub(crate) fn open(&self, expectation: Expectation) {
        if matches!(expectation.whom, Whom::Host(_)) {
            tracing::warn!("a host is there to be dialled; no gate opens for it");
            return;
        }
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.open.len() >= MAX_GATES && !state.open.contains_key(&expectation.session) {
            tracing::warn!(limit = MAX_GATES, "too many open gates; this one stays shut");
            return;
        }
        let keys = Arc::new(GateKeys::new(&expectation.gate));
        // What was seen stays seen: a gate that is opened again must not answer a replay.
        state.shut(expectation.session);
        state.held.shut(expectation.session);
        let former = state.shut.iter().position(|(gate, _)| *gate == expectation.gate);
        let seen = former.and_then(|at| state.shut.remove(at)).map(|(_, seen)| seen).unwrap_or_default();
        let session = expectation.session;
        let verifications = Budget::new(MAX_VERIFIED, Duration::from_secs(1));
        state
            .open
            .insert(session, OpenGate { expectation: Arc::new(expectation), keys, seen, verifications });
    }

    pub(crate) fn shut(&self, session: SessionId) {
        let mut state = self.lock();
        state.shut(session);
        state.held.shut(session);
        state.under_way.retain(|_, way| way.session != session || way.admitted.is_none());
    }

    /// Shuts every gate for good; packets of links that exist still pass.
    pub(crate) fn close(&self) {
        *self.lock() = State { closed: true, ..State::default() };
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn is_open(&self, session: SessionId) -> bool {
        self.lock().open.contains_key(&session)
    }

    /// What becomes of a datagram.
    pub(crate) fn judge(&self, remote: SocketAddr, datagram: &[u8]) -> Verdict {
        let pass = |known| if known { Verdict::Pass } else { Verdict::Drop };
        match Header::parse(datagram) {
            None => Verdict::Drop,
            Some(Header::Short { from_id }) => {
                pass(from_id.get(..LOCAL_ID_LEN).is_some_and(|id| self.own_ids.recognise(id)))
            }
            Some(Header::Long { id }) => pass(self.own_ids.recognise(id)),
            Some(Header::Opening(opening)) => {
                self.judge_opening(remote, &opening, datagram).unwrap_or(Verdict::Drop)
            }
        }
    }

    /// The keys of Initial packets to an id, as long as its handshake is under way.
    pub(crate) fn keys(&self, id: &[u8]) -> Option<Arc<GateKeys>> {
        Some(Arc::clone(&self.lock().under_way.get(id)?.keys))
    }

    /// What the gate admitted under this id; once.
    pub(crate) fn take(self: &Arc<Self>, id: &[u8]) -> Option<(Admitted, Passage)> {
        let id: [u8; GATE_ID_LEN] = id.try_into().ok()?;
        let admitted = self.lock().under_way.get_mut(&id)?.admitted.take()?;
        Some((admitted, Passage { gate: Arc::clone(self), id }))
    }

    /// Judges what may be, or be part of, a first message. `None` to drop it.
    fn judge_opening(&self, remote: SocketAddr, opening: &Opening<'_>, datagram: &[u8]) -> Option<Verdict> {
        let mut state = self.lock();
        let State { open, under_way, held, sources, log, .. } = &mut *state;
        let id = *opening.id;
        if let Some(way) = under_way.get(&id) {
            // A retransmission; the same bytes from elsewhere are somebody's copy.
            return (way.remote == remote).then_some(Verdict::Pass);
        }
        if !sources.may_search(remote, open.len()) {
            if let Some(times) = log.unsearched.happened() {
                tracing::warn!(times, "more first datagrams than can be looked at: some are dropped");
            }
            return None;
        }
        let open = open.values_mut().find(|open| open.keys.recognises(&id))?;
        // Every try has an id of its own.
        if open.seen.has_id(&id) {
            return None;
        }
        let session = open.expectation.session;
        if make_room(under_way, session, self.patience).is_none() {
            if let Some(times) = log.crowded.happened() {
                tracing::warn!(times, ?session, %remote, "too many handshakes under way: first messages are dropped");
            }
            return None;
        }
        if !open.verifications.is_left() {
            return None;
        }
        let pieces = open.pieces(opening)?;
        let (message, datagrams) = match open.suite().kem {
            Kem::None => (whole(open.suite(), &pieces)?, Vec::new()),
            Kem::MlKem768 => {
                let limit = open.suite().max_message();
                match held.add(session, (remote, id), limit, &pieces, datagram) {
                    Flown::Whole { message, datagrams } => (message, datagrams),
                    Flown::NotYet => return None,
                }
            }
        };
        open.verifications.spend();
        let admitted = match open.verify(&self.local, self.ciphers, id, message) {
            Ok(admitted) => admitted?,
            Err(error) => {
                if let Some(times) = log.unverified.happened() {
                    tracing::debug!(times, ?session, %remote, %error, "a first message in an open gate came to nothing");
                }
                return None;
            }
        };
        let keys = Arc::clone(&open.keys);
        let way = UnderWay { session, remote, keys, since: Instant::now(), admitted: Some(admitted) };
        under_way.insert(id, way);
        Some(if datagrams.len() > 1 { Verdict::Release(datagrams) } else { Verdict::Pass })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds a handshake's place; when dropped, packets to its first id no longer pass.
pub(crate) struct Passage {
    gate: Arc<Gate>,
    id: [u8; GATE_ID_LEN],
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.gate.lock().under_way.remove(&self.id);
    }
}

impl State {
    fn shut(&mut self, session: SessionId) {
        let Some(open) = self.open.remove(&session) else { return };
        if !open.seen.is_empty() {
            self.shut.push_back((open.expectation.gate.clone(), open.seen));
        }
        if self.shut.len() > MAX_SHUT {
            self.shut.pop_front();
        }
    }
}

/// Sees to it that one more handshake may be under way; `None` if it may not.
fn make_room(
    under_way: &mut HashMap<[u8; GATE_ID_LEN], UnderWay>,
    session: SessionId,
    patience: Duration,
) -> Option<()> {
    let has_room = |under_way: &HashMap<_, _>| {
        under_way.len() < MAX_UNDER_WAY && count(under_way, session) < MAX_UNDER_WAY_PER_GATE
    };
    if !has_room(under_way) {
        // What QUIC has taken keeps its place until it is done: an acceptor's patience ends by itself.
        under_way.retain(|_, way| way.admitted.is_none() || way.since.elapsed() < patience);
    }
    has_room(under_way).then_some(())
}

fn count(under_way: &HashMap<[u8; GATE_ID_LEN], UnderWay>, session: SessionId) -> usize {
    under_way.values().filter(|way| way.session == session).count()
}

/// A message that one datagram carries in one piece, as every peer sends it where it fits.
fn whole(suite: Suite, pieces: &[Piece]) -> Option<Vec<u8>> {
    let [piece] = pieces else { return None };
    let mut message = Pieces::new(suite.max_message());
    message.add(piece);
    match message.progress() {
        Progress::Whole(message) => Some(message),
        Progress::Incomplete | Progress::Wrong => None,
    }
}

impl OpenGate {
    fn suite(&self) -> Suite {
        Suite::of(&self.expectation)
    }

    /// What an Initial packet carries of message 1, unless that is known to have passed already.
    fn pieces(&self, opening: &Opening<'_>) -> Option<Vec<Piece>> {
        let pieces = opening.pieces(&self.keys.initial(opening.id))?;
        let mut message = Pieces::new(self.suite().max_message());
        for piece in &pieces {
            message.add(piece);
        }
        let seen = message.start().is_some_and(|ephemeral| self.seen.has_ephemeral(&ephemeral));
        (!seen).then_some(pieces)
    }

    /// `None` where it has passed before.
    fn verify(
        &mut self,
        local: &StaticKey,
        ciphers: Ciphers,
        id: [u8; GATE_ID_LEN],
        message: Vec<u8>,
    ) -> Result<Option<Admitted>, HandshakeError> {
        let Some(ephemeral) = message.first_chunk::<32>().copied() else { return Ok(None) };
        if self.seen.has_ephemeral(&ephemeral) {
            return Ok(None);
        }
        let expectation = Arc::clone(&self.expectation);
        let responder = Parties::expecting(local, &expectation, ciphers)
            .ok_or(HandshakeError::Internal)
            .and_then(|parties| Responder::receive(&parties, message))?;
        self.seen.insert(id, ephemeral);
        Ok(Some(Admitted { expectation, keys: Arc::clone(&self.keys), responder }))
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Gate {
    pub(crate) fn held(&self) -> usize {
        self.lock().held.len()
    }

    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.lock().under_way.len()
    }
}

#[cfg(test)]
mod silence_tests;
#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
