//! What a mapping is asked for with.

use std::{fmt, time::Duration};

use crate::Protocol;

/// What is asked for, and how. [`Options::new`] has the values that suit everybody.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How the gateway is asked, in this order; repetitions are passed over. With none, nothing is asked and nothing is sent.
    pub protocols: Vec<Protocol>,
    /// For how long a mapping is asked for: so long it outlives a crash. Gateways may grant less or more. Whole seconds, from 1 s to a day; what is
    /// outside is taken for the nearest. An hour unless set.
    pub lease: Duration,
    /// What PCP's gateway knows the mapping by: whoever knows it, and sends from this machine's address, may renew and delete the mapping (RFC 6887,
    /// section 11.2). With the same value as before a crash the mapping from then is taken over; with another one a gateway may refuse until its lease
    /// has ended. Drawn at random unless set; 12 bytes that nobody can guess.
    pub pcp_nonce: Option<[u8; 12]>,
}

impl Options {
    /// By these protocols, an hour at a time.
    pub fn new(protocols: &[Protocol]) -> Self {
        Self { protocols: protocols.to_vec(), lease: Duration::from_secs(60 * 60), pcp_nonce: None }
    }

    /// The protocols, each once.
    pub(crate) fn order(&self) -> Vec<Protocol> {
        let mut order = Vec::with_capacity(Protocol::ALL.len());
        for protocol in &self.protocols {
            if !order.contains(protocol) {
                order.push(*protocol);
            }
        }
        order
    }

    /// The lease, within its bounds.
    pub(crate) fn bounded_lease(&self) -> Duration {
        Duration::from_secs(self.lease.as_secs().clamp(1, 24 * 60 * 60))
    }
}

/// Says whether there is a nonce, not which.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("protocols", &self.protocols)
            .field("lease", &self.lease)
            .field("pcp_nonce", &self.pcp_nonce.map(|_| "…"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_is_not_shown() {
        let options = Options { pcp_nonce: Some([77; 12]), ..Options::new(&Protocol::ALL) };
        assert!(!format!("{options:?}").contains("77"));
    }

    #[test]
    fn nonsense_is_straightened() {
        let mut options = Options::new(&[Protocol::Upnp, Protocol::Pcp, Protocol::Upnp]);
        assert_eq!(options.order(), [Protocol::Upnp, Protocol::Pcp]);
        options.lease = Duration::ZERO;
        assert_eq!(options.bounded_lease(), Duration::from_secs(1));
        options.lease = Duration::MAX;
        assert_eq!(options.bounded_lease(), Duration::from_secs(86_400));
    }
}
