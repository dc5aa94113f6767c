//! Somebody with a home folder, whose commands and node run in some namespace.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Failure;
use super::program;
use super::space::Space;

/// Beyond what a command was told to wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody, whose node may be up.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    home: PathBuf,
    log: bool,
    node: Option<Node>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) objects: Vec<Value>,
    pub(crate) complaint: String,
}

impl Said {
    /// The last object of a command that succeeded.
    pub(crate) fn object(mut self) -> Result<Value, Failure> {
        match (self.code, self.objects.pop()) {
            (Some(0), Some(object)) => Ok(object),
            _ => Err(self.complaint.into()),
        }
    }
}

impl Person {
    /// Makes the home.
    pub(crate) fn new(
        name: &'static str,
        folder: &Path,
        network: &[String],
        log: bool,
        nowhere: &Space,
    ) -> Result<Self, Failure> {
        let person = Self { name, home: folder.join(name), log, node: None };
        person.run(nowhere, &["init", "--name", name], Duration::ZERO)?.object()?;
        person.configure(network)?;
        Ok(person)
    }

    /// Adds the bridge to the folder that all share.
    pub(crate) fn share(&self, folder: &Path, nowhere: &Space) -> Result<(), Failure> {
        let shared = folder.join("shared");
        fs::create_dir_all(&shared)?;
        let shared = shared.to_string_lossy().into_owned();
        self.run(nowhere, &["bridge", "add", "dir", "--path", &shared], Duration::ZERO)?.object().map(drop)
    }

    /// Sets lines of the table `network`.
    fn configure(&self, network: &[String]) -> Result<(), Failure> {
        let path = self.home.join("config.toml");
        let names: Vec<&str> = network.iter().filter_map(|line| line.split(" = ").next()).collect();
        let mut text = String::new();
        for line in fs::read_to_string(&path)?.lines() {
            if names.iter().any(|name| line.starts_with(&format!("{name} = "))) {
                continue;
            }
            text += line;
            text += "\n";
            if line == "[network]" {
                text += &(network.join("\n") + "\n");
            }
        }
        fs::write(&path, text)?;
        Ok(())
    }

    /// Whether the program under test knows this line of `network`.
    pub(crate) fn knows(
        name: &'static str,
        folder: &Path,
        line: &str,
        nowhere: &Space,
    ) -> Result<bool, Failure> {
        let person = Self { name, home: folder.join(name), log: false, node: None };
        person.run(nowhere, &["init", "--name", name], Duration::ZERO)?.object()?;
        person.configure(&[line.to_owned()])?;
        Ok(person.run(nowhere, &["status"], Duration::ZERO)?.code == Some(0))
    }

    /// Whether the program under test knows this command.
    pub(crate) fn understands(
        name: &'static str,
        folder: &Path,
        words: &[&str],
        nowhere: &Space,
    ) -> Result<bool, Failure> {
        let person = Self { name, home: folder.join(name), log: false, node: None };
        person.run(nowhere, &["init", "--name", name], Duration::ZERO)?.object()?;
        // One that it does not know is wrong usage.
        Ok(person.run(nowhere, words, Duration::ZERO)?.code == Some(0))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, at: &Space, words: &[&str], wait: Duration) -> Result<Said, Failure> {
        let mut command = self.command(at, words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let until = Instant::now() + wait + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                // It ends by that, or has ended.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{words:?} did not end").into());
            }
            thread::sleep(Duration::from_millis(3));
        };
        let text = |thread: thread::JoinHandle<String>| thread.join().unwrap_or_default();
        let (stdout, complaint) = (text(stdout), text(stderr));
        let objects = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Said { code: status.code(), objects, complaint: complaint.trim().to_owned() })
    }

    fn command(&self, at: &Space, words: &[&str]) -> Command {
        let mut command = at.command(&program().to_string_lossy());
        for variable in ["WAYSIDE_HOME", "WAYSIDE_LOG", "WAYSIDE_TEST_CLOCK_OFFSET_SECS"] {
            command.env_remove(variable);
        }
        command.arg("--json").args(words).arg("--home").arg(&self.home);
        command
    }

    /// Starts the node there, without waiting for it.
    pub(crate) fn start(&mut self, at: &Space, options: &[&str]) -> Result<(), Failure> {
        let mut command = self.command(at, &[&["up"], options].concat());
        if self.log {
            let log = fs::File::options().create(true).append(true).open(self.home.with_extension("log"))?;
            command.env("WAYSIDE_LOG", "debug").stderr(log);
        } else {
            command.stderr(Stdio::null());
        }
        self.node = Some(Node::start(command)?);
        Ok(())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Waits until the node listens and has tried its bridges.
    pub(crate) fn ready(&mut self) -> Result<(), Failure> {
        let name = self.name;
        let node = self.node.as_mut().ok_or("no node is up")?;
        match node.wait_for(PATIENCE, |event| event["event"] == "ready") {
            Some(_) => Ok(()),
            None => Err(format!("the node of {name} does not come up").into()),
        }
    }

    /// What happened at the node since this was last asked.
    pub(crate) fn news(&self) -> Vec<Value> {
        let Some(node) = &self.node else { return Vec::new() };
        let events = node.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.try_iter().map(|(_, event)| event).collect()
    }

    /// The next thing that happens at the node, and when it was told; none until then.
    pub(crate) fn next_event(&self, until: Instant) -> Option<(Instant, Value)> {
        let events = self.node.as_ref()?.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Ends the node at once, with nobody told.
    pub(crate) fn kill(&mut self) {
        // Dropped it is killed, and waited for.
        self.node = None;
    }

    /// Tells the node to end, in good order; [`down`](Self::down) waits for it.
    pub(crate) fn stop(&self) {
        if let Some(node) = &self.node {
            // It may have ended already.
            let _ = kill_process(Pid::from_child(&node.child), Signal::TERM);
        }
    }

    /// Waits until the node has ended.
    pub(crate) fn down(&mut self) {
        self.stop();
        if let Some(mut node) = self.node.take() {
            node.end(Duration::from_secs(3));
        }
    }
}

/// A node, killed when it is dropped.
#[derive(Debug)]
struct Node {
    child: Child,
    events: Mutex<Receiver<(Instant, Value)>>,
}

impl Node {
    fn start(mut command: Command) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = BufReader::new(child.stdout.take().ok_or("its stdout is piped")?);
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, events: Mutex::new(events) })
    }

    fn wait_for(&mut self, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let until = Instant::now() + patience;
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (_, event) = events.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
            if wanted(&event) {
                return Some(event);
            }
        }
    }

    /// Waits for its end, for so long, and then does not wait.
    fn end(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What came before an error is what there is to show.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
