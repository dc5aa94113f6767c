//! Cards that the project itself lists: `peers/NAME.card` in its own default branch.
//!
//! A project may be large, so of it only the newest commit's folders are fetched where the host can leave files out, and
//! then the cards that were asked for. What was read stays in memory; its cache is thrown away when it is large.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::cache::Cache;
use crate::error::GitError;
use crate::git::Git;
use crate::host::Want;
use crate::tree::{Oid, Tree};

/// The largest card that is read, in bytes.
const LARGEST: u64 = 8192;

/// The most names of which it is remembered what their card is.
const MOST_NAMES: usize = 256;

/// Our reference to the project's newest commit.
const HEAD: &str = "refs/wayside/head";

/// The cards of one project.
pub(crate) struct Cards {
    cache: Cache,
    head: Option<Oid>,
    known: BTreeMap<String, Option<(Oid, Bytes)>>,
}

impl Cards {
    /// With a cache in this folder, or in a temporary one.
    pub(crate) fn new(folder: Option<&Path>) -> io::Result<Self> {
        Ok(Self { cache: Cache::new(folder, "head")?, head: None, known: BTreeMap::new() })
    }

    /// A name's card, where it was asked for and there is one.
    pub(crate) fn card(&self, name: &str) -> Option<&(Oid, Bytes)> {
        self.known.get(name)?.as_ref()
    }

    /// Sees that the cards of these names are known as they are in this commit; tells which names' may be different from before.
    pub(crate) async fn bring(
        &mut self,
        git: &Git,
        head: Option<Oid>,
        names: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, GitError> {
        let mut changed = BTreeSet::new();
        if self.head != head || self.known.len() > MOST_NAMES {
            changed.extend(std::mem::take(&mut self.known).into_keys());
            self.head.clone_from(&head);
        }
        let unknown: Vec<_> = names.iter().filter(|name| !self.known.contains_key(*name)).cloned().collect();
        if unknown.is_empty() {
            return Ok(changed);
        }
        let found = match &head {
            None => BTreeMap::new(),
            Some(head) => match self.read(git, head, &unknown).await {
                Err(error) if error.is_about_the_cache() => {
                    self.cache.discard().await?;
                    self.read(git, head, &unknown).await?
                }
                read => read?,
            },
        };
        changed.extend(unknown.iter().cloned());
        self.known.extend(unknown.into_iter().map(|name| {
            let card = found.get(&name).cloned();
            (name, card)
        }));
        Ok(changed)
    }

    async fn read(
        &mut self,
        git: &Git,
        head: &Oid,
        names: &[String],
    ) -> Result<BTreeMap<String, (Oid, Bytes)>, GitError> {
        self.cache.suit(head).await?;
        self.cache.ready(git).await?;
        if self.cache.reference(git, HEAD).await.as_ref() != Some(head) {
            let fetched =
                git.fetch(self.cache.path(), Want::Newest { from: "HEAD", to: HEAD, below: 0 }).await;
            match fetched {
                Ok(true) => {}
                Ok(false) => return Ok(BTreeMap::new()),
                Err(error) => {
                    let error = self.cache.explain(git, error).await;
                    // Half a project may lie there.
                    self.cache.discard().await?;
                    return Err(error);
                }
            }
            self.cache.put().await;
        }
        let listed = self.listed(git, names).await?;
        let mut sizes = self.cache.sizes(git).await?;
        let missing: Vec<_> =
            listed.iter().map(|(_, oid)| oid).filter(|oid| !sizes.contains_key(*oid)).collect();
        if !missing.is_empty() {
            git.fetch(self.cache.path(), Want::Objects(&missing)).await?;
            sizes = self.cache.sizes(git).await?;
        }
        let sized = |oid: &Oid| Some((oid.clone(), *sizes.get(oid).filter(|size| **size <= LARGEST)?));
        let files: Vec<_> = listed.iter().filter_map(|(_, oid)| sized(oid)).collect();
        let contents = self.cache.contents(git, &files).await?;
        let card = |(name, oid): (String, Oid)| {
            let bytes = contents.get(&oid)?.clone();
            Some((name, (oid, bytes)))
        };
        Ok(listed.into_iter().filter_map(card).collect())
    }

    /// Which of these names have a file, and which.
    async fn listed(&self, git: &Git, names: &[String]) -> Result<Vec<(String, Oid)>, GitError> {
        let root = self.cache.tree(git, HEAD).await?;
        let peers = match root.entry("peers").filter(|entry| entry.is_folder()) {
            Some(folder) => self.cache.tree(git, folder.oid.text()).await?,
            None => Tree::default(),
        };
        let of = |name: &String| {
            let entry = peers.entry(&format!("{name}.card")).filter(|entry| entry.is_file())?;
            Some((name.clone(), entry.oid.clone()))
        };
        Ok(names.iter().filter_map(of).collect())
    }
}
