//! What carries datagrams besides UDP: TCP connections, circuits through a relay.
//!
//! A tunnel is a pair of bounded queues. Like a wire it loses what does not fit: the QUIC stack above takes that for congestion and slows down,
//! and no slow tunnel holds up the paths beside it.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{SetOnce, mpsc};
use wayside_path::Kind;

use super::{Shared, route::TunnelId};

/// Datagrams on their way out of one tunnel. At 1,200 bytes, 300 KiB: 25 ms at 100 Mbit/s.
const OUTGOING: usize = 256;
/// Datagrams of all tunnels that wait to be read.
pub(super) const INCOMING: usize = 1024;

/// The far end of a tunnel: whoever carries its datagrams takes them here, and hands in what arrives.
///
/// Dropping it closes the paths that lead through it.
pub struct Tunnel {
    id: TunnelId,
    outgoing: mpsc::Receiver<Bytes>,
    incoming: mpsc::Sender<(TunnelId, Bytes)>,
    admitted: Arc<SetOnce<()>>,
    shared: Weak<Shared>,
}

impl Tunnel {
    /// Its name, for [`Remote::Tunnel`](crate::Remote::Tunnel).
    pub fn id(&self) -> TunnelId {
        self.id
    }

    /// The next datagram to carry; `None` once the endpoint is gone.
    pub async fn outgoing(&mut self) -> Option<Bytes> {
        self.outgoing.recv().await
    }

    /// The next datagram to carry, if one waits.
    pub fn try_outgoing(&mut self) -> Option<Bytes> {
        self.outgoing.try_recv().ok()
    }

    /// Hands in a datagram that arrived; waits while the endpoint is busy. `false` once the endpoint is gone.
    pub async fn arrived(&self, datagram: Bytes) -> bool {
        self.incoming.send((self.id, datagram)).await.is_ok()
    }

    /// A handle that hands in what arrives, for a task beside the one that takes what goes out.
    pub fn inlet(&self) -> TunnelInlet {
        TunnelInlet { id: self.id, incoming: self.incoming.clone() }
    }

    /// Is set once anything that arrived has passed the gate: before that, a stranger is at the other end.
    pub fn admitted(&self) -> Arc<SetOnce<()>> {
        Arc::clone(&self.admitted)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.tunnels.lock().remove(&self.id);
            if let Some(address) = shared.routes.remove_tunnel(self.id) {
                shared.gone(address);
            }
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Hands in what arrives through a tunnel.
#[derive(Clone, Debug)]
pub struct TunnelInlet {
    id: TunnelId,
    incoming: mpsc::Sender<(TunnelId, Bytes)>,
}

impl TunnelInlet {
    /// Hands in a datagram that arrived; waits while the endpoint is busy. `false` once the endpoint is gone.
    pub async fn arrived(&self, datagram: Bytes) -> bool {
        self.incoming.send((self.id, datagram)).await.is_ok()
    }
}

/// The endpoint's ends of its tunnels.
pub(super) struct Tunnels {
    ids: AtomicU64,
    open: Mutex<HashMap<TunnelId, Near>>,
    incoming: mpsc::Sender<(TunnelId, Bytes)>,
}

struct Near {
    outgoing: mpsc::Sender<Bytes>,
    admitted: Arc<SetOnce<()>>,
}

impl Tunnels {
    pub(super) fn new() -> (Self, mpsc::Receiver<(TunnelId, Bytes)>) {
        let (incoming, inbox) = mpsc::channel(INCOMING);
        (Self { ids: AtomicU64::new(0), open: Mutex::default(), incoming }, inbox)
    }

    /// A name that nothing has or had.
    pub(super) fn next_id(&self) -> TunnelId {
        TunnelId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn open(&self, shared: &Arc<Shared>, kind: Kind, peer: Option<SocketAddr>) -> Tunnel {
        let id = self.next_id();
        let (outgoing, taken) = mpsc::channel(OUTGOING);
        let admitted = Arc::new(SetOnce::new());
        self.lock().insert(id, Near { outgoing, admitted: Arc::clone(&admitted) });
        shared.routes.add_tunnel(id, kind, peer);
        let shared = Arc::downgrade(shared);
        Tunnel { id, outgoing: taken, incoming: self.incoming.clone(), admitted, shared }
    }

    /// Sends datagrams of `segment` bytes each, the last perhaps shorter.
    pub(super) fn send(&self, tunnel: TunnelId, datagrams: &[u8], segment: usize) {
        let outgoing = self.lock().get(&tunnel).map(|near| near.outgoing.clone());
        let Some(outgoing) = outgoing else { return };
        for datagram in datagrams.chunks(segment.max(1)) {
            // Full: lost, as on a wire.
            if outgoing.try_send(Bytes::copy_from_slice(datagram)).is_err() {
                return;
            }
        }
    }

    /// Ends it: whoever carries its datagrams is told that no more will come.
    pub(super) fn close(&self, tunnel: TunnelId) {
        self.lock().remove(&tunnel);
    }

    pub(super) fn admitted(&self, tunnel: TunnelId) {
        if let Some(near) = self.lock().get(&tunnel) {
            // A second time changes nothing.
            let _ = near.admitted.set(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TunnelId, Near>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
