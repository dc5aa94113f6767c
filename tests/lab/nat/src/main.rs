//! Nodes of wayside behind real NATs of every kind, in network namespaces of one Linux machine. `docs/NAT.md` has what comes of it.
//!
//! Needs root, iproute2, nftables and conntrack, and miniupnpd for one kind. It makes its networks itself and takes them away again;
//! nothing in them reaches the outside.
#![allow(
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect has failed; of JSON, what is missing is null"
)]

#[cfg(target_os = "linux")]
mod lab;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    lab::main()
}

/// Network namespaces are Linux's.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
