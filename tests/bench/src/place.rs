//! Where the two ends of a run are, and what is between them.

use std::net::{IpAddr, Ipv4Addr};

use crate::wire::Wire;

/// Two ends that can reach each other.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) server: Side,
    pub(crate) client: Side,
    /// What UDP passes through on its way; nothing else can.
    pub(crate) wire: Option<Wire>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// The address to bind.
    pub(crate) ip: IpAddr,
    /// The network namespace it lives in, if not in this process' own.
    pub(crate) namespace: Option<String>,
}

impl Place {
    /// Both on this machine, over the loopback interface.
    pub(crate) fn loopback() -> Self {
        let side = Side { ip: Ipv4Addr::LOCALHOST.into(), namespace: None };
        Self { server: side.clone(), client: side, wire: None }
    }

    /// The same, with a wire between them that carries UDP.
    pub(crate) fn loopback_by(wire: Wire) -> Self {
        Self { wire: Some(wire), ..Self::loopback() }
    }
}
