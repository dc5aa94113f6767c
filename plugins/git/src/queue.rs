//! Several that want something written at one moment share one push.
//!
//! Who comes first works for all that wait by then, and the next for those that came meanwhile. There is no task of its own: when
//! the future of whoever works is dropped, the others' work is done by the next of them.

use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{Either, select};
use tokio::sync::{Mutex as Turn, oneshot};

/// Those that wait.
pub(crate) struct Queue<W, R> {
    waiting: Mutex<Vec<(W, oneshot::Sender<R>)>>,
    turn: Turn<()>,
}

impl<W: Clone, R> Queue<W, R> {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self { waiting: Mutex::new(Vec::new()), turn: Turn::const_new(()) }
    }

    /// Has a wish fulfilled, by others or by us with all that wait; `fulfil` answers one for one.
    pub(crate) async fn want<F>(&self, wish: W, fulfil: impl Fn(Vec<W>) -> F) -> R
    where
        F: Future<Output = Vec<R>>,
    {
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.waiting().push((wish.clone(), sender));
            let turn = match select(&mut answer, self.turn.lock().boxed()).await {
                Either::Left((Ok(result), _)) => return result,
                // Whoever worked for us gave up.
                Either::Left((Err(_), _)) => continue,
                Either::Right((turn, _)) => turn,
            };
            match answer.try_recv() {
                Ok(result) => return result,
                Err(oneshot::error::TryRecvError::Closed) => continue,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let waiting: Vec<_> =
                self.waiting().drain(..).filter(|(_, sender)| !sender.is_closed()).collect();
            let (wishes, senders): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
            for (sender, result) in senders.into_iter().zip(fulfil(wishes).await) {
                // who does not wait any more needs no answer
                let _ = sender.send(result);
            }
            drop(turn);
            if let Ok(result) = answer.await {
                return result;
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<(W, oneshot::Sender<R>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
