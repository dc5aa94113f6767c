//! What goes wrong here.

use std::io;

use wayside_bridge::{BridgeError, ErrorKind};

/// An error of this bridge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MdnsError {
    #[error("--interface: `{0}` is no name of a network interface; `ip link` lists them")]
    InterfaceName(String),
    #[error(
        "port 5353 of this machine is taken by a program that does not share it; stop that program, or have it share the port (SO_REUSEADDR)"
    )]
    PortTaken(#[source] io::Error),
    #[error("multicast DNS does not work on any network interface of this machine: {0}")]
    NoSocket(#[source] io::Error),
    #[error(
        "{0} records of ours are on the network already, which is the most; try again when some of them are over"
    )]
    Full(usize),
    #[error("neither a record of a meeting nor a card: it is not put on the network")]
    NotCarried,
    #[error("what is on the network cannot be written down in the bridge's own folder: {0}")]
    Folder(#[source] io::Error),
    #[error("the bridge is closed")]
    Closed,
}

impl MdnsError {
    /// What no socket could be opened for.
    pub(crate) fn no_socket(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken(error),
            _ => Self::NoSocket(error),
        }
    }
}

impl From<MdnsError> for BridgeError {
    fn from(error: MdnsError) -> Self {
        let kind = match &error {
            MdnsError::InterfaceName(_) => ErrorKind::Configuration,
            MdnsError::PortTaken(_) | MdnsError::NoSocket(_) | MdnsError::Closed => ErrorKind::Unreachable,
            MdnsError::Full(_) => ErrorKind::Full,
            MdnsError::NotCarried => ErrorKind::Refused,
            MdnsError::Folder(_) => ErrorKind::Internal,
        };
        BridgeError::new(kind, error.to_string()).with_source(error)
    }
}
