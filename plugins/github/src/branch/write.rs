//! Writing to a branch: what waits goes out as one commit, and nobody else's is lost.
//!
//! GitHub moves a branch by force without asking where it was, so a forced move of every commit (as git's `--force-with-lease` does) is not to be had.
//! It does refuse a move that is no descent: so each commit has the one before for its parent, and whoever comes second tries again from there.
//!
//! History would grow that way. So whoever makes the last commit of [`MOST_DEPTH`] says in it that it is *closing*, and then replaces it with one of the
//! same tree that has no parent. Others who find a closing commit wait, and when nobody has replaced it in a while (its maker died), they go on from
//! it. Only its maker uses force, and only while the others wait. A git bridge does not wait: what it pushes in the moment between a last look and
//! the forced move, once in so many commits, would be lost, and is published again by whoever needs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use http::Method;
use wayside_bridge::{Receipt, Timestamp, file};

use super::tip::{Changes, Listing, README, Tip, message};
use super::{Branch, MOST_OF_A_SMALL};
use crate::error::GitHubError;
use crate::queue::{Outgoing, Task, Waiting};
use crate::wire::{
    CommitAnswer, Holds, Made, MoveRef, NewBlob, NewCommit, NewEntry, NewRef, NewTree, Person, RefAnswer,
    Sha, TreeAnswer, garbled,
};

/// After so many commits the branch begins anew. With records of some 500 bytes and a few dozen files that is some 50 kB.
const MOST_DEPTH: u32 = 16;
/// How often a write is tried while others write.
const TRIES: u32 = 40;
/// For how long others leave a closing commit to whoever made it.
const CLOSING_FOR: Duration = Duration::from_secs(60);
/// When whoever made a closing commit leaves it: one request's time before the others stop waiting.
const CLOSE_WITHIN: Duration = Duration::from_secs(20);
/// The most expired records that one commit removes.
const MOST_EXPIRED: usize = 256;
/// The most pointers that are read before a commit to see whether they expired.
const POINTERS_READ: usize = 8;
/// The most pointers whose expiry is remembered.
const MOST_REMEMBERED: usize = 4096;

const ABOUT: &str = "\
# wayside

Programs called [wayside](https://github.com/wayside/wayside) leave small sealed notes for one another in this branch. Nobody can read them but those
they are for, and old ones are removed by themselves. This branch shares nothing with the others of the repository, and may be deleted at any time.
";

/// What a writer remembers.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Whether the repository was seen to let us write into this branch.
    checked: bool,
    /// Until when the pointers in these blobs are good; `None` where it holds none.
    pointers: BTreeMap<Sha, Option<Timestamp>>,
}

impl Branch {
    /// Carries out all of these in one commit, and answers each.
    pub(crate) async fn write(&self, tasks: Vec<Waiting>) {
        let mut writing = self.writing.lock().await;
        match self.write_all(&mut writing, &tasks).await {
            Ok(blobs) => {
                for (task, blob) in tasks.into_iter().zip(blobs) {
                    let done = blob.map(|blob| blob.and_then(|blob| receipt(&task.task, &blob)));
                    task.answer(done);
                }
            }
            Err(error) => tasks.into_iter().for_each(|task| task.answer(Err(error.clone()))),
        }
    }

    /// The blob of each that is a publication, where it got that far.
    async fn write_all(
        &self,
        writing: &mut Writing,
        tasks: &[Waiting],
    ) -> Result<Vec<Result<Option<Sha>, GitHubError>>, GitHubError> {
        if self.client.token().is_none() {
            return Err(GitHubError::NoToken { repo: self.client.repo().to_string() });
        }
        if !writing.checked {
            self.check().await?;
            writing.checked = true;
        }
        let tip = self.tip(false).await?;
        let mut blobs = Vec::new();
        for task in tasks {
            let blob = match &task.task {
                Task::Publish(outgoing) => self.store(outgoing, tip.as_deref()).await.map(Some),
                Task::Retract(_) => Ok(None),
            };
            // What concerns all concerns the rest too.
            match blob {
                Err(error @ GitHubError::Invalid { .. }) => blobs.push(Err(error)),
                blob => blobs.push(Ok(blob?)),
            }
        }
        let wanted: Vec<(&Task, Option<&Sha>)> = tasks
            .iter()
            .zip(&blobs)
            .filter_map(|(task, blob)| Some((&task.task, blob.as_ref().ok()?.as_ref())))
            .collect();
        self.commit(writing, &wanted).await?;
        Ok(blobs)
    }

    /// Whether this may be written to at all.
    async fn check(&self) -> Result<(), GitHubError> {
        let (answer, _) = self.repo().await?;
        let repo = self.client.repo().to_string();
        if answer.default_branch == self.name {
            return Err(GitHubError::DefaultBranch { repo, branch: self.name.clone() });
        }
        if answer.archived {
            return Err(GitHubError::Archived { repo });
        }
        Ok(())
    }

