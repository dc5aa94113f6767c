//! Files' contents in and out of the cache.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::cache::{Cache, oid};
use crate::error::GitError;
use crate::git::Git;
use crate::tree::{MOST_ENTRIES, Oid};

/// The most bytes of a listing of all that a cache holds.
const MOST_LISTED: usize = MOST_ENTRIES * 4 * 90;

impl Cache {
    /// How large the files are that lie here; what is only at the host is missing.
    ///
    /// Asking for a certain object would make older versions of git fail where it is missing.
    pub(crate) async fn sizes(&self, git: &Git) -> Result<BTreeMap<Oid, u64>, GitError> {
        let arguments = ["cat-file", "--batch-check", "--batch-all-objects", "--unordered"];
        let said = git.local(self.path(), &arguments, "", MOST_LISTED).await?;
        let said = String::from_utf8_lossy(&said);
        Ok(said
            .lines()
            .filter_map(|line| {
                let mut parts = line.split(' ');
                let (oid, kind, size) = (Oid::parse(parts.next()?)?, parts.next()?, parts.next()?);
                (kind == "blob").then(|| Some((oid, size.parse().ok()?)))?
            })
            .collect())
    }

    /// The contents of files that lie here, whose sizes are known.
    pub(crate) async fn contents(
        &self,
        git: &Git,
        files: &[(Oid, u64)],
    ) -> Result<BTreeMap<Oid, Bytes>, GitError> {
        if files.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked: String = files.iter().map(|(oid, _)| format!("{}\n", oid.text())).collect();
        let most: u64 = files.iter().map(|(_, size)| size.saturating_add(128)).sum();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut said =
            Bytes::from(git.local(self.path(), &["cat-file", "--batch", "--buffer"], asked, most).await?);
        let mut found = BTreeMap::new();
        for (oid, size) in files {
            // `⟨name⟩ blob ⟨size⟩`, the contents, and a line's end
            let torn = || GitError::Cache("a file is not what it was".to_owned());
            let head = said.iter().position(|b| *b == b'\n').ok_or_else(torn)?;
            let line = said.split_to(head);
            if line != format!("{} blob {size}", oid.text()) {
                return Err(torn());
            }
            let size = usize::try_from(*size).map_err(|_| torn())?;
            let end = size.checked_add(1).filter(|end| *end < said.len()).ok_or_else(torn)?;
            let contents = said.split_to(end).slice(1..);
            drop(said.split_to(1));
            found.insert(oid.clone(), contents);
        }
        Ok(found)
    }

    /// Puts a file in.
    pub(crate) async fn keep(&self, git: &Git, contents: Bytes) -> Result<Oid, GitError> {
        let arguments = ["hash-object", "-w", "--no-filters", "-t", "blob", "--stdin"];
        oid(&git.local(self.path(), &arguments, contents, 256).await?)
    }
}
