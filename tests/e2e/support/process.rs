//! Processes: run to their end, or running in the background.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::PATIENCE;

/// The command under test, with nothing of the environment that would change what it does.
pub(crate) fn program() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_wayside")))
}

/// Takes out of a command's environment what would change what wayside does.
pub(crate) fn clean(mut command: Command) -> Command {
    for variable in ["WAYSIDE_HOME", "WAYSIDE_LOG", "WAYSIDE_TEST_CLOCK_OFFSET_SECS"] {
        command.env_remove(variable);
    }
    command
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    #[expect(dead_code, reason = "failures show it")]
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Runs a command to its end, which has to come within `patience`.
    #[track_caller]
    pub(crate) fn of(mut command: Command, stdin: &str, patience: Duration) -> Self {
        let line = words(&command);
        let began = Instant::now();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // A child that reads nothing may have ended by now.
        let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let status = loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                break status;
            }
            if began.elapsed() > patience {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{line}: no end after {patience:?}; it said {:?}", stderr.join());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |thread: thread::JoinHandle<String>| thread.join().expect("it is read");
        Self { line, code: status.code(), stdout: text(stdout), stderr: text(stderr), took: began.elapsed() }
    }

    /// That it succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// That it failed with this code, said nothing on stdout, and one sentence on stderr, which is returned.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self.sentence()
    }

    /// The one sentence on stderr.
    #[track_caller]
    pub(crate) fn sentence(&self) -> &str {
        let said = self.stderr.trim_end();
        let sentence = said.strip_prefix("wayside: ").unwrap_or_else(|| panic!("{self:?}"));
        assert!(!sentence.contains('\n') && (10..400).contains(&sentence.len()), "{self:?}");
        assert!(!sentence.contains("panicked") && !sentence.contains("Error {"), "{self:?}");
        sentence
    }

    /// What it printed, which has to be JSON objects, a line each, and nothing else.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let object = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}"));
            assert!(value.is_object(), "{self:?}");
            value
        };
        self.stdout.lines().map(object).collect()
    }

    /// The one object that it printed, having succeeded.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        self.ok();
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self:?}");
        objects.remove(0)
    }
}

/// A process in the background that prints JSON objects; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    events: Mutex<mpsc::Receiver<Value>>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let (sender, events) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let errors = Some(drain(child.stderr.take()));
        Self { child, events: Mutex::new(events), errors }
    }

    /// Waits for an object for which `wanted` holds; those before it are dropped.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let events = self.events.lock().expect("nobody panicked");
        loop {
            match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) if wanted(&event) => return event,
                Ok(event) => assert!(event.is_object(), "not JSON: {event}"),
                Err(error) => panic!("no {what}: {error}"),
            }
        }
    }

    /// Waits for a lifecycle event of this name.
    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> Value {
        self.wait_for(name, |event| event["event"] == name)
    }

    /// What the system calls it.
    #[allow(dead_code, reason = "another test program uses it")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }

    /// The next object, within so long.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Value, mpsc::RecvTimeoutError> {
        self.events.lock().expect("nobody panicked").recv_timeout(patience)
    }

    /// `kill -9`, and what it had printed before.
    pub(crate) fn kill_and_drain(mut self) -> Vec<Value> {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("it ends");
        self.events.lock().expect("nobody panicked").iter().collect()
    }

    /// `kill -9`
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, then its end, as [`Running::finish`] tells it.
    #[track_caller]
    pub(crate) fn terminate(self) -> (Option<i32>, Vec<Value>, String) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be told");
        self.finish()
    }

    /// Its end: the exit code, what it still printed, and what stands on stderr.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (Option<i32>, Vec<Value>, String) {
        let status =
            super::until("it ends", PATIENCE, || self.child.try_wait().expect("it can be waited for"));
        let errors = self.errors.take().expect("once").join().expect("it is read");
        let rest = self.events.lock().expect("nobody panicked").iter().collect();
        (status.code(), rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut stream = stream.expect("piped");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is to show.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
