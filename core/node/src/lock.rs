//! Mutexes that are held for moments.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks it, also where whoever had it before panicked: nothing is left half done in between.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
