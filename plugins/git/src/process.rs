//! One run of a program: its input, its bounded output, its deadline, and its end with everything that it started.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{Either, select};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use wayside_bridge::{Clock, Spawner};

/// What a run is given.
pub(crate) struct Run {
    /// The program, its arguments and environment.
    pub(crate) command: Command,
    /// What it reads.
    pub(crate) input: Bytes,
    /// The most bytes that it may say; with one more it is ended.
    pub(crate) most: usize,
    /// How long it may take.
    pub(crate) patience: Duration,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    /// The beginning of it.
    pub(crate) stderr: String,
}

/// Why a run came to no end of its own.
#[derive(Debug)]
pub(crate) enum Broken {
    Start(io::Error),
    Deadline,
    Overrun,
}

/// How much of what goes to standard error is kept; the rest is read and dropped.
const STDERR: usize = 16 * 1024;

/// How long after a program's end its output is still waited for: what it left running (ssh's shared connection, a daemon that
/// keeps credentials) may hold on to the pipes for ever.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// From the signal that lets a program put its lock files away to the one that lets nothing.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a program.
///
/// Dropping the future ends the program and all that it started.
pub(crate) async fn run(
    run: Run,
    clock: &Arc<dyn Clock>,
    spawner: &Arc<dyn Spawner>,
) -> Result<Said, Broken> {
    let Run { mut command, input, most, patience } = run;
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(Broken::Start)?;
    let mut running =
        Running { group: Some(Group(child)), clock: Arc::clone(clock), spawner: Arc::clone(spawner) };
    let work = pin!(running.talk(input, most));
    match select(work, clock.sleep(patience)).await {
        Either::Left((said, _)) => said,
        Either::Right(_) => Err(Broken::Deadline),
    }
}

/// A program under way.
struct Running {
    group: Option<Group>,
    clock: Arc<dyn Clock>,
    spawner: Arc<dyn Spawner>,
}

impl Running {
    async fn talk(&mut self, input: Bytes, most: usize) -> Result<Said, Broken> {
        let Some(Group(child)) = &mut self.group else {
            return Err(Broken::Start(io::Error::other("it has ended")));
        };
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // a program that does not want it all says by its status whether that was well
                let _ = stdin.write_all(&input).await;
            }
        };
        let (within, status) = {
            let mut pipes = pin!(async {
                let out = fill(out, &mut stdout, most, false);
                let ((), within, _) = futures::join!(feed, out, fill(err, &mut stderr, STDERR, true));
                within
            });
            let ended = pin!(child.wait());
            match select(pipes.as_mut(), ended).await {
                // It may run for ever without anything to say.
                Either::Left((false, _)) => return Err(Broken::Overrun),
                Either::Left((true, ended)) => (true, ended.await),
                Either::Right((status, _)) => match select(pipes, self.clock.sleep(AFTERWARDS)).await {
                    Either::Left((within, _)) => (within, status),
                    Either::Right(_) => (true, status),
                },
            }
        };
        if !within {
            return Err(Broken::Overrun);
        }
        let status = status.map_err(Broken::Start)?;
        Ok(Said { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut group) = self.group.take().filter(Group::is_there) else { return };
        // The leader alone: for a repository on this machine, what holds a lock there is among what it started, ends by itself
        // when nobody talks to it any more, and would leave the lock if it were killed.
        group.signal(false);
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let grace = self.clock.sleep(GRACE);
        let last_rites = async move {
            // Not reaped before the rest of its group is ended: until then the group's number is nobody else's.
            grace.await;
            group.signal(true);
            let _ = group.0.wait().await;
        };
        self.spawner.spawn(last_rites.boxed());
    }
}

/// A child with the process group that it leads. Dropping it kills the lot.
struct Group(Child);

impl Group {
    /// Whether the child has not been reaped: until then the group's number is nobody else's.
    fn is_there(&self) -> bool {
        self.0.id().is_some()
    }

    /// Asks the child to end, or ends it and all that it started.
    #[cfg(unix)]
    fn signal(&mut self, for_good: bool) {
        use rustix::process::{Pid, Signal, kill_process, kill_process_group};
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // What is gone by itself needs no signal.
        let _ = pid.map(|pid| match for_good {
            true => kill_process_group(pid, Signal::KILL),
            false => kill_process(pid, Signal::TERM),
        });
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _for_good: bool) {
        let _ = self.0.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.is_there() {
            self.signal(true);
        }
    }
}

/// Reads to the end, keeps at most `most` bytes, and tells whether that was all. Above that it closes the pipe, or reads on for nothing.
async fn fill<R: AsyncRead + Unpin>(from: Option<R>, into: &mut Vec<u8>, most: usize, go_on: bool) -> bool {
    let Some(mut from) = from else { return true };
    let mut part = [0; 8192];
    let mut all = true;
    loop {
        let read = from.read(&mut part).await.unwrap_or(0);
        if read == 0 {
            return all;
        }
        let room = most.saturating_sub(into.len()).min(read);
        into.extend_from_slice(part.get(..room).unwrap_or_default());
        all &= room == read;
        if !all && !go_on {
            return false;
        }
    }
}
