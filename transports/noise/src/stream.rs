//! Streams in both directions, as Tokio's readers and writers.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use noq::VarInt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Link, LinkError};

/// A stream in both directions. The halves may be used, and dropped, apart.
#[derive(Debug)]
pub struct Stream {
    /// Towards the peer.
    pub send: SendStream,
    /// From the peer.
    pub recv: RecvStream,
}

impl Stream {
    pub(crate) fn new(link: Link, send: noq::SendStream, recv: noq::RecvStream) -> Self {
        Self { send: SendStream { inner: send, link: link.clone() }, recv: RecvStream { inner: recv, link } }
    }
}

/// The writing half of a stream.
///
/// Dropping it finishes it. The link, though, closes with its last handle: to be sure that the last bytes arrived, wait
/// for [`finished`](Self::finished), or for the peer's answer.
#[derive(Debug)]
pub struct SendStream {
    inner: noq::SendStream,
    /// Is kept open by it.
    link: Link,
}

impl SendStream {
    /// Says that no more comes; what was written is still delivered. A second call does nothing.
    pub fn finish(&mut self) {
        // Fails only when it was finished or reset before, or the peer stopped it.
        let _ = self.inner.finish();
    }

    /// Finishes, and waits until the peer's transport has acknowledged every byte (not that anybody has read it), or the peer wants no more of them:
    /// a reader that stops, or refuses the stream, is not told from one that has it all. Where it matters the peer's answer says so.
    ///
    /// # Errors
    /// [`LinkError::Closed`] if the link ends before.
    pub async fn finished(&mut self) -> Result<(), LinkError> {
        self.finish();
        match self.inner.stopped().await {
            Ok(_) | Err(noq::StoppedError::ZeroRttRejected) => Ok(()),
            Err(noq::StoppedError::ConnectionLost(error)) => Err(error.into()),
        }
    }

    /// Gives the stream up: what was not delivered is not sent again. `code` is told to the peer, which sees its
    /// reading fail with [`io::ErrorKind::ConnectionReset`].
    pub fn reset(&mut self, code: u32) {
        let _ = self.inner.reset(VarInt::from_u32(code));
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.link.stir();
        AsyncWrite::poll_write(Pin::new(&mut self.inner), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.inner), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.inner), cx)
    }
}

/// The reading half of a stream. Dropping it before the end tells the peer to stop.
#[derive(Debug)]
pub struct RecvStream {
    inner: noq::RecvStream,
    /// Is kept open by it.
    link: Link,
}

impl RecvStream {
    /// Tells the peer that nothing more will be read.
    pub fn stop(&mut self, code: u32) {
        // Fails only when the stream has ended already.
        let _ = self.inner.stop(VarInt::from_u32(code));
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Who listens wants to know whether the peer is still there.
        self.link.stir();
        AsyncRead::poll_read(Pin::new(&mut self.inner), cx, buf)
    }
}
