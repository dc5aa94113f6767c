//! What goes wrong with a repository at GitHub, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, ErrorKind, Retry};

/// Why GitHub could not be used. Cheap to clone: what waits together fails together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitHubError {
    #[error("{0}")]
    Configuration(String),
    #[error("{host} cannot be reached ({reason}); is this machine online?")]
    Unreachable { host: String, reason: String },
    #[error("{0} does not answer; try again later, or look whether the network lets you through")]
    Silent(String),
    #[error("{host} failed (status {status}); its trouble usually passes, and it is tried again")]
    Failing { host: String, status: u16 },
    #[error(
        "{host} does not take the token: it is wrong, revoked or expired; make a new one and put it into the token file"
    )]
    Token { host: String },
    #[error("this bridge to {repo} has no token and only reads; add it again with --token-file to publish")]
    NoToken { repo: String },
    #[error(
        "we may not do this in {repo} ({said}); the token needs the permission \"{needed}\" for it, and its owner the right to write there"
    )]
    Forbidden { repo: String, needed: &'static str, said: String },
    #[error(
        "{what} is not there, or we may not see it: GitHub says \"not found\" of what is private; look for a typing error, and whether the token was \
         made for this repository with the permission \"{needed}\""
    )]
    NotFound { what: String, needed: &'static str },
    #[error("the issues of {repo} are switched off, or this one was deleted; use another issue, or a branch")]
    IssueGone { repo: String },
    #[error("the issue of {repo} is locked, so nobody may comment; unlock it or use another one")]
    Locked { repo: String },
    #[error("{repo} is archived, so it can only be read; unarchive it or use another repository")]
    Archived { repo: String },
    #[error("{repo} has no commit yet; add a file there first (a README will do), then it works")]
    Empty { repo: String },
    #[error("{repo} was renamed or moved; add the bridge again under its new name")]
    Moved { repo: String },
    #[error(
        "`{branch}` is the default branch of {repo}, which is the project's; give a --branch that wayside has for itself"
    )]
    DefaultBranch { repo: String, branch: String },
    #[error("GitHub does not take this ({said})")]
    Invalid { said: String },
    #[error("something is being changed there at the same moment ({said}); it is tried again")]
    Conflict { said: String },
    #[error("others keep writing to {repo} at the same moment; it is tried again")]
    Contended { repo: String },
    #[error("GitHub asks us to slow down; nothing is sent for {} s", .wait.as_secs())]
    Slow { wait: Duration },
    #[error("too much waits already to be written at GitHub's pace")]
    Crowded,
    #[error("{what} is larger than anything of wayside's; whoever may write there can delete it")]
    TooLarge { what: &'static str },
    #[error("GitHub's answer makes no sense ({what}); is --api the address of its API?")]
    Garbled { what: &'static str },
    #[error("a {class} record in a repository has at most {max} bytes, and this one has {len}")]
    RecordTooLarge { class: wayside_bridge::Class, len: usize, max: usize },
    #[error("only a pointer has a public name for its key, of 1 to 64 of `a-z 0-9 - _ .`")]
    Key,
    #[error("at most {0} public names are asked for at once here")]
    ManyNames(usize),
    #[error("a task of GitHub's bridge ended unexpectedly")]
    Lost,
}

/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How soon to try again where several write.
const SOON: Duration = Duration::from_secs(5);

impl GitHubError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) | Self::DefaultBranch { .. } => ErrorKind::Configuration,
            Self::Unreachable { .. } | Self::Silent(_) | Self::Failing { .. } => ErrorKind::Unreachable,
            Self::Token { .. }
            | Self::NoToken { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Locked { .. }
            | Self::Archived { .. }
            | Self::Empty { .. } => ErrorKind::Denied,
            Self::IssueGone { .. } | Self::Moved { .. } => ErrorKind::Gone,
            Self::Invalid { .. } | Self::RecordTooLarge { .. } | Self::Key | Self::ManyNames(_) => {
                ErrorKind::Refused
            }
            Self::Conflict { .. } | Self::Contended { .. } | Self::Slow { .. } | Self::Crowded => {
                ErrorKind::RateLimited
            }
            Self::TooLarge { .. } => ErrorKind::Full,
            Self::Garbled { .. } => ErrorKind::Garbled,
            Self::Lost => ErrorKind::Internal,
        }
    }
}

impl From<GitHubError> for BridgeError {
    fn from(error: GitHubError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            GitHubError::Slow { wait } => base.with_retry(Retry::After(wait)),
            GitHubError::Conflict { .. } | GitHubError::Contended { .. } | GitHubError::Crowded => {
                base.with_retry(Retry::After(SOON))
            }
            GitHubError::Forbidden { .. }
            | GitHubError::NotFound { .. }
            | GitHubError::Locked { .. }
            | GitHubError::Archived { .. }
            | GitHubError::Empty { .. } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}

/// What the service said, fit to be shown: one line, nothing that is not seen where it stands, not long.
pub(crate) fn said(text: &str) -> String {
    const LONGEST: usize = 200;
    let shown: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ' || c.is_alphanumeric())
        .take(LONGEST)
        .collect();
    match shown.trim() {
        "" => "no reason given".to_owned(),
        shown => shown.to_owned(),
    }
}
