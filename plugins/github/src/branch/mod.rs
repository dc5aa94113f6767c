//! Records as files in a branch.

mod cards;
mod tip;
mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Mutex;
use wayside_bridge::{BridgeContext, Monotonic, Record, file};

use crate::client::{Client, Etag, Read};
use crate::error::GitHubError;
use crate::index::{Item, Listed};
use crate::wire::{BlobAnswer, CommitAnswer, RefAnswer, RepoAnswer, Sha, TreeAnswer};
use cards::Cards;
pub(crate) use cards::{FOUND_FOR, MOST_NAMES, card_name};
use tip::{Listing, Tip};

/// The most of a tree's answer: some sixty thousand files.
const MOST_OF_A_TREE: usize = 16 * 1024 * 1024;
/// The most of an answer that says little.
const MOST_OF_A_SMALL: usize = 256 * 1024;
/// The most of a blob's answer: the largest file in base64, with line ends.
const MOST_OF_A_BLOB: usize = 2 * 1024 * 1024;
/// For how long it is taken for granted that a repository without our branch is there.
const SEEN_LATELY: Duration = Duration::from_secs(600);

/// A branch of a repository.
pub(crate) struct Branch {
    client: Arc<Client>,
    name: String,
    context: BridgeContext,
    look: Mutex<Look>,
    cards: Cards,
    writing: Mutex<write::Writing>,
}

/// What the last look found.
#[derive(Debug, Default)]
struct Look {
    /// To ask by whether the branch has moved. Kept only with what it was given for.
    etag: Option<Etag>,
    tip: Option<Arc<Tip>>,
    /// When the repository itself was last seen, where the branch was not.
    seen: Option<Monotonic>,
}

impl Branch {
    pub(crate) fn new(client: Arc<Client>, name: String, context: BridgeContext) -> Self {
        let cards = Cards::new(Arc::clone(&client), Arc::clone(&context.clock));
        Self { client, name, context, look: Mutex::default(), cards, writing: Mutex::default() }
    }

    /// What is in the branch now, unless it is what it was before: then nothing is listed.
    pub(crate) async fn list(&self) -> Result<(Vec<Listed>, u64), GitHubError> {
        let tip = self.tip(self.client.gate.rests()).await?;
        let now = self.context.clock.now();
        Ok(tip.map_or_else(|| (Vec::new(), 0), |tip| (tip.listing.records(now), tip.listing.others)))
    }

    /// The card of a public name in the project's own branch.
    pub(crate) async fn card(&self, name: &str) -> Result<Option<Listed>, GitHubError> {
        self.cards.look(name).await
    }

    /// The record in a file of the branch; `None` where it holds none.
    pub(crate) async fn read(&self, item: &Item) -> Result<Option<Record>, GitHubError> {
        if let Some(name) = card_name(&item.id) {
            return Ok(self.card(name).await?.and_then(|card| card.record));
        }
        let Ok(sha) = Sha::try_from(item.version.clone()) else { return Ok(None) };
        let found = self.blob(&sha).await?.filter(|found| item.name.fits(found));
        Ok(found.map(|found| found.record))
    }

    async fn blob(&self, sha: &Sha) -> Result<Option<file::Found>, GitHubError> {
        let path = self.client.of_repo(&format!("/git/blobs/{sha}"));
        match self.client.read::<BlobAnswer>(&path, MOST_OF_A_BLOB).await {
            Ok(blob) => Ok(blob.bytes().and_then(|bytes| file::decode(&Bytes::from(bytes)))),
            Err(GitHubError::NotFound { .. } | GitHubError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the branch holds now; `None` where there is no such branch. One request where nothing has changed.
    ///
    /// `rests`: what was found before will do.
    async fn tip(&self, rests: bool) -> Result<Option<Arc<Tip>>, GitHubError> {
        let mut look = self.look.lock().await;
        if rests && look.tip.is_some() {
            return Ok(look.tip.clone());
        }
        let path = self.client.of_repo(&format!("/git/ref/heads/{}", self.name));
        match self.client.read_unless::<RefAnswer>(&path, look.etag.as_ref(), MOST_OF_A_SMALL).await {
            // Says that the branch is where it was when the tag was given, which is kept with what was there.
            Ok((Read::Same, headers)) => self.client.gate.polled(&headers),
            Ok((Read::Fresh(found, etag), headers)) => {
                self.client.gate.polled(&headers);
                let known = look.tip.clone().filter(|tip| tip.commit == found.object.sha);
                let tip = match known {
                    Some(tip) => tip,
                    None => Arc::new(self.load(&found.object.sha, look.tip.as_deref()).await?),
                };
                *look = Look { etag, tip: Some(tip), seen: None };
            }
            Err(GitHubError::Empty { .. }) => *look = Look::default(),
            Err(error @ GitHubError::NotFound { .. }) => {
                let now = self.context.clock.monotonic();
                let lately = look.seen.is_some_and(|seen| now.since(seen) < SEEN_LATELY);
                // "Not found" is said of a missing branch and of a repository that we may not see.
                if !lately && self.repo().await.is_err_and(|other| other == error) {
                    return Err(error);
                }
                *look = Look {
                    etag: None,
                    tip: None,
                    seen: Some(if lately { look.seen.unwrap_or(now) } else { now }),
                };
            }
            Err(error) => return Err(error),
        }
        Ok(look.tip.clone())
    }

    /// The repository itself.
    pub(crate) async fn repo(&self) -> Result<(RepoAnswer, HeaderMap), GitHubError> {
        self.client.read_all(&self.client.of_repo(""), MOST_OF_A_SMALL).await
    }

    /// What a commit of the branch holds.
    async fn load(&self, commit: &Sha, before: Option<&Tip>) -> Result<Tip, GitHubError> {
        let path = self.client.of_repo(&format!("/git/commits/{commit}"));
        let found: CommitAnswer = self.client.read(&path, MOST_OF_A_SMALL).await?;
        let tree = found.tree.sha.clone();
        let listing = match before.filter(|before| before.tree == tree) {
            Some(before) => Arc::clone(&before.listing),
            None => {
                let path = self.client.of_repo(&format!("/git/trees/{tree}"));
                let answer: TreeAnswer = self.client.read(&path, MOST_OF_A_TREE).await?;
                Arc::new(Listing::of(answer))
            }
        };
        Ok(Tip::of(found, listing))
    }

    /// Remembers where the branch is after a write of our own; `None` where it has to be looked at again.
    async fn moved(&self, tip: Option<Arc<Tip>>) {
        *self.look.lock().await = Look { etag: None, tip, seen: None };
    }
}
