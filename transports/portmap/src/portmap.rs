//! What a program holds while it wants a port mapped.

use std::{fmt, net::SocketAddr, num::NonZeroU16, sync::Arc};

use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    Error, Mapping, Options, Protocol,
    asker::Asker,
    gateway::Gateway,
    keeper::{Gateways, Keeper},
};

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// No protocol is switched on: nothing was sent, and nothing will be.
    Off,
    /// The gateway is being asked for the first time.
    Asking,
    /// There is a mapping, and it is kept up.
    Mapped(Mapping),
    /// There is none, and why; the gateway will be asked again.
    Failed(Error),
    /// It was closed.
    Closed,
}

impl Status {
    /// The address that leads here from the Internet, if there is one.
    pub fn external(&self) -> Option<SocketAddr> {
        match self {
            Self::Mapped(mapping) => Some(mapping.external),
            Self::Off | Self::Asking | Self::Failed(_) | Self::Closed => None,
        }
    }
}

/// Keeps one UDP port of this machine mapped at its gateway.
///
/// Dropping it asks for removal without waiting; see [`close`](Self::close).
pub struct PortMap {
    status: watch::Receiver<Status>,
    stirred: Arc<Notify>,
    /// Dropped, it stops the task as well.
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<(), Error>>>,
}

impl PortMap {
    /// Asks for a mapping of the UDP port `local_port` by `protocols`, in this order, and keeps it. With no protocol it does nothing at all.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, if there is a protocol.
    pub fn start(local_port: NonZeroU16, protocols: &[Protocol]) -> Self {
        Self::start_with(local_port, Options::new(protocols))
    }

    /// As [`start`](Self::start), with everything that can be set.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, if there is a protocol.
    pub fn start_with(local_port: NonZeroU16, options: Options) -> Self {
        Self::start_at(Box::new(Gateway::of_default_route), local_port, options)
    }

    /// At these gateways.
    pub(crate) fn start_at(gateways: Gateways, local_port: NonZeroU16, options: Options) -> Self {
        let protocols = options.order();
        let stirred = Arc::new(Notify::new());
        if protocols.is_empty() {
            let (_, status) = watch::channel(Status::Off);
            return Self { status, stirred, stop: None, task: None };
        }
        let nonce = options.pcp_nonce.unwrap_or_else(|| {
            let mut nonce = [0; 12];
            // Without the system's randomness it is zeros: then any program on this machine may delete the mapping.
            let _ = getrandom::fill(&mut nonce);
            nonce
        });
        let (sender, status) = watch::channel(Status::Asking);
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper {
            asker: Asker::new(local_port.get(), protocols, options.bounded_lease(), nonce),
            gateways,
            status: sender,
            stirred: stirred.clone(),
        };
        let task = tokio::spawn(keeper.run(stopped));
        Self { status, stirred, stop: Some(stop), task: Some(task) }
    }

    /// The address that leads here from the Internet, if there is one now.
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.status.borrow().external()
    }

    /// How things stand now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Hears of every change. After [`Status::Closed`], and after [`Status::Off`], nothing more comes.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// This machine's addresses or routes have changed: the gateway is looked up and asked anew, if it was not asked in the last 5 s, and else then.
    pub fn network_changed(&self) {
        self.stirred.notify_one();
    }

    /// Asks the gateway to remove the mapping, and waits for it to confirm that, at most 4 s. Without a mapping it returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::NotRemoved`] or [`Error::RemovalTimedOut`]: nobody confirmed it. The mapping ends by itself with its lease.
    ///
    /// Cancelling it changes nothing for the gateway: removal goes on, and nobody waits.
    pub async fn close(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        match self.task.take() {
            // The task is ours alone: where it was torn down, the runtime is ending.
            Some(task) => task.await.unwrap_or(Err(Error::RemovalTimedOut)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for PortMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortMap").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
