//! Somebody at a host of a network, who has no bridge but the network itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::PATIENCE;
use crate::network::Lan;
use crate::process::{Ran, Running, clean};

pub struct Person<'a> {
    lan: &'a Lan,
    host: usize,
    home: PathBuf,
    node: Option<Running>,
}

impl<'a> Person<'a> {
    /// With a new home below this folder.
    pub fn new(lan: &'a Lan, host: usize, name: &str, folder: &Path) -> Self {
        let person = Self { lan, host, home: folder.join(name), node: None };
        person.run(&["init", "--name", name]).ok();
        person.run(&["bridge", "add", "mdns"]).ok();
        person
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(self.lan.command(self.host, env!("CARGO_BIN_EXE_wayside")));
        command.arg("--json").args(arguments).arg("--home").arg(&self.home);
        command
    }

    /// Runs a command at the host.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments), "", PATIENCE)
    }

    /// The same, given so long.
    pub fn run_for(&self, arguments: &[&str], patience: Duration) -> Ran {
        Ran::of(self.command(arguments), "", patience)
    }

    /// Starts a command at the host.
    pub fn background(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Starts the node.
    pub fn start(&mut self) {
        self.node = Some(Running::start(self.command(&["up"])));
    }

    /// Starts the node and waits for it.
    pub fn up(&mut self) {
        self.start();
        self.node().event("ready");
    }

    pub fn node(&self) -> &Running {
        self.node.as_ref().unwrap()
    }

    /// Ends the node in good order.
    pub fn down(&mut self) {
        let (code, _, errors) = self.node.take().unwrap().terminate();
        assert_eq!((code, errors.as_str()), (Some(0), ""));
    }

    /// The memory of the node, in KiB: `ip` has become it.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.node().id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Makes two people whose nodes are up friends.
pub fn befriend(inviter: &Person, joiner: &Person) {
    let made = inviter.run(&["invite"]).object();
    let invite = made["invite"].as_str().unwrap();
    let accepted = joiner.run(&["accept", "--yes", "--wait", "30s", invite]).object();
    assert_eq!(accepted["state"], "done", "{accepted}");
}