    /// The blob of a record's file; one that is there under this very name already is not sent again.
    async fn store(&self, outgoing: &Outgoing, tip: Option<&Tip>) -> Result<Sha, GitHubError> {
        let there = tip.and_then(|tip| tip.listing.file(&outgoing.name.file_name()));
        if let Some(there) = there.filter(|there| there.name.fixed.is_some()) {
            return Ok(there.blob.clone());
        }
        let blob = NewBlob { content: BASE64.encode(&outgoing.contents), encoding: "base64" };
        let path = self.client.of_repo("/git/blobs");
        Ok(self.client.write::<Made>(Method::POST, &path, &blob).await?.sha)
    }

    /// Brings the branch to hold what is wanted, however often others come first.
    async fn commit(
        &self,
        writing: &mut Writing,
        wanted: &[(&Task, Option<&Sha>)],
    ) -> Result<(), GitHubError> {
        let mut refused_at = None;
        for attempt in 0..TRIES {
            let tip = self.open_tip().await?;
            let at = tip.as_ref().map(|tip| tip.commit.clone());
            let mut changes = changes(wanted, tip.as_deref().map(|tip| tip.listing.as_ref()));
            if changes.is_empty() {
                return Ok(());
            }
            if let Some(tip) = &tip {
                self.expire(writing, &tip.listing, &mut changes).await?;
            }
            match self.try_commit(tip, &changes).await {
                // Nobody was there before, and it was refused twice: it is not for others that it is.
                Err(error @ GitHubError::Invalid { .. }) if refused_at.as_ref() == Some(&at) => {
                    return Err(error);
                }
                // Somebody was there before, or removed the branch, or what it was made of.
                Err(GitHubError::Invalid { said } | GitHubError::Conflict { said }) => {
                    tracing::debug!(said, attempt, "another writer was there before");
                    refused_at = Some(at);
                    self.context.clock.sleep(self.pause(attempt)).await;
                }
                Err(GitHubError::NotFound { .. }) if attempt < 3 => {
                    self.context.clock.sleep(self.pause(attempt)).await;
                }
                done => return done,
            }
        }
        Err(GitHubError::Contended { repo: self.client.repo().to_string() })
    }

    /// Where the branch is now, once nobody is about to replace it.
    async fn open_tip(&self) -> Result<Option<Arc<Tip>>, GitHubError> {
        let began = self.context.clock.monotonic();
        let mut look = 0;
        loop {
            let tip = self.tip(false).await?;
            let closing = tip.as_ref().is_some_and(|tip| tip.closing);
            if !closing || self.context.clock.monotonic().since(began) > CLOSING_FOR {
                return Ok(tip);
            }
            self.context.clock.sleep(self.pause(look)).await;
            look += 1;
        }
    }

    /// One commit upon this tip. `Invalid` where the branch has moved on.
    async fn try_commit(&self, tip: Option<Arc<Tip>>, changes: &Changes) -> Result<(), GitHubError> {
        let base = tip.as_ref().map(|tip| &tip.tree);
        let readme = tip.as_ref().is_some_and(|tip| tip.listing.readme);
        let files = changes.iter().map(|(name, blob)| NewEntry::file(name, Holds::Blob(blob.as_ref())));
        let about = (!readme).then(|| NewEntry::file(README, Holds::Text(ABOUT)));
        let new = NewTree { base_tree: base, tree: files.chain(about).collect() };
        let tree: TreeAnswer =
            self.client.write(Method::POST, &self.client.of_repo("/git/trees"), &new).await?;

        let depth = tip.as_ref().map_or(Some(1), |tip| Some(tip.depth?.saturating_add(1)));
        let closing = depth.is_some_and(|depth| depth >= MOST_DEPTH);
        let message = message(depth, closing);
        let parents: Vec<&Sha> = tip.iter().map(|tip| &tip.commit).collect();
        let commit = self.make(&message, &tree.sha, parents).await?;
        let root = if closing { Some(self.make(&message, &tree.sha, Vec::new()).await?) } else { None };
        let listing = Arc::new(Listing::of(tree));
        let (made, sha) = (Tip::of(commit, Arc::clone(&listing)), tip.as_ref().map(|tip| &tip.commit));

        match sha {
            Some(_) => self.move_to(&made.commit, false).await?,
            None => {
                let name = format!("refs/heads/{}", self.name);
                let new = NewRef { name: &name, sha: &made.commit };
                let _: RefAnswer =
                    self.client.write(Method::POST, &self.client.of_repo("/git/refs"), &new).await?;
            }
        }
        let closed = made.commit.clone();
        let whole = listing.follows(tip.as_ref().map(|tip| tip.listing.as_ref()), changes);
        self.moved(whole.then(|| Arc::new(made))).await;
        if let Some(root) = root {
            let root = Tip::of(root, listing);
            self.begin_anew(&closed, root, whole).await;
        }
        Ok(())
    }

    async fn make(&self, message: &str, tree: &Sha, parents: Vec<&Sha>) -> Result<CommitAnswer, GitHubError> {
        let seconds = i64::try_from(self.context.clock.now().as_secs()).unwrap_or(0);
        let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
        // The same for everybody: the account that pushed is GitHub's to know, and not the history's.
        let person = Person { name: "wayside", email: "wayside@localhost", date: &date };
        let new = NewCommit { message, tree, parents, author: person, committer: person };
        self.client.write(Method::POST, &self.client.of_repo("/git/commits"), &new).await
    }

