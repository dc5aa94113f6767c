//! A bridge over TXT records in a DNS zone.

mod kind;

pub use kind::DnsKind;

/// The name of this kind.
const KIND: &str = "dns";
