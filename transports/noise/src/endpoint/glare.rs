//! Both dial at once: one of two connections survives.
//!
//! Where both sides expect and dial one session, two connections come up. The side with the smaller static key is the *arbiter*: it
//! alone decides, once, either by choosing a connection that it dialled, or by keeping one that the peer dialled. The other side hands
//! nothing to its application before it has heard the decision, so that nothing that was sent is lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::{Link, SessionId};

/// How long an arbiter that is dialling waits for its own connection before it keeps the peer's, which is complete already. Both
/// handshakes take the same round trips where both can get through at all.
const HEAD_START: Duration = Duration::from_millis(300);

/// The dials of one endpoint that the peer may cross.
#[derive(Default)]
pub(super) struct Crossings(Mutex<HashMap<SessionId, Arc<Crossing>>>);

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
    pub(super) fn begin(&self, session: SessionId) -> Dialling<'_> {
        let crossing = Arc::new(Crossing { outcome: Mutex::new(Outcome::Open), changed: Notify::new() });
        lock(&self.0).insert(session, Arc::clone(&crossing));
        Dialling { crossings: self, session, crossing }
    }

    /// The dial of this session that is under way.
    pub(super) fn of(&self, session: SessionId) -> Option<Arc<Crossing>> {
        lock(&self.0).get(&session).cloned()
    }
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
    crossing: Arc<Crossing>,
}

impl Dialling<'_> {
    /// Settles on the connection that was dialled; `Err` with the other one, if that has been kept already.
    pub(super) fn settle(&self) -> Result<(), Option<Link>> {
        match &mut *lock(&self.crossing.outcome) {
            outcome @ Outcome::Open => {
                *outcome = Outcome::Settled;
                self.crossing.changed.notify_waiters();
                Ok(())
            }
            Outcome::Settled => Ok(()),
            Outcome::Yielded(link) => Err(link.take()),
        }
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
        let mut dials = lock(&self.crossings.0);
        if dials.get(&self.session).is_some_and(|it| Arc::ptr_eq(it, &self.crossing)) {
            dials.remove(&self.session);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
