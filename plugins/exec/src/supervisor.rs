//! Keeps a child alive: starts it, hears its hello, lets it work, and starts it again when it fails.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::{oneshot, watch};
use wayside_bridge::{BridgeContext, BridgeError, Capability, Monotonic, Retry};

use crate::error::{ExecError, Problem};
use crate::hello::{self, Hello, MAX_HELLO, VERSION};
use crate::limits::BackOff;
use crate::lines::{Lines, NoLine};
use crate::process::{Launch, Started};
use crate::protocol::{FromChild, MAX_TEXT, Parsed, Start, ToChild};
use crate::session::Session;
use crate::wire::clip;

/// How long a child may take; see `docs/EXEC-BRIDGE.md`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From its start to its hello.
    pub(crate) hello: Duration,
    /// From a request to its answer.
    pub(crate) answer: Duration,
    /// From the closing of its input to its end.
    pub(crate) end: Duration,
}

/// How the child is.
#[derive(Clone)]
pub(crate) enum State {
    /// Started; its hello is awaited.
    Starting,
    /// At work.
    Up { session: Arc<Session>, capability: Arc<Capability> },
    /// It has failed, and is started again then.
    Down { error: ExecError, again: Monotonic },
}

impl State {
    /// The error of whoever asks while the child is down.
    pub(crate) fn failure(error: &ExecError, again: Monotonic, now: Monotonic) -> BridgeError {
        BridgeError::from(error.clone()).with_retry(Retry::After(again.since(now)))
    }
}

/// Runs a child, one life after the other, until `closed` resolves.
pub(crate) async fn supervise(
    launch: Box<dyn Launch>,
    context: BridgeContext,
    patience: Patience,
    state: watch::Sender<State>,
    closed: oneshot::Receiver<()>,
) {
    let mut closed = closed.map(drop).fuse();
    let mut back_off = BackOff::default();
    let mut promised = None;
    loop {
        let born = context.clock.monotonic();
        let life = live(&*launch, &context, patience, &state, &mut promised, &mut closed).await;
        if life == Problem::Closed {
            return;
        }
        let error = life.of(launch.name());
        let now = context.clock.monotonic();
        let pause = back_off.next(now.since(born), &*context.entropy);
        tracing::warn!(%error, ?pause, "a bridge program failed and is started again");
        state.send_replace(State::Down { error, again: Monotonic(now.0.saturating_add(pause)) });
        tokio::select! {
            () = context.clock.sleep(pause) => {}
            () = &mut closed => return,
        }
        state.send_replace(State::Starting);
    }
}

/// One life, from the start of the program until it is dead and reaped; tells what ended it.
async fn live<C>(
    launch: &dyn Launch,
    context: &BridgeContext,
    patience: Patience,
    state: &watch::Sender<State>,
    promised: &mut Option<Arc<Capability>>,
    closed: &mut C,
) -> Problem
where
    C: Future<Output = ()> + Unpin,
{
    let Started { output, mut input, process } = match launch.launch(context) {
        Ok(started) => started,
        Err(error) => return Problem::Start(error.to_string()),
    };
    let mut lines = Lines::new(output);
    let mut in_use = InUse(None, launch.name());
    let work = async {
        let hello = tokio::select! {
            hello = greet(&mut lines) => hello?,
            () = context.clock.sleep(patience.hello) => return Err(Problem::NoHello(patience.hello)),
        };
        let capability = Arc::new(hello.capability.clone());
        let promised = promised.get_or_insert_with(|| Arc::clone(&capability));
        if let Some(what) = hello::taken_back(promised, &capability) {
            return Err(Problem::Changed(what));
        }
        if let Some(line) = ToChild::Start(Start { version: VERSION }).to_line() {
            // a child that has gone says so when it is read from
            let _ = input.write_all(line.as_bytes()).await;
            let _ = input.flush().await;
        }
        let (session, outgoing) =
            Session::new(launch.name(), &hello, Arc::clone(&context.clock), patience.answer);
        in_use.0 = Some(Arc::clone(&session));
        state.send_replace(State::Up { session: Arc::clone(&session), capability: Arc::clone(promised) });
        Err::<(), _>(session.run(&mut lines, outgoing, &mut input).await)
    };
    let problem = tokio::select! {
        problem = work => problem.err().unwrap_or(Problem::Closed),
        () = closed => Problem::Closed,
    };
    drop(input);
    let problem = match process {
        None => problem,
        Some(process) => {
            let grace = match problem {
                Problem::Closed => patience.end,
                Problem::Ended(_) => patience.end.min(Duration::from_secs(1)),
                _ => Duration::ZERO,
            };
            let how = tokio::select! {
                how = process.end(grace, &*context.clock) => how,
                () = async { lines.drain().await; std::future::pending().await } => String::new(),
            };
            match problem {
                Problem::Ended(_) => Problem::Ended(how),
                other => other,
            }
        }
    };
    in_use.fail(problem.clone());
    problem
}

/// Waits for the child's first line.
async fn greet<R: AsyncRead + Unpin>(lines: &mut Lines<R>) -> Result<Hello, Problem> {
    let line = match lines.next(MAX_HELLO).await {
        Ok(line) => line,
        Err(NoLine::TooLong) => return Err(Problem::LongLine(MAX_HELLO)),
        Err(NoLine::Closed) => return Err(Problem::Ended("before it said hello".to_owned())),
        Err(NoLine::Failed(error)) => return Err(Problem::Ended(error.to_string())),
    };
    let quote = || clip(&String::from_utf8_lossy(line.get(..80).unwrap_or(line)), 80);
    // the version first: everything else may look different in another one
    if let Some(versions) = hello::offered(line).filter(|versions| !versions.contains(&VERSION)) {
        let theirs = versions.into_iter().min_by_key(|version| version.abs_diff(VERSION)).unwrap_or(0);
        return Err(Problem::Version { theirs, ours: VERSION });
    }
    match FromChild::parse(line) {
        Parsed::Message(FromChild::Hello(mut hello)) => {
            hello.bound();
            Ok(*hello)
        }
        Parsed::Malformed { why, .. } => Err(Problem::BadHello(clip(&why, MAX_TEXT))),
        Parsed::Message(_) | Parsed::Unknown => Err(Problem::BadHello(quote())),
        Parsed::Garbage => Err(Problem::Garbage(quote())),
    }
}

/// A session that callers may be waiting on: however its life ends, they are told.
struct InUse<'a>(Option<Arc<Session>>, &'a str);

impl InUse<'_> {
    fn fail(&mut self, problem: Problem) {
        if let Some(session) = self.0.take() {
            session.fail(&problem.of(self.1));
        }
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.fail(Problem::Closed);
    }
}