    async fn move_to(&self, commit: &Sha, force: bool) -> Result<(), GitHubError> {
        let path = self.client.of_repo(&format!("/git/refs/heads/{}", self.name));
        let moved: RefAnswer =
            self.client.write(Method::PATCH, &path, &MoveRef { sha: commit, force }).await?;
        if moved.object.sha == *commit {
            Ok(())
        } else {
            Err(garbled("a branch that was moved is elsewhere"))
        }
    }

    /// Replaces the closing commit that we made. When it does not work, history is a little longer until somebody else does it.
    async fn begin_anew(&self, closed: &Sha, root: Tip, whole: bool) {
        let began = self.context.clock.monotonic();
        let replaced = async {
            let path = self.client.of_repo(&format!("/git/ref/heads/{}", self.name));
            // Waited for first, so that nothing but one look lies between knowing and doing.
            self.client.gate.breath().await;
            let now: RefAnswer = self.client.read(&path, MOST_OF_A_SMALL).await?;
            let late = self.context.clock.monotonic().since(began) > CLOSE_WITHIN;
            if now.object.sha != *closed || late {
                return Ok(false);
            }
            self.move_to(&root.commit, true).await.map(|()| true)
        };
        match replaced.await {
            Ok(true) => self.moved(whole.then(|| Arc::new(root))).await,
            Ok(false) => tracing::debug!("somebody went on from a closing commit"),
            Err(error) => tracing::debug!(%error, "a closing commit stays"),
        }
    }

    /// Removes what has expired, along with what is changed anyway.
    async fn expire(
        &self,
        writing: &mut Writing,
        listing: &Listing,
        changes: &mut Changes,
    ) -> Result<(), GitHubError> {
        let now = self.context.clock.now();
        let (mut removed, mut reads) = (0, 0);
        for (name, entry) in listing.files() {
            if removed >= MOST_EXPIRED {
                break;
            }
            let not_after = match entry.name.fixed {
                Some((not_after, _)) => Some(not_after),
                None => match writing.pointers.get(&entry.blob) {
                    Some(known) => *known,
                    None if reads < POINTERS_READ => {
                        reads += 1;
                        let found = self.blob(&entry.blob).await?;
                        let not_after = found.map(|found| found.record.not_after);
                        if writing.pointers.len() >= MOST_REMEMBERED {
                            writing.pointers.clear();
                        }
                        writing.pointers.insert(entry.blob.clone(), not_after);
                        not_after
                    }
                    None => None,
                },
            };
            if not_after.is_some_and(|not_after| file::over(not_after, now)) && !changes.contains_key(name) {
                changes.insert(name.to_owned(), None);
                removed += 1;
            }
        }
        Ok(())
    }

    /// Some time, longer with each attempt, and not the same for everybody.
    fn pause(&self, attempt: u32) -> Duration {
        const FIRST: Duration = Duration::from_millis(20);
        const LONGEST: Duration = Duration::from_secs(1);
        let mut random = [0; 2];
        self.context.entropy.fill(&mut random);
        let most = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
        most.mul_f64(f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX))
    }
}

/// What has to change in a tree that holds this. The later of two wishes about one file counts.
fn changes(wanted: &[(&Task, Option<&Sha>)], listing: Option<&Listing>) -> Changes {
    let mut changes = Changes::new();
    let there = |name: &str| listing.and_then(|listing| listing.file(name)).map(|entry| &entry.blob);
    for (task, blob) in wanted {
        match (task, blob) {
            (Task::Publish(outgoing), Some(blob)) => {
                let name = outgoing.name.file_name();
                if there(&name) == Some(blob) {
                    changes.remove(&name);
                } else {
                    changes.insert(name, Some((*blob).clone()));
                }
            }
            (Task::Retract(receipts), _) => {
                for (name, blob) in receipts.iter().filter_map(parse_receipt) {
                    let waits = changes.get(&name).cloned();
                    if waits.flatten().is_some_and(|waits| waits == blob) {
                        changes.remove(&name);
                    }
                    if there(&name) == Some(&blob) && !changes.contains_key(&name) {
                        changes.insert(name, None);
                    }
                }
            }
            (Task::Publish(_), None) => {}
        }
    }
    changes
}

/// The file and the blob that was in it, which a later pointer of the same name does not have.
fn receipt(task: &Task, blob: &Sha) -> Option<Receipt> {
    let Task::Publish(outgoing) = task else { return None };
    Receipt::new(format!("{blob}\n{}", outgoing.name.file_name()))
}

fn parse_receipt(receipt: &Receipt) -> Option<(String, Sha)> {
    let (blob, name) = std::str::from_utf8(receipt.as_bytes()).ok()?.split_once('\n')?;
    file::Name::parse(name)?;
    Some((name.to_owned(), Sha::try_from(blob.to_owned()).ok()?))
}
