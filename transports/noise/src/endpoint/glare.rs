//! Both dial at once: one of two connections survives.
//!
//! Where both sides expect and dial one session, two connections come up. The side with the smaller static key is the *arbiter*: it
//! alone decides, once, either by choosing a connection that it dialled, or by keeping one that the peer dialled. The other side hands
//! nothing to its application before it has heard the decision, so that nothing that was sent is lost.
//!
//! Dials cross even where one is through before the other has begun, but the news was still under way. So an arbiter goes on refusing for a
//! moment, and a side that dials takes the link that has just come in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{Link, SessionId, link::WeakLink};

/// How long an arbiter that is dialling waits for its own connection before it keeps the peer's, which is complete already. Both
/// handshakes take the same round trips where both can get through at all.
const HEAD_START: Duration = Duration::from_millis(300);

/// How long a link counts as just made: longer than any round trip.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// The dials of one endpoint that the peer may cross.
#[derive(Default)]
pub(super) struct Crossings(Mutex<Table>);

#[derive(Default)]
struct Table {
    dials: HashMap<SessionId, Arc<Crossing>>,
    /// Sessions whose own dial an arbiter has just settled on.
    settled: HashMap<SessionId, Instant>,
    /// Links that have just come in.
    arrived: HashMap<SessionId, (Instant, WeakLink)>,
}

/// A dial under way, and what became of it.
pub(super) struct Crossing {
    outcome: Mutex<Outcome>,
    changed: Notify,
}

enum Outcome {
    Open,
    /// The connection that was dialled from here survives, or none does.
    Settled,
    /// The one that the peer dialled survives; whoever dialled from here takes it.
    Yielded(Option<Link>),
}

impl Crossings {
    /// A dial begins. It ends when the guard is dropped.
    pub(super) fn begin(&self, session: SessionId, arbiter: bool) -> Dialling<'_> {
        let crossing = Arc::new(Crossing { outcome: Mutex::new(Outcome::Open), changed: Notify::new() });
        let mut table = lock(&self.0);
        table.forget_the_old();
        table.dials.insert(session, Arc::clone(&crossing));
        Dialling { crossings: self, session, arbiter, crossing }
    }

    /// What a connection of this session that has come in crosses, if anything.
    pub(super) fn crossed(&self, session: SessionId, arbiter: bool) -> Crossed {
        let mut table = lock(&self.0);
        table.forget_the_old();
        match table.dials.get(&session) {
            Some(crossing) => Crossed::Dial(Arc::clone(crossing)),
            None if arbiter && table.settled.contains_key(&session) => Crossed::Settled,
            None => Crossed::Nothing,
        }
    }

    /// Whether this side, the arbiter, has just settled on a connection that it dialled.
    pub(super) fn is_settled(&self, session: SessionId) -> bool {
        lock(&self.0).settled.contains_key(&session)
    }

    /// A link has come in, and nobody dialled.
    pub(super) fn arrived(&self, link: &Link) {
        lock(&self.0).arrived.insert(link.session(), (Instant::now(), link.downgrade()));
    }

    /// The link of this session that has just come in, if it lives.
    pub(super) fn fresh(&self, session: SessionId) -> Option<Link> {
        let mut table = lock(&self.0);
        table.forget_the_old();
        table.arrived.get(&session).and_then(|(_, link)| link.upgrade())
    }
}

impl Table {
    fn forget_the_old(&mut self) {
        self.settled.retain(|_, at| at.elapsed() < FRESH);
        self.arrived.retain(|_, (at, _)| at.elapsed() < FRESH);
    }
}

/// What a connection that the peer dialled meets here.
pub(super) enum Crossed {
    /// A dial under way.
    Dial(Arc<Crossing>),
    /// A connection that this side, the arbiter, dialled and has just settled on.
    Settled,
    Nothing,
}

impl Crossing {
    /// As server, for a connection that the peer has chosen: gives it to whoever dials from here, unless another one was settled on.
    /// The arbiter gives its own dial a head start.
    pub(super) async fn offer(&self, link: Link, arbiter: bool) -> Result<(), Link> {
        if arbiter {
            let _ = timeout(HEAD_START, self.decided()).await;
        }
        let mut outcome = lock(&self.outcome);
        if !matches!(*outcome, Outcome::Open) {
            return Err(link);
        }
        *outcome = Outcome::Yielded(Some(link));
        self.changed.notify_waiters();
        Ok(())
    }

    async fn decided(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !matches!(*lock(&self.outcome), Outcome::Open) {
                return;
            }
            changed.await;
        }
    }
}

/// Holds a dial's place.
pub(super) struct Dialling<'a> {
    crossings: &'a Crossings,
    session: SessionId,
    arbiter: bool,
    crossing: Arc<Crossing>,
}

impl Dialling<'_> {
    /// Settles on the connection that was dialled; `Err` with the other one, if that has been kept already.
    pub(super) fn settle(&self) -> Result<(), Option<Link>> {
        match &mut *lock(&self.crossing.outcome) {
            outcome @ Outcome::Open => {
                *outcome = Outcome::Settled;
                self.crossing.changed.notify_waiters();
                if self.arbiter {
                    lock(&self.crossings.0).settled.insert(self.session, Instant::now());
                }
                Ok(())
            }
            Outcome::Settled => Ok(()),
            Outcome::Yielded(link) => Err(link.take()),
        }
    }

    /// The link of this session that came in before this dial began, if it did so just now.
    pub(super) fn fresh(&self) -> Option<Link> {
        self.crossings.fresh(self.session)
    }

    /// Waits for the peer's connection to be kept.
    pub(super) async fn yielded(&self) -> Option<Link> {
        self.crossing.decided().await;
        match &mut *lock(&self.crossing.outcome) {
            Outcome::Yielded(link) => link.take(),
            Outcome::Open | Outcome::Settled => None,
        }
    }
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        // A connection that is offered from now on has nobody here to take it, and goes its usual way.
        let mut outcome = lock(&self.crossing.outcome);
        if matches!(*outcome, Outcome::Open) {
            *outcome = Outcome::Settled;
            self.crossing.changed.notify_waiters();
        }
        let dials = &mut lock(&self.crossings.0).dials;
        if dials.get(&self.session).is_some_and(|it| Arc::ptr_eq(it, &self.crossing)) {
            dials.remove(&self.session);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
