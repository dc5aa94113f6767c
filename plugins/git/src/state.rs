//! What is known of the branch, and how it is looked at.

use std::collections::BTreeSet;
use std::path::Path;

use wayside_bridge::{Batch, BridgeContext, Class, Fetch, Key, Keys, Record, file};

use crate::cache::Cache;
use crate::cards::Cards;
use crate::error::GitError;
use crate::git::Git;
use crate::host::{Want, full_name};
use crate::index::{Index, What};
use crate::tree::{Oid, Tree};

/// The branch as it was when it was last looked at, and where its objects lie.
pub(crate) struct State {
    pub(crate) branch: String,
    pub(crate) cache: Cache,
    /// The making of the cache in which the objects of `tip` lie.
    made: u64,
    /// The commit that has `tree`, where the branch is there.
    pub(crate) tip: Option<Oid>,
    pub(crate) tree: Tree,
    pub(crate) index: Index,
    cards: Cards,
}

/// Our reference to the branch's newest commit.
const TIP: &str = "refs/wayside/tip";

/// The most records in a batch, whatever was asked for.
const MOST_RECORDS: usize = 4096;

/// After so many bytes a batch is full.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// How long a card in the project's own branch is good for, as far as a bridge can say: it is looked at again each time, and dates itself.
const CARD_DAYS: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

impl State {
    /// Of a branch that nobody looked at yet.
    pub(crate) fn new(branch: &str, folder: Option<&Path>, context: &BridgeContext) -> std::io::Result<Self> {
        Ok(Self {
            branch: branch.to_owned(),
            cache: Cache::new(folder, "branch")?,
            made: 0,
            tip: None,
            tree: Tree::default(),
            index: Index::new(context.entropy.as_ref()),
            cards: Cards::new(folder)?,
        })
    }

    /// Sees that there is a cache. `true` where it does not hold what is known.
    pub(crate) async fn settle(&mut self, git: &Git) -> Result<bool, GitError> {
        let made = self.cache.ready(git).await?;
        let anew = made != self.made;
        if anew {
            self.made = made;
            self.tip = None;
        }
        Ok(anew)
    }

