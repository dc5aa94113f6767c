//! What a child process does: it binds one end, says so, and then does as it is told, line by line.
//!
//! An order is a word on standard input, an answer a line of JSON on standard output. The end of the input is the end of the process, so
//! that nobody outlives whoever measures.

mod client;
mod server;

use std::io::Write;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::Failure;
use crate::assignment::{Assignment, Ticket};
use crate::failover::records;
use crate::relay::scene as relay;
use crate::usage::Usage;

pub(crate) use client::Measured;

/// What a worker can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// Say what you have cost.
    Usage,
    /// Client: do the task.
    Go,
    /// Client: see whether all links are still there.
    Check,
    /// An end that writes and reads records.
    Records(records::Order),
    /// A relay, or an end that has one.
    Relay(relay::Order),
    /// A wire: carry nothing, or all again.
    Cut(bool),
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// A server is bound; a client is bound and has warmed up; a wire carries.
    Ready(Option<Ticket>),
    Usage(Usage),
    Done(Measured),
    Records(records::Answer),
    Relay(relay::Answer),
    /// It ends here, and why.
    Failed(String),
}

/// Runs the server's end.
pub(crate) async fn serve(assignment: &str) -> Result<(), Failure> {
    told(server::run(&parse::<Assignment>(assignment)?).await)
}

/// Runs the client's end.
pub(crate) async fn dial(assignment: &str, ticket: &str) -> Result<(), Failure> {
    told(client::run(&parse::<Assignment>(assignment)?, &parse::<Ticket>(ticket)?).await)
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| format!("this command is for `compare` and `failover` to start: {error}").into())
}

/// A failure is told to the parent, who shows it.
pub(crate) fn told(done: Result<(), Failure>) -> Result<(), Failure> {
    done.or_else(|failure| say(&Answer::Failed(failure.to_string())))
}

pub(crate) fn say(answer: &Answer) -> Result<(), Failure> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

/// Orders from the parent.
pub(crate) struct Orders(Lines<BufReader<Stdin>>);

impl Orders {
    pub(crate) fn new() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next one; `None` when the parent is done. Cancelling loses none.
    pub(crate) async fn next(&mut self) -> Result<Option<Order>, Failure> {
        match self.0.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}

/// A thousand TCP connections are as many descriptors, and the usual limit is 1,024.
pub(crate) fn allow_many_files() -> Result<(), Failure> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
