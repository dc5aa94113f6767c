//! Somebody with a home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::process::{Ran, Running, program};

/// How long a command may take that says nothing else.
const COMMAND: Duration = Duration::from_secs(150);

/// Somebody with a home.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    pub(crate) node: Option<Running>,
    /// How far this person's clock is off.
    pub(crate) clock_offset_secs: i64,
}

impl Person {
    pub(crate) fn new(name: &str, home: &Path) -> Self {
        Self { name: name.to_owned(), home: home.to_owned(), node: None, clock_offset_secs: 0 }
    }

    /// Makes the home, and has every node in it listen on loopback.
    pub(crate) fn move_in(&self) {
        self.run(&["init", "--name", &self.name]).ok();
        listen_on_loopback(&self.home);
    }

    /// A command of this person's, not yet run.
    pub(crate) fn command<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = program();
        command.arg("--json").args(arguments.iter().map(AsRef::as_ref)).arg("--home").arg(&self.home);
        if self.clock_offset_secs != 0 {
            command.env("WAYSIDE_TEST_CLOCK_OFFSET_SECS", self.clock_offset_secs.to_string());
        }
        command
    }

    /// Runs a command with `--json`.
    #[track_caller]
    pub(crate) fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Ran {
        Ran::of(self.command(arguments), "", COMMAND)
    }

    /// The same with something on stdin.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        Ran::of(self.command(arguments), stdin, COMMAND)
    }

    /// Runs a command as a person would see it.
    #[track_caller]
    pub(crate) fn run_plain(&self, arguments: &[&str]) -> Ran {
        let mut command = program();
        command.arg("--home").arg(&self.home).args(arguments);
        Ran::of(command, "", COMMAND)
    }

    /// Starts the node; returns `ready`.
    #[track_caller]
    pub(crate) fn up(&mut self) -> Value {
        self.ready(self.start())
    }

    /// The same with these arguments, `up` first.
    #[track_caller]
    pub(crate) fn up_with(&mut self, arguments: &[&str]) -> Value {
        self.ready(Running::start(self.command(arguments)))
    }

    #[track_caller]
    fn ready(&mut self, node: Running) -> Value {
        let ready = node.event("ready");
        self.node = Some(node);
        ready
    }

    /// Starts a node without waiting for it.
    pub(crate) fn start(&self) -> Running {
        Running::start(self.command(&["up", "--listen", "udp://127.0.0.1:0"]))
    }

    /// The node that is up.
    #[track_caller]
    pub(crate) fn node(&self) -> &Running {
        self.node.as_ref().expect("it is up")
    }

    /// Ends the node in good order.
    #[track_caller]
    pub(crate) fn down(&mut self) {
        let (code, _, errors) = self.node.take().expect("it is up").terminate();
        assert_eq!((code, errors.as_str()), (Some(0), ""));
    }

    /// Kills the node.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.node.take().expect("it is up").kill();
    }

    /// A fresh invite.
    #[track_caller]
    pub(crate) fn invite(&self, options: &[&str]) -> String {
        let made = self.run(&[&["invite"][..], options].concat()).object();
        made["invite"].as_str().expect("text").to_owned()
    }

    /// Sends a message and returns how far it has come.
    #[track_caller]
    pub(crate) fn send(&self, to: &str, text: &str, wait: &str) -> String {
        let sent = self.run(&["send", to, text, "--wait", wait]).object();
        sent["state"].as_str().expect("text").to_owned()
    }

    /// The texts of the messages that are new.
    #[track_caller]
    pub(crate) fn inbox(&self) -> Vec<String> {
        texts(self.run(&["inbox"]).ok())
    }

    /// The texts of all messages.
    #[track_caller]
    pub(crate) fn history(&self) -> Vec<String> {
        texts(self.run(&["inbox", "--all"]).ok())
    }

    /// The friend of this name.
    #[track_caller]
    pub(crate) fn friend(&self, name: &str) -> Value {
        self.run(&["friend", "show", name]).object()
    }

    /// What this person's account is.
    #[track_caller]
    pub(crate) fn account(&self) -> String {
        self.run(&["id"]).object()["account"].as_str().expect("text").to_owned()
    }
}

/// Has every node of a home listen on loopback.
pub(crate) fn listen_on_loopback(home: &Path) {
    let config = home.join("config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let loopback = "listen = [\"udp://127.0.0.1:0\"]";
    let lines = text.lines().map(|line| if line.starts_with("listen = ") { loopback } else { line });
    fs::write(&config, lines.collect::<Vec<_>>().join("\n") + "\n").expect("it can be written");
}

fn texts(ran: &Ran) -> Vec<String> {
    ran.objects().iter().map(|message| message["text"].as_str().expect("text").to_owned()).collect()
}
