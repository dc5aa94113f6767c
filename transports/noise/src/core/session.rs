//! A handshake as a QUIC library drives it: CRYPTO bytes in, CRYPTO bytes and keys out. Knows of no library.

use std::sync::Arc;

use super::{
    cipher::PacketCipher,
    frames::{Frames, frame},
    gate_keys::GateKeys,
    handshake::{HandshakeError, Initiator, Parties, Peer, Responder, confirms},
    packet::{Both, LevelKeys, PacketKey, Role, packet_keys},
    schedule::{Directions, LinkSecrets, export},
};

use crate::secret::Secret32;

/// One handshake, and afterwards the source of key updates.
pub(crate) struct Session {
    role: Role,
    gate: Arc<GateKeys>,
    step: Step,
    frames: Frames,
    peer: Option<Peer>,
    peer_parameters: Option<Vec<u8>>,
    /// Until the handshake is done: what it is done with is erased then.
    secrets: Option<LinkSecrets>,
    /// From when the 1-RTT keys are there.
    established: Option<Established>,
}

/// What a link keeps for its whole life. The secrets of earlier generations are not among it: who takes the memory of a
/// link does not get what was said before the last key update.
struct Established {
    cipher: PacketCipher,
    exporter: Secret32,
    /// The generation whose keys were handed out last.
    generation: Directions,
}

/// What comes next. An initiator goes Send, Sent, Derived, Confirming, Confirm, Done; a responder Receive, Reply,
/// Replied, Confirmed, Done.
enum Step {
    Send {
        initiator: Initiator,
        message: Vec<u8>,
    },
    Sent(Initiator),
    /// Has the Handshake keys to hand over.
    Derived,
    /// Waits for the responder's confirmation. Ours must not go out before (it would make the responder drop its
    /// Handshake space while we still need a packet of it).
    Confirming,
    Confirm,
    Receive {
        responder: Responder,
        parameters: Vec<u8>,
    },
    Reply {
        responder: Responder,
        parameters: Vec<u8>,
    },
    Replied,
    /// Waits for the initiator's confirmation.
    Confirmed,
    Done,
    Failed,
}

impl Session {
    /// An initiator's, around its own transport parameters.
    pub(crate) fn initiate(
        gate: Arc<GateKeys>,
        parties: &Parties<'_>,
        parameters: &[u8],
    ) -> Result<Self, HandshakeError> {
        let (initiator, message) = Initiator::start(parties, parameters)?;
        let peer = Some(initiator.peer());
        Ok(Self::new(
            Role::Initiator,
            gate,
            parties.suite.max_message(),
            peer,
            Step::Send { initiator, message },
        ))
    }

    /// A responder's, which has verified message 1 already, around its own transport parameters. Without a responder
    /// it comes to nothing.
    pub(crate) fn respond(gate: Arc<GateKeys>, responder: Option<Responder>, parameters: Vec<u8>) -> Self {
        let peer = responder.as_ref().map(Responder::peer);
        let limit = responder.as_ref().map_or(0, |responder| responder.suite().max_message());
        let step = responder.map_or(Step::Failed, |responder| Step::Receive { responder, parameters });
        Self::new(Role::Responder, gate, limit, peer, step)
    }

