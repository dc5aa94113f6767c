//! Opens a path to a candidate.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use noq::{Connection, Path, PathError, PathStatus};
use tokio::time::{sleep, timeout};

use crate::{
    Remote,
    socket::{Shared, probes::Prober, route::Route, tcp},
};

/// How long a candidate may take to become a path.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the peer may take to provide for another path.
const ID_PAUSE: Duration = Duration::from_millis(20);

/// What an attempt came to.
pub(super) struct Opened {
    pub(super) path: Path,
    pub(super) address: SocketAddr,
    /// Ends the TCP connection if the path was closed meanwhile.
    pub(super) _dialled: Option<tcp::Dialled>,
}

/// Where it failed, the address that was asked, if there was one.
pub(super) type Outcome = Result<Opened, Option<SocketAddr>>;

/// Opens a path to a candidate, as one that stands by.
pub(super) async fn open(
    connection: Connection,
    shared: Arc<Shared>,
    prober: Arc<Prober>,
    remote: Remote,
) -> Outcome {
    let (mut address, dialled) = match remote {
        Remote::Udp(remote) => (shared.udp_address(remote).ok_or(None)?, None),
        Remote::Tcp(remote) => {
            let dialled = tcp::dial(&shared, remote)
                .await
                .inspect_err(|error| tracing::debug!(%remote, %error, "no TCP connection"))
                .map_err(|_| None)?;
            (dialled.address, Some(dialled))
        }
        Remote::Tunnel(tunnel) => (shared.routes.known(Route::Tunnel(tunnel)).ok_or(None)?, None),
    };
    let mut id = None;
    let attempt = async {
        if !matches!(remote, Remote::Tcp(_)) {
            // A number that QUIC spends on a path which the peer never hears of is spent for good (noq 1.4.0), and it has few.
            while !prober.reach(address, |question| shared.send_aside(address, question)).await {
                // It may be another of our sockets that leads there.
                if let Remote::Udp(remote) = remote
                    && let Some(other) = shared.udp_address(remote)
                    && other != address
                {
                    prober.forget(std::mem::replace(&mut address, other));
                }
            }
        }
        loop {
            let opening = connection.open_path(address, PathStatus::Backup);
            id = opening.path_id();
            match opening.await {
                Ok(path) => return Some(path),
                // Right after the handshake, and while closed paths drain, the peer has not yet provided for another one.
                Err(PathError::RemoteCidsExhausted | PathError::MaxPathIdReached) => sleep(ID_PAUSE).await,
                Err(error) => {
                    tracing::debug!(%remote, %error, "no path");
                    return None;
                }
            }
        }
    };
    match timeout(OPEN_TIMEOUT, attempt).await {
        Ok(path) => Ok(Opened { path: path.ok_or(Some(address))?, address, _dialled: dialled }),
        Err(_) => {
            if let Some(path) = id.and_then(|id| connection.path(id)) {
                // Gives up its number and its probes.
                let _ = path.close();
            }
            Err(Some(address))
        }
    }
}
