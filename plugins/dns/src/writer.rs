//! Who writes into the zone.

use wayside_bridge::{Key, Record, Timestamp};

use crate::desec::Desec;
use crate::error::DnsError;
use crate::hook::Hook;
use crate::primary::Primary;

/// A way into the zone.
pub(crate) enum Writer {
    /// Signed updates.
    Primary(Box<Primary>),
    /// A provider's HTTP API.
    Desec(Box<Desec>),
    /// A program.
    Hook(Hook),
}

impl Writer {
    /// Leaves a record; in place of others under its key, or beside them. Only a primary server can have several write beside each other.
    pub(crate) async fn publish(&self, record: &Record, replaces: bool) -> Result<(), DnsError> {
        match self {
            Self::Primary(primary) => primary.publish(record, replaces).await,
            Self::Desec(desec) => desec.publish(record).await,
            Self::Hook(hook) => hook.publish(record).await,
        }
    }

    /// Takes records away, and nothing else.
    pub(crate) async fn remove(&self, records: &[Record]) -> Result<(), DnsError> {
        match self {
            Self::Primary(primary) => primary.remove(records).await,
            Self::Desec(desec) => desec.remove(records).await,
            Self::Hook(hook) => hook.remove(records).await,
        }
    }

    /// Whether it lets us, where that can be asked without writing; and its time.
    pub(crate) async fn probe(&self) -> Result<Option<Timestamp>, DnsError> {
        match self {
            Self::Primary(primary) => primary.probe().await,
            Self::Desec(desec) => desec.probe().await.map(|()| None),
            Self::Hook(_) => Ok(None),
        }
    }

    /// Something was seen there past its end.
    pub(crate) fn saw_stale(&self, key: &Key, text: Vec<u8>) {
        if let Self::Primary(primary) = self {
            primary.saw_stale(key, text);
        }
    }

    /// What a person should know of it.
    pub(crate) fn note(&self) -> Option<String> {
        let note = match self {
            Self::Primary(primary) if primary.server.key.exposed => {
                "others on this machine may read the key's file: chmod 600 it"
            }
            Self::Desec(desec) if desec.is_exposed() => {
                "others on this machine may read the token file: chmod 600 it"
            }
            Self::Desec(_) => {
                "deSEC has caches keep answers for an hour: friends find you soon where their bridge has --direct yes"
            }
            Self::Hook(_) => "whether the hook works shows when something is published",
            Self::Primary(_) => return None,
        };
        Some(note.to_owned())
    }
}
