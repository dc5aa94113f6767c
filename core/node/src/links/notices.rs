//! What a friend is told over a link, as a whole: when the link is up, and again whenever it has changed. The last word holds.

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, SelectAll, StreamExt};
use minicbor::{Decode, Encode};
use tokio::sync::watch;
use wayside_noise::Stream;

use super::turns::Turns;
use super::{Peer, Protocol, read_frame, write_frame};
use crate::driver::Driver;

/// Between two notices of one friend: what changes does so in many small steps, and each is written to the other's disk.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });

/// What is told.
#[async_trait]
pub(crate) trait Notice:
    Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug + Send + Sync + 'static
{
    /// The name of its protocol.
    const NAME: &'static str;
    /// The largest frame, in bytes.
    const MOST: usize;
    /// How often it is looked whether it has changed, where nothing says so.
    const LOOK: Duration;

    /// When it may have changed.
    fn changes(driver: &Driver) -> Changes;

    /// What a friend is to know now.
    async fn now(driver: &Driver, peer: &Peer) -> io::Result<Self>;

    /// A friend tells this. After an error nothing more is heard over the same stream.
    async fn heard(self, driver: &Driver, peer: &Peer) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// When any of several things changes.
pub(crate) type Changes = SelectAll<BoxStream<'static, ()>>;

/// When one of them does.
pub(crate) fn watched<T: Send + Sync + 'static>(receiver: watch::Receiver<T>) -> BoxStream<'static, ()> {
    let change = |mut receiver: watch::Receiver<T>| async move {
        receiver.changed().await.ok()?;
        Some(((), receiver))
    };
    stream::unfold(receiver, change).boxed()
}

/// Tells a friend what it is to know, and again whenever that has changed; ends with the link.
pub(crate) async fn give<T: Notice>(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let mut changes = T::changes(driver);
    let mut stream = peer.link.open(T::NAME).await.map_err(io::Error::other)?;
    let mut last = None;
    loop {
        let notice = T::now(driver, peer).await?;
        if last.as_ref() != Some(&notice) {
            write_frame(&mut stream.send, &notice).await?;
            last = Some(notice);
        }
        tokio::time::sleep(PAUSE).await;
        if let Ok(None) = tokio::time::timeout(T::LOOK, changes.next()).await {
            return Ok(());
        }
    }
}

/// What hears it, under its protocol's name.
pub(crate) fn receiver<T: Notice>(driver: &Driver) -> (&'static str, Arc<dyn Protocol>) {
    let receiver = Receiver::<T> { driver: driver.clone(), turns: Turns::default(), what: PhantomData };
    (T::NAME, Arc::new(receiver))
}

#[derive(Debug)]
struct Receiver<T> {
    driver: Driver,
    turns: Turns,
    what: PhantomData<T>,
}

#[async_trait]
impl<T: Notice> Protocol for Receiver<T> {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        while let Ok(Some(notice)) = read_frame::<T>(&mut stream.recv, T::MOST).await {
            self.turns.turn(peer.account, PAUSE).await;
            if let Err(why) = notice.heard(&self.driver, &peer).await {
                return tracing::debug!(protocol = T::NAME, why, "what a friend tells is not taken");
            }
        }
    }
}
