//! By what guests come in, at the endpoint of the host and at their own.

use wayside_noise::{Expectation, Kem, SessionId, Whom};
use wayside_proto::crypto::Secret;

/// How a link is expected, or dialled, whose first packet is recognised by `gate` and opened by `psk`.
pub(crate) fn nameless(session: SessionId, whom: Whom, gate: &Secret, psk: &Secret) -> Expectation {
    let (gate, psk) = ((*gate.expose()).into(), (*psk.expose()).into());
    Expectation { session, whom, gate, psk, kem: Kem::None }
}

/// What the names begin with that links have here which came in by one of these entrances, without a meeting. Sessions of the engine's are named at random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrances(pub(crate) [u8; 8]);

impl Entrances {
    /// The name of links by the entrance with this number.
    pub(crate) fn session(self, number: u64) -> SessionId {
        let name = u128::from(u64::from_be_bytes(self.0)) << 64 | u128::from(number);
        SessionId(name.to_be_bytes())
    }

    /// Whether a link came in by one of them, whichever that is or was.
    pub(crate) fn are_of(self, session: SessionId) -> bool {
        session.0.starts_with(&self.0)
    }
}

/// Secrets as if they were drawn, one after the other.
#[cfg(test)]
pub(crate) fn draw() -> impl FnMut() -> Secret {
    let mut drawn = 0;
    move || {
        drawn += 1;
        Secret::new([drawn; 32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entrances_are_told_apart_by_the_names_of_their_links() {
        let (doors, gates) = (Entrances(*b"door    "), Entrances(*b"guests 1"));
        assert_eq!(&doors.session(258).0, b"door    \0\0\0\0\0\0\x01\x02");
        assert!(doors.are_of(doors.session(u64::MAX)) && !doors.are_of(gates.session(0)));
        assert!(!doors.are_of(SessionId([7; 16])));
    }
}
