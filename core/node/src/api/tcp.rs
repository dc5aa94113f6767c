//! The local API over TCP, on loopback: for languages without Unix sockets, and for web pages. Everybody on the machine can connect, so that nothing is
//! answered without a token, and what connections may take is bounded.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::Pages;
use super::types::{ApiError, ErrorCode};
use crate::home::{Api, Origin};

/// The most connections at a time. A browser opens six.
const CONNECTIONS: usize = 64;
/// How long a request's head may take, also the next one of a connection that is kept.
const HEAD: Duration = Duration::from_secs(30);
/// The most headers of a request, and what they may take in bytes.
const MOST_HEADERS: usize = 64;
const MOST_OF_A_HEAD: usize = 16 * 1024;
/// After an error of the listener: too many open files, mostly, which others close in a moment.
const AFTER_AN_ERROR: Duration = Duration::from_millis(100);
/// What those are told who are one too many.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A port that is listened to, and not served yet.
#[derive(Debug)]
pub(crate) struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    origins: Vec<Origin>,
}

impl Tcp {
    /// Listens where the configuration says, if it does.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(crate) async fn bind(config: Api) -> Result<Option<Self>, ApiError> {
        let Some(address) = config.listen else { return Ok(None) };
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok::<_, std::io::Error>(Self { listener, address, origins: config.origins })
        };
        bound.await.map(Some).map_err(|error| {
            let sentence = format!(
                "the local API cannot listen at {address} ({error}): choose another address with `wayside config set api.listen`"
            );
            ApiError::new(ErrorCode::Usage, sentence)
        })
    }

    /// Where it listens, the port filled in.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which web pages may ask.
    pub(super) fn pages(&self) -> Pages {
        Pages::new(self.address, self.origins.clone())
    }

    /// Serves it until it is to stop, and finishes then what is under way.
    pub(super) async fn serve(self, router: Router, stop: CancellationToken) {
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => match Arc::clone(&free).try_acquire_owned() {
                    Ok(place) => {
                        let (router, stop) = (router.clone(), stop.clone());
                        connections.spawn(async move {
                            connection(stream, router, stop).await;
                            drop(place);
                        });
                    }
                    Err(_) => turn_away(&stream),
                },
                Err(error) => {
                    tracing::debug!(%error, "the local API could let nobody in");
                    tokio::time::sleep(AFTER_AN_ERROR).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MOST_HEADERS)
        .max_header_size(MOST_OF_A_HEAD)
        .max_buf_size(2 * MOST_OF_A_HEAD);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the local API ended");
    }
}

fn turn_away(stream: &TcpStream) {
    // What does not go out at once does not go out.
    let _ = stream.try_write(TOO_MANY);
}
