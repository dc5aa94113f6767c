//! Publishing and taking back: a commit of what is there and what is wanted, pushed if nobody was faster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as Guarded, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use wayside_bridge::{Class, Entropy, Receipt, Record, Timestamp, file};

use crate::error::GitError;
use crate::git::Git;
use crate::host::Pushed;
use crate::state::State;
use crate::tree::{Oid, README, Tree};

const README_TEXT: &str = "\
# wayside

Programs called wayside leave small sealed records for one another in this branch. Nobody can read them but those they are for, and
old ones go by themselves. The branch shares no history with the project's and may be deleted at any time: whoever needs it makes
it anew.
";

/// How long it is tried to get in between others' pushes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody wants of the branch.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// That a file with these contents is there.
    Put { name: String, contents: Bytes },
    /// That these files are not.
    Take(Vec<(Oid, String)>),
}

impl Wish {
    /// That a record is there.
    pub(crate) fn record(record: &Record) -> Result<Self, GitError> {
        let too_large = || GitError::TooLarge {
            class: record.class,
            len: record.bytes.len(),
            max: file::max_record(record.class),
        };
        let (contents, check) = file::encode(record).ok_or_else(too_large)?;
        let name = file::Name::of(record, check).ok_or(GitError::Key)?.file_name();
        Ok(Self::Put { name, contents: contents.into() })
    }

    /// That what these receipts stand for is gone. What is no receipt of ours stands for nothing.
    pub(crate) fn without(receipts: &[Receipt]) -> Self {
        let parse = |receipt: &Receipt| {
            let (oid, name) = std::str::from_utf8(receipt.as_bytes()).ok()?.split_once('\n')?;
            file::Name::parse(name)?;
            Some((Oid::parse(oid)?, name.to_owned()))
        };
        Self::Take(receipts.iter().filter_map(parse).collect())
    }
}

/// What a publication is taken back by: the file, and what was in it.
pub(crate) fn receipt(name: &str, oid: &Oid) -> Option<Receipt> {
    Receipt::new(format!("{}\n{name}", oid.text()))
}

/// Writes to the branch.
pub(crate) struct Writer {
    /// The host lets the branch only grow, so that each commit follows the one before.
    forward_only: AtomicBool,
    /// When the pointers that were seen expire.
    expiries: Guarded<BTreeMap<Oid, Option<Timestamp>>>,
    /// Why the last push was not allowed.
    turned_down: Guarded<Option<GitError>>,
}

/// The most pointers that are read at once to see whether they expired.
const MOST_READ: usize = 256;

