//! The user's `git`: which one, with which environment, and how its commands are run.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::process::Command;
use wayside_bridge::{BridgeContext, Clock, Entropy, Spawner};

use crate::error::{GitError, LEAST, Version};
use crate::process::{self, Broken, Run, Said};
use crate::remote::Remote;

/// The `git` on the path, set up for one remote.
pub(crate) struct Git {
    pub(crate) remote: Remote,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    spawner: Arc<dyn Spawner>,
    /// How long the host may take.
    pub(crate) patience: Duration,
    environment: Environment,
}

/// What of git's own variables is taken out, and what is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Environment {
    remove: Vec<OsString>,
    batch_ssh: bool,
    keep_protocols: bool,
}

/// How long a command that concerns our cache alone may take.
const LOCAL_PATIENCE: Duration = Duration::from_secs(60);

/// The largest pack that is fetched, in bytes: sixty pieces of mail of the largest size, a thousand times what meetings weigh.
pub(crate) const LARGEST_PACK: u64 = 64 * 1024 * 1024;

/// The most memory that git takes at once, in bytes: a delta that unfolds to gigabytes ends the program instead.
const ALLOCATION: &str = "134217728";

/// What is said to every command: what a user's configuration says of work with projects does not fit a cache.
const SETTINGS: [&str; 13] = [
    // nobody's code is run on our behalf
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    // a cache may be lost
    "core.fsync=none",
    "gc.auto=0",
    "maintenance.auto=false",
    // large blobs go straight to the disk
    "core.bigFileThreshold=1m",
    "fetch.unpackLimit=1",
    // what is odd in the branch is skipped by us, and is no reason to fetch nothing
    "fetch.fsckObjects=false",
    "transfer.fsckObjects=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.gpgSign=false",
    "credential.interactive=false",
];

/// Variables of git's that say how a host is reached and trusted. Every other that begins with `GIT_` points git elsewhere,
/// or makes it print what we would have to read.
const KEPT: [&str; 11] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_PROXY_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_ALLOW_PROTOCOL",
    "GIT_USER_AGENT",
];
const KEPT_PREFIXES: [&str; 5] =
    ["GIT_SSL_", "GIT_PROXY_SSL_", "GIT_HTTP_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"];

impl Git {
    /// The `git` on the path, once it is known to be new enough. Contacts nobody.
    pub(crate) async fn find(
        remote: Remote,
        patience: Duration,
        context: &BridgeContext,
    ) -> Result<Self, GitError> {
        let mut git = Self {
            remote,
            clock: Arc::clone(&context.clock),
            entropy: Arc::clone(&context.entropy),
            spawner: Arc::clone(&context.spawner),
            patience,
            environment: Environment::of(std::env::vars_os().map(|(name, _)| name)),
        };
        let nowhere = Path::new("nowhere");
        let said = git.local(nowhere, &["version"], Bytes::new(), 4096).await?;
        let said = String::from_utf8_lossy(&said);
        match version(&said) {
            Some(found) if found >= LEAST => {}
            _ => {
                let found = said.trim().trim_start_matches("git version ");
                return Err(GitError::TooOld(crate::said::clip(found, 40)));
            }
        }
        if git.environment.batch_ssh {
            let configured =
                git.local(nowhere, &["config", "--get", "core.sshCommand"], Bytes::new(), 65_536);
            git.environment.batch_ssh = configured.await.is_err();
        }
        Ok(git)
    }

    /// Runs a command on our cache; it reaches no host. Gives what it says.
    pub(crate) async fn local<A: AsRef<OsStr>>(
        &self,
        cache: &Path,
        arguments: &[A],
        input: impl Into<Bytes>,
        most: usize,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = self.command(Command::new("git"), cache, arguments);
        // What a partial clone lacks is lacking, and not fetched on the side.
        command
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOC_LIMIT", ALLOCATION);
        let said = self.run(command, input.into(), most, LOCAL_PATIENCE).await?;
        if said.status.success() {
            return Ok(said.stdout);
        }
        Err(Self::about_the_cache(&said))
    }

    fn about_the_cache(said: &Said) -> GitError {
        match crate::said::is_full(&said.stderr) {
            true => GitError::NoRoomHere,
            false => GitError::Cache(crate::said::clip(said.stderr.trim(), 200)),
        }
    }

