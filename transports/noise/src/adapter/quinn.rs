//! The Noise core in quinn's crypto traits, as `noq.rs` beside it has it in noq's: what another QUIC library takes.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

use ::quinn_proto::{
    ConnectError, ConnectionId, ConnectionIdGenerator, InvalidCid, Side, TransportError, TransportErrorCode,
    crypto::{
        self, AeadKey, CryptoError, ExportKeyingMaterialError, HandshakeTokenKey, HmacKey, KeyPair, Keys,
        UnsupportedVersion,
    },
    transport_parameters::TransportParameters,
};
use aws_lc_rs::hmac;
use bytes::BytesMut;

use super::{NoTokens, ResetKey};
use crate::{
    Ciphers, Expectation, StaticKey,
    core::{
        VERSION,
        gate_keys::GateKeys,
        handshake::{HandshakeError, Parties},
        packet::{Both, HeaderKey, LevelKeys, PacketKey, Role, SAMPLE_LEN, TAG_LEN},
        session,
    },
    gate::{Admitted, Gate, LOCAL_ID_LEN, OwnIds},
};

/// Starts a client's handshake with one peer.
pub(crate) struct NoiseClient {
    pub(crate) local: StaticKey,
    pub(crate) expectation: Arc<Expectation>,
    pub(crate) keys: Arc<GateKeys>,
    pub(crate) ciphers: Ciphers,
}

impl crypto::ClientConfig for NoiseClient {
    fn start_session(
        self: Arc<Self>,
        _version: u32,
        _server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn crypto::Session>, ConnectError> {
        // Nothing a peer sent is involved yet, so that quinn's nearest error does for a library failure.
        Parties::dialling(&self.local, &self.expectation, self.ciphers)
            .ok_or(HandshakeError::Internal)
            .and_then(|parties| {
                session::Session::initiate(Arc::clone(&self.keys), &parties, &encode(parameters))
            })
            .map(|session| Box::new(Session::new(session)) as Box<dyn crypto::Session>)
            .map_err(|error| ConnectError::InvalidServerName(error.to_string()))
    }
}

/// Gives an endpoint the Initial keys of handshakes that the gate admitted; it starts none itself.
pub(crate) struct NoiseServer(pub(crate) Arc<Gate>);

impl crypto::ServerConfig for NoiseServer {
    fn initial_keys(&self, version: u32, id: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        let keys = self.0.keys(id).filter(|_| version == VERSION).ok_or(UnsupportedVersion)?;
        Ok(key_set(keys.initial_keys(id, Role::Responder)))
    }

    fn retry_tag(&self, _version: u32, _id: &ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    /// Never called: every connection is accepted with an [`AdmittedServer`].
    fn start_session(
        self: Arc<Self>,
        _version: u32,
        _parameters: &TransportParameters,
    ) -> Box<dyn crypto::Session> {
        let keys = Arc::new(GateKeys::new(&[0; 32].into()));
        Box::new(Session::new(session::Session::respond(keys, None, Vec::new())))
    }
}

/// Continues the one handshake whose first message the gate verified.
pub(crate) struct AdmittedServer {
    keys: Arc<GateKeys>,
    admitted: Mutex<Option<Admitted>>,
}

impl AdmittedServer {
    pub(crate) fn new(admitted: Admitted) -> Self {
        Self { keys: Arc::clone(&admitted.keys), admitted: Mutex::new(Some(admitted)) }
    }
}

impl crypto::ServerConfig for AdmittedServer {
    fn initial_keys(&self, _version: u32, id: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        Ok(key_set(self.keys.initial_keys(id, Role::Responder)))
    }

    fn retry_tag(&self, _version: u32, _id: &ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn start_session(
        self: Arc<Self>,
        _version: u32,
        parameters: &TransportParameters,
    ) -> Box<dyn crypto::Session> {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let responder = admitted.map(|admitted| admitted.responder);
        let session = session::Session::respond(Arc::clone(&self.keys), responder, encode(parameters));
        Box::new(Session::new(session))
    }
}

/// A handshake, with the peer's transport parameters as quinn knows them.
struct Session {
    core: session::Session,
    peer_parameters: Option<TransportParameters>,
}

impl Session {
    fn new(core: session::Session) -> Self {
        Self { core, peer_parameters: None }
    }
}

impl crypto::Session for Session {
    fn initial_keys(&self, id: &ConnectionId, side: Side) -> Keys {
        let role = match side {
            Side::Client => Role::Initiator,
            Side::Server => Role::Responder,
        };
        key_set(self.core.initial_keys(id, role))
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// A [`Peer`](crate::core::handshake::Peer).
    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.core.peer().map(|peer| Box::new(peer) as Box<dyn Any>)
    }

