//! The two processes of a run, and what they cost between two moments.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::Failure;
use crate::assignment::{Assignment, Settings, Task, Ticket};
use crate::place::{Place, Side};
use crate::subjects::SubjectName;
use crate::usage::Usage;
use crate::worker::{Answer, Measured, Order};

/// For what takes no time: binding, a handshake, warming up, telling what was used.
const SOON: Duration = Duration::from_secs(60);

/// A child process that answers in lines. Killed when it is dropped.
pub(crate) struct Worker {
    role: &'static str,
    /// Holds the process.
    _child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts this program again with these arguments, in a network namespace if one is named.
    pub(crate) fn start(
        role: &'static str,
        namespace: Option<&str>,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut command = match namespace {
            None => Command::new(program),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("the {role} does not start: {error}"))?;
        let orders = child.stdin.take().ok_or("a child without input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("a child without output")?).lines();
        Ok(Self { role, _child: child, orders, answers })
    }

    /// Its next answer, if that comes in time and is no failure.
    pub(crate) async fn answer(&mut self, patience: Duration) -> Result<Answer, Failure> {
        let role = self.role;
        let line = timeout(patience, self.answers.next_line())
            .await
            .map_err(|_| format!("the {role} said nothing for {} s", patience.as_secs()))?
            .map_err(|error| format!("the {role} cannot be read: {error}"))?
            .ok_or(format!("the {role} ended without a word"))?;
        match serde_json::from_str(&line).map_err(|error| format!("the {role} said {line:?}: {error}"))? {
            Answer::Failed(reason) => Err(format!("{role}: {reason}").into()),
            answer => Ok(answer),
        }
    }

    async fn ask(&mut self, order: Order, patience: Duration) -> Result<Answer, Failure> {
        let line = format!("{}\n", serde_json::to_string(&order)?);
        // If it is gone, its last words say more than the pipe.
        let _ = self.orders.write_all(line.as_bytes()).await;
        self.answer(patience).await
    }

    async fn usage(&mut self) -> Result<Usage, Failure> {
        match self.ask(Order::Usage, SOON).await? {
            Answer::Usage(usage) => Ok(usage),
            other => Err(format!("the {} answered {other:?}", self.role).into()),
        }
    }
}

/// A server and a client that has found it.
pub(crate) struct Pair {
    server: Worker,
    client: Worker,
}

/// What both ends have cost up to a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) server: Usage,
    pub(crate) client: Usage,
}

impl Pair {
    /// Starts both, and waits until the client has warmed up.
    pub(crate) async fn start(
        place: &Place,
        subject: SubjectName,
        settings: Settings,
        task: Task,
    ) -> Result<Self, Failure> {
        let assign = |side: &Side| {
            let assignment = Assignment { subject, settings, task, ip: side.ip };
            serde_json::to_string(&assignment)
        };
        let Place { server, client } = place;
        let arguments = ["serve", &assign(server)?];
        let mut server = Worker::start("server", server.namespace.as_deref(), &arguments)?;
        let ticket = match server.answer(SOON).await? {
            Answer::Ready(Some(ticket)) => serde_json::to_string::<Ticket>(&ticket)?,
            other => return Err(format!("the server answered {other:?}").into()),
        };
        let arguments = ["dial", &assign(client)?, &ticket];
        let mut client = Worker::start("client", client.namespace.as_deref(), &arguments)?;
        match client.answer(SOON).await? {
            Answer::Ready(_) => Ok(Self { server, client }),
            other => Err(format!("the client answered {other:?}").into()),
        }
    }

    pub(crate) async fn moment(&mut self) -> Result<Moment, Failure> {
        Ok(Moment { server: self.server.usage().await?, client: self.client.usage().await? })
    }

    /// Has the client do its task.
    pub(crate) async fn go(&mut self, patience: Duration) -> Result<Measured, Failure> {
        match self.client.ask(Order::Go, patience).await? {
            Answer::Done(measured) => Ok(measured),
            other => Err(format!("the client answered {other:?}").into()),
        }
    }

    /// Has the client see whether its links are all there.
    pub(crate) async fn check(&mut self) -> Result<(), Failure> {
        self.client.ask(Order::Check, SOON).await.map(drop)
    }
}
