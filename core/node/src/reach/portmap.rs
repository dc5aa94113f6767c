//! A port at the user's own router, where the user named a way to ask for it.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Reach;
use crate::api::types::ApiError;
#[cfg(not(feature = "portmap"))]
use crate::api::types::ErrorCode;
use crate::home::{Listen, Portmap};

/// How asking the router for a port stands.
#[cfg_attr(not(feature = "portmap"), allow(dead_code, reason = "without port mapping it is off"))]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PortMapping {
    /// Nobody asked for it: nothing is sent.
    #[default]
    Off,
    /// The router was asked and has not answered yet.
    Asking,
    /// What comes to this address is let in to us.
    Mapped {
        /// The router's outer address, and its port for us.
        external: SocketAddr,
        /// How it was asked: `PCP`, `NAT-PMP`, `UPnP`.
        by: String,
    },
    /// It does not, and why; it is asked again.
    Failed(String),
}

impl PortMapping {
    /// Where others reach us through it.
    pub(super) fn external(&self) -> Option<SocketAddr> {
        match self {
            Self::Mapped { external, .. } => Some(*external),
            Self::Off | Self::Asking | Self::Failed(_) => None,
        }
    }
}

/// Which of our ports a router would have to know: that of the first IPv4 socket that others than this machine reach.
pub(crate) fn port_of(listen: &Listen) -> Option<NonZeroU16> {
    let v4 = listen.udp.iter().find(|address| address.is_ipv4() && !address.ip().is_loopback())?;
    NonZeroU16::new(v4.port())
}

/// Begins to ask for this port in these ways, until `stop` says so, which takes it back. Without any way it does nothing.
///
/// # Errors
/// This build cannot.
pub(crate) fn start(
    reach: &Reach,
    port: Option<NonZeroU16>,
    ways: &[Portmap],
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), ApiError> {
    let Some(port) = port.filter(|_| !ways.is_empty()) else { return Ok(()) };
    #[cfg(feature = "portmap")]
    {
        tasks.spawn(keeping::keep(reach.clone(), port, ways.to_vec(), stop.clone()));
        Ok(())
    }
    #[cfg(not(feature = "portmap"))]
    {
        let _ = (reach, port, tasks, stop);
        Err(ApiError::new(ErrorCode::Usage, "network.portmap: this wayside was built without port mapping"))
    }
}

#[cfg(feature = "portmap")]
mod keeping {
    use std::num::NonZeroU16;

    use tokio_util::sync::CancellationToken;
    use wayside_portmap::{PortMap, Protocol, Status};

    use super::{PortMapping, Reach};
    use crate::home::Portmap;

    /// Keeps the UDP port mapped until `stop` says so, and then has it removed.
    pub(super) async fn keep(reach: Reach, port: NonZeroU16, ways: Vec<Portmap>, stop: CancellationToken) {
        let ways: Vec<Protocol> = ways.into_iter().map(protocol).collect();
        let mut moved = reach.moved();
        let port_map = PortMap::start(port, &ways);
        let mut status = port_map.watch();
        loop {
            reach.maps(mapping(&status.borrow_and_update()));
            tokio::select! {
                () = stop.cancelled() => break,
                Ok(()) = moved.changed() => port_map.network_changed(),
                changed = status.changed() => if changed.is_err() { break },
            }
        }
        if let Err(error) = port_map.close().await {
            tracing::warn!(%error, "the router may still let others in");
        }
    }

    fn mapping(status: &Status) -> PortMapping {
        match status {
            Status::Asking => PortMapping::Asking,
            Status::Mapped(mapping) => {
                PortMapping::Mapped { external: mapping.external, by: mapping.protocol.to_string() }
            }
            Status::Failed(error) => PortMapping::Failed(error.to_string()),
            // Off, closed, and what a later version may add.
            _ => PortMapping::Off,
        }
    }

    fn protocol(way: Portmap) -> Protocol {
        match way {
            Portmap::Pcp => Protocol::Pcp,
            Portmap::NatPmp => Protocol::NatPmp,
            Portmap::Upnp => Protocol::Upnp,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_a_port_that_others_reach_is_asked_for() {
        let port = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            port_of(&Listen::parse(&urls).unwrap()).map(NonZeroU16::get)
        };
        assert_eq!(port(&["udp://[::]:1", "udp://127.0.0.1:2", "udp://0.0.0.0:3"]), Some(3));
        assert_eq!(port(&["udp://127.0.0.1:2", "tcp://0.0.0.0:3"]), None);
        assert_eq!(port(&["udp://0.0.0.0:0"]), None);
    }
}
