//! A child process: one end of a link, which writes records and notes those that arrive.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::links::Bound;
use super::records::{Answer, Log, Moment, Order, RECORD, Sent, pace};
use crate::Failure;
use crate::subjects::SubjectName;
use crate::worker::{self, Orders, parse, say, told};

/// Which end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(super) subject: SubjectName,
    /// For the client: where the server is, and its identity.
    pub(super) server: Option<(Vec<SocketAddr>, Vec<u8>)>,
}

/// Runs it until the parent is done.
pub(crate) async fn run(part: &str) -> Result<(), Failure> {
    told(serve(&parse::<Part>(part)?).await)
}

async fn serve(part: &Part) -> Result<(), Failure> {
    let bound = Bound::new(part.subject, part.server.is_none()).await?;
    let linked = match &part.server {
        Some((server, identity)) => bound.connect(server, identity).await?,
        None => {
            say(&worker::Answer::Ready(Some(bound.ticket()?)))?;
            bound.accept().await?
        }
    };
    let (link, send, recv) = linked.split();
    let (mut writer, log) = (Writer { send, total: 0, last: Moment::now() }, Log::default());
    let reading = tokio::spawn(log.clone().read(recv));
    if part.server.is_some() {
        // The server learns of a stream by what comes over it.
        writer.write().await?;
    }
    say(&worker::Answer::Ready(None))?;
    let (mut orders, mut pace, mut is_writing) = (Orders::new(), pace(), false);
    loop {
        let order = tokio::select! {
            order = orders.next() => order?,
            _ = pace.tick(), if is_writing => {
                if let Err(error) = writer.write().await {
                    log.end(error.to_string());
                    is_writing = false;
                }
                continue;
            }
        };
        let Some(worker::Order::Records(order)) = order else { break };
        let answer = match order {
            Order::Start | Order::Stop => {
                is_writing = order == Order::Start;
                Answer::Sent(writer.sent())
            }
            Order::One => {
                if let Err(error) = writer.write().await {
                    log.end(error.to_string());
                }
                Answer::Sent(writer.sent())
            }
            Order::Forget => {
                log.forget();
                Answer::Done
            }
            Order::Seen(from, after) => Answer::Seen(log.seen(from, after)),
            Order::Paths => Answer::Paths(link.paths()),
        };
        say(&worker::Answer::Records(answer))?;
    }
    reading.abort();
    Ok(())
}

struct Writer {
    send: Box<dyn AsyncWrite + Send + Unpin>,
    total: u64,
    last: Moment,
}

impl Writer {
    async fn write(&mut self) -> std::io::Result<()> {
        self.last = Moment::now();
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(&self.total.to_be_bytes());
        record[8..].copy_from_slice(&self.last.to_be_bytes());
        self.send.write_all(&record).await?;
        self.send.flush().await?;
        self.total += 1;
        Ok(())
    }

    fn sent(&self) -> Sent {
        Sent { total: self.total, last: self.last }
    }
}
