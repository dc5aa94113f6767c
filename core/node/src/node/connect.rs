//! Links as an application asks for them.

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::FindError;

use super::Node;
use crate::driver::{Driver, Want};
use crate::links::Peer;

/// A friend is wanted for as long as this lives: whenever no link is up the node tries to make one. A link that is up when it is dropped stays up.
#[derive(Debug)]
#[must_use = "the friend is wanted only for as long as this lives"]
pub struct Wanted {
    account: AccountId,
    _want: Want,
}

impl Wanted {
    /// Who is wanted.
    pub const fn account(&self) -> AccountId {
        self.account
    }
}

/// Why there is no link, and will be none by waiting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no such friend, or several are meant.
    #[error(transparent)]
    NotFound(#[from] FindError),
    /// We have blocked this friend.
    #[error("this friend is blocked: unblock it first")]
    Blocked,
    /// The node is ending.
    #[error("the node is ending")]
    Ending,
}

impl Node {
    /// A link with a friend, given by name or account: the one that is up, else the next that comes up. The friend is wanted meanwhile, and no longer once
    /// this returns or is dropped. It waits for as long as that takes, since the friend may be offline: bound it with
    /// [`tokio::time::timeout`].
    ///
    /// The link may end at any time; [`closed`](wayside_noise::Link::closed) tells, and `connect` makes another one.
    ///
    /// ```no_run
    /// # async fn example(node: wayside_node::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let ada = node.connect("Ada").await?;
    /// let mut stream = ada.link.open("chat/1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Only what waiting does not mend: see [`ConnectError`].
    pub async fn connect(&self, friend: &str) -> Result<Peer, ConnectError> {
        let driver = &self.requests.driver;
        // Before the first look, so that nothing falls in between.
        let (mut links, mut friends) = (driver.links_changed(), driver.friends_changed());
        let account = find(driver, friend.to_owned()).await?;
        let mut want = None;
        loop {
            if let Some(peer) = linked(driver, &account) {
                return Ok(peer);
            }
            want.get_or_insert_with(|| driver.want(account));
            let changed = tokio::select! {
                changed = links.changed() => changed,
                changed = friends.changed() => changed,
            };
            changed.map_err(|_| ConnectError::Ending)?;
            // Blocked or removed meanwhile, it is waited for in vain.
            find(driver, account.to_string()).await?;
        }
    }

    /// Wants a friend, given by name or account, for as long as the answer lives: the node links with it, and again whenever the link was lost.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn want(&self, friend: &str) -> Result<Wanted, ConnectError> {
        let driver = &self.requests.driver;
        let account = find(driver, friend.to_owned()).await?;
        Ok(Wanted { account, _want: driver.want(account) })
    }

    /// The link with a friend, given by name or account, where one is up right now.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn linked(&self, friend: &str) -> Result<Option<Peer>, ConnectError> {
        let driver = &self.requests.driver;
        let account = find(driver, friend.to_owned()).await?;
        Ok(linked(driver, &account))
    }
}

fn linked(driver: &Driver, account: &AccountId) -> Option<Peer> {
    let live = driver.links().of(account)?;
    (!live.ended()).then_some(live.peer)
}

/// A friend who may be linked with.
async fn find(driver: &Driver, friend: String) -> Result<AccountId, ConnectError> {
    let found = driver.look(move |engine, _| {
        let account = engine.find(&friend)?;
        let blocked = engine.friend(&account).is_some_and(wayside_proto::engine::Friend::blocked);
        if blocked { Err(ConnectError::Blocked) } else { Ok(account) }
    });
    found.await.map_err(|_| ConnectError::Ending)?
}