    /// Asks the host what the branch is, and fetches it where it is not what it was.
    pub(crate) async fn look(&mut self, git: &Git, names: &BTreeSet<String>) -> Result<(), GitError> {
        self.settle(git).await?;
        let refs = git.refs(self.cache.path(), &self.branch, !names.is_empty()).await?;
        match refs.branch {
            None => self.is(None, Tree::default()),
            Some(oid) if self.tip.as_ref() == Some(&oid) => {}
            Some(oid) => {
                self.cache.suit(&oid).await?;
                self.settle(git).await?;
                // What an earlier process fetched may do.
                match self.tip.is_none() && self.cache.reference(git, TIP).await.as_ref() == Some(&oid) {
                    true => self.read(git).await?,
                    false => self.bring(git).await?,
                }
            }
        }
        if !names.is_empty() {
            match self.cards.bring(git, refs.head, names).await {
                Ok(changed) => {
                    for name in changed {
                        let oid = self.cards.card(&name).map(|(oid, _)| oid.clone());
                        self.index.card(&name, oid.as_ref());
                    }
                }
                // The branch may have them.
                Err(error) if self.has_one_of(names) => {
                    tracing::warn!(%error, "the cards that a repository lists could not be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fetches the branch without asking whether that is needed.
    pub(crate) async fn bring(&mut self, git: &Git) -> Result<(), GitError> {
        self.settle(git).await?;
        let from = full_name(&self.branch);
        let want = Want::Newest { from: &from, to: TIP, below: file::max_file(Class::Custody) + 1 };
        match git.fetch(self.cache.path(), want).await {
            Ok(true) => {
                self.cache.put().await;
                self.read(git).await
            }
            Ok(false) => {
                self.is(None, Tree::default());
                Ok(())
            }
            Err(error) => {
                let error = self.cache.explain(git, error).await;
                // What was cut off lies there, and is large.
                if error.is_too_much() {
                    self.cache.discard().await?;
                }
                Err(error)
            }
        }
    }

    async fn read(&mut self, git: &Git) -> Result<(), GitError> {
        let (tip, tree) = futures::join!(self.cache.reference(git, TIP), self.cache.tree(git, TIP));
        let tip = tip.ok_or_else(|| GitError::Cache("what was fetched is not there".to_owned()))?;
        self.is(Some(tip), tree?);
        Ok(())
    }

    /// The branch is this now.
    pub(crate) fn is(&mut self, tip: Option<Oid>, tree: Tree) {
        self.index.replace(&tree);
        (self.tip, self.tree) = (tip, tree);
    }

    fn has_one_of(&self, names: &BTreeSet<String>) -> bool {
        names.iter().any(|name| self.tree.entry(&format!("name-{name}.rec")).is_some())
    }

    /// The next page. Looks at the host, unless enough is known to be there from the last time.
    pub(crate) async fn page(&mut self, git: &Git, request: &Fetch) -> Result<Batch, GitError> {
        let keys = &request.keys;
        let after = self.index.number(request.cursor.as_ref(), keys);
        let limit = request.limit.clamp(1, MOST_RECORDS);
        let mut batch = Batch::default();
        let anew = self.settle(git).await?;
        if anew || self.tip.is_none() || self.index.after(after, keys).nth(limit).is_none() {
            self.look(git, &names(keys)).await?;
            batch.skipped = self.tree.foreign().saturating_add(self.index.junk(keys));
        }
        let last = self.read_page(git, after, limit, keys, &mut batch).await?;
        batch.more = self.index.after(last, keys).next().is_some();
        let last = if batch.more { last } else { self.index.last() };
        batch.cursor = self.index.cursor(last, keys);
        Ok(batch)
    }

    /// Reads files from a number on into a batch; tells the last number that it is through with.
    async fn read_page(
        &mut self,
        git: &Git,
        after: u64,
        limit: usize,
        keys: &Keys,
        batch: &mut Batch,
    ) -> Result<u64, GitError> {
        let files: Vec<_> = self.index.after(after, keys).take(limit).cloned().collect();
        if files.is_empty() {
            return Ok(after);
        }
        let sizes = self.cache.sizes(git).await?;
        let (mut last, mut bytes, mut wanted) = (after, 0_u64, Vec::new());
        for file in &files {
            if bytes >= BATCH_BYTES {
                break;
            }
            last = file.number;
            let size = sizes.get(&file.oid).filter(|size| **size <= file::max_file(file.what.class()) as u64);
            if let Some(size) = size {
                bytes = bytes.saturating_add(*size);
                wanted.push((file.oid.clone(), *size));
            }
        }
        let contents = self.cache.contents(git, &wanted).await?;
        let now = git.clock.now();
        for file in files.iter().take_while(|file| file.number <= last) {
            let record = match &file.what {
                What::Card(name) => self.cards.card(name).map(|(_, bytes)| {
                    let not_after = now.saturating_add(CARD_DAYS);
                    Record::new(Key::Name(name.clone()), Class::Pointer, not_after, bytes.clone())
                }),
                What::Record(name) => contents
                    .get(&file.oid)
                    .and_then(file::decode)
                    .filter(|found| name.fits(found))
                    .map(|found| found.record),
            };
            match record {
                Some(record) => batch.records.push(record),
                None => {
                    self.index.is_junk(file.number);
                    batch.skipped = batch.skipped.saturating_add(1);
                }
            }
        }
        Ok(last)
    }
}

/// The public names among these keys.
fn names(keys: &Keys) -> BTreeSet<String> {
    let name = |key: &Key| match key {
        Key::Name(name) => Some(name.clone()),
        Key::Slot(_) => None,
    };
    match keys {
        Keys::All => BTreeSet::new(),
        Keys::These(keys) => keys.iter().filter_map(name).collect(),
    }
}