    fn early_crypto(&self) -> Option<(Box<dyn crypto::HeaderKey>, Box<dyn crypto::PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.core.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.core.read(bytes).map_err(refuse)?;
        if let (None, Some(mut bytes)) = (&self.peer_parameters, self.core.peer_parameters()) {
            let reader = match self.core.role() {
                Role::Initiator => Side::Client,
                Role::Responder => Side::Server,
            };
            let parameters = TransportParameters::read(reader, &mut bytes);
            self.peer_parameters = Some(parameters.map_err(|_| refuse(HandshakeError::Unauthentic))?);
        }
        Ok(false)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        Ok(self.peer_parameters)
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        match self.core.write(out) {
            Ok(keys) => keys.map(key_set),
            // The trait has no word for it; without keys quinn lets the handshake time out.
            Err(error) => {
                tracing::debug!(%error, "a handshake came to nothing");
                None
            }
        }
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn crypto::PacketKey>>> {
        self.core.next_keys().map(packet_pair)
    }

    fn is_valid_retry(&self, _id: &ConnectionId, _header: &[u8], _payload: &[u8]) -> bool {
        false
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        _context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.core.export(label, output).ok_or(ExportKeyingMaterialError)
    }
}

fn refuse(error: HandshakeError) -> TransportError {
    tracing::debug!(%error, "a handshake came to nothing");
    // "handshake failure" of RFC 8446, section 6; the peer learns no more.
    TransportErrorCode::crypto(40).into()
}

fn encode(parameters: &TransportParameters) -> Vec<u8> {
    let mut bytes = Vec::new();
    parameters.write(&mut bytes);
    bytes
}

fn key_set(keys: LevelKeys) -> Keys {
    let header = |key| Box::new(Header(key)) as Box<dyn crypto::HeaderKey>;
    Keys {
        header: KeyPair { local: header(keys.header.local), remote: header(keys.header.remote) },
        packet: packet_pair(keys.packet),
    }
}

fn packet_pair(keys: Both<PacketKey>) -> KeyPair<Box<dyn crypto::PacketKey>> {
    let packet = |key| Box::new(Packet(key)) as Box<dyn crypto::PacketKey>;
    KeyPair { local: packet(keys.local), remote: packet(keys.remote) }
}

/// quinn has one path, whose nonces are those of path 0.
struct Packet(PacketKey);

impl crypto::PacketKey for Packet {
    fn encrypt(&self, number: u64, packet: &mut [u8], header_len: usize) {
        let Some((header, rest)) = packet.split_at_mut_checked(header_len) else { return };
        let Some((payload, tag_at)) = rest.split_last_chunk_mut::<TAG_LEN>() else { return };
        match self.0.seal(0, number, header, payload) {
            Ok(tag) => *tag_at = tag,
            // Never plain text on the wire, whatever went wrong.
            Err(_) => payload.fill(0),
        }
    }

    fn decrypt(&self, number: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let length = self.0.open(0, number, header, payload).map_err(|_| CryptoError)?.len();
        payload.truncate(length);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.cipher().confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.cipher().integrity_limit()
    }
}

struct Header(HeaderKey);

impl crypto::HeaderKey for Header {
    fn decrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.0.unprotect(number_at, packet);
    }

    fn encrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.0.protect(number_at, packet);
    }

    fn sample_size(&self) -> usize {
        SAMPLE_LEN
    }
}

/// A first destination id for quinn's client.
pub(crate) fn first_id(keys: &GateKeys) -> ConnectionId {
    ConnectionId::new(&keys.mint())
}

impl ConnectionIdGenerator for OwnIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.mint())
    }

    /// Always refuses: quinn asks only about packets to ids it does not know, and would answer them with a reset.
    fn validate(&self, _id: &ConnectionId) -> Result<(), InvalidCid> {
        Err(InvalidCid)
    }

    fn cid_len(&self) -> usize {
        LOCAL_ID_LEN
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let tag = hmac::sign(self.key(), data);
        signature_out.iter_mut().zip(tag.as_ref()).for_each(|(out, byte)| *out = *byte);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        hmac::verify(self.key(), data, signature).map_err(|_| CryptoError)
    }
}

impl HandshakeTokenKey for NoTokens {
    fn aead_from_hkdf(&self, _random_bytes: &[u8]) -> Box<dyn AeadKey> {
        Box::new(Self)
    }
}

impl AeadKey for NoTokens {
    fn seal(&self, _data: &mut Vec<u8>, _additional_data: &[u8]) -> Result<(), CryptoError> {
        Err(CryptoError)
    }

    fn open<'a>(&self, _data: &'a mut [u8], _additional_data: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        Err(CryptoError)
    }
}
