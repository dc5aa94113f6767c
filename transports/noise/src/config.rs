//! What an endpoint is told about time and limits.

use std::{sync::Arc, time::Duration};

use noq::{
    EndpointConfig as QuicEndpoint, IdleTimeout, MtuDiscoveryConfig, NoneTokenStore, ServerConfig,
    TransportConfig, VarInt,
    congestion::{Bbr3Config, ControllerFactory, CubicConfig},
};

use crate::{
    Ciphers,
    adapter::{NoTokens, NoiseServer, ResetKey},
    core::VERSION,
    gate::{Gate, OwnIds},
    link::keep_alive,
    mtu,
    socket::Network,
};

/// How an endpoint behaves. Every field has a default that suits a link between two people's machines.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// How often an idle link says that it is alive, while nothing is known of the NATs in front of this machine
    /// ([`Endpoint::set_mapping_lifetime`](crate::Endpoint::set_mapping_lifetime)); `None` for never, which saves a phone's battery and loses
    /// NAT mappings. 20 s by default: below the 30 s that the most impatient NATs keep a UDP mapping (RFC 4787,
    /// section 4.3, asks for two minutes and is widely ignored).
    pub keep_alive: Option<Duration>,
    /// For how long questions to the peer may go unanswered before the link is given up; 15 s by default. A link over
    /// which something is sent asks within a quarter of a second, an idle one after one and a half keep-alives, and one that
    /// keeps none not before something is sent.
    pub idle_timeout: Duration,
    /// How long an admitted handshake may take as a server; 10 s by default.
    pub handshake_timeout: Duration,
    /// How long the first try towards a candidate may take before it is made anew; each further one takes half as
    /// long again, up to [`handshake_timeout`](Self::handshake_timeout). 2 s by default.
    pub first_try: Duration,
    /// The round-trip time that is assumed before one is measured: the first retransmission comes after three times
    /// that. 100 ms by default, below QUIC's 333 ms, since tries also open NAT mappings.
    pub initial_rtt: Duration,
    /// The largest UDP payload in bytes that paths are probed for, from 1,200. The interface's own limit holds where it is less;
    /// 8,972 by default, a jumbo frame.
    pub max_udp_payload: u16,
    /// Where sockets come from: the operating system, by default.
    pub network: Network,
    /// How much is sent before it is acknowledged.
    pub congestion: Congestion,
    /// Which ciphers may protect packets. A link takes the best that both sides allow.
    pub ciphers: Ciphers,
}

/// The congestion control of what this side sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Congestion {
    /// BBR version 3 (draft-ietf-ccwg-bbr): goes by the rate and the round-trip time that a path shows, not by losses.
    #[default]
    Bbr,
    /// CUBIC (RFC 9438): takes every loss for congestion.
    Cubic,
}

impl Congestion {
    fn factory(self) -> Arc<dyn ControllerFactory + Send + Sync> {
        match self {
            Self::Bbr => Arc::new(Bbr3Config::default()),
            Self::Cubic => Arc::new(CubicConfig::default()),
        }
    }
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            keep_alive: Some(Duration::from_secs(20)),
            idle_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(10),
            first_try: Duration::from_secs(2),
            initial_rtt: Duration::from_millis(100),
            max_udp_payload: mtu::JUMBO,
            network: Network::default(),
            congestion: Congestion::default(),
            ciphers: Ciphers::default(),
        }
    }
}

/// Streams that a peer may have open towards us. Each may hold [`STREAM_WINDOW`] until the link's own window is full.
const MAX_STREAMS: u32 = 64;
/// Streams that only one side writes; one at a time is enough for the mark that a client chose this link.
const MAX_ONE_WAY_STREAMS: u32 = 1;
/// Unread bytes of one stream: 2 MiB, 168 Mbit/s at 100 ms. noq ends a connection on more than 1,024 gaps in a stream,
/// which larger windows run into under loss (found in the study that led here).
const STREAM_WINDOW: u32 = 2 << 20;
/// Unread bytes of one link: so many that three streams nobody reads do not stop the others.
const LINK_WINDOW: u32 = 4 * STREAM_WINDOW;
/// Unacknowledged bytes that writers may run ahead of the peer, for one link.
const SEND_WINDOW: u64 = 4 << 20;
/// Datagrams in either direction that nobody fetched yet, in bytes; beyond it the oldest are dropped.
const DATAGRAM_BUFFER: usize = 256 << 10;
/// Largest UDP payload accepted: all that QUIC allows (RFC 9000, section 18.2).
const MAX_UDP_PAYLOAD: u16 = 65_527;
/// The search for a path's MTU ends when it is known to this many bytes. Each step is a packet full of padding that costs time on both sides:
/// beyond Ethernet, where each gains little, there are few.
fn mtu_step(largest: u16) -> u16 {
    if largest > mtu::ETHERNET { largest / 8 } else { 20 }
}

