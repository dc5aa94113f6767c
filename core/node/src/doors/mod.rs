//! Guests' doors: how somebody who is no friend of a host, and not known to it by name, leaves something for a friend of the host's.
//!
//! A host has one door for each friend who has a mailbox here, with keys of its own ([`HostEntry`]), which that friend names in its card.

use std::collections::BTreeSet;
use std::ops::Deref;

use async_trait::async_trait;
use tokio::time::Instant;
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::wire::HostEntry;

use crate::driver::Driver;

/// Something that is spoken with guests of a friend's door.
#[async_trait]
pub(crate) trait DoorProtocol: Send + Sync + std::fmt::Debug {
    /// Somebody came in by the door of this friend and opened a stream. It ends when this returns.
    async fn accept(&self, owner: AccountId, link: Link, stream: Stream);
}

/// A link to a host as a guest. It is kept as long as anybody has this, and a little longer.
#[derive(Clone, Debug)]
pub(crate) struct HostLink {
    link: Link,
}

impl Deref for HostLink {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Driver {
    /// These friends have a door here, and no others: who had one and has none any more is let in no longer.
    pub(crate) async fn set_doors(&self, owners: BTreeSet<AccountId>) {
        let _ = owners;
        unimplemented!()
    }

    /// What it takes to come in by a friend's door, as it is now; the name in it is empty. `None`: there is no such door.
    pub(crate) async fn door(&self, owner: AccountId) -> Option<HostEntry> {
        let _ = owner;
        unimplemented!()
    }

    /// A link with a host as a guest: straight to where it may be, and over the bridges in common, until then. It may take as long as until both are up at the same time.
    pub(crate) async fn host_link(&self, host: &HostEntry, until: Instant) -> Option<HostLink> {
        let _ = (host, until);
        unimplemented!()
    }
}
