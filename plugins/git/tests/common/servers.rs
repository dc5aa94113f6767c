//! Real servers, where `tests/run git` has started them.

use std::path::PathBuf;

use super::Repository;

/// Where a server's repositories lie, and how they are reached through it.
#[derive(Clone, Debug)]
pub struct Server {
    /// On this machine's disk.
    pub folder: PathBuf,
    /// The address of all of them, without the repository's name.
    pub base: String,
    /// The same with credentials that are not taken, where there are some.
    pub wrong: Option<String>,
}

impl Server {
    /// The server of this name (`DAEMON`, `HTTP`, `HTTPS`, `SSH`), or `None` where none was started.
    pub fn find(name: &str) -> Option<Self> {
        let value = |suffix: &str| std::env::var(format!("WAYSIDE_GIT_{suffix}")).ok();
        let folder = value("REPOSITORIES")?.into();
        Some(Self { folder, base: value(name)?, wrong: value(&format!("{name}_WRONG")) })
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.base)
    }

    /// A new repository there.
    pub fn make(&self, name: &str) -> Repository {
        let repository = Repository::at(&self.folder.join(format!("{name}.git")));
        repository.git(&["config", "http.receivepack", "true"]);
        repository
    }
}

/// What is said where it was not.
pub const NONE: &str = "no git servers here; `tests/run git` starts them";

/// A name that no other test uses.
pub fn fresh_name() -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).ok();
    format!("r{:016x}", u64::from_be_bytes(random))
}
