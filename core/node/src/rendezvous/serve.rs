//! Listening, and what goes on beside answering.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::host::Host;
use super::{disk, http, stun};
use crate::api::types::{ApiError, ErrorCode, RendezvousView};
use crate::clock::{NodeClock, SystemEntropy};
use crate::home::{self, HomeError};
use crate::store::Store;

/// How often what has changed goes to disk.
const TO_DISK: Duration = Duration::from_secs(1);
/// After an error of the listener: too many open files, mostly, which others close in a moment.
const AFTER_AN_ERROR: Duration = Duration::from_millis(100);
/// How often another port is tried where any free one will do: one that is free for TCP may not be for UDP.
const TRIES: usize = 8;
/// What those are told who are one too many, without a look at what they want.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The drop as it is served.
#[derive(Debug)]
pub(crate) struct Rendezvous {
    host: Arc<Host>,
    listen: SocketAddr,
}

impl Rendezvous {
    /// Serves it, where it is configured.
    ///
    /// # Errors
    /// The address cannot be used, or the disk refuses.
    pub(crate) async fn start(
        home: &home::Home,
        config: home::Rendezvous,
        store: &Arc<Store>,
        clock: NodeClock,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) -> Result<Option<Self>, ApiError> {
        let Some(address) = config.listen else { return Ok(None) };
        let (tcp, udp) = bind(address).await.map_err(|error| {
            let sentence = format!(
                "nothing can be served at {address} ({error}): choose another address in {}, under `[rendezvous]`",
                home.config_path().display()
            );
            ApiError::new(ErrorCode::Usage, sentence)
        })?;
        let listen = tcp.local_addr().map_err(|error| HomeError::io(home.path(), error))?;
        let (path, home_store) = (home.rendezvous_path(), Arc::clone(store));
        let opened = store.run(move |_| disk::open(&path, SystemEntropy::draw(), &home_store)).await?;
        let host = Arc::new(Host::new(config, opened, SystemEntropy::draw(), clock));
        tasks.spawn(stop.clone().run_until_cancelled_owned(accept(
            Arc::clone(&host),
            tcp,
            tasks.clone(),
            stop.clone(),
        )));
        tasks.spawn(stop.clone().run_until_cancelled_owned(stun::answer(udp, SystemEntropy::draw())));
        tasks.spawn(keep(Arc::clone(&host), stop.clone()));
        Ok(Some(Self { host, listen }))
    }

    /// How it is.
    pub(crate) fn view(&self) -> RendezvousView {
        let (weight, most, spaces) = self.host.weight();
        RendezvousView {
            listen: self.listen.to_string(),
            records: weight.records,
            bytes: weight.bytes,
            spaces: spaces as u64,
            most_records: most.records,
            most_bytes: most.bytes,
        }
    }
}

/// TCP and UDP at the same address and port.
async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, UdpSocket)> {
    let mut tries = if address.port() == 0 { TRIES } else { 1 };
    loop {
        let tcp = TcpListener::bind(address).await?;
        tries = tries.saturating_sub(1);
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

async fn accept(host: Arc<Host>, listener: TcpListener, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => match host.connected(from.ip()) {
                Some(connected) => {
                    let serving = http::serve(Arc::clone(&host), stream, from.ip());
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        stop.run_until_cancelled(serving).await;
                        drop(connected);
                    });
                }
                None => turn_away(&stream),
            },
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in");
                tokio::time::sleep(AFTER_AN_ERROR).await;
            }
        }
    }
}

fn turn_away(stream: &TcpStream) {
    // What does not go out at once does not go out.
    let _ = stream.try_write(TOO_MANY);
}

/// Keeps what is there on disk, also that which came last.
async fn keep(host: Arc<Host>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TO_DISK)).await.is_some() {
        host.keep().await;
    }
    host.keep().await;
}