impl Writer {
    /// Of a host of which nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self {
            forward_only: AtomicBool::new(false),
            expiries: Guarded::new(BTreeMap::new()),
            turned_down: Guarded::new(None),
        }
    }

    /// Fulfils wishes with one push, or with none where all is as they want it. Names the file of each that is put.
    pub(crate) async fn fulfil(
        &self,
        git: &Git,
        state: &Mutex<State>,
        wishes: &[Wish],
    ) -> Result<Vec<Option<Oid>>, GitError> {
        let began = git.clock.monotonic();
        let (mut tries, mut renewed, mut turned) = (0, false, false);
        loop {
            let started = git.clock.monotonic();
            // The lock is let go before anybody waits, and before it is taken again below.
            let tried = {
                let mut state = state.lock().await;
                self.attempt(git, &mut state, wishes, tries > 0).await
            };
            match tried {
                Ok((Pushed::Done, put)) => {
                    *self.turned_down() = None;
                    return Ok(put);
                }
                Ok((Pushed::ForwardOnly, _)) if !self.forward_only.swap(true, Ordering::Relaxed) => continue,
                Ok((Pushed::OtherNames, _)) if !turned => {
                    turned = true;
                    state.lock().await.cache.turn().await?;
                    continue;
                }
                Ok(_) => {}
                Err(error) if error.is_about_the_cache() && !renewed => {
                    tracing::debug!(%error, "a repository's cache is made anew");
                    renewed = true;
                    state.lock().await.cache.discard().await?;
                }
                Err(error) => {
                    *self.turned_down() = error.is_denied().then(|| error.clone());
                    return Err(error);
                }
            }
            let now = git.clock.monotonic();
            if now.since(began) > PATIENCE {
                return Err(GitError::Busy(git.remote.place().to_owned()));
            }
            tries += 1;
            git.clock.sleep(pause(tries, now.since(started), git.entropy.as_ref())).await;
        }
    }

    /// One try. `straight`: the branch is known to have changed.
    async fn attempt(
        &self,
        git: &Git,
        state: &mut State,
        wishes: &[Wish],
        straight: bool,
    ) -> Result<(Pushed, Vec<Option<Oid>>), GitError> {
        state.settle(git).await?;
        // Before the branch is looked at: the less there is to do between that and the push, the less often somebody is faster.
        let put = keep(git, state, wishes).await?;
        match straight {
            true => state.bring(git).await?,
            false => state.look(git, &BTreeSet::new()).await?,
        }
        let mut tree = state.tree.clone();
        for (wish, oid) in wishes.iter().zip(&put) {
            grant(&mut tree, wish, oid.as_ref());
        }
        if tree == state.tree {
            return Ok((Pushed::Done, put));
        }
        self.weed(git, state, &mut tree).await?;
        if tree.entry(README).is_none() {
            tree.put(README, state.cache.keep(git, Bytes::from_static(README_TEXT.as_bytes())).await?);
        }
        let parent = state.tip.as_ref().filter(|_| self.forward_only.load(Ordering::Relaxed));
        let commit = state.cache.commit(git, &tree, parent).await?;
        let pushed = git.push(state.cache.path(), &state.branch, &commit, state.tip.as_ref()).await?;
        if pushed == Pushed::Done {
            state.is(Some(commit), tree);
            state.cache.put().await;
        }
        Ok((pushed, put))
    }

    /// Takes out what expired. Most names say when; of pointers that is read.
    async fn weed(&self, git: &Git, state: &State, tree: &mut Tree) -> Result<(), GitError> {
        let now = git.clock.now();
        let unread: Vec<_> = {
            let mut expiries = self.expiries();
            let there: BTreeSet<_> = state.tree.records().map(|(.., oid)| oid).collect();
            expiries.retain(|oid, _| there.contains(oid));
            let pointers = state.tree.records().filter(|(_, name, _)| name.fixed.is_none());
            let unread = pointers.filter(|(.., oid)| !expiries.contains_key(*oid));
            unread.map(|(.., oid)| oid.clone()).take(MOST_READ).collect()
        };
        if !unread.is_empty() {
            let sizes = state.cache.sizes(git).await?;
            let largest = file::max_file(Class::Pointer) as u64;
            let sized = |oid: &Oid| Some((oid.clone(), *sizes.get(oid).filter(|size| **size <= largest)?));
            let files: Vec<_> = unread.iter().filter_map(sized).collect();
            let contents = state.cache.contents(git, &files).await?;
            let expiry = |oid: &Oid| Some(file::decode(contents.get(oid)?)?.record.not_after);
            self.expiries().extend(unread.into_iter().map(|oid| {
                let expiry = expiry(&oid);
                (oid, expiry)
            }));
        }
        let expiries = self.expiries();
        let over = |(path, name, oid): (&str, file::Name, &Oid)| {
            let not_after = name.fixed.map(|(not_after, _)| not_after).or_else(|| *expiries.get(oid)?);
            // Not what was just put in its place.
            let is_there = tree.entry(path).is_some_and(|entry| entry.oid == *oid);
            let over = is_there && not_after.is_some_and(|not_after| file::over(not_after, now));
            over.then(|| path.to_owned())
        };
        let gone: Vec<_> = state.tree.records().filter_map(over).collect();
        for path in gone {
            tree.remove(&path);
        }
        Ok(())
    }

    /// Why we may not write there, where the last push came to that.
    pub(crate) fn turned_down(&self) -> MutexGuard<'_, Option<GitError>> {
        self.turned_down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expiries(&self) -> MutexGuard<'_, BTreeMap<Oid, Option<Timestamp>>> {
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts what is wished for into the cache.
async fn keep(git: &Git, state: &State, wishes: &[Wish]) -> Result<Vec<Option<Oid>>, GitError> {
    let mut kept = Vec::with_capacity(wishes.len());
    for wish in wishes {
        kept.push(match wish {
            Wish::Put { contents, .. } => Some(state.cache.keep(git, contents.clone()).await?),
            Wish::Take(_) => None,
        });
    }
    Ok(kept)
}

fn grant(tree: &mut Tree, wish: &Wish, oid: Option<&Oid>) {
    match (wish, oid) {
        (Wish::Put { name, .. }, Some(oid)) => {
            if tree.entry(name).is_none_or(|entry| entry.oid != *oid || !entry.is_file()) {
                tree.put(name, oid.clone());
            }
        }
        (Wish::Put { .. }, None) => {}
        (Wish::Take(files), _) => {
            for (oid, name) in files {
                // Where a pointer was replaced since, what is there is somebody else's.
                if tree.entry(name).is_some_and(|entry| entry.oid == *oid) {
                    tree.remove(name);
                }
            }
        }
    }
}

/// How long to wait until the next try: by chance, so that of many who lost the same race only a few run the next together. How long
/// a try took tells how many there are.
fn pause(tries: u32, took: Duration, entropy: &dyn Entropy) -> Duration {
    let longest = LEAST_PAUSE.max(took).saturating_mul(1 << tries.min(2));
    let mut random = [0; 4];
    entropy.fill(&mut random);
    longest.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX))
}

/// What the longest pause is made from at least.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
