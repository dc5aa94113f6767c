//! The bare repository in which objects lie between the host and us. Anything may happen to it: it is made anew.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::GitError;
use crate::git::{Git, LARGEST_PACK};
use crate::tree::{MOST_LISTED, Oid, Tree};

/// A bare repository of our own.
pub(crate) struct Cache {
    path: PathBuf,
    sha256: bool,
    /// Grows each time it is made.
    made: u64,
    /// How often something was put in since it was weighed.
    puts: u32,
    /// What it weighed when it was young and held only what is needed.
    young: Option<u64>,
    /// Where it is for a moment only.
    _temporary: Option<TempDir>,
}

/// How many bytes on disk it may have before it is made anew, unless what is needed weighs as much.
const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// After how many puts it is weighed.
const WEIGH_AFTER: u32 = 24;

impl Cache {
    /// In this folder of ours, or in a temporary one. Makes nothing in the former yet.
    pub(crate) fn new(folder: Option<&Path>, name: &str) -> io::Result<Self> {
        let temporary = match folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("wayside-git-").tempdir()?),
        };
        let folder = folder.or_else(|| temporary.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        // git is run elsewhere.
        let path = std::path::absolute(folder.join(name))?;
        Ok(Self { path, sha256: false, made: 0, puts: 0, young: None, _temporary: temporary })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sees that it is there, and tells the number of its making: another than before means that it is empty.
    pub(crate) async fn ready(&mut self, git: &Git) -> Result<u64, GitError> {
        self.weed().await?;
        let mut there = true;
        for part in ["HEAD", "objects", "refs"] {
            there &= tokio::fs::try_exists(self.path.join(part)).await.unwrap_or(false);
        }
        if there && self.made > 0 {
            return Ok(self.made);
        }
        if !there {
            let new = self.path.with_extension("new");
            remove(&new).await?;
            remove(&self.path).await?;
            let new_text = new.as_os_str();
            let format = if self.sha256 { "--object-format=sha256" } else { "--object-format=sha1" };
            let arguments = ["init", "--quiet", "--bare", "--template=", format].map(AsRef::as_ref);
            git.local(&new, &[arguments.as_slice(), &[new_text]].concat(), "", 4096).await?;
            tokio::fs::rename(&new, &self.path).await.map_err(failed)?;
        }
        self.made = self.made.saturating_add(1);
        (self.puts, self.young) = (0, None);
        Ok(self.made)
    }

    /// Throws it away; it is made anew when it is needed.
    pub(crate) async fn discard(&mut self) -> Result<(), GitError> {
        self.young = None;
        remove(&self.path).await
    }

    /// Sees that it is of the kind of repository that has such names.
    pub(crate) async fn suit(&mut self, oid: &Oid) -> Result<(), GitError> {
        if self.sha256 != oid.is_sha256() {
            self.turn().await?;
        }
        Ok(())
    }

    /// Has it be of the other kind of repository: of those that name objects by SHA-1 and SHA-256.
    pub(crate) async fn turn(&mut self) -> Result<(), GitError> {
        self.sha256 = !self.sha256;
        self.discard().await
    }

    /// Takes note that something was put in.
    pub(crate) async fn put(&mut self) {
        self.puts = self.puts.saturating_add(1);
        if self.young.is_none() {
            self.young = Some(self.weight().await);
        }
    }

    /// What an error of a fetch into it is about: where it was cut off, half a pack lies there that is as large as may be.
    pub(crate) async fn explain(&self, git: &Git, error: GitError) -> GitError {
        match error.is_about_the_cache() && self.weight().await >= LARGEST_PACK {
            true => GitError::TooMuch { place: git.remote.place().to_owned(), what: "64 MiB" },
            false => error,
        }
    }

    async fn weight(&self) -> u64 {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || weigh(&path)).await.unwrap_or(0)
    }

    /// Throws it away where it has grown too much.
    async fn weed(&mut self) -> Result<(), GitError> {
        if self.puts < WEIGH_AFTER {
            return Ok(());
        }
        self.puts = 0;
        let weight = self.weight().await;
        if weight > MOST_BYTES.max(self.young.unwrap_or(0).saturating_mul(3)) {
            tracing::debug!(path = %self.path.display(), weight, "a repository's cache is made anew");
            self.discard().await?;
        }
        Ok(())
    }

    /// The commit at one of our own references, where there is one.
    pub(crate) async fn reference(&self, git: &Git, name: &str) -> Option<Oid> {
        let commit = format!("{name}^{{commit}}");
        let said = git.local(&self.path, &["rev-parse", "--quiet", "--verify", &commit], "", 256).await;
        Oid::parse(String::from_utf8(said.ok()?).ok()?.trim_end())
    }

    /// The tree of a commit or the like.
    pub(crate) async fn tree(&self, git: &Git, treeish: &str) -> Result<Tree, GitError> {
        let listed = git.local(&self.path, &["ls-tree", "-z", treeish], "", MOST_LISTED).await?;
        Tree::parse(&listed).ok_or_else(|| GitError::TooMuch {
            place: git.remote.place().to_owned(),
            what: "65,536 files, or what is no tree",
        })
    }

    /// Puts in a commit of this tree, which may name objects that are only at the host.
    pub(crate) async fn commit(&self, git: &Git, tree: &Tree, parent: Option<&Oid>) -> Result<Oid, GitError> {
        let made = git.local(&self.path, &["mktree", "-z", "--missing"], tree.to_input(), 256).await?;
        let tree = oid(&made)?;
        let mut arguments = vec!["commit-tree", "-m", "wayside", tree.text()];
        arguments.extend(parent.iter().flat_map(|parent| ["-p", parent.text()]));
        oid(&git.local(&self.path, &arguments, "", 256).await?)
    }
}

/// The name in what a command said.
pub(crate) fn oid(said: &[u8]) -> Result<Oid, GitError> {
    let text = String::from_utf8_lossy(said);
    Oid::parse(text.trim_end()).ok_or_else(|| GitError::Cache(crate::said::clip(&text, 80)))
}

async fn remove(path: &Path) -> Result<(), GitError> {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: io::Error) -> GitError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => GitError::NoRoomHere,
        _ => GitError::Cache(error.to_string()),
    }
}

/// The bytes that a folder takes on disk, links not followed; what cannot be seen counts nothing.
fn weigh(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => weigh(&entry.path()),
            Ok(metadata) => on_disk(&metadata),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(unix)]
fn on_disk(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512)
}

#[cfg(not(unix))]
fn on_disk(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
