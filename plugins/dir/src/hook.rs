//! The user's own command, run when somebody rings.

use std::fmt;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, join, select};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use wayside_bridge::Clock;

use crate::ring::RingName;

/// How long it may take before it is killed.
const LONGEST: Duration = Duration::from_secs(60);
/// How long its output is waited for once it has ended: what it started may hold the pipe for hours.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How much of its output is logged, in bytes.
const MOST_OUTPUT: usize = 4096;
/// The longest command, in bytes.
const MOST_COMMAND: usize = 4096;

/// A command for `sh -c`. Nothing that comes from others is in it or added to it.
#[derive(Clone)]
pub(crate) struct Hook(String);

impl Hook {
    /// This command, or `None` where it is empty, longer than 4,096 bytes, or holds a zero byte.
    pub(crate) fn new(command: &str) -> Option<Self> {
        let fits = !command.trim().is_empty() && command.len() <= MOST_COMMAND && !command.contains('\0');
        fits.then(|| Self(command.to_owned()))
    }

    /// Runs it to its end, or for a minute, and logs how it went.
    pub(crate) async fn run(&self, name: &RingName, clock: &dyn Clock) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.0).env("WAYSIDE_RING", name.as_str());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return tracing::warn!(%error, "the command for a ring could not be started"),
        };
        let output = Mutex::new(Vec::new());
        let ended = watch(&mut child, &output, clock).await;
        let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
        let output = String::from_utf8_lossy(&output);
        match ended {
            Some(status) if status.success() => tracing::info!(?output, "the command for a ring is done"),
            Some(status) => tracing::warn!(%status, ?output, "the command for a ring failed"),
            None => {
                kill(&mut child);
                let seconds = LONGEST.as_secs();
                tracing::warn!(?output, seconds, "the command for a ring took too long and was killed");
            }
        }
    }
}

impl fmt::Debug for Hook {
    /// A user may write a credential into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(..)")
    }
}

/// How it ended; `None` where it did not in time.
async fn watch(
    child: &mut Child,
    output: &Mutex<Vec<u8>>,
    clock: &dyn Clock,
) -> Option<std::process::ExitStatus> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut gathered = pin!(join(gather(out, output), gather(err, output)));
    let ended = async {
        match select(pin!(child.wait()), gathered.as_mut()).await {
            Either::Left((status, gathering)) => {
                select(gathering, clock.sleep(LAST_WORDS)).await;
                status
            }
            Either::Right((_, waiting)) => waiting.await,
        }
    };
    match select(pin!(ended), clock.sleep(LONGEST)).await {
        Either::Left((status, _)) => status.ok(),
        Either::Right(_) => None,
    }
}

/// Reads to the end and keeps the beginning: whoever does not read makes a writer wait.
async fn gather(stream: Option<impl AsyncRead + Unpin>, output: &Mutex<Vec<u8>>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_OUTPUT.saturating_sub(output.len());
        output.extend(buffer.iter().take(len.min(room)));
    }
}

/// With everything that it started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.start_kill();
}
