//! Circuits through relays, at their ends: what a link sends through one is framed and goes at once the way that the link with the relay takes.
//!
//! A circuit is a tunnel without queues. Frames that come in are known by their number and MAC, wherever they come from: the relay may have another address by now.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use wayside_path::Kind;
use wayside_relay::{CircuitId, HEADER, Keys, circuit_of, open, seal_all};

use super::{
    Shared,
    route::{Route, Routes, TunnelId},
    way::Way,
};
use crate::mtu;

/// One end of a circuit through a relay, which forwards what goes in to whoever has the other end.
///
/// [`Remote::Tunnel`](crate::Remote::Tunnel) dials through it; what comes through it may also be accepted. It carries nothing while the link with the relay is itself carried by
/// a relay, and ends with that link. Dropping it closes the paths that lead through it.
pub struct Circuit {
    id: TunnelId,
    shared: Weak<Shared>,
}

impl Circuit {
    /// Its name, for [`Remote::Tunnel`](crate::Remote::Tunnel).
    pub fn id(&self) -> TunnelId {
        self.id
    }
}

impl Drop for Circuit {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.close_circuit(self.id);
        }
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The circuits of one endpoint.
#[derive(Default)]
pub(super) struct Circuits {
    /// How many there are: mostly none, and then nothing is looked up.
    count: AtomicUsize,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_tunnel: HashMap<TunnelId, Arc<End>>,
    /// Each relay draws its own numbers, so that two may have drawn one.
    by_number: HashMap<CircuitId, Vec<Arc<End>>>,
}

/// Our end of a circuit.
pub(super) struct End {
    tunnel: TunnelId,
    /// By which QUIC knows it.
    pub(super) address: SocketAddr,
    circuit: CircuitId,
    keys: Keys,
    /// The link with the relay.
    link: u64,
    pub(super) way: Arc<Way>,
}

impl End {
    /// What the link with the relay takes now; `None` where that is a relay again.
    pub(super) fn over(&self, routes: &Routes) -> Option<Route> {
        let route = routes.route(self.way.address()?)?;
        (routes.kind(route)? != Kind::Relayed).then_some(route)
    }

    /// Frames a batch; the size of the framed segments.
    pub(super) fn seal(&self, datagrams: &[u8], segment: usize, framed: &mut Vec<u8>) -> usize {
        framed.clear();
        seal_all(&self.keys.up, self.circuit, datagrams, segment, framed)
    }

    /// Whether a frame is of this circuit.
    pub(super) fn owns(&self, frame: &[u8]) -> bool {
        circuit_of(frame) == Some(self.circuit) && open(&self.keys.down, frame).is_some()
    }

    /// How the endpoint calls what comes in through it.
    pub(super) fn route(&self) -> Route {
        Route::Tunnel(self.tunnel)
    }
}

impl Circuits {
    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Our end of one, by its name.
    pub(super) fn get(&self, tunnel: TunnelId) -> Option<Arc<End>> {
        if !self.any() {
            return None;
        }
        self.read().by_tunnel.get(&tunnel).cloned()
    }

    /// Whose a frame is.
    pub(super) fn whose(&self, frame: &[u8]) -> Option<Arc<End>> {
        let circuit = circuit_of(frame).filter(|_| self.any())?;
        self.read().by_number.get(&circuit)?.iter().find(|end| end.owns(frame)).cloned()
    }

    fn add(&self, end: End) {
        let (mut table, end) = (self.write(), Arc::new(end));
        table.by_number.entry(end.circuit).or_default().push(Arc::clone(&end));
        table.by_tunnel.insert(end.tunnel, end);
        self.count.store(table.by_tunnel.len(), Ordering::Relaxed);
    }

    fn remove(&self, tunnel: TunnelId) {
        let mut table = self.write();
        let Some(end) = table.by_tunnel.remove(&tunnel) else { return };
        if let Some(alike) = table.by_number.get_mut(&end.circuit) {
            alike.retain(|it| it.tunnel != tunnel);
            if alike.is_empty() {
                table.by_number.remove(&end.circuit);
            }
        }
        self.count.store(table.by_tunnel.len(), Ordering::Relaxed);
    }

    fn over_link(&self, link: u64) -> Vec<TunnelId> {
        if !self.any() {
            return Vec::new();
        }
        self.read().by_tunnel.values().filter(|end| end.link == link).map(|end| end.tunnel).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Our end of a circuit, over the link of this number, which goes this way.
    pub(crate) fn circuit(
        self: &Arc<Self>,
        link: u64,
        way: Arc<Way>,
        circuit: CircuitId,
        keys: Keys,
    ) -> Circuit {
        let tunnel = self.tunnels.next_id();
        self.routes.add_tunnel(tunnel, Kind::Relayed, None);
        let address = self.routes.address(Route::Tunnel(tunnel));
        self.circuits.add(End { tunnel, address, circuit, keys, link, way: Arc::clone(&way) });
        if way.address().is_none() {
            // The link has ended, and may have looked for its circuits before there was this one.
            self.close_circuit(tunnel);
        }
        Circuit { id: tunnel, shared: Arc::downgrade(self) }
    }

    /// The largest datagram that may go through a circuit, as far as can be seen from here.
    pub(crate) fn largest_through(&self, tunnel: TunnelId) -> Option<u16> {
        match self.circuits.get(tunnel)?.over(&self.routes)? {
            Route::Udp { remote, .. } => {
                let header = u16::try_from(HEADER).unwrap_or(u16::MAX);
                Some(mtu::towards(remote).saturating_sub(header).max(mtu::LEAST))
            }
            Route::Tunnel(_) => None,
        }
    }

    /// No path leads through a circuit any more.
    fn close_circuit(&self, tunnel: TunnelId) {
        self.circuits.remove(tunnel);
        if let Some(address) = self.routes.remove_tunnel(tunnel) {
            self.gone(address);
        }
    }

    /// A link with a relay is over, and its circuits with it.
    pub(super) fn close_circuits_over(&self, link: u64) {
        for tunnel in self.circuits.over_link(link) {
            self.close_circuit(tunnel);
        }
    }
}

#[cfg(test)]
#[path = "circuits_tests.rs"]
mod tests;
