//! Being a relay for friends, and having circuits through friends who are.

use std::{fmt, sync::Arc};

use tokio::{sync::mpsc, task::AbortHandle};
use wayside_relay::{
    CircuitId, Count, Ended, Keys, Limits, Opened, Owner, Reason, Refusal, Switch, Tag, Usage,
};

use super::Endpoint;
use crate::{
    Link,
    socket::{
        Shared,
        circuits::Circuit,
        forward::{RelayEvent, Relaying},
    },
};

/// Events that wait to be read by whoever listens; further ones wait behind them.
const EVENTS: usize = 64;

/// Forwards datagrams between links of one endpoint, until it is dropped.
///
/// Who may ask for circuits, and how that is asked, is not its business.
pub struct Relay {
    shared: Arc<Shared>,
    number: u64,
    task: AbortHandle,
}

impl Endpoint {
    /// Forwards frames between links that have [circuits](Relay::open) from now on, within these limits; `usage` is what was forwarded in this month so far. One at a time: another one takes
    /// this one's place, and its circuits are gone.
    ///
    /// Must be called within a Tokio runtime.
    pub fn relay(&self, limits: Limits, usage: Usage) -> (Relay, mpsc::Receiver<RelayEvent>) {
        let (events, happened) = mpsc::channel(EVENTS);
        let number = self.shared.forwarder.begin(|seed| Switch::new(limits, usage, seed));
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.forwarder.run(&shared, number, &events).await });
        let relay = Relay { shared: Arc::clone(&self.shared), number, task: task.abort_handle() };
        (relay, happened)
    }

    /// Our end of a circuit through a relay, by what the relay told over this link. Frames go the way that the link takes at the moment, and the circuit ends with it. While the
    /// link is itself carried by a relay it carries nothing.
    pub fn circuit(&self, over: &Link, circuit: CircuitId, keys: Keys) -> Circuit {
        self.shared.circuit(over.number(), over.way(), circuit, keys)
    }
}

impl Relay {
    /// A circuit for whoever is at the other end of this link, on account of `owner`. It is joined with the one that another link asks, or has asked, for by the same tag: then
    /// [`RelayEvent::Joined`] tells the one that had to wait.
    ///
    /// # Errors
    /// Where a limit says no, or the link has ended, or this is not the endpoint's relay any more.
    pub fn open(&self, link: &Link, owner: Owner, tag: Tag) -> Result<Opened<u64>, Refusal> {
        let (number, way) = (link.number(), link.way());
        let ending = Refusal { reason: Reason::Ending, retry: None };
        let opened = self.shared.forwarder.with(self.number, |relaying, now| {
            let opened = relaying.switch.open(now, owner, number, tag)?;
            relaying.opened(number, Arc::clone(&way), opened.circuit);
            if let Some((link, circuit)) = opened.joined {
                relaying.tell(RelayEvent::Joined { link, circuit });
            }
            Ok(opened)
        });
        let opened = opened.unwrap_or(Err(ending));
        if way.address().is_none() {
            // It may have ended before anybody knew that it had circuits.
            self.shared.forwarder.leave(number);
            return Err(ending);
        }
        opened
    }

    /// Whoever is at the other end of this link needs a circuit no more; the other end of that is told.
    pub fn close(&self, link: &Link, circuit: CircuitId) {
        self.with(|relaying| {
            if let Some(other) = relaying.switch.close(link.number(), circuit) {
                relaying.left(other);
            }
            relaying.closed(link.number(), circuit);
        });
    }

    /// Holds to other limits from now on. Circuits that are too many for them end.
    pub fn set_limits(&self, limits: Limits) {
        self.end(|relaying, now| relaying.switch.set_limits(now, limits));
    }

    /// Ends what is forwarded on account of this owner.
    pub fn revoke(&self, owner: Owner) {
        self.end(|relaying, _| relaying.switch.revoke(owner));
    }

    /// What was forwarded in this month, to be kept over a restart.
    pub fn usage(&self) -> Usage {
        let usage =
            self.shared.forwarder.with(self.number, |relaying, now| relaying.switch.usage(now).clone());
        usage.unwrap_or_default()
    }

    /// How many circuits there are now, and whose.
    pub fn circuits(&self) -> Count {
        self.with(|relaying| relaying.switch.circuits()).unwrap_or_default()
    }

    /// How many bytes of frames were dropped since it began, since too much waited for its turn.
    pub fn lost(&self) -> u64 {
        self.with(|relaying| relaying.switch.lost()).unwrap_or_default()
    }

    fn end(&self, act: impl FnOnce(&mut Relaying, wayside_relay::Now) -> Vec<Ended<u64>>) {
        self.shared.forwarder.with(self.number, |relaying, now| {
            for ended in act(relaying, now) {
                relaying.over(ended);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Relaying) -> T) -> Option<T> {
        self.shared.forwarder.with(self.number, |relaying, _| act(relaying))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.forwarder.end(self.number);
        self.task.abort();
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("number", &self.number).finish_non_exhaustive()
    }
}
