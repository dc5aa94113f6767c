//! How a repository is configured.

use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::bridge::GitBridge;
use crate::git::Git;
use crate::remote::{LINK, Remote, USUAL_BRANCH};

/// The option that says where the repository is.
const REMOTE: &str = "remote";
/// The option that says in which branch.
const BRANCH: &str = "branch";
/// The option that names the place for those who reach it by another address.
const AS: &str = "as";
/// The option that says how often to look.
const POLL: &str = "poll";
/// The option that says how long the host may take.
const TIMEOUT: &str = "timeout";

/// How often a repository on this machine is looked at.
const POLL_HERE: Duration = Duration::from_secs(2);
/// How often a host is asked. Hosts allow thousands of requests an hour; these are 180.
const POLL_HOST: Duration = Duration::from_secs(20);
/// How long a host may take to answer: a slow one starts a container for each connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The `git` kind: `bridge add git --remote URL`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GitKind;

#[async_trait]
impl BridgeKind for GitKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "a git repository that both of you can push to, on any host"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn may(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            OptionSpec::new(name, value, help)
        }
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::new(REMOTE, "URL", "the repository, as you give it to `git push`: https://…, ssh://…, user@host:path, /absolute/path").required(),
            may(
                BRANCH,
                "NAME",
                "the branch for records, of its own: `wayside` unless both of you say otherwise",
            ),
            may(
                AS,
                "ADDRESS",
                "what to call the repository where the other side reaches it by another address: HOST/PATH",
            ),
            may(
                POLL,
                "SECS",
                "how often to look: 20 s at a host, 2 s on this machine, unless said otherwise",
            ),
            may(TIMEOUT, "SECS", "how long the host may take to answer: 30 s unless said otherwise"),
        ];
        OPTIONS
    }

    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        source.starts_with(LINK).then(|| {
            Remote::parse(source).map_err(|why| wrong(format!("this link {why}")))?;
            Ok(BridgeOptions::from_iter([(REMOTE, source)]))
        })
    }

    fn usage(&self, address: &str) -> String {
        let (place, branch) = address.split_once('#').unwrap_or((address, USUAL_BRANCH));
        let remote = match place.strip_prefix("file/") {
            Some(path) => format!("/{path}"),
            None => format!("https://{place}"),
        };
        match branch == USUAL_BRANCH {
            true => format!("--{REMOTE} {}", quoted(&remote)),
            false => format!("--{REMOTE} {} --{BRANCH} {}", quoted(&remote), quoted(branch)),
        }
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&[REMOTE, BRANCH, AS])
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let remote = Remote::parse(options.required(REMOTE)?)
            .map_err(|why| wrong(format!("--{REMOTE}: the address {why}")))?;
        let branch = options.value(BRANCH).unwrap_or(USUAL_BRANCH);
        if !is_branch(branch) {
            return Err(wrong(format!("--{BRANCH}: this is no name that a branch can have")));
        }
        let named = options.value(AS).map(|named| named.strip_prefix("git:").unwrap_or(named));
        let locator = remote.locator(branch, named).ok_or_else(|| match named {
            Some(_) => wrong(format!("--{AS} is empty, too long, or holds white space: give HOST/PATH")),
            None => wrong(format!(
                "--{REMOTE} cannot be named in an invite as it is: name it by --{AS} HOST/PATH"
            )),
        })?;
        let usual = if remote.is_here() { POLL_HERE } else { POLL_HOST };
        let poll = seconds(options, POLL, 3600)?.unwrap_or(usual);
        let patience = seconds(options, TIMEOUT, 600)?.unwrap_or(PATIENCE);
        let git = Git::find(remote, patience, &context).await?;
        Ok(Opened::bridge(GitBridge::new(git, branch, locator, poll, &context)?))
    }
}

/// A number of seconds, from one.
fn seconds(options: &BridgeOptions, name: &str, most: u64) -> Result<Option<Duration>, BridgeError> {
    let Some(value) = options.value(name) else { return Ok(None) };
    let secs = value.parse().ok().filter(|secs| (1..=most).contains(secs));
    let secs = secs.ok_or_else(|| wrong(format!("--{name} is a number of seconds from 1 to {most}")))?;
    Ok(Some(Duration::from_secs(secs)))
}

/// Whether a branch can be called this (git-check-ref-format(1)), and it stands for nothing else in a reference specification.
fn is_branch(name: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"~^:?*[\\#".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.len() <= 100
        && name.chars().all(allowed)
        && name.split('/').all(part)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !matches!(name, "@" | "HEAD")
}

/// Fit for a shell, since somebody may copy it into one.
fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| String::new(), std::borrow::Cow::into_owned)
}

fn wrong(message: String) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
