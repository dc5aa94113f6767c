//! The way that a link takes now, for what goes beside QUIC: frames of circuits.
//!
//! Whoever keeps the link's paths says where the way leads, and hears when something is about to be sent. What goes beside QUIC counts as a sign of life as QUIC's own packets
//! do: otherwise a path that carries nothing but frames could be dead without anybody noticing.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

/// The way of one link.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// The address by which QUIC knows the path in use; `None` once the link has ended.
    address: Mutex<Option<SocketAddr>>,
    /// Batches that went out beside QUIC, and that came in over the path in use.
    sent: AtomicU64,
    received: AtomicU64,
    /// The keeper sleeps, and whoever sends something wakes it.
    dormant: AtomicBool,
    stirred: Notify,
}

impl Way {
    /// Where it leads.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        *self.lock()
    }

    /// It leads there from now on.
    pub(crate) fn leads_to(&self, address: Option<SocketAddr>) {
        *self.lock() = address;
    }

    /// Something goes out over it, beside QUIC.
    pub(super) fn sends(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.stir();
    }

    /// Something came in beside QUIC from this address.
    pub(super) fn hears(&self, from: SocketAddr) {
        if self.address() == Some(from) {
            self.received.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many batches went out and came in beside QUIC so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Something is about to be sent.
    pub(crate) fn stir(&self) {
        if self.dormant.load(Ordering::Relaxed) && self.dormant.swap(false, Ordering::Relaxed) {
            self.stirred.notify_one();
        }
    }

    /// The keeper sleeps until it is woken, or looks again soon by itself.
    pub(crate) fn set_dormant(&self, dormant: bool) {
        self.dormant.store(dormant, Ordering::Relaxed);
    }

    /// Waits until somebody wakes the keeper.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
