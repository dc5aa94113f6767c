//! `wayside/ping/1`: eight bytes there and back, as often as one likes.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wayside_noise::{Link, Stream};

use super::{Peer, Protocol};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/ping/1";

/// How long an echo may take before the link counts as dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends back what comes.
#[derive(Debug)]
pub(crate) struct Echo;

#[async_trait]
impl Protocol for Echo {
    async fn accept(&self, _: Peer, mut stream: Stream) {
        let mut token = [0; 8];
        while stream.recv.read_exact(&mut token).await.is_ok() {
            if stream.send.write_all(&token).await.is_err() {
                return;
            }
        }
    }
}

/// Asks the other end to echo.
pub(crate) struct Pinger {
    stream: Stream,
    sent: u64,
}

impl Pinger {
    pub(crate) async fn new(link: &Link) -> io::Result<Self> {
        Ok(Self { stream: link.open(NAME).await.map_err(io::Error::other)?, sent: 0 })
    }

    /// One round trip, through the other end's application.
    pub(crate) async fn ping(&mut self) -> io::Result<Duration> {
        self.sent += 1;
        let token = self.sent.to_be_bytes();
        let began = Instant::now();
        let round = async {
            self.stream.send.write_all(&token).await?;
            let mut echo = [0; 8];
            self.stream.recv.read_exact(&mut echo).await?;
            Ok::<_, io::Error>(echo)
        };
        let echo = tokio::time::timeout(PATIENCE, round).await??;
        if echo != token {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the echo is not what was sent"));
        }
        Ok(began.elapsed())
    }
}
