//! How a NAT treats UDP over IPv4, in the words of RFC 4787.

use std::time::Duration;

/// What is known of the address translation in front of a machine. All layers of it together: towards the internet two NATs behave as the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// Which external ports it gives.
    pub mapping: Mapping,
    /// Whom it lets in.
    pub filtering: Filtering,
    /// How long a mapping stays without traffic, where that was measured.
    pub lifetime: Option<Duration>,
}

impl From<Mapping> for Nat {
    /// One of which nothing else is known.
    fn from(mapping: Mapping) -> Self {
        Self { mapping, ..Self::default() }
    }
}

/// Which external port packets of one socket get (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Nobody has measured it.
    #[default]
    Unknown,
    /// There is none: the machine has its public address itself.
    None,
    /// The same one towards everybody.
    Independent,
    /// Another one towards each destination, one after the other.
    Sequential {
        /// The one that was given last, as far as is known.
        last: u16,
        /// From one to the next.
        step: i16,
    },
    /// Another one towards each destination, and nobody can tell which.
    Random,
}

impl Mapping {
    /// Whether who knows the address that one friend sees knows the one that the peer will see. What is not known is taken for such: most are.
    pub fn is_predictable(self) -> bool {
        matches!(self, Self::Unknown | Self::None | Self::Independent)
    }
}

/// Whose packets a mapping lets in (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// Nobody has measured it.
    #[default]
    Unknown,
    /// Everybody's.
    EndpointIndependent,
    /// Those from addresses that something was sent to.
    AddressDependent,
    /// Those from addresses and ports that something was sent to.
    AddressAndPortDependent,
}
