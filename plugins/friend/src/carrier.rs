//! What carries a bridge's requests to its friend: in a node, links; in tests, pipes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use wayside_bridge::BridgeError;

/// Finds friends by what a person calls them.
#[async_trait]
pub trait Carriers: Send + Sync + fmt::Debug {
    /// The way to a friend of this name or account. It is wanted for as long as what is returned lives.
    ///
    /// # Errors
    /// There is no such friend.
    async fn carrier(&self, friend: &str) -> Result<Arc<dyn Carrier>, BridgeError>;
}

/// The way to one friend.
#[async_trait]
pub trait Carrier: Send + Sync + fmt::Debug {
    /// The friend's account, as its place is named by: no white space, 190 bytes at most.
    fn account(&self) -> String;

    /// What a person calls the friend.
    fn name(&self) -> String;

    /// Opens a stream on which the friend serves its board. Waits a few seconds at most for a link to be there.
    ///
    /// # Errors
    /// The friend cannot be reached now.
    async fn open(&self) -> Result<Channel, BridgeError>;
}

/// A stream, in two halves. Dropped, it ends.
pub struct Channel {
    /// From the friend.
    pub recv: Box<dyn AsyncRead + Send + Unpin>,
    /// To the friend.
    pub send: Box<dyn AsyncWrite + Send + Unpin>,
    /// How long a word to the friend and back takes, where that is known.
    pub rtt: Option<Duration>,
    /// Whatever has to live as long as the stream does.
    pub guard: Option<Box<dyn Send>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
