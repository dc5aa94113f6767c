//! What theory says of each pair of kinds.

use serde::{Deserialize, Serialize};

use super::kind::{Filtering, Kind, Mapping, Traits};

/// How two can meet with no server but a friend who says what addresses it sees, and nobody who relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// By asking addresses that are known.
    Asking,
    /// By predicting which port the one router opens next.
    Prediction,
    /// By asking random ports of one router, where the other side holds many open.
    Birthday,
    /// Over TCP, to the one of the two that listens.
    Tcp,
    /// Not at all.
    Never,
}

impl Way {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Prediction => "prediction",
            Self::Birthday => "birthday",
            Self::Tcp => "tcp",
            Self::Never => "never",
        }
    }
}

/// The best way there is. Both sides send, so who begins makes no difference.
pub(crate) fn way(one: Kind, other: Kind) -> Way {
    let v6 = one.v6().zip(other.v6()).map_or(Way::Never, |(one, other)| udp(one, other));
    let v4 = traits_v4(one).zip(traits_v4(other)).map_or(Way::Never, |(one, other)| udp(one, other));
    v6.min(v4).min(tcp(one, other).min(tcp(other, one)))
}

/// A port that is mapped takes everybody's packets.
fn traits_v4(kind: Kind) -> Option<Traits> {
    match kind {
        Kind::Upnp => Some(Traits { mapping: Mapping::Independent, filtering: Filtering::Independent }),
        kind => kind.v4(),
    }
}

fn udp(one: Traits, other: Traits) -> Way {
    match (unpredictable(one), unpredictable(other)) {
        (None, None) => Way::Asking,
        (Some(way), None) => against(way, other),
        (None, Some(way)) => against(way, one),
        // Who lets everybody in can be asked from anywhere; that neither of these does.
        (Some(_), Some(_)) => Way::Never,
    }
}

/// How a port that the peer cannot know is found, if it has to be.
const fn unpredictable(traits: Traits) -> Option<Way> {
    match traits.mapping {
        Mapping::None | Mapping::Independent => None,
        Mapping::Sequential => Some(Way::Prediction),
        Mapping::Random => Some(Way::Birthday),
    }
}

const fn against(way: Way, other: Traits) -> Way {
    match other.filtering {
        Filtering::Independent | Filtering::Address => Way::Asking,
        Filtering::AddressAndPort => way,
    }
}

/// The public ones listen on a TCP port that is let out everywhere.
fn tcp(from: Kind, to: Kind) -> Way {
    if to == Kind::Public && from.has_v4() { Way::Tcp } else { Way::Never }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_no_difference_who_is_who() {
        for one in Kind::ALL {
            for other in Kind::ALL {
                assert_eq!(way(one, other), way(other, one), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn pairs_that_are_known_from_elsewhere() {
        use Kind as K;
        for (one, other, expected) in [
            (K::Public, K::SymmetricRandom, Way::Asking),
            (K::Restricted, K::SymmetricRandom, Way::Asking),
            (K::PortRestricted, K::PortRestricted, Way::Asking),
            (K::PortRestricted, K::SymmetricSequential, Way::Prediction),
            (K::Cgnat, K::SymmetricRandom, Way::Birthday),
            (K::SymmetricRandom, K::SymmetricSequential, Way::Never),
            (K::UdpBlocked, K::Public, Way::Tcp),
            (K::UdpBlocked, K::FullCone, Way::Never),
            (K::Ipv6Only, K::DualStack, Way::Asking),
            (K::Ipv6Only, K::FullCone, Way::Never),
        ] {
            assert_eq!(way(one, other), expected, "{one:?} {other:?}");
        }
    }
}
