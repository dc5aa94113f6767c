//! The gate: which datagram may reach the QUIC state machine.
//!
//! QUIC answers strangers: with version negotiation, stateless resets, Retry, or a close. So nothing of a stranger's
//! gets that far. A first datagram passes when its id carries the tag of an open gate, its Initial packet opens under
//! that gate's keys, and the Noise message in it verifies: psk, our key, and the one static key that the gate is for.
//! Every later packet is addressed to an id that this endpoint chose and can recognise.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    Ciphers, Whom,
    core::{
        GATE_ID_LEN,
        agreement::fill_random,
        gate_keys::GateKeys,
        handshake::{HandshakeError, Parties, Responder},
        initial::{Header, Opening},
    },
    expectation::Expectation,
    secret::{Secret32, SessionId, StaticKey},
};

/// The length in bytes of the ids that this endpoint chooses for itself: random8 ‖ check4.
pub(crate) const LOCAL_ID_LEN: usize = 12;
/// Gates open at once. Each costs one HMAC (0.3 µs, measured by the ignored test below) for a first datagram with an unknown tag.
const MAX_GATES: usize = 1024;
/// Handshakes under way at once, in one gate and in all of them; beyond it, first datagrams are dropped.
const MAX_UNDER_WAY_PER_GATE: usize = 32;
const MAX_UNDER_WAY: usize = 512;
/// First messages remembered per gate, so that a replay of one draws no answer; beyond it the oldest is forgotten.
const MAX_REMEMBERED: usize = 4096;
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
}

struct OpenGate {
    expectation: Arc<Expectation>,
    keys: Arc<GateKeys>,
    seen: Remembered,
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
        let former = state.shut.iter().position(|(gate, _)| *gate == expectation.gate);
        let seen = former.and_then(|at| state.shut.remove(at)).map(|(_, seen)| seen).unwrap_or_default();
        let session = expectation.session;
        state.open.insert(session, OpenGate { expectation: Arc::new(expectation), keys, seen });
    }

    pub(crate) fn shut(&self, session: SessionId) {
        let mut state = self.lock();
        state.shut(session);
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

    /// Whether a datagram may pass on to the QUIC state machine.
    pub(crate) fn admits(&self, remote: SocketAddr, datagram: &[u8]) -> bool {
        match Header::parse(datagram) {
            None => false,
            Some(Header::Short { from_id }) => {
                from_id.get(..LOCAL_ID_LEN).is_some_and(|id| self.own_ids.recognise(id))
            }
            Some(Header::Long { id }) => self.own_ids.recognise(id),
            Some(Header::Opening(opening)) => self.judge(remote, &opening),
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

    fn judge(&self, remote: SocketAddr, opening: &Opening<'_>) -> bool {
        let verify = |expectation: &Expectation, message| {
            let parties = Parties::expecting(&self.local, expectation, self.ciphers);
            Responder::receive(&parties.ok_or(HandshakeError::Internal)?, message)
        };
        self.lock().judge(verify, self.patience, remote, opening)
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
        if !open.seen.order.is_empty() {
            self.shut.push_back((open.expectation.gate.clone(), open.seen));
        }
        if self.shut.len() > MAX_SHUT {
            self.shut.pop_front();
        }
    }

    fn judge(
        &mut self,
        verify: impl Fn(&Expectation, Vec<u8>) -> Result<Responder, HandshakeError>,
        patience: Duration,
        remote: SocketAddr,
        opening: &Opening<'_>,
    ) -> bool {
        if let Some(way) = self.under_way.get(opening.id) {
            // A retransmission; the same bytes from elsewhere are somebody's copy.
            return way.remote == remote;
        }
        let Some(open) = self.open.values_mut().find(|open| open.keys.recognises(opening.id)) else {
            return false;
        };
        let session = open.expectation.session;
        if self.under_way.len() >= MAX_UNDER_WAY || count(&self.under_way, session) >= MAX_UNDER_WAY_PER_GATE
        {
            self.under_way.retain(|_, way| way.since.elapsed() < patience);
            if self.under_way.len() >= MAX_UNDER_WAY
                || count(&self.under_way, session) >= MAX_UNDER_WAY_PER_GATE
            {
                return false;
            }
        }
        let Some(admitted) = open.verify(verify, opening) else { return false };
        let keys = Arc::clone(&open.keys);
        let way = UnderWay { session, remote, keys, since: Instant::now(), admitted: Some(admitted) };
        self.under_way.insert(*opening.id, way);
        true
    }
}

fn count(under_way: &HashMap<[u8; GATE_ID_LEN], UnderWay>, session: SessionId) -> usize {
    under_way.values().filter(|way| way.session == session).count()
}

impl OpenGate {
    fn verify(
        &mut self,
        verify: impl Fn(&Expectation, Vec<u8>) -> Result<Responder, HandshakeError>,
        opening: &Opening<'_>,
    ) -> Option<Admitted> {
        let message = opening.message(&self.keys.initial(opening.id))?;
        let ephemeral: [u8; 32] = message.get(..32)?.try_into().ok()?;
        if self.seen.contains(&ephemeral) {
            return None;
        }
        let expectation = Arc::clone(&self.expectation);
        let responder = verify(&expectation, message)
            .inspect_err(|error| tracing::debug!(%error, "a first message in an open gate came to nothing"))
            .ok()?;
        self.seen.insert(ephemeral);
        Some(Admitted { expectation, keys: Arc::clone(&self.keys), responder })
    }
}

/// Ephemeral keys of verified first messages, oldest out first.
#[derive(Default)]
struct Remembered {
    set: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Remembered {
    fn contains(&self, ephemeral: &[u8; 32]) -> bool {
        self.set.contains(ephemeral)
    }

    fn insert(&mut self, ephemeral: [u8; 32]) {
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        if self.set.insert(ephemeral) {
            self.order.push_back(ephemeral);
        }
    }
}

/// Ids that this endpoint chooses: eight random bytes and a keyed check of four, so that a packet to any other id is
/// dropped without a table and without a lock.
///
/// The check (the standard library's keyed SipHash) is a sieve, not a proof: past it, noq knows its live ids exactly.
#[derive(Clone, Default)]
pub(crate) struct OwnIds(RandomState);

impl OwnIds {
    pub(crate) fn mint(&self) -> [u8; LOCAL_ID_LEN] {
        let mut random = [0; 8];
        fill_random(&mut random);
        let mut id = [0; LOCAL_ID_LEN];
        for (byte, from) in id.iter_mut().zip(random.into_iter().chain(self.check(&random))) {
            *byte = from;
        }
        id
    }

    pub(crate) fn recognise(&self, id: &[u8]) -> bool {
        id.split_first_chunk::<8>().is_some_and(|(random, check)| check == self.check(random))
    }

    fn check(&self, random: &[u8; 8]) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0.hash_one(random).to_be_bytes();
        [a, b, c, d]
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