    fn new(role: Role, gate: Arc<GateKeys>, limit: usize, peer: Option<Peer>, step: Step) -> Self {
        let frames = Frames::new(limit);
        Self { role, gate, step, frames, peer, peer_parameters: None, secrets: None, established: None }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// The keys of Initial packets under a first destination id.
    pub(crate) fn initial_keys(&self, id: &[u8], role: Role) -> LevelKeys {
        self.gate.initial_keys(id, role)
    }

    /// Reads CRYPTO bytes in order, in any chunks.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        if matches!(self.step, Step::Done) {
            // Nothing follows the handshake.
            return Err(HandshakeError::Unauthentic);
        }
        self.frames.push(bytes)?;
        while let Some(message) = self.frames.pop()? {
            self.read_message(&message)?;
        }
        Ok(())
    }

    fn read_message(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        self.step = match (std::mem::replace(&mut self.step, Step::Failed), &self.secrets) {
            (Step::Sent(initiator), None) => {
                let (parameters, secrets) = initiator.finish(message)?;
                self.peer_parameters = Some(parameters);
                self.secrets = Some(secrets);
                Step::Derived
            }
            (Step::Confirming, Some(secrets)) if confirms(&secrets.confirm.responder, message) => {
                Step::Confirm
            }
            (Step::Receive { responder, parameters }, None) if responder.message() == message => {
                self.peer_parameters = Some(responder.parameters().to_vec());
                Step::Reply { responder, parameters }
            }
            (Step::Confirmed, Some(secrets)) if confirms(&secrets.confirm.initiator, message) => {
                self.secrets = None;
                Step::Done
            }
            _ => return Err(HandshakeError::Unauthentic),
        };
        Ok(())
    }

    /// Writes what is due at the current encryption level, and returns the keys of the next one once it is complete.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) -> Result<Option<LevelKeys>, HandshakeError> {
        let role = self.role;
        let keys = |secrets: &LinkSecrets, of: &Directions| Some(LevelKeys::new(secrets.cipher, of, role));
        let (next, keys) = match (std::mem::replace(&mut self.step, Step::Failed), self.secrets.as_ref()) {
            (Step::Send { initiator, message }, _) => {
                out.extend_from_slice(&frame(&message));
                (Step::Sent(initiator), None)
            }
            (Step::Derived, Some(secrets)) => (Step::Confirming, keys(secrets, &secrets.handshake)),
            (Step::Confirm, Some(secrets)) => {
                out.extend_from_slice(&frame(secrets.confirm.initiator.as_bytes()));
                let keys = keys(secrets, &secrets.application);
                self.established = Some(Established::new(secrets));
                self.secrets = None;
                (Step::Done, keys)
            }
            (Step::Reply { responder, parameters }, _) => {
                let (message, secrets) = responder.reply(&parameters)?;
                out.extend_from_slice(&frame(&message));
                let keys = keys(&secrets, &secrets.handshake);
                self.secrets = Some(secrets);
                (Step::Replied, keys)
            }
            (Step::Replied, Some(secrets)) => {
                out.extend_from_slice(&frame(secrets.confirm.responder.as_bytes()));
                self.established = Some(Established::new(secrets));
                (Step::Confirmed, keys(secrets, &secrets.application))
            }
            (waiting, _) => (waiting, None),
        };
        self.step = next;
        Ok(keys)
    }

    /// An initiator is done once it has read the responder's confirmation, a responder once it has read the
    /// initiator's.
    pub(crate) fn is_handshaking(&self) -> bool {
        !matches!(self.step, Step::Confirm | Step::Done)
    }

    /// Who is at the other end; certain only once the handshake is done.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// The peer's transport parameters, once they have verified.
    pub(crate) fn peer_parameters(&self) -> Option<&[u8]> {
        self.peer_parameters.as_deref()
    }

    /// The packet keys of the next generation.
    pub(crate) fn next_keys(&mut self) -> Option<Both<PacketKey>> {
        let established = self.established.as_mut()?;
        established.generation = established.generation.next();
        Some(packet_keys(established.cipher, &established.generation, self.role))
    }

    /// Fills `output`, at most 32 bytes, with keying material for another protocol; `None` before the link's keys are
    /// there.
    pub(crate) fn export(&self, label: &[u8], output: &mut [u8]) -> Option<()> {
        let material = export(&self.established.as_ref()?.exporter, label);
        output.copy_from_slice(material.as_bytes().get(..output.len())?);
        Some(())
    }
}

impl Established {
    fn new(secrets: &LinkSecrets) -> Self {
        let (exporter, generation) = (secrets.exporter.clone(), secrets.application.clone());
        Self { cipher: secrets.cipher, exporter, generation }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
