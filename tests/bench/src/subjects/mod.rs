//! What is compared, each behind the same few traits.
//!
//! All subjects read and write through Tokio's traits in boxes: one dynamic call for each piece of data, the same for everybody.

mod iroh;
mod libp2p;
mod quinn;
mod tcp;
mod tls;
pub(crate) mod wayside;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use clap::ValueEnum;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use self::libp2p::{Carrier, Libp2p};
use crate::Failure;
use crate::assignment::{Assignment, Ticket};

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SubjectName {
    Wayside,
    Iroh,
    #[value(name = "libp2p-quic")]
    Libp2pQuic,
    #[value(name = "libp2p-tcp")]
    Libp2pTcp,
    Quinn,
    Tcp,
}

impl SubjectName {
    pub(crate) const ALL: [Self; 6] =
        [Self::Wayside, Self::Iroh, Self::Libp2pQuic, Self::Libp2pTcp, Self::Quinn, Self::Tcp];

    pub(crate) fn subject(self) -> Box<dyn Subject> {
        match self {
            Self::Wayside => Box::new(wayside::Wayside),
            Self::Iroh => Box::new(iroh::Iroh),
            Self::Libp2pQuic => Box::new(Libp2p(Carrier::Quic)),
            Self::Libp2pTcp => Box::new(Libp2p(Carrier::Tcp)),
            Self::Quinn => Box::new(quinn::Quinn),
            Self::Tcp => Box::new(tcp::Tcp),
        }
    }

    /// Whether a connection carries several streams; if not, it is a stream.
    pub(crate) fn has_streams(self) -> bool {
        self != Self::Tcp
    }

    pub(crate) fn is_over_tcp(self) -> bool {
        matches!(self, Self::Libp2pTcp | Self::Tcp)
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wayside => "wayside",
            Self::Iroh => "iroh",
            Self::Libp2pQuic => "libp2p QUIC",
            Self::Libp2pTcp => "libp2p TCP",
            Self::Quinn => "quinn",
            Self::Tcp => "clear TCP",
        })
    }
}

/// One way to be connected.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    /// Binds a server on the assigned address.
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure>;

    /// Binds a client that can link with the server of the ticket.
    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure>;
}

/// What is done with each stream that a client opens.
pub(crate) type Handler = Arc<dyn Fn(Stream) -> BoxFuture<'static, ()> + Send + Sync>;

/// A bound server.
#[async_trait]
pub(crate) trait Server: Send {
    /// How a client finds it.
    fn ticket(&self) -> Result<Ticket, Failure>;

    /// Accepts links and streams, and hands each stream to a task of its own, until it is dropped.
    async fn serve(self: Box<Self>, handler: Handler);
}

/// A bound client of one server.
#[async_trait]
pub(crate) trait Client: Send + Sync {
    /// Makes another link, authenticated in both directions as far as the subject does so.
    async fn connect(&self) -> Result<Box<dyn Link>, Failure>;
}

/// A client's end of a link.
#[async_trait]
pub(crate) trait Link: Send + Sync {
    /// Opens a stream. Where a link has no streams, it is the stream, once.
    async fn open(&self) -> Result<Stream, Failure>;

    /// Whether the link has not ended, as far as this side knows.
    fn is_open(&self) -> bool;

    /// Ends the link, and returns once this side is rid of it.
    async fn close(self: Box<Self>);
}

/// A stream in both directions.
pub(crate) struct Stream {
    pub(crate) send: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) recv: Box<dyn AsyncRead + Send + Unpin>,
}

impl Stream {
    fn new(
        send: impl AsyncWrite + Send + Unpin + 'static,
        recv: impl AsyncRead + Send + Unpin + 'static,
    ) -> Self {
        Self { send: Box::new(send), recv: Box::new(recv) }
    }
}
