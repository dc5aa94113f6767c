//! When the homeserver asked us to slow down: until then nothing is written. Reading goes on, since homeservers count the two apart.

use std::sync::{Arc, Mutex, PoisonError};

use wayside_bridge::{Clock, Monotonic};

use crate::error::MatrixError;

/// Until when nothing may be written.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    closed_until: Mutex<Option<Monotonic>>,
}

impl Gate {
    pub(crate) const fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, closed_until: Mutex::new(None) }
    }

    /// Whether something may be written now.
    pub(crate) fn check(&self) -> Result<(), MatrixError> {
        let now = self.clock.monotonic();
        let mut closed_until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        match *closed_until {
            Some(until) if until > now => Err(MatrixError::Slow { wait: until.since(now) }),
            _ => {
                *closed_until = None;
                Ok(())
            }
        }
    }

    /// Takes in how a request to write ended.
    pub(crate) fn note<T>(&self, answer: Result<T, MatrixError>) -> Result<T, MatrixError> {
        if let Err(MatrixError::Slow { wait }) = &answer {
            let until = Monotonic(self.clock.monotonic().0.saturating_add(*wait));
            let mut closed_until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            *closed_until = (*closed_until).max(Some(until));
        }
        answer
    }
}
