//! What is asked of the host: what its references are, objects, and a push.

use std::path::Path;

use wayside_bridge::ErrorKind;

use crate::error::GitError;
use crate::git::Git;
use crate::process::Said;
use crate::said;
use crate::tree::Oid;

/// What `git ls-remote` told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refs {
    /// Of the branch.
    pub(crate) branch: Option<Oid>,
    /// Of the project's own default branch.
    pub(crate) head: Option<Oid>,
}

/// What to fetch.
#[derive(Debug)]
pub(crate) enum Want<'a> {
    /// The newest commit of a reference, with files smaller than so many bytes where the host knows how to leave others out.
    Newest { from: &'a str, to: &'a str, below: usize },
    /// These objects.
    Objects(&'a [&'a Oid]),
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The branch is what we made.
    Done,
    /// The branch was not what we had read.
    Overtaken,
    /// The host only lets the branch grow.
    ForwardOnly,
    /// The repository names its objects in another way than our cache.
    OtherNames,
}

/// The most bytes of a list of references that is read.
const MOST_REFS: usize = 1024 * 1024;

/// The remote's name in our cache. Its address is told with each fetch and is not kept, so that nothing is ever fetched on the side.
const REMOTE: &str = "wayside";

/// The branch's full name.
pub(crate) fn full_name(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

impl Git {
    /// What the branch is, and where the project's default branch is asked for, that too.
    pub(crate) async fn refs(&self, cache: &Path, branch: &str, with_head: bool) -> Result<Refs, GitError> {
        let full = full_name(branch);
        let mut arguments = vec!["ls-remote", "--", self.remote.url_text(), &full];
        arguments.extend(with_head.then_some("HEAD"));
        let said = self.abroad(cache, &arguments, MOST_REFS).await?;
        if !said.status.success() {
            return Err(self.judged(&said));
        }
        let listed = String::from_utf8_lossy(&said.stdout);
        let of = |name: &str| {
            let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(_, found)| *found == name).and_then(|(oid, _)| Oid::parse(oid))
        };
        Ok(Refs { branch: of(&full), head: of("HEAD") })
    }

    /// Fetches into the cache. `false` where the reference is not there.
    pub(crate) async fn fetch(&self, cache: &Path, want: Want<'_>) -> Result<bool, GitError> {
        let address = format!("remote.{REMOTE}.url={}", self.remote.url_text());
        let mut arguments: Vec<String> = ["-c", &address].map(str::to_owned).into();
        if matches!(want, Want::Objects(_)) {
            // Who has a commit is taken to have all that it names.
            arguments.extend(["-c", "fetch.negotiationAlgorithm=noop"].map(str::to_owned));
        }
        let options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
        arguments.extend(options.map(str::to_owned));
        match want {
            Want::Newest { from, to, below } => {
                arguments.extend(["--depth=1".to_owned(), format!("--filter=blob:limit={below}")]);
                arguments.extend([REMOTE.to_owned(), format!("+{from}:{to}")]);
            }
            Want::Objects(objects) => {
                arguments.extend(["--filter=blob:none", REMOTE].map(str::to_owned));
                arguments.extend(objects.iter().map(|oid| oid.text().to_owned()));
            }
        }
        let said = self.abroad_bounded(cache, &arguments, 4096).await?;
        if said.status.success() {
            return Ok(true);
        }
        if said.stderr.contains("couldn't find remote ref") {
            return Ok(false);
        }
        if said::is_full(&said.stderr) && !said.stderr.contains("remote:") {
            return Err(GitError::NoRoomHere);
        }
        Err(said::judge(self.remote.place(), &said.stderr)
            .unwrap_or_else(|| GitError::Cache(said::clip(said.stderr.trim(), 200))))
    }

    /// Makes a commit the branch, if the branch still is what is expected (`None`: not there).
    pub(crate) async fn push(
        &self,
        cache: &Path,
        branch: &str,
        commit: &Oid,
        expected: Option<&Oid>,
    ) -> Result<Pushed, GitError> {
        let full = full_name(branch);
        let lease = format!("--force-with-lease={full}:{}", expected.map_or("", Oid::text));
        let refspec = format!("{}:{full}", commit.text());
        let options = ["push", "--porcelain", "--no-verify", "--no-follow-tags", &lease, "--"];
        let arguments = [options.as_slice(), &[self.remote.url_text(), &refspec]].concat();
        let said = self.abroad(cache, &arguments, 64 * 1024).await?;
        if said.status.success() {
            return Ok(Pushed::Done);
        }
        let told = String::from_utf8_lossy(&said.stdout);
        // `!⟨tab⟩from:to⟨tab⟩[remote rejected] (why)`
        let verdict = told.lines().find_map(|line| line.strip_prefix("!\t")?.split_once('\t'));
        let Some((_, verdict)) = verdict else {
            if said.stderr.contains("hash algorithm") {
                return Ok(Pushed::OtherNames);
            }
            return Err(said::judge(self.remote.place(), &said.stderr)
                .unwrap_or_else(|| GitError::Cache(said::clip(said.stderr.trim(), 200))));
        };
        let (by_whom, reason) = verdict.split_once('(').unwrap_or((verdict, ""));
        let reason = reason.trim_end_matches(')');
        if said::overtaken(reason) {
            return Ok(Pushed::Overtaken);
        }
        if by_whom.contains("remote rejected") && said::forward_only(reason, &said.stderr) {
            return Ok(Pushed::ForwardOnly);
        }
        if said::lacks_objects(reason) {
            let told = said::judge(self.remote.place(), &said.stderr).filter(GitError::is_the_hosts_will);
            return Err(told.unwrap_or_else(|| GitError::Cache(reason.to_owned())));
        }
        Err(said::declined(self.remote.place(), reason, &said.stderr))
    }

    /// Whether the host lets us push: as far as it can be told without pushing anything.
    pub(crate) async fn may_push(&self, cache: &Path, branch: &str) -> Result<(), GitError> {
        // What is to be deleted is not there, so that this asks for nothing even of a host that takes a rehearsal for a push.
        let nothing = format!(":{}-rehearsal", full_name(branch));
        let options = ["push", "--dry-run", "--porcelain", "--no-verify", "--"];
        let arguments = [options.as_slice(), &[self.remote.url_text(), &nothing]].concat();
        let said = self.abroad(cache, &arguments, 64 * 1024).await?;
        match said.status.success() || said.stderr.contains("remote ref does not exist") {
            true => Ok(()),
            false => Err(self.judged(&said)),
        }
    }

    fn judged(&self, said: &Said) -> GitError {
        let place = self.remote.place();
        said::judge(place, &said.stderr).unwrap_or_else(|| GitError::Said {
            kind: ErrorKind::Unreachable,
            message: format!("{place}: git failed ({})", said::clip(said.stderr.trim(), 200)),
        })
    }
}