/// Paths of one link at a time: those that are kept, those that are being opened, and those that drain.
const MAX_PATHS: u32 = 4;
/// Bytes kept of datagrams that follow an admitted first one before it is dealt with: per handshake, and in all.
const EARLY_BYTES: u64 = 16 << 10;
const EARLY_BYTES_TOTAL: u64 = 1 << 20;
const MAX_INCOMING: usize = 256;

impl EndpointConfig {
    /// When QUIC itself gives up: behind our own judgement, for when nobody is there to judge. The lesser one of the two sides' counts, for as long as the
    /// link lives, so that it is the same whatever pace either side keeps or comes to keep.
    fn quic_idle_timeout(&self) -> Duration {
        let slowest = self.keep_alive.unwrap_or_default().max(keep_alive::SLOWEST);
        let silence = slowest.saturating_mul(3) / 2;
        silence.saturating_add(self.idle_timeout.saturating_mul(2))
    }

    pub(crate) fn transport(&self, largest: u16) -> TransportConfig {
        let mut transport = TransportConfig::default();
        let mut search = MtuDiscoveryConfig::default();
        search.upper_bound(largest).minimum_change(mtu_step(largest));
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
            .max_concurrent_uni_streams(VarInt::from_u32(MAX_ONE_WAY_STREAMS))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
            .receive_window(VarInt::from_u32(LINK_WINDOW))
            .send_window(SEND_WINDOW)
            .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
            .datagram_send_buffer_size(DATAGRAM_BUFFER)
            // A path's own, since that can be changed. The path in use keeps it; those that stand by have our own probes.
            .default_path_keep_alive_interval(self.keep_alive)
            .max_concurrent_multipath_paths(MAX_PATHS)
            .mtu_discovery_config(Some(search))
            // A timeout beyond QUIC's range of 2^62 ms is none.
            .max_idle_timeout(IdleTimeout::try_from(self.quic_idle_timeout()).ok())
            .initial_rtt(self.initial_rtt)
            .congestion_controller_factory(self.congestion.factory())
            // It would show the round-trip time to whoever watches (RFC 9000, section 17.4).
            .allow_spin(false);
        transport
    }
}

pub(crate) fn endpoint(ids: &OwnIds) -> QuicEndpoint {
    let mut config = QuicEndpoint::new(Arc::new(ResetKey::random()));
    let ids = ids.clone();
    config
        .supported_versions(vec![VERSION])
        // The gate drops packets without the fixed bit.
        .grease_quic_bit(false)
        .cid_generator(Arc::new(move || Box::new(ids.clone())));
    // In range, hence taken.
    let _ = config.max_udp_payload_size(MAX_UDP_PAYLOAD);
    config
}

pub(crate) fn server(gate: Arc<Gate>, transport: Arc<TransportConfig>) -> ServerConfig {
    with_crypto(Arc::new(NoiseServer(gate)), transport)
}

pub(crate) fn with_crypto(
    crypto: Arc<dyn noq::crypto::ServerConfig>,
    transport: Arc<TransportConfig>,
) -> ServerConfig {
    let mut config = ServerConfig::new(crypto, Arc::new(NoTokens));
    config
        .transport_config(transport)
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(EARLY_BYTES)
        .incoming_buffer_size_total(EARLY_BYTES_TOTAL);
    config
}

pub(crate) fn client(
    crypto: Arc<dyn noq::crypto::ClientConfig>,
    first_id: Arc<dyn Fn() -> noq::ConnectionId + Send + Sync>,
    transport: Arc<TransportConfig>,
) -> noq::ClientConfig {
    let mut config = noq::ClientConfig::new(crypto);
    config
        .version(VERSION)
        .initial_dst_cid_provider(first_id)
        .token_store(Arc::new(NoneTokenStore))
        .transport_config(transport);
    config
}
