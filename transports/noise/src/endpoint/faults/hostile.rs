//! A friend that holds every key and keeps to no rule: an honest handshake, with a hand on what it believes and on what its packets carry.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::BytesMut;
use noq_proto::{
    ConnectError, ConnectionId, PathId, Side, TransportError,
    crypto::{
        ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
    },
    transport_parameters::TransportParameters,
};

use crate::{
    Ciphers, Endpoint, Expectation,
    adapter::{NoiseClient, first_id},
    config,
    core::gate_keys::GateKeys,
};

/// What it does.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// Limits that it believes the peer to have set, by the numbers of transport parameters (RFC 9000, section 18.2).
    pub(super) believed: Vec<(u64, u64)>,
    /// Frames that go out instead of what the next packets with room for them would carry.
    pub(super) frames: Arc<Mutex<VecDeque<Vec<u8>>>>,
}

impl Script {
    /// Believes that there are no limits.
    pub(super) fn boundless() -> Self {
        // The largest that fit eight bytes; of streams, 2^60 are the most that there may be.
        let limits = [
            (0x04, 1 << 61),
            (0x05, 1 << 61),
            (0x06, 1 << 61),
            (0x07, 1 << 61),
            (0x08, 1 << 60),
            (0x09, 1 << 60),
        ];
        Self { believed: limits.to_vec(), ..Self::default() }
    }
}

/// Connects; what comes of it is a connection without a link around it. The choice is not made.
pub(super) async fn connect(
    from: &Endpoint,
    to: &Endpoint,
    of: Expectation,
    script: Script,
) -> noq::Connection {
    let keys = Arc::new(GateKeys::new(&of.gate));
    let honest = NoiseClient {
        local: from.gate.local().clone(),
        expectation: Arc::new(of),
        keys: Arc::clone(&keys),
        ciphers: Ciphers::default(),
    };
    let transport = from.transports.with_mtu(1452);
    let crypto = Arc::new(Hostile { honest, script });
    let client = config::client(crypto, Arc::new(move || first_id(&keys)), transport);
    from.quic.connect_with(client, to.addresses[0], "peer").unwrap().await.unwrap()
}

struct Hostile {
    honest: NoiseClient,
    script: Script,
}

impl ClientConfig for Hostile {
    fn start_session(
        &self,
        version: u32,
        name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let honest = self.honest.start_session(version, name, parameters)?;
        Ok(Box::new(HostileSession { honest, script: self.script.clone() }))
    }
}

struct HostileSession {
    honest: Box<dyn Session>,
    script: Script,
}

impl HostileSession {
    fn corrupted(&self, keys: KeyPair<Box<dyn PacketKey>>) -> KeyPair<Box<dyn PacketKey>> {
        let local = Box::new(HostileKey { honest: keys.local, script: self.script.clone() });
        KeyPair { local, remote: keys.remote }
    }
}

impl Session for HostileSession {
    fn initial_keys(&self, id: ConnectionId, side: Side) -> Keys {
        self.honest.initial_keys(id, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.honest.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.honest.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.honest.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.honest.read_handshake(bytes)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let Some(told) = self.honest.transport_parameters()? else { return Ok(None) };
        let mut bytes = Vec::new();
        told.write(&mut bytes);
        let believed = with_limits(&bytes, &self.script.believed);
        Ok(Some(TransportParameters::read(Side::Client, &mut &believed[..]).unwrap()))
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        let keys = self.honest.write_handshake(out)?;
        Some(Keys { header: keys.header, packet: self.corrupted(keys.packet) })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.honest.next_1rtt_keys()?;
        Some(self.corrupted(keys))
    }

    fn is_valid_retry(&self, _: ConnectionId, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.honest.export_keying_material(output, label, context)
    }
}

struct HostileKey {
    honest: Box<dyn PacketKey>,
    script: Script,
}

impl PacketKey for HostileKey {
    fn encrypt(&self, path: PathId, number: u64, packet: &mut [u8], header_len: usize) {
        let payload = header_len..packet.len() - self.honest.tag_len();
        let mut waiting = self.script.frames.lock().unwrap();
        // The short form of header: nothing that belongs to the handshake.
        if packet[0] & 0x80 == 0 && waiting.front().is_some_and(|frames| frames.len() <= payload.len()) {
            let frames = waiting.pop_front().unwrap();
            // The rest are PADDING frames.
            packet[payload.clone()].fill(0);
            packet[payload][..frames.len()].copy_from_slice(&frames);
        }
        self.honest.encrypt(path, number, packet, header_len);
    }

    fn decrypt(
        &self,
        path: PathId,
        number: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.honest.decrypt(path, number, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.honest.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.honest.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.honest.integrity_limit()
    }
}

/// Transport parameters with other values in some of them.
fn with_limits(mut encoded: &[u8], limits: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    while !encoded.is_empty() {
        let (id, length) = (read_varint(&mut encoded), read_varint(&mut encoded) as usize);
        let (value, rest) = encoded.split_at(length);
        encoded = rest;
        if limits.iter().all(|(changed, _)| *changed != id) {
            out.extend([varint(id), varint(length as u64), value.to_vec()].concat());
        }
    }
    for (id, limit) in limits {
        out.extend([varint(*id), varint(8), varint(*limit)].concat());
    }
    out
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let length = 1 << (bytes[0] >> 6);
    let (number, rest) = bytes.split_at(length);
    *bytes = rest;
    number[1..].iter().fold(u64::from(number[0] & 0x3f), |value, byte| value << 8 | u64::from(*byte))
}

/// RFC 9000, section 16.
pub(super) fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (0x4000 | value as u16).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (0x8000_0000 | value as u32).to_be_bytes().to_vec(),
        _ => (0xc000_0000_0000_0000 | value).to_be_bytes().to_vec(),
    }
}
