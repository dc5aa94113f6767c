//! The way of a bridge to its friend: a stream over the link with that friend, who is wanted for as long as the bridge is configured; where there is none, as its guest.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use wayside_bridge::{BridgeError, ErrorKind};
use wayside_bridge_friend::{Carrier, Carriers, Channel};
use wayside_noise::Stream;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::token::{Purpose, Token};

use super::PROTOCOL;
use crate::api::words;
use crate::driver::{Driver, Want};
use crate::relays::Reached;

/// How long one request waits for a link. It is made three times, which is as long as a meeting takes where the friend is there; a link that comes later
/// has the bridge tried again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Finds friends in the book of a node.
#[derive(Debug)]
pub(super) struct OverLinks(pub(super) Driver);

#[async_trait]
impl Carriers for OverLinks {
    async fn carrier(&self, friend: &str) -> Result<Arc<dyn Carrier>, BridgeError> {
        let text = friend.to_owned();
        let found = self.0.look(move |engine, _| {
            let account = engine.find(&text)?;
            let name = engine.friend(&account).map(|friend| friend.name().to_owned());
            Ok::<_, wayside_proto::engine::FindError>((account, name.unwrap_or(text)))
        });
        let found = found.await.map_err(|error| BridgeError::new(ErrorKind::Unreachable, error.message))?;
        let (account, name) = found.map_err(|error| {
            BridgeError::new(ErrorKind::Configuration, format!("--friend: {}", words::find(&error).message))
        })?;
        Ok(Arc::new(OverLink { _want: self.0.want(account), driver: self.0.clone(), account, name }))
    }
}

/// The way to one friend.
#[derive(Debug)]
struct OverLink {
    driver: Driver,
    account: AccountId,
    name: String,
    _want: Want,
}

#[async_trait]
impl Carrier for OverLink {
    fn account(&self) -> String {
        self.account.to_string()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    async fn open(&self) -> Result<Channel, BridgeError> {
        let deadline = Instant::now() + PATIENCE;
        // Before the first look, so that nothing falls in between.
        let mut links = self.driver.links_changed();
        let mut as_guest = std::pin::pin!(self.as_guest(deadline));
        let mut may_be_guest = true;
        loop {
            if let Some(channel) = self.as_friend().await {
                return Ok(channel);
            }
            tokio::select! {
                guest = &mut as_guest, if may_be_guest => match guest {
                    Some(channel) => return Ok(channel),
                    None => may_be_guest = false,
                },
                changed = timeout_at(deadline, links.changed()) => if !matches!(changed, Ok(Ok(()))) {
                    let why = format!("there is no link with {} now", self.name);
                    return Err(BridgeError::new(ErrorKind::Unreachable, why));
                },
            }
        }
    }
}

impl OverLink {
    /// Over the friend's own link, where one is up.
    async fn as_friend(&self) -> Option<Channel> {
        let live = self.driver.links().of(&self.account).filter(|live| !live.ended())?;
        let link = live.peer.link;
        Some(channel(link.open(PROTOCOL).await.ok()?, link.rtt(), None))
    }

    /// As a guest of whichever of the friend's devices lets us and can be reached.
    async fn as_guest(&self, deadline: Instant) -> Option<Channel> {
        let now = self.driver.clock().wall();
        let token = |(device, offered): (DeviceId, crate::relays::Offered)| {
            (offered.account == self.account).then(|| Some((device, offered.token(Purpose::Meet, now)?)))?
        };
        let tokens: Vec<(DeviceId, Token)> =
            self.driver.relays().offers().into_iter().filter_map(token).collect();
        for (device, token) in tokens {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(reached) = self.driver.link_to_device(device, left).await else { continue };
            // It may be the friend's own link by now, where no token is shown.
            if !reached.is_guest() {
                return self.as_friend().await;
            }
            let opened = timeout_at(deadline, self.greeted(&reached, &token)).await;
            if let Ok(Ok(stream)) = opened {
                return Some(channel(stream, reached.rtt(), Some(reached)));
            }
        }
        None
    }

    async fn greeted(&self, link: &Reached, token: &Token) -> std::io::Result<Stream> {
        let mut stream = link.open(PROTOCOL).await.map_err(std::io::Error::other)?;
        self.driver.relays().greet(link, &mut stream, token).await?;
        Ok(stream)
    }
}

/// A guest's link is kept for as long as it is used.
fn channel(Stream { recv, send, .. }: Stream, rtt: Duration, guest: Option<Reached>) -> Channel {
    let guard = guest.map(|guest| Box::new(guest) as Box<dyn Send>);
    Channel { recv: Box::new(recv), send: Box::new(send), rtt: Some(rtt), guard }
}
