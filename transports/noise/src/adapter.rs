//! The Noise core as noq sees it: its crypto traits, and nothing that decides anything.

mod ids;
mod packets;

use std::{
    any::Any,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use noq_proto::{
    ConnectError, ConnectionId, Side, TransportError, TransportErrorCode,
    crypto::{self, ExportKeyingMaterialError, KeyPair, Keys, UnsupportedVersion},
    transport_parameters::TransportParameters,
};

pub(crate) use self::ids::{NoTokens, ResetKey, first_id};
use self::packets::{key_set, packet_keys};
use crate::{
    core::{
        VERSION,
        gate_keys::GateKeys,
        handshake::{Frames, HandshakeError, Initiator, Parties, Responder, confirms, frame},
        schedule::{Directions, LinkSecrets},
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
}

impl crypto::ClientConfig for NoiseClient {
    fn start_session(
        &self,
        _version: u32,
        _server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn crypto::Session>, ConnectError> {
        let expectation = &self.expectation;
        let parties =
            Parties { local: &self.local, peer: &expectation.peer, psk: &expectation.psk, ephemeral: None };
        // Nothing a peer sent is involved yet, so that noq's nearest error does for a library failure.
        let (initiator, message) = Initiator::start(&parties, &encode(parameters))
            .map_err(|error| ConnectError::InvalidServerName(error.to_string()))?;
        Ok(Box::new(Session::new(Side::Client, Arc::clone(&self.keys), Step::Send { initiator, message })))
    }
}

/// Gives an endpoint the Initial keys of handshakes that the gate admitted; it starts none itself.
pub(crate) struct NoiseServer(pub(crate) Arc<Gate>);

impl crypto::ServerConfig for NoiseServer {
    fn initial_keys(&self, version: u32, id: ConnectionId) -> Result<Keys, UnsupportedVersion> {
        // noq ignores a packet without a word when this fails.
        let keys = self.0.keys(&id).filter(|_| version == VERSION).ok_or(UnsupportedVersion)?;
        Ok(key_set(&keys.initial(&id), Side::Server))
    }

    fn retry_tag(&self, _version: u32, _id: ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    /// Never called: every connection is accepted with an [`AdmittedServer`].
    fn start_session(&self, _version: u32, _parameters: &TransportParameters) -> Box<dyn crypto::Session> {
        let keys = Arc::new(GateKeys::new(&[0; 32].into()));
        Box::new(Session::new(Side::Server, keys, Step::Failed))
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
        Ok(key_set(&self.keys.initial(&id), Side::Server))
    }

    fn retry_tag(&self, _version: u32, _id: ConnectionId, _packet: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn start_session(&self, _version: u32, parameters: &TransportParameters) -> Box<dyn crypto::Session> {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let step = admitted.map_or(Step::Failed, |admitted| Step::Receive {
            admitted: Box::new(admitted),
            parameters: encode(parameters),
        });
        Box::new(Session::new(Side::Server, Arc::clone(&self.keys), step))
    }
}

/// One handshake, and afterwards the source of key updates.
struct Session {
    side: Side,
    keys: Arc<GateKeys>,
    step: Step,
    frames: Frames,
    peer_parameters: Option<TransportParameters>,
    secrets: Option<LinkSecrets>,
    /// The generation whose keys were handed out last.
    generation: Option<Directions>,
}

/// What comes next. A client goes Send, Sent, Derived, Confirming, Confirm, Done; a server Receive, Reply, Replied,
/// Confirmed, Done.
enum Step {
    Send {
        initiator: Initiator,
        message: Vec<u8>,
    },
    Sent(Initiator),
    /// Has the Handshake keys to hand over.
    Derived,
    /// Waits for the server's confirmation. Ours must not go out before (it would make the server drop its Handshake
    /// space while we still need a packet of it).
    Confirming,
    Confirm,
    Receive {
        admitted: Box<Admitted>,
        parameters: Vec<u8>,
    },
    Reply {
        responder: Responder,
        parameters: Vec<u8>,
    },
    Replied,
    /// Waits for the client's confirmation.
    Confirmed,
    Done,
    Failed,
}

impl Session {
    fn new(side: Side, keys: Arc<GateKeys>, step: Step) -> Self {
        let frames = Frames::default();
        Self { side, keys, step, frames, peer_parameters: None, secrets: None, generation: None }
    }

    fn read_message(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        self.step = match (std::mem::replace(&mut self.step, Step::Failed), &self.secrets) {
            (Step::Sent(initiator), None) => {
                let (parameters, secrets) = initiator.finish(message)?;
                self.peer_parameters = Some(decode(Side::Client, &parameters)?);
                self.secrets = Some(secrets);
                Step::Derived
            }
            (Step::Confirming, Some(secrets)) if confirms(&secrets.confirm.responder, message) => {
                Step::Confirm
            }
            (Step::Receive { admitted, parameters }, None) if admitted.message == message => {
                self.peer_parameters = Some(decode(Side::Server, &admitted.parameters)?);
                Step::Reply { responder: admitted.responder, parameters }
            }
            (Step::Confirmed, Some(secrets)) if confirms(&secrets.confirm.initiator, message) => Step::Done,
            _ => return Err(HandshakeError::Unauthentic),
        };
        Ok(())
    }
}

impl crypto::Session for Session {
    fn initial_keys(&self, id: ConnectionId, side: Side) -> Keys {
        key_set(&self.keys.initial(&id), side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Never: what 0-RTT carries could be replayed.
    fn early_crypto(&self) -> Option<(Box<dyn crypto::HeaderKey>, Box<dyn crypto::PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        // A client is done once it has read the server's confirmation, a server once it has read the client's.
        !matches!(self.step, Step::Confirm | Step::Done)
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.frames.push(bytes).map_err(refuse)?;
        while let Some(message) = self.frames.pop().map_err(refuse)? {
            self.read_message(&message).map_err(refuse)?;
        }
        Ok(false)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        Ok(self.peer_parameters)
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        let side = self.side;
        let (next, keys) = match (std::mem::replace(&mut self.step, Step::Failed), self.secrets.as_ref()) {
            (Step::Send { initiator, message }, _) => {
                out.extend_from_slice(&frame(&message));
                (Step::Sent(initiator), None)
            }
            (Step::Derived, Some(secrets)) => (Step::Confirming, Some(key_set(&secrets.handshake, side))),
            (Step::Confirm, Some(secrets)) => {
                out.extend_from_slice(&frame(secrets.confirm.initiator.as_bytes()));
                self.generation = Some(secrets.application.clone());
                (Step::Done, Some(key_set(&secrets.application, side)))
            }
            (Step::Reply { responder, parameters }, _) => match responder.reply(&parameters) {
                Ok((message, secrets)) => {
                    out.extend_from_slice(&frame(&message));
                    let keys = key_set(&secrets.handshake, side);
                    self.secrets = Some(secrets);
                    (Step::Replied, Some(keys))
                }
                // The trait has no word for it; without keys noq lets the handshake time out.
                Err(error) => {
                    tracing::debug!(%error, "a handshake came to nothing");
                    (Step::Failed, None)
                }
            },
            (Step::Replied, Some(secrets)) => {
                out.extend_from_slice(&frame(secrets.confirm.responder.as_bytes()));
                self.generation = Some(secrets.application.clone());
                (Step::Confirmed, Some(key_set(&secrets.application, side)))
            }
            (waiting, _) => (waiting, None),
        };
        self.step = next;
        keys
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn crypto::PacketKey>>> {
        let next = self.generation.as_ref()?.next();
        let pair = packet_keys(&next, self.side);
        self.generation = Some(next);
        Some(pair)
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
        let secrets = self.secrets.as_ref().ok_or(ExportKeyingMaterialError)?;
        let material = secrets.export(label);
        output.copy_from_slice(material.as_bytes().get(..output.len()).ok_or(ExportKeyingMaterialError)?);
        Ok(())
    }
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

fn decode(reader: Side, mut bytes: &[u8]) -> Result<TransportParameters, HandshakeError> {
    TransportParameters::read(reader, &mut bytes).map_err(|_| HandshakeError::Unauthentic)
}

/// An IPv4 address as such, where a socket for both families shows it mapped.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
