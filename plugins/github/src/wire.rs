//! The parts of GitHub's answers that matter here, and what we send. More in an answer is ignored.

use serde::{Deserialize, Serialize};

use crate::error::GitHubError;

/// The name of a git object: what it is named after is what it holds. Checked, so that it may stand in a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Sha(String);

impl TryFrom<String> for Sha {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // SHA-1, or SHA-256 one day.
        let ok = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if ok { Ok(Self(text)) } else { Err("this is not the name of a git object") }
    }
}

impl std::fmt::Display for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `GET /repos/{owner}/{repo}`
#[derive(Debug, Deserialize)]
pub(crate) struct RepoAnswer {
    #[serde(default)]
    pub(crate) default_branch: String,
    #[serde(default)]
    pub(crate) archived: bool,
    /// Missing for who shows no token.
    pub(crate) permissions: Option<Permissions>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Permissions {
    #[serde(default)]
    pub(crate) push: bool,
}

/// `GET /repos/{owner}/{repo}/git/ref/{ref}`, and what a change of one answers.
#[derive(Debug, Deserialize)]
pub(crate) struct RefAnswer {
    pub(crate) object: Object,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Object {
    pub(crate) sha: Sha,
}

/// `GET /repos/{owner}/{repo}/git/commits/{sha}`, and what making one answers.
#[derive(Debug, Deserialize)]
pub(crate) struct CommitAnswer {
    pub(crate) sha: Sha,
    pub(crate) tree: Object,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) parents: Vec<Object>,
}

/// `GET /repos/{owner}/{repo}/git/trees/{sha}`, and what making one answers.
#[derive(Debug, Deserialize)]
pub(crate) struct TreeAnswer {
    pub(crate) sha: Sha,
    #[serde(default)]
    pub(crate) tree: Vec<TreeEntry>,
    #[serde(default)]
    pub(crate) truncated: bool,
}

/// Names of objects are checked when an entry is of interest: one that is not does not spoil the others.
#[derive(Debug, Deserialize)]
pub(crate) struct TreeEntry {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) mode: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) sha: String,
    pub(crate) size: Option<u64>,
}

/// `GET /repos/{owner}/{repo}/git/blobs/{sha}`
#[derive(Debug, Deserialize)]
pub(crate) struct BlobAnswer {
    pub(crate) content: String,
    pub(crate) encoding: String,
}

impl BlobAnswer {
    /// The bytes; `None` where it is not base64 after all.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        (self.encoding == "base64").then(|| unarmoured(&self.content)).flatten()
    }
}

/// Base64, whatever white space stands between.
pub(crate) fn unarmoured(text: &str) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    data_encoding::BASE64.decode(&packed).ok()
}

/// What making a blob answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Made {
    pub(crate) sha: Sha,
}

/// `POST /repos/{owner}/{repo}/git/blobs`
#[derive(Debug, Serialize)]
pub(crate) struct NewBlob {
    pub(crate) content: String,
    pub(crate) encoding: &'static str,
}

/// `POST /repos/{owner}/{repo}/git/trees`
#[derive(Debug, Serialize)]
pub(crate) struct NewTree<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_tree: Option<&'a Sha>,
    pub(crate) tree: Vec<NewEntry<'a>>,
}

/// A file in a new tree: there with these contents, or there no longer.
#[derive(Debug, Serialize)]
pub(crate) struct NewEntry<'a> {
    pub(crate) path: &'a str,
    pub(crate) mode: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) holds: Holds<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) enum Holds<'a> {
    #[serde(rename = "sha")]
    Blob(Option<&'a Sha>),
    #[serde(rename = "content")]
    Text(&'static str),
}

impl<'a> NewEntry<'a> {
    pub(crate) const fn file(path: &'a str, holds: Holds<'a>) -> Self {
        Self { path, mode: FILE, kind: "blob", holds }
    }
}

/// The mode of an ordinary file.
pub(crate) const FILE: &str = "100644";

/// `POST /repos/{owner}/{repo}/git/commits`
#[derive(Debug, Serialize)]
pub(crate) struct NewCommit<'a> {
    pub(crate) message: &'a str,
    pub(crate) tree: &'a Sha,
    pub(crate) parents: Vec<&'a Sha>,
    pub(crate) author: Person<'a>,
    pub(crate) committer: Person<'a>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Person<'a> {
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) date: &'a str,
}

/// `POST /repos/{owner}/{repo}/git/refs`
#[derive(Debug, Serialize)]
pub(crate) struct NewRef<'a> {
    #[serde(rename = "ref")]
    pub(crate) name: &'a str,
    pub(crate) sha: &'a Sha,
}

/// `PATCH /repos/{owner}/{repo}/git/refs/{ref}`
#[derive(Debug, Serialize)]
pub(crate) struct MoveRef<'a> {
    pub(crate) sha: &'a Sha,
    pub(crate) force: bool,
}

/// `GET /repos/{owner}/{repo}/contents/{path}` of a file.
#[derive(Debug, Deserialize)]
pub(crate) struct FileAnswer {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) size: u64,
    pub(crate) sha: String,
    #[serde(default)]
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) encoding: String,
}

/// `GET /repos/{owner}/{repo}/issues/{number}`
#[derive(Debug, Deserialize)]
pub(crate) struct IssueAnswer {
    #[serde(default)]
    pub(crate) locked: bool,
}

/// A comment of an issue.
#[derive(Debug, Deserialize)]
pub(crate) struct CommentAnswer {
    pub(crate) id: u64,
    pub(crate) body: Option<String>,
    /// Missing where the account was deleted.
    pub(crate) user: Option<UserAnswer>,
    #[serde(default)]
    pub(crate) updated_at: String,
    #[serde(default)]
    pub(crate) issue_url: String,
}

/// `GET /user`, and whose a comment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct UserAnswer {
    pub(crate) id: u64,
}

/// `POST /repos/{owner}/{repo}/issues/{number}/comments`
#[derive(Debug, Serialize)]
pub(crate) struct NewComment<'a> {
    pub(crate) body: &'a str,
}

/// What an answer ought to have been.
pub(crate) const fn garbled(what: &'static str) -> GitHubError {
    GitHubError::Garbled { what }
}
