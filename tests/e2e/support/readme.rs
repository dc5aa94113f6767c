//! An example's README, whose commands are run as they stand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Ran, Running, clean, program};
use super::{PATIENCE, World, listen_on_loopback, until};

/// A block of commands: whose, whether they run until they are told to end, and which.
struct Block {
    who: String,
    stays: bool,
    commands: String,
}

/// Whoever a README speaks of, each with a folder that is their home.
#[derive(Debug)]
pub(crate) struct People {
    homes: BTreeMap<String, PathBuf>,
    environment: Vec<(&'static str, OsString)>,
    /// How long one block may take.
    patience: Duration,
}

/// What came of a README. What it has started ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Walked {
    /// What all blocks printed.
    pub(crate) said: String,
    _running: Vec<Running>,
}

impl People {
    /// These people, one block of whose commands may take so long.
    pub(crate) fn new(world: &World, who: &[&str], patience: Duration) -> Self {
        let homes: BTreeMap<_, _> =
            who.iter().map(|who| ((*who).to_owned(), world.path().join(who))).collect();
        for home in homes.values() {
            std::fs::create_dir_all(home).expect("a folder");
        }
        Self { homes, environment: Vec::new(), patience }
    }

    /// With this variable for all of them.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    pub(crate) fn home(&self, who: &str) -> &Path {
        &self.homes[who]
    }

    /// Commands of one of them.
    pub(crate) fn shell(&self, who: &str, commands: &str) -> Command {
        let mut command = shell(self.home(who), commands);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs all blocks, one after another. As people do, who is to answer waits until there is a question, and who is to write until there is a friend.
    pub(crate) fn walk(&self, readme: &str) -> Walked {
        let (mut said, mut running) = (String::new(), Vec::new());
        for block in blocks(readme) {
            let who = block.who.as_str();
            if block.stays {
                let up = Running::start(self.shell(who, &staying(&block.commands)));
                up.event("ready");
                running.push(up);
                continue;
            }
            if block.commands.contains("request accept") {
                self.until_there_are(who, "requests");
            }
            if block.commands.contains("wayside send") && !block.commands.contains("wayside accept") {
                self.until_there_are(who, "friends");
            }
            let ran = Ran::of(self.shell(who, &block.commands), "", self.patience);
            said.push_str(&ran.ok().stdout);
            // Tests stay there.
            let home = self.home(who).join(".local/share/wayside");
            if home.join("config.toml").exists() {
                listen_on_loopback(&home);
            }
        }
        Walked { said, _running: running }
    }

    fn until_there_are(&self, who: &str, what: &str) {
        until(what, self.patience, || {
            let ran = Ran::of(self.shell(who, &format!("wayside {what} --json")), "", PATIENCE);
            (!ran.ok().stdout.is_empty()).then_some(())
        });
    }
}

/// Commands of which the last stays, which is then the shell's own process, so that it ends with it.
fn staying(commands: &str) -> String {
    let (before, last) =
        commands.rsplit_once("\nwayside ").map_or(("", commands), |(before, last)| (before, last));
    let last = last.strip_prefix("wayside ").unwrap_or(last);
    format!("{before}\nexec wayside {last} --json")
}

/// The blocks of a README.
fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```sh ") else { continue };
        let (who, stays) = info.strip_suffix(" up").map_or((info, false), |who| (who, true));
        let commands: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block { who: who.to_owned(), stays, commands: commands.join("\n") });
    }
    assert!(!blocks.is_empty(), "there are no commands in it");
    blocks
}

/// Commands in a folder that is somebody's home.
pub(crate) fn shell(home: &Path, commands: &str) -> Command {
    let wayside = Path::new(program().get_program()).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(wayside).chain(std::env::split_paths(&path))).expect("a path");
    let mut command = clean(Command::new("sh"));
    command.args(["-e", "-c", commands]).current_dir(home).env("HOME", home).env("PATH", path);
    command.env("GIT_CONFIG_GLOBAL", home.join(".gitconfig")).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env_remove("XDG_DATA_HOME");
    command
}
