//! The QUIC settings of connections, by how large a packet their way may carry.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use noq::TransportConfig;

use crate::{
    EndpointConfig, mtu,
    socket::{Shared, route::Route},
};

/// One set of settings for each size; a machine's interfaces have a handful.
pub(super) struct Transports {
    config: EndpointConfig,
    by_mtu: Mutex<BTreeMap<u16, Arc<TransportConfig>>>,
}

/// Sizes that are kept; beyond it the settings are made anew.
const MOST_KEPT: usize = 16;

impl Transports {
    pub(super) fn new(config: EndpointConfig) -> Arc<Self> {
        Arc::new(Self { config, by_mtu: Mutex::default() })
    }

    /// The settings for a connection that begins at this address.
    pub(super) fn for_address(&self, shared: &Shared, address: SocketAddr) -> Arc<TransportConfig> {
        let largest = match shared.routes.route(address) {
            Some(Route::Udp { remote, .. }) => mtu::towards(remote),
            Some(Route::Tunnel(tunnel)) => shared.largest_through(tunnel).unwrap_or(mtu::USUAL),
            None => mtu::USUAL,
        };
        self.with_mtu(largest.min(self.config.max_udp_payload))
    }

    pub(super) fn with_mtu(&self, largest: u16) -> Arc<TransportConfig> {
        let mut kept = self.by_mtu.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = kept.get(&largest) {
            return Arc::clone(transport);
        }
        let transport = Arc::new(self.config.transport(largest));
        if kept.len() < MOST_KEPT {
            kept.insert(largest, Arc::clone(&transport));
        }
        transport
    }
}
