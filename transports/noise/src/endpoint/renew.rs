//! Looking for a better way to a peer that is linked with: over what the link has, both sides say where they are now, and meet again.

use tokio::sync::mpsc;
use wayside_path::{
    Candidate, Nat,
    traversal::{Role, guard::Surroundings},
};

use super::{Endpoint, Meet, Meeting};
use crate::{Expectation, Kem, Link, MeetEvent, Whom};

/// What both sides of a link have told each other over it, and what this one knows of itself.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// Which one of this link it is: never the same again, and alike on both sides, which draw the probes' secrets from it.
    pub number: u64,
    /// Where the peer may be reached by UDP.
    pub candidates: Vec<Candidate>,
    /// What the peer knows of the NAT in front of it.
    pub theirs: Nat,
    /// What there is around this machine.
    pub surroundings: Surroundings,
    /// The NAT in front of it.
    pub nat: Nat,
    /// Whether ports may be guessed at for this peer now.
    pub may_guess: bool,
}

/// What the probes' secrets are exported under, before the renewal's number.
const GATE: &[u8] = b"wayside renewal gate ";
const PSK: &[u8] = b"wayside renewal psk ";

impl Endpoint {
    /// Asks the peer of a link for answers wherever else it may be, and answers it, until the returned handle is dropped. Both sides call it at about the
    /// same time. The side that dialled the link then [learns](Link::learn) what is reached, and opens a path there.
    ///
    /// Must be called within a Tokio runtime.
    pub fn renew(&self, link: &Link, renewal: Renewal) -> (Meet, mpsc::Receiver<MeetEvent>) {
        let secret = |label: &[u8]| link.exporter(&[label, &renewal.number.to_be_bytes()].concat());
        let expectation = Expectation {
            session: link.session(),
            whom: Whom::Device(link.peer()),
            gate: secret(GATE),
            psk: secret(PSK),
            kem: Kem::None,
        };
        let role = if link.is_initiator() { Role::Dials } else { Role::Waits };
        self.meet(Meeting {
            expectation,
            role,
            candidates: renewal.candidates,
            others: Vec::new(),
            theirs: renewal.theirs,
            surroundings: renewal.surroundings,
            nat: renewal.nat,
            latency: link.rtt(),
            may_guess: renewal.may_guess,
        })
    }
}
