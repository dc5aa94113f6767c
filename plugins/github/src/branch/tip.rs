//! What a branch holds at one commit, and what that commit says of the ones before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wayside_bridge::{Timestamp, file};

use crate::index::Listed;
use crate::wire::{CommitAnswer, FILE, Sha, TreeAnswer};

/// The file that tells people what the branch is.
pub(crate) const README: &str = "README.md";

/// How many commits of ours a commit ends, as a line of its message.
const DEPTH: &str = "wayside-depth: ";
/// That whoever made this commit is about to replace it with one that has no parent, as a line of its message.
const CLOSING: &str = "wayside-closing: yes";

/// A commit at the end of the branch.
#[derive(Debug)]
pub(crate) struct Tip {
    pub(crate) commit: Sha,
    pub(crate) tree: Sha,
    /// How many commits there are, all of them wayside's; `None` where that is not known.
    pub(crate) depth: Option<u32>,
    /// Whether somebody is about to replace it.
    pub(crate) closing: bool,
    pub(crate) listing: Arc<Listing>,
}

impl Tip {
    pub(crate) fn of(answer: CommitAnswer, listing: Arc<Listing>) -> Self {
        let lines = || answer.message.lines().map(str::trim);
        let told = lines().find_map(|line| line.strip_prefix(DEPTH)?.parse().ok());
        // A root of a git bridge's does not tell.
        let depth = if answer.parents.is_empty() { Some(1) } else { told };
        let closing = !answer.parents.is_empty() && lines().any(|line| line == CLOSING);
        Self { commit: answer.sha, tree: answer.tree.sha, depth, closing, listing }
    }
}

/// The message of a commit.
pub(crate) fn message(depth: Option<u32>, closing: bool) -> String {
    let mut text = "Sealed notes of wayside programs come and go\n".to_owned();
    if let Some(depth) = depth {
        text.push_str(&format!("\n{DEPTH}{depth}\n"));
    }
    if closing {
        text.push_str(&format!("{CLOSING}\n"));
    }
    text
}

/// Changes of files: there with these contents, or gone.
pub(crate) type Changes = BTreeMap<String, Option<Sha>>;

/// The files of a tree.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    files: BTreeMap<String, Entry>,
    pub(crate) readme: bool,
    /// How much there is that is none of ours.
    pub(crate) others: u64,
}

/// A file that is named as a record and small enough to be one.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: file::Name,
    pub(crate) blob: Sha,
    size: u64,
}

impl Listing {
    /// Of a tree, with links, folders, submodules, giants and whatever is named otherwise counted and left alone.
    pub(crate) fn of(answer: TreeAnswer) -> Self {
        let mut listing = Self { others: u64::from(answer.truncated), ..Self::default() };
        for entry in answer.tree {
            let ordinary = entry.kind == "blob" && entry.mode == FILE;
            if entry.path == README && ordinary {
                listing.readme = true;
                continue;
            }
            let name = file::Name::parse(&entry.path).filter(|_| ordinary);
            let (Some(name), Ok(blob)) = (name, Sha::try_from(entry.sha)) else {
                listing.others += 1;
                continue;
            };
            // Where the answer does not tell the size, the answer to reading it is bounded all the same.
            let size = entry.size.unwrap_or_default();
            if size > file::max_file(name.class) as u64 {
                listing.others += 1;
                continue;
            }
            listing.files.insert(entry.path, Entry { name, blob, size });
        }
        listing
    }

    /// The file of this name.
    pub(crate) fn file(&self, name: &str) -> Option<&Entry> {
        self.files.get(name)
    }

    /// Whether this is what was there before, with these changes: the answer to a new tree may tell less than all of it.
    pub(crate) fn follows(&self, before: Option<&Self>, changes: &Changes) -> bool {
        let holds = |name: &str, blob: Option<&Sha>| self.file(name).map(|entry| &entry.blob) == blob;
        let kept = before.into_iter().flat_map(Self::files).filter(|(name, _)| !changes.contains_key(*name));
        kept.into_iter().all(|(name, entry)| holds(name, Some(&entry.blob)))
            && changes.iter().all(|(name, blob)| holds(name, blob.as_ref()))
    }

    /// All files, by name.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// All files that may hold a record which has not expired.
    pub(crate) fn records(&self, now: Timestamp) -> Vec<Listed> {
        let stays =
            |entry: &Entry| !entry.name.fixed.is_some_and(|(not_after, _)| file::over(not_after, now));
        let files = self.files.iter().filter(|(_, entry)| stays(entry));
        files
            .map(|(id, entry)| Listed {
                id: id.clone(),
                name: entry.name.clone(),
                version: entry.blob.to_string(),
                size: entry.size,
                record: None,
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "tip_tests.rs"]
mod tests;
