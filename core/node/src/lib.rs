//! The tokio driver that joins the protocol, the bridges and the transports.

pub mod api;
