//! Starting a program as a child: its arguments, environment and process group, its log, and its end.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{AbortHandle, abortable};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{Child, Command};
use wayside_bridge::{BridgeContext, BridgeError, Clock, ErrorKind};

use crate::limits::Budget;
use crate::wire::clip;

/// How a child is started, and started again.
pub trait Launch: Send + Sync {
    /// What it is called in errors and in the log.
    fn name(&self) -> &str;

    /// Starts one life of it.
    fn launch(&self, context: &BridgeContext) -> io::Result<Started>;
}

/// A child that has been started.
pub struct Started {
    /// What it says.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// What it hears. Dropping it tells the child to end.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// The process, where there is one. Dropping it kills the process and its group.
    pub process: Option<Process>,
}

/// A program and its arguments, as configured.
#[derive(Clone)]
pub struct Program {
    name: String,
    argv: Vec<String>,
}

/// What of the node's environment a child gets to see; every `LC_` variable too. The rest may hold secrets of
/// other programs and is none of its business.
const ENVIRONMENT: [&str; 30] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SystemRoot",
    "USERPROFILE",
    "APPDATA",
    "TEMP",
];

impl Program {
    /// The program of a command line, split as a shell would (quotes, backslashes) and run without one: no
    /// variables, no `~`, no wildcards, no pipes.
    pub fn parse(command: &str) -> Result<Self, BridgeError> {
        let wrong = |why: String| BridgeError::new(ErrorKind::Configuration, format!("--command {why}"));
        let argv = shlex::split(command).ok_or_else(|| wrong("has a quote that is not closed".to_owned()))?;
        let path = match argv.first() {
            Some(program) if !program.is_empty() => Path::new(program),
            _ => return Err(wrong("is empty".to_owned())),
        };
        if path.components().count() > 1 && !path.is_absolute() {
            // the node may be started anywhere, by anything
            return Err(wrong(format!("names `{}`, which must be absolute or on the PATH", path.display())));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name: clip(&name, 100), argv })
    }

    fn command(&self, state_dir: Option<&PathBuf>) -> Command {
        let (program, arguments) = self.argv.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment(std::env::vars_os()));
        command.env("WAYSIDE_EXEC_VERSION", crate::protocol::VERSION.to_string());
        if let Some(dir) = state_dir {
            command.env("WAYSIDE_STATE_DIR", dir).current_dir(dir);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

impl std::fmt::Debug for Program {
    /// Tells the name alone: arguments may hold what is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Launch for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn launch(&self, context: &BridgeContext) -> io::Result<Started> {
        let mut child = self.command(context.state_dir.as_ref()).spawn()?;
        let (Some(input), Some(output), Some(log)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("no pipes"));
        };
        let last = Arc::new(Mutex::new(String::new()));
        let pump = pump(log, self.name.clone(), Arc::clone(&context.clock), Arc::clone(&last));
        let (pump, log) = abortable(pump);
        context.spawner.spawn(pump.map(drop).boxed());
        let process = Process {
            child,
            log,
            last,
            #[cfg(unix)]
            over: false,
        };
        Ok(Started { output: Box::new(output), input: Box::new(input), process: Some(process) })
    }
}

fn environment(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| {
        name.to_str().is_some_and(|name| ENVIRONMENT.contains(&name) || name.starts_with("LC_"))
    })
}

/// A running process with everything that it started. Dropping it kills the lot.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: AbortHandle,
    last: Arc<Mutex<String>>,
    #[cfg(unix)]
    over: bool,
}

impl Process {
    /// Waits at most `grace` for the child to end by itself, kills what is left of its group, reaps it, and tells how
    /// it ended.
    pub(crate) async fn end(mut self, grace: Duration, clock: &dyn Clock) -> String {
        let deadline = Duration::saturating_add(clock.monotonic().0, grace);
        while !self.has_ended() && clock.monotonic().0 < deadline {
            clock.sleep(POLL).await;
        }
        let by_itself = self.has_ended();
        self.kill();
        let status = self.child.wait().await;
        // the log's last lines may still be in the pipe
        if !self.log.is_aborted() {
            clock.sleep(POLL).await;
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let how = match status {
            Ok(status) if by_itself => status.to_string(),
            _ => "it closed its output and was killed".to_owned(),
        };
        if last.is_empty() { how } else { format!("{how}; its log says `{last}`") }
    }

    /// Whether the child has ended, without reaping it: its process group stays ours until it is reaped, so that
    /// killing the group can never hit a stranger.
    #[cfg(unix)]
    fn has_ended(&self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else {
            return true;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    #[cfg(not(unix))]
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    #[cfg(unix)]
    fn kill(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // after it has been reaped, the number may be somebody else's
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let (Some(pid), false) = (pid, self.over) {
            self.over = true;
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.log.abort();
    }
}

const POLL: Duration = Duration::from_millis(20);

/// The longest line of a child's log that is kept, in bytes.
const LOG_LINE: usize = 1000;

/// Lines of log at once, and a second in the long run.
const LOG_BUDGET: (u32, u32) = (100, 10);

/// Hands a child's standard error to our log, line by line. It is always read to the end, so that a child never
/// waits for us, and never understood.
async fn pump<R: AsyncRead + Unpin>(
    mut log: R,
    program: String,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<String>>,
) {
    let mut budget = Budget::new(LOG_BUDGET.0, LOG_BUDGET.1, clock.monotonic());
    let mut left_out = 0_u64;
    let mut line = Vec::with_capacity(LOG_LINE);
    let mut buffer = vec![0; 8192];
    loop {
        let read = match log.read(&mut buffer).await {
            Ok(read) if read > 0 => buffer.get(..read).unwrap_or_default(),
            _ => break,
        };
        for part in read.split_inclusive(|byte| *byte == b'\n') {
            let room = LOG_LINE.saturating_sub(line.len());
            line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            if !part.ends_with(b"\n") {
                continue;
            }
            let text = clip(&String::from_utf8_lossy(&line), LOG_LINE);
            line.clear();
            if text.is_empty() {
                continue;
            }
            if budget.take(clock.monotonic()) {
                if left_out > 0 {
                    tracing::warn!(program, left_out, "log lines of a bridge program were left out");
                    left_out = 0;
                }
                tracing::info!(program, "{text}");
            } else {
                left_out += 1;
            }
            *last.lock().unwrap_or_else(PoisonError::into_inner) = clip(&text, 200);
        }
    }
    if left_out > 0 {
        tracing::warn!(program, left_out, "log lines of a bridge program were left out");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may")]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_split_without_a_shell() {
        let program = Program::parse(r#"python3 'a b.py' "c \"d\"" e\ f ~/g $HOME * ; rm"#).unwrap();
        let expected = ["python3", "a b.py", r#"c "d""#, "e f", "~/g", "$HOME", "*", ";", "rm"];
        assert_eq!(program.argv, expected);
        assert_eq!(format!("{program:?}"), r#"Program { name: "python3", .. }"#);
    }

    #[test]
    fn the_environment_is_a_list() {
        let all = ["PATH", "LC_TIME", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "WAYSIDE_STATE_DIR"];
        let kept: Vec<_> = environment(all.map(|name| (name.into(), "x".into())).into_iter())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(kept, ["PATH", "LC_TIME"]);
    }
}