    /// Runs a command that reaches the host. The caller judges what it says, unless that is of our cache.
    pub(crate) async fn abroad<A: AsRef<OsStr>>(
        &self,
        cache: &Path,
        arguments: &[A],
        most: usize,
    ) -> Result<Said, GitError> {
        self.abroad_by(Command::new("git"), cache, arguments, most).await
    }

    /// The same for a command that writes what others send: what is larger than the largest pack ends it.
    ///
    /// Not for a push: where the repository is on this machine, it is git there that works, and may tidy up more than that.
    pub(crate) async fn abroad_bounded<A: AsRef<OsStr>>(
        &self,
        cache: &Path,
        arguments: &[A],
        most: usize,
    ) -> Result<Said, GitError> {
        let mut command = limited();
        command.env("GIT_ALLOC_LIMIT", ALLOCATION);
        self.abroad_by(command, cache, arguments, most).await
    }

    async fn abroad_by<A: AsRef<OsStr>>(
        &self,
        command: Command,
        cache: &Path,
        arguments: &[A],
        most: usize,
    ) -> Result<Said, GitError> {
        let mut command = self.command(command, cache, arguments);
        if let Some(protocols) = self.remote.protocols(self.environment.keep_protocols) {
            command.env("GIT_ALLOW_PROTOCOL", protocols);
        }
        command.env("GIT_NO_LAZY_FETCH", "1");
        let said = self.run(command, Bytes::new(), most, self.patience).await?;
        if !said.status.success() && said.stderr.contains(&*cache.to_string_lossy()) {
            return Err(Self::about_the_cache(&said));
        }
        Ok(said)
    }

    fn command<A: AsRef<OsStr>>(&self, mut command: Command, cache: &Path, arguments: &[A]) -> Command {
        for name in &self.environment.remove {
            command.env_remove(name);
        }
        command
            .current_dir(if cfg!(unix) { "/".into() } else { std::env::temp_dir() })
            .env("GIT_DIR", cache)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("GCM_INTERACTIVE", "never")
            .env("GIT_AUTHOR_NAME", "wayside")
            .env("GIT_AUTHOR_EMAIL", "wayside@localhost")
            .env("GIT_COMMITTER_NAME", "wayside")
            .env("GIT_COMMITTER_EMAIL", "wayside@localhost");
        let date = format!("@{} +0000", self.clock.now().as_secs());
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        if self.environment.batch_ssh {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if self.remote.is_link() {
            // Who sent the link is not to lead us on to another host.
            command.args(["-c", "http.followRedirects=false"]);
        }
        command.args(arguments);
        command
    }

    async fn run(
        &self,
        command: Command,
        input: Bytes,
        most: usize,
        patience: Duration,
    ) -> Result<Said, GitError> {
        let run = Run { command, input, most, patience };
        process::run(run, &self.clock, &self.spawner).await.map_err(|broken| match broken {
            Broken::Start(error) if error.kind() == std::io::ErrorKind::NotFound => GitError::NotInstalled,
            Broken::Start(error) => GitError::Start(error.to_string()),
            Broken::Deadline => GitError::Silent { place: self.remote.place().to_owned(), patience },
            Broken::Overrun => {
                GitError::TooMuch { place: self.remote.place().to_owned(), what: "65,536 files" }
            }
        })
    }
}

/// git, unable to write a file larger than the largest pack.
#[cfg(unix)]
fn limited() -> Command {
    let mut command = Command::new("sh");
    // where a lower limit is set already, that one holds
    let blocks = LARGEST_PACK / 512;
    command.args(["-c", &format!("ulimit -f {blocks} 2>/dev/null; exec git \"$@\""), "git"]);
    command
}

#[cfg(not(unix))]
fn limited() -> Command {
    Command::new("git")
}

impl Environment {
    fn of(names: impl Iterator<Item = OsString>) -> Self {
        let (mut remove, mut batch_ssh, mut keep_protocols) = (Vec::new(), true, false);
        for name in names {
            let text = name.to_string_lossy();
            let kept = KEPT.contains(&&*text) || KEPT_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
            batch_ssh &= !matches!(&*text, "GIT_SSH" | "GIT_SSH_COMMAND");
            keep_protocols |= text == "GIT_ALLOW_PROTOCOL";
            if text.starts_with("GIT_") && !kept {
                remove.push(name);
            }
        }
        Self { remove, batch_ssh, keep_protocols }
    }
}

/// The version that `git version` tells.
fn version(said: &str) -> Option<Version> {
    let mut numbers = said.strip_prefix("git version ")?.split(['.', ' ', '\n', '-']);
    Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
