//! The client's end: does the task and takes the time.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, Order, Orders, allow_many_files, say};
use crate::Failure;
use crate::assignment::{Assignment, REQUEST, Task, Ticket};
use crate::subjects::{Client, Link, Stream, SubjectName};
use crate::usage::Usage;

/// Written at once, by everybody.
const BUFFER: usize = 64 << 10;
/// Done before anything is measured, so that code and caches are warm.
const WARM_REQUESTS: u32 = 100;
const WARM_CONNECTS: u32 = 5;

/// What a task took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// All of it, in seconds.
    pub(crate) seconds: f64,
    /// The median of its parts in microseconds, where it has parts.
    pub(crate) median_us: Option<f64>,
}

pub(super) async fn run(assignment: &Assignment, ticket: &Ticket) -> Result<(), Failure> {
    allow_many_files()?;
    let subject = assignment.subject;
    let client = subject.subject().client(assignment, ticket).await?;
    let mut links = warm_up(assignment, &*client).await?;
    say(&Answer::Ready(None))?;
    let mut orders = Orders::new();
    while let Some(order) = orders.next().await? {
        match order {
            Order::Usage => say(&Answer::Usage(Usage::now()?))?,
            Order::Go => say(&Answer::Done(go(assignment, &*client, &mut links).await?))?,
            Order::Check => {
                for held in &mut links {
                    held.check().await?;
                }
                say(&Answer::Ready(None))?;
            }
            Order::Records(_) | Order::Relay(_) | Order::Cut(_) => {
                return Err("a client of `compare` does no such thing".into());
            }
        }
    }
    Ok(())
}

/// A link that is kept; with its only stream, where that is all it has.
struct Held {
    link: Box<dyn Link>,
    stream: Option<Stream>,
}

impl Held {
    async fn check(&mut self) -> Result<(), Failure> {
        let lost = "a link that was left alone is no more";
        match &mut self.stream {
            Some(stream) => {
                exchange(stream, &mut [0]).await.map_err(|error| format!("{lost}: {error}").into())
            }
            None if self.link.is_open() => Ok(()),
            None => Err(lost.into()),
        }
    }
}

/// Leaves the link that the task is done over, if it needs one.
async fn warm_up(assignment: &Assignment, client: &dyn Client) -> Result<Vec<Held>, Failure> {
    match assignment.task {
        Task::Bulk { .. } => Ok(vec![Held { link: client.connect().await?, stream: None }]),
        Task::Connect { .. } | Task::Idle { .. } => {
            for _ in 0..WARM_CONNECTS {
                let (link, _) = first_byte(client).await?;
                link.close().await;
            }
            Ok(Vec::new())
        }
        Task::Requests { .. } => {
            let mut held = Held { link: client.connect().await?, stream: None };
            ask(assignment.subject, &mut held, WARM_REQUESTS).await?;
            Ok(vec![held])
        }
    }
}

async fn go(
    assignment: &Assignment,
    client: &dyn Client,
    links: &mut Vec<Held>,
) -> Result<Measured, Failure> {
    let began = Instant::now();
    let parts = match (assignment.task, links.first_mut()) {
        (Task::Bulk { bytes }, Some(held)) => {
            send(&*held.link, bytes).await?;
            Vec::new()
        }
        (Task::Requests { count }, Some(held)) => ask(assignment.subject, held, count).await?,
        (Task::Bulk { .. } | Task::Requests { .. }, None) => return Err("there is no link".into()),
        (Task::Connect { count }, _) => connect_again(client, count).await?,
        (Task::Idle { links: count }, _) => {
            for _ in 0..count {
                let (link, stream) = first_byte(client).await?;
                let stream = (!assignment.subject.has_streams()).then_some(stream);
                links.push(Held { link, stream });
            }
            Vec::new()
        }
    };
    Ok(Measured { seconds: began.elapsed().as_secs_f64(), median_us: median_us(parts) })
}

/// Sends so many bytes, and waits until the other side has read them all.
async fn send(link: &dyn Link, bytes: u64) -> Result<(), Failure> {
    let buffer = vec![0x5a; BUFFER];
    let mut stream = link.open().await?;
    let mut left = bytes;
    while left > 0 {
        let count = left.min(BUFFER as u64);
        stream.send.write_all(buffer.get(..usize::try_from(count)?).unwrap_or(&buffer)).await?;
        left -= count;
    }
    stream.send.shutdown().await?;
    let read = stream.recv.read_u64().await?;
    if read == bytes { Ok(()) } else { Err(format!("{read} of {bytes} bytes arrived").into()) }
}

/// Makes a link and gets a byte back over it.
async fn first_byte(client: &dyn Client) -> Result<(Box<dyn Link>, Stream), Failure> {
    let link = client.connect().await?;
    let mut stream = link.open().await?;
    exchange(&mut stream, &mut [1]).await?;
    Ok((link, stream))
}

async fn connect_again(client: &dyn Client, count: u32) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        let (link, stream) = first_byte(client).await?;
        times.push(began.elapsed());
        drop(stream);
        link.close().await;
    }
    Ok(times)
}

/// Asks so many times, each time over a new stream where there are streams.
async fn ask(subject: SubjectName, held: &mut Held, count: u32) -> Result<Vec<Duration>, Failure> {
    let mut request = [0x5a; REQUEST];
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        let mut stream = match held.stream.take() {
            Some(stream) => stream,
            None => held.link.open().await?,
        };
        if subject.has_streams() {
            // The end goes along with the request.
            stream.send.write_all(&request).await?;
            stream.send.shutdown().await?;
            stream.recv.read_exact(&mut request).await?;
            times.push(began.elapsed());
            // To its end, so that nobody has to be told to stop.
            stream.recv.read_to_end(&mut Vec::new()).await?;
        } else {
            exchange(&mut stream, &mut request).await?;
            times.push(began.elapsed());
            held.stream = Some(stream);
        }
    }
    Ok(times)
}

async fn exchange(stream: &mut Stream, bytes: &mut [u8]) -> std::io::Result<()> {
    stream.send.write_all(bytes).await?;
    stream.send.flush().await?;
    stream.recv.read_exact(bytes).await.map(drop)
}

fn median_us(mut times: Vec<Duration>) -> Option<f64> {
    times.sort();
    times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1e6)
}
