//! What begins each stream that a token pays for: the token, and the proof that it is for whoever shows it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use wayside_noise::{Link, Stream};
use wayside_proto::token::{Proof, Purpose, Token};

use super::{Judged, Relays};
use crate::driver::Driver;
use crate::guests::here::PATIENCE;
use crate::links::{Peer, Protocol, read_frame, write_frame};

/// A token, and the proof that it is for whoever shows it.
#[derive(Encode, Decode)]
pub(crate) struct Hello {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) token: Vec<u8>,
    #[n(1)]
    pub(crate) proof: Proof,
}

/// The largest frame, in bytes.
const MOST: usize = Token::MAX + 128;

impl Relays {
    /// Says hello at the beginning of a stream.
    pub(crate) async fn greet(&self, link: &Link, stream: &mut Stream, token: &Token) -> io::Result<()> {
        let proof = Proof::sign(&self.0.device, link.export(Proof::LABEL).as_bytes());
        write_frame(&mut stream.send, &Hello { token: token.to_bytes(), proof }).await
    }
}

/// Reads it, and says whose friend's device is there and what of that holds.
pub(super) async fn greeted(
    driver: &Driver,
    link: &Link,
    stream: &mut Stream,
    purpose: Purpose,
) -> io::Result<Judged> {
    let hello = tokio::time::timeout(PATIENCE, read_frame::<Hello>(&mut stream.recv, MOST)).await??;
    let Hello { token, proof } = hello.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(driver.relays().judge(driver, link, purpose, &token, &proof).await)
}

/// Something that is spoken by whoever shows a token, over a friend's link or a guest's.
///
/// [`accept`](Self::accept) is told what became of the token, and says so to a peer in its own words.
#[async_trait]
pub(crate) trait GuestProtocol: Send + Sync + std::fmt::Debug {
    /// What for the token has to be.
    fn purpose(&self) -> Purpose;

    /// Somebody opened a stream of this protocol and said hello. The stream ends when this returns.
    async fn accept(&self, peer: Judged, link: Link, stream: Stream);
}

/// Those that are spoken, by name.
pub(crate) type GuestProtocols = BTreeMap<&'static str, Arc<dyn GuestProtocol>>;

/// The same over a friend's link.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) driver: Driver,
    pub(crate) protocol: Arc<dyn GuestProtocol>,
}

#[async_trait]
impl Protocol for Greeted {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        match greeted(&self.driver, &peer.link, &mut stream, self.protocol.purpose()).await {
            Ok(judged) => self.protocol.accept(judged, peer.link, stream).await,
            Err(error) => tracing::debug!(%error, "a friend does not say hello"),
        }
    }
}
