//! What git says when something did not work, told in kinds of error with what a person can do.

use wayside_bridge::ErrorKind;

use crate::error::GitError;

/// Signs in git's (untranslated) messages, the telling ones first: a host that refuses often hangs up as well.
const SIGNS: [(&[&str], ErrorKind, &str); 14] = [
    (
        &["host key verification failed", "remote host identification has changed"],
        ErrorKind::Denied,
        "ssh does not know the host's key; connect once by hand (`ssh HOST`), compare the key, and accept it",
    ),
    (
        &["dubious ownership"],
        ErrorKind::Denied,
        "the repository belongs to another user of this machine; if you trust them, \
         `git config --global --add safe.directory PATH`",
    ),
    (
        &[
            "terminal prompts disabled",
            "could not read username",
            "could not read password",
            "authentication failed",
            "invalid credentials",
            "invalid username or",
        ],
        ErrorKind::Denied,
        "the host wants a password or token that no credential helper has, or does not take it; see that \
         `git ls-remote` and `git push` work there without asking",
    ),
    (
        &["permission denied (publickey", "permission denied (", "too many authentication failures"],
        ErrorKind::Denied,
        "the host takes none of our ssh keys; add the key at the host, or to the agent (`ssh-add`)",
    ),
    (&["returned error: 429"], ErrorKind::RateLimited, "the host asks us to slow down"),
    (
        &[
            "returned error: 401",
            "returned error: 403",
            "service not enabled",
            "access denied",
            "permission to",
            "permission denied",
            "write access to repository not granted",
            "not allowed to",
            "insufficient permission",
            "read-only",
            "unable to create temporary object directory",
        ],
        ErrorKind::Denied,
        "we may not do that there; ask the repository's owner for permission to push (reading may work all the same)",
    ),
    (
        &["no space left on device", "disk quota exceeded", "quota exceeded", "file system full"],
        ErrorKind::Full,
        "there is no room left at the host; make some there, or ask its owner to",
    ),
    (
        &["certificate", "ssl:", "tls "],
        ErrorKind::Unreachable,
        "the host's certificate is not one that git trusts; if it is your own host's, tell git (`git config --global http.sslCAInfo FILE`)",
    ),
    (
        &["command not found", "is not a git command", "unable to find remote helper"],
        ErrorKind::Configuration,
        "git, or the part of it that this takes, is not installed there or here",
    ),
    (
        &[
            "repository not found",
            "not found",
            "does not appear to be a git repository",
            "no such file or directory",
            "not a git repository",
            "repository not exported",
            "returned error: 404",
            "no such repository",
            "project you were looking for could not be found",
        ],
        ErrorKind::Configuration,
        "there is no repository, or none that we may see; look at the address, and create it where it is not there yet",
    ),
    (
        &[
            "could not resolve",
            "name or service not known",
            "temporary failure in name resolution",
            "unable to look up",
        ],
        ErrorKind::Unreachable,
        "the host's name is not known; is the network up, and the name right?",
    ),
    (
        &["returned error: 5", "internal server error"],
        ErrorKind::Unreachable,
        "the host has troubles of its own; it is tried again later",
    ),
    (
        &["transport '", "is not allowed"],
        ErrorKind::Configuration,
        "git may not use this kind of address here (GIT_ALLOW_PROTOCOL, protocol.allow)",
    ),
    (
        &[
            "connection refused",
            "connection timed out",
            "operation timed out",
            "timed out",
            "network is unreachable",
            "no route to host",
            "connection reset",
            "failed to connect",
            "couldn't connect",
            "connection closed",
            "hung up unexpectedly",
            "early eof",
            "empty reply",
            "unexpected disconnect",
            "broken pipe",
            "unable to access",
            "could not read from remote repository",
        ],
        ErrorKind::Unreachable,
        "the host does not answer; is it up, and the network?",
    ),
];

/// What a host's words come to: the error, or `None` where they tell nothing that we know.
pub(crate) fn judge(place: &str, stderr: &str) -> Option<GitError> {
    let words = stderr.to_lowercase();
    let (_, kind, advice) = SIGNS.iter().find(|(signs, ..)| signs.iter().any(|sign| words.contains(sign)))?;
    Some(GitError::Said { kind: *kind, message: format!("{place}: {advice} ({})", quote(stderr)) })
}

/// What a host's hook, or rule, that turned a push down says of it.
pub(crate) fn declined(place: &str, reason: &str, stderr: &str) -> GitError {
    let kind = if is_full(stderr) { ErrorKind::Full } else { ErrorKind::Denied };
    let advice = match kind {
        ErrorKind::Full => "there is no room left at the host; make some there, or ask its owner to",
        _ => {
            "the host turned the push down; ask the repository's owner to let you push to the branch, by force too"
        }
    };
    GitError::Said { kind, message: format!("{place}: {advice} ({}: {})", clip(reason, 80), quote(stderr)) }
}

/// Whether a disk is full, theirs or ours.
pub(crate) fn is_full(stderr: &str) -> bool {
    let words = stderr.to_lowercase();
    ["no space left on device", "quota exceeded", "file system full"].iter().any(|sign| words.contains(sign))
}

/// Whether a host takes a branch forward only: it keeps history, and no force changes that.
pub(crate) fn forward_only(reason: &str, stderr: &str) -> bool {
    let words = stderr.to_lowercase();
    reason.contains("non-fast-forward")
        || ["force push", "force-push", "denying non-fast-forward"].iter().any(|sign| words.contains(sign))
}

/// Whether the branch is not what it was when it was read: somebody else was first.
pub(crate) fn overtaken(reason: &str) -> bool {
    [
        "stale info",
        "fetch first",
        "cannot lock ref",
        "failed to update ref",
        "failed to lock",
        "incorrect old value",
        "reference already exists",
        "unable to resolve reference",
        "but expected",
        "remote ref updated since checkout",
    ]
    .iter()
    .any(|sign| reason.contains(sign))
}

/// Whether a host could make nothing of what was pushed, as when it has forgotten what we had fetched from it once and do not send again.
pub(crate) fn lacks_objects(reason: &str) -> bool {
    ["missing necessary objects", "shallow update not allowed", "unpacker error"]
        .iter()
        .any(|sign| reason.contains(sign))
}

/// The most lines of a host's that are handed on.
const LINES: usize = 3;

/// The telling lines of what git said, for a person: what the host itself said first, fit to be shown.
fn quote(stderr: &str) -> String {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let hosts = lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
    let mut told: Vec<_> = hosts.filter(|line| !line.is_empty()).take(LINES).collect();
    if told.is_empty() {
        let gits = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
        told = lines().filter(gits).take(1).collect();
    }
    if told.is_empty() {
        told = lines().take(1).collect();
    }
    match told.is_empty() {
        true => "git said nothing".to_owned(),
        false => clip(&told.join("; "), 240),
    }
}

/// Text of somebody else's, fit to be shown: no control characters, not too long.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown = text.chars().filter(|c| !hidden(*c) || *c == '\n').map(|c| if c == '\n' { ' ' } else { c });
    shown.take(most).collect()
}

#[cfg(test)]
#[path = "said_tests.rs"]
mod tests;
