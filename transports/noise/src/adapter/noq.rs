//! The Noise core in noq's crypto traits.

mod ids;
mod packets;

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

use noq_proto::{
    ConnectError, ConnectionId, Side, TransportError, TransportErrorCode,
    crypto::{self, ExportKeyingMaterialError, KeyPair, Keys, UnsupportedVersion},
    transport_parameters::TransportParameters,
};

pub(crate) use self::ids::{NoTokens, ResetKey, first_id};
pub(crate) use self::packets::path_number;
use self::packets::{key_set, packet_pair};
use crate::{
    Ciphers,
    core::{
        VERSION,
        gate_keys::GateKeys,
        handshake::{HandshakeError, Parties, Peer},
        packet::Role,
        session,
    },
    expectation::Expectation,
    gate::{Admitted, Gate},
    secret::StaticKey,
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
        &self,
        _version: u32,
        _server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn crypto::Session>, ConnectError> {
        // Nothing a peer sent is involved yet, so that noq's nearest error does for a library failure.
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
    fn initial_keys(&self, version: u32, id: ConnectionId) -> Result<Keys, UnsupportedVersion> {
        // noq ignores a packet without a word when this fails.
        let keys = self.0.keys(&id).filter(|_| version == VERSION).ok_or(UnsupportedVersion)?;
        Ok(key_set(keys.initial_keys(&id, Role::Responder)))
    }

    fn retry_tag(&self, _version: u32, _id: ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    /// Never called: every connection is accepted with an [`AdmittedServer`].
    fn start_session(&self, _version: u32, _parameters: &TransportParameters) -> Box<dyn crypto::Session> {
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
    fn initial_keys(&self, _version: u32, id: ConnectionId) -> Result<Keys, UnsupportedVersion> {
        Ok(key_set(self.keys.initial_keys(&id, Role::Responder)))
    }

    fn retry_tag(&self, _version: u32, _id: ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn start_session(&self, _version: u32, parameters: &TransportParameters) -> Box<dyn crypto::Session> {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let responder = admitted.map(|admitted| admitted.responder);
        let session = session::Session::respond(Arc::clone(&self.keys), responder, encode(parameters));
        Box::new(Session::new(session))
    }
}

/// A handshake, with the peer's transport parameters as noq knows them.
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
    fn initial_keys(&self, id: ConnectionId, side: Side) -> Keys {
        let role = match side {
            Side::Client => Role::Initiator,
            Side::Server => Role::Responder,
        };
        key_set(self.core.initial_keys(&id, role))
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// A [`Peer`].
    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.core.peer().map(|peer| Box::new(peer) as Box<dyn Any>)
    }

    /// Never: what 0-RTT carries could be replayed.
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
            // The trait has no word for it; without keys noq lets the handshake time out.
            Err(error) => {
                tracing::debug!(%error, "a handshake came to nothing");
                None
            }
        }
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn crypto::PacketKey>>> {
        self.core.next_keys().map(packet_pair)
    }

    fn is_valid_retry(&self, _id: ConnectionId, _header: &[u8], _payload: &[u8]) -> bool {
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

/// Who is at the other end of a connection.
pub(crate) fn peer_of(connection: &noq::Connection) -> Peer {
    let identity = connection.peer_identity().and_then(|peer| peer.downcast::<Peer>().ok());
    // Every session of ours that has come to a connection knows its peer; a name that nobody has is the safe answer.
    identity.map_or(Peer::Guest([0; 32]), |peer| *peer)
}

fn refuse(error: HandshakeError) -> TransportError {
    tracing::debug!(%error, "a handshake came to nothing");
    // "handshake failure" of RFC 8446, section 6; the peer learns no more.
    TransportError::new(TransportErrorCode::crypto(40), String::new())
}

fn encode(parameters: &TransportParameters) -> Vec<u8> {
    let mut bytes = Vec::new();
    parameters.write(&mut bytes);
    bytes
}
