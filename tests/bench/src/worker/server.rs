//! The server's end: takes in what comes, or answers it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, Order, Orders, allow_many_files, say};
use crate::Failure;
use crate::assignment::{Assignment, REQUEST, Task};
use crate::subjects::{Handler, Stream};
use crate::usage::Usage;

/// Read at once, by everybody.
const BUFFER: usize = 64 << 10;

pub(super) async fn run(assignment: &Assignment) -> Result<(), Failure> {
    allow_many_files()?;
    let server = assignment.subject.subject().server(assignment).await?;
    let ticket = server.ticket()?;
    let serving = tokio::spawn(server.serve(handler(assignment.task)));
    say(&Answer::Ready(Some(ticket)))?;
    let mut orders = Orders::new();
    while let Some(order) = orders.next().await? {
        match order {
            Order::Usage => say(&Answer::Usage(Usage::now()?))?,
            Order::Go | Order::Check | Order::Records(_) | Order::Relay(_) | Order::Cut(_) => {
                return Err("a server has nothing to do by itself".into());
            }
        }
    }
    serving.abort();
    Ok(())
}

fn handler(task: Task) -> Handler {
    let size = if matches!(task, Task::Requests { .. }) { REQUEST } else { 1 };
    Arc::new(move |stream| {
        Box::pin(async move {
            let done = match task {
                Task::Bulk { .. } => take_in(stream).await,
                Task::Connect { .. } | Task::Requests { .. } | Task::Idle { .. } => {
                    answer(stream, size).await
                }
            };
            // A client that went away in the middle says why itself.
            drop(done);
        })
    })
}

/// Reads to the end, and answers with the count.
async fn take_in(mut stream: Stream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut total = 0u64;
    loop {
        match stream.recv.read(&mut buffer).await? {
            0 => break,
            count => total += count as u64,
        }
    }
    stream.send.write_all(&total.to_be_bytes()).await?;
    stream.send.shutdown().await
}

/// Answers each request of `size` bytes with as many, until there is none left.
async fn answer(mut stream: Stream, size: usize) -> std::io::Result<()> {
    let mut request = vec![0; size];
    loop {
        match stream.recv.read_exact(&mut request).await {
            Ok(_) => {
                stream.send.write_all(&request).await?;
                stream.send.flush().await?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return stream.send.shutdown().await;
            }
            Err(error) => return Err(error),
        }
    }
}
