//! A mapping, as the gateway granted it.

use std::{
    net::{SocketAddr, SocketAddrV4},
    time::Duration,
};

use crate::{Protocol, address::is_public, error::Cause};

/// Longer leases are taken for this long: whatever a gateway says, it is asked again within a day (RFC 6887, section 15, has the same bound).
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A port of the gateway that leads to a port of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The address and UDP port that lead here from the Internet. The port is the gateway's choice: it need not be ours, and may change with a renewal.
    pub external: SocketAddr,
    /// How the gateway was asked.
    pub protocol: Protocol,
    /// For how long the gateway granted it, counted from the last renewal; at most a day. UPnP's gateways do not say: there it is what was asked for.
    pub lease: Duration,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) external: SocketAddrV4,
    pub(crate) lease: Duration,
}

/// Refuses what is no mapping from the Internet, whatever the gateway calls it.
pub(crate) fn checked(external: SocketAddrV4, lease: Duration) -> Result<Granted, Cause> {
    if !is_public(*external.ip()) {
        return Err(Cause::NotPublic((*external.ip()).into()));
    }
    if external.port() == 0 {
        return Err(Cause::Nonsense("port 0"));
    }
    if lease.is_zero() {
        return Err(Cause::Nonsense("a mapping that has already ended"));
    }
    Ok(Granted { external, lease: lease.min(LONGEST) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_mapping() {
        let hour = Duration::from_secs(3600);
        let check = |text: &str, lease| checked(text.parse().unwrap(), lease);
        assert!(check("11.0.0.2:40000", hour).is_ok());
        assert_eq!(check("192.168.0.4:40000", hour), Err(Cause::NotPublic([192, 168, 0, 4].into())));
        assert_eq!(check("0.0.0.0:40000", hour), Err(Cause::NotPublic([0, 0, 0, 0].into())));
        assert!(matches!(check("11.0.0.2:0", hour), Err(Cause::Nonsense(_))));
        assert!(matches!(check("11.0.0.2:40000", Duration::ZERO), Err(Cause::Nonsense(_))));
        assert_eq!(check("11.0.0.2:40000", hour * 10_000).unwrap().lease, LONGEST);
    }
}
