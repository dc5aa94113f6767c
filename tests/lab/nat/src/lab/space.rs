//! A network namespace: a machine of the lab, with whatever runs in it. It is gone when it is dropped.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::Failure;
use super::shell::{run, run_with};

/// What all names of the lab begin with; then comes the lab's process id.
const PREFIX: &str = "wnat";

/// One machine.
#[derive(Debug)]
pub(crate) struct Space {
    name: String,
}

impl Space {
    /// A machine with nothing but loopback. `ground` and `role` tell it from the others.
    pub(crate) fn new(ground: usize, role: &str) -> Result<Self, Failure> {
        let is_over = IS_OVER.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_over {
            return Err("everything is being taken away".into());
        }
        let made = Self { name: format!("{PREFIX}{}-{ground}-{role}", std::process::id()) };
        run("ip", &["netns", "add", &made.name])?;
        drop(is_over);
        made.ip(&["link set lo up".to_owned()])?;
        made.set("ipv6/conf/default/accept_dad", "0")?;
        Ok(made)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Carries out these lines of `ip`, in one process.
    pub(crate) fn ip(&self, lines: &[String]) -> Result<(), Failure> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        run_with(&mut command, &(lines.join("\n") + "\n")).map(drop)
    }

    /// Loads rules.
    pub(crate) fn nft(&self, rules: &str) -> Result<(), Failure> {
        run_with(self.command("nft").args(["-f", "-"]), rules).map(drop)
    }

    /// Forgets every connection.
    pub(crate) fn flush_connections(&self) -> Result<(), Failure> {
        run_with(self.command("conntrack").arg("-F"), "").map(drop)
    }

    /// Sets what is at this path below `/proc/sys/net`.
    pub(crate) fn set(&self, path: &str, value: &str) -> Result<(), Failure> {
        let (path, value) = (format!("/proc/sys/net/{path}"), value.to_owned());
        self.enter(move || fs::write(&path, value).map_err(|error| format!("{path}: {error}")))??;
        Ok(())
    }

    /// A command that is to run there.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Does something there, on a thread of its own: a socket that it makes stays there, whoever uses it.
    pub(crate) fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        let path = format!("/run/netns/{}", self.name);
        thread::scope(|scope| {
            let done = scope.spawn(move || -> io::Result<T> {
                let file = File::open(path)?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(act())
            });
            done.join().map_err(|_| "what ran in a namespace panicked")?.map_err(Failure::from)
        })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Ends what runs in it, and takes it away. What is not there any more is what is wanted.
fn remove(name: &str) {
    for pid in run("ip", &["netns", "pids", name]).unwrap_or_default().split_whitespace() {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = run("ip", &["netns", "delete", name]);
}

/// Whether no more are made.
static IS_OVER: Mutex<bool> = Mutex::new(false);

pub(crate) fn is_over() -> bool {
    *IS_OVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes away what this process has made, when it has to end at once, and has it make no more.
pub(crate) fn remove_all() {
    *IS_OVER.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let own = format!("{PREFIX}{}-", std::process::id());
    names().filter(|name| name.starts_with(&own)).for_each(|name| remove(&name));
}

/// Takes away what labs have left that were killed.
pub(crate) fn sweep() {
    for name in names() {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if pid.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            remove(&name);
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
