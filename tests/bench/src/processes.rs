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
use crate::wire::{Ends, Wire};
use crate::worker::{Answer, Measured, Order};

/// For what takes no time: binding, a handshake, warming up, telling what was used.
pub(crate) const SOON: Duration = Duration::from_secs(60);

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

    /// Starts a wire. It ends with this.
    pub(crate) fn wire(wire: Wire, ends: &Ends) -> Result<Self, Failure> {
        let arguments = ["wire", &serde_json::to_string(&wire)?, &serde_json::to_string(ends)?];
        Self::start("wire", None, &arguments)
    }

    /// Its next answer, if that comes in time and is no failure.
    async fn answer(&mut self, patience: Duration) -> Result<Answer, Failure> {
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

    /// Waits until it has begun.
    pub(crate) async fn ready(&mut self) -> Result<Option<Ticket>, Failure> {
        match self.answer(SOON).await? {
            Answer::Ready(ticket) => Ok(ticket),
            other => Err(format!("the {} answered {other:?}", self.role).into()),
        }
    }

    pub(crate) async fn ask(&mut self, order: Order, patience: Duration) -> Result<Answer, Failure> {
        let line = format!("{}\n", serde_json::to_string(&order)?);
        // If it is gone, its last words say more than the pipe.
        let _ = self.orders.write_all(line.as_bytes()).await;
        self.answer(patience).await
    }

    /// What it has cost so far.
    pub(crate) async fn usage(&mut self) -> Result<Usage, Failure> {
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
    /// What is between them, while they live.
    _wire: Option<Worker>,
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
        let arguments = ["serve", &assign(&place.server)?];
        let mut server = Worker::start("server", place.server.namespace.as_deref(), &arguments)?;
        let mut ticket = server.ready().await?.ok_or("a server without an address")?;
        let mut between = None;
        if let Some(wire) = place.wire {
            let mut worker = Worker::wire(wire, &Ends::Udp(ticket.address))?;
            ticket.address = worker.ready().await?.ok_or("a wire without an address")?.address;
            between = Some(worker);
        }
        let arguments = ["dial", &assign(&place.client)?, &serde_json::to_string(&ticket)?];
        let mut client = Worker::start("client", place.client.namespace.as_deref(), &arguments)?;
        client.ready().await?;
        Ok(Self { server, client, _wire: between })
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
