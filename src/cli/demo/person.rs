//! Somebody in the story: a home, the command run in it, and a node that may be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use wayside::api::types::NodeEvent;

use crate::cli::exit::{Exit, Failure};

/// Where a node of the story listens: nowhere but on this machine.
const LOOPBACK: &str = "udp://127.0.0.1:0";
/// How long a node may take to end when it is asked to.
const LEAVE: Duration = Duration::from_secs(20);

/// Somebody in the story.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    home: PathBuf,
    program: PathBuf,
    node: Option<Running>,
}

/// A node in a process of its own, killed when it is dropped.
#[derive(Debug)]
struct Running {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Person {
    pub(super) fn new(name: &'static str, folder: &Path, program: &Path) -> Self {
        let home = folder.join(name.to_lowercase());
        Self { name, home, program: program.to_owned(), node: None }
    }

    /// Makes the home, and has every node in it listen on loopback, whichever command runs it.
    pub(super) async fn move_in(&self) -> Result<(), Failure> {
        let _: serde_json::Value = self.run(&["init", "--name", self.name]).await?;
        let config = self.home.join("config.toml");
        let text = tokio::fs::read_to_string(&config).await.map_err(file_error)?;
        let lines = text.lines().map(|line| match line.starts_with("listen = ") {
            true => format!("listen = [\"{LOOPBACK}\"]\n"),
            false => format!("{line}\n"),
        });
        tokio::fs::write(&config, lines.collect::<String>()).await.map_err(file_error)
    }

    /// Starts the node and waits until it is ready. Returns where it listens.
    pub(super) async fn up(&mut self) -> Result<String, Failure> {
        let mut command = self.command(&["up", "--listen", LOOPBACK]);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| self.failed("up", &error))?;
        let stdout = child.stdout.take().ok_or_else(|| self.failed("up", &"it has no output"))?;
        let mut events = BufReader::new(stdout).lines();
        let line = events.next_line().await.map_err(|error| self.failed("up", &error))?;
        let line = line.ok_or_else(|| self.failed("up", &"it ended at once"))?;
        match serde_json::from_str(&line) {
            Ok(NodeEvent::Ready { listen, .. }) => {
                self.node = Some(Running { child, events });
                Ok(listen.join(", "))
            }
            _ => Err(self.failed("up", &format!("it begins with {line}"))),
        }
    }

    /// Waits for an event of the node for which `wanted` has an answer.
    pub(super) async fn until<T>(&mut self, wanted: impl Fn(NodeEvent) -> Option<T>) -> Result<T, Failure> {
        let name = self.name;
        let ended = || Failure::new(Exit::Failed, format!("{name}'s node ended"));
        let running = self.node.as_mut().ok_or_else(ended)?;
        loop {
            let line = running.events.next_line().await.ok().flatten().ok_or_else(ended)?;
            if let Some(answer) = serde_json::from_str(&line).ok().and_then(&wanted) {
                return Ok(answer);
            }
        }
    }

    /// `kill -9`: no leave, no tidying up.
    pub(super) async fn killed(&mut self) -> Result<u32, Failure> {
        let mut running = self.node.take().ok_or_else(|| self.failed("up", &"it does not run"))?;
        let id = running.child.id().unwrap_or_default();
        running.child.kill().await.map_err(|error| self.failed("up", &error))?;
        Ok(id)
    }

    /// Asks the node to end, and sees that it does so in good order.
    pub(super) async fn down(&mut self) -> Result<(), Failure> {
        let Some(mut running) = self.node.take() else { return Ok(()) };
        terminate(&mut running.child).map_err(|error| self.failed("up", &error))?;
        match tokio::time::timeout(LEAVE, running.child.wait()).await {
            Ok(Ok(status)) if status.success() || !cfg!(unix) => Ok(()),
            Ok(Ok(status)) => Err(self.failed("up", &format!("it ended with {status}"))),
            Ok(Err(error)) => Err(self.failed("up", &error)),
            Err(_) => Err(self.failed("up", &"it does not end")),
        }
    }

    /// Runs a command and reads the one object that it prints.
    pub(super) async fn run<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T, Failure> {
        let lines = self.run_lines(arguments).await?;
        let [line] = <[T; 1]>::try_from(lines)
            .map_err(|lines| self.failed(first(arguments), &format!("it printed {} lines", lines.len())))?;
        Ok(line)
    }

    /// Runs a command and reads what it prints.
    pub(super) async fn run_lines<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<Vec<T>, Failure> {
        let failed = |error: &dyn std::fmt::Display| self.failed(first(arguments), error);
        let mut command = self.command(arguments);
        let output = command.stderr(Stdio::piped()).output().await.map_err(|error| failed(&error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(&said.trim().trim_start_matches("wayside: ")));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(|error| failed(&error))).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home).arg("--json").args(arguments);
        command.env_remove("WAYSIDE_HOME").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn failed(&self, command: &str, why: &dyn std::fmt::Display) -> Failure {
        Failure::new(Exit::Failed, format!("{}'s `wayside {command}`: {why}", self.name))
    }
}

fn first<'a>(arguments: &[&'a str]) -> &'a str {
    arguments.first().copied().unwrap_or_default()
}

fn file_error(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the temporary folder does not work: {error}"))
}

#[cfg(unix)]
fn terminate(child: &mut Child) -> std::io::Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    let id = id.ok_or_else(|| std::io::Error::other("it has ended already"))?;
    Ok(rustix::process::kill_process(id, rustix::process::Signal::TERM)?)
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) -> std::io::Result<()> {
    child.start_kill()
}
