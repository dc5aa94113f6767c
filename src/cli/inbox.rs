//! `wayside inbox`

use std::time::Duration;

use clap::Args;
use wayside::api::Lines;
use wayside::api::types::{InboxFileView, InboxView, MarkRead};

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{harmless, one_line};
use super::relay::amount;
use super::session::Session;
use super::signals::Signals;
use super::words::{moment, time_of_day};

/// Messages that are marked as read at once.
const AT_ONCE: usize = 100;
/// How long the next message may take before those that were printed are marked.
const PAUSE: Duration = Duration::from_millis(20);

/// Show messages that came, each of them once
///
/// A message is marked as read after it was printed, so that none is lost where the output cannot be written. --all
/// shows every message there is and marks none.
#[derive(Debug, Args)]
pub(super) struct Inbox {
    /// Go on with what comes, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Show those that were shown before, too
    #[arg(long)]
    all: bool,
}

impl Inbox {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut signals = if self.follow { Some(Signals::catch()?) } else { None };
        let mut session = context.session().await?;
        let end = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        let outcome = self.list(context, &mut session, end).await;
        session.close().await;
        outcome
    }

    async fn list(&self, context: &Context, session: &mut Session, end: impl Future<Output = ()>) -> Outcome {
        let query = format!("/v1/inbox?follow={}&all={}", self.follow, self.all);
        let mut lines = session.get_lines(&query).await?;
        let mut end = std::pin::pin!(end);
        let mut shown = 0_u64;
        loop {
            let (batch, more) = tokio::select! {
                batch = next_batch(&mut lines) => batch?,
                () = &mut end => return Ok(Exit::Done),
            };
            for message in &batch {
                context.output.say(message, || self.in_words(message))?;
            }
            shown = shown.saturating_add(batch.len() as u64);
            if !self.all {
                mark(session, &batch).await?;
            }
            if !more {
                break;
            }
        }
        if shown == 0 && !self.follow {
            context.output.text(if self.all { "No messages yet." } else { "No new messages." })?;
        }
        Ok(Exit::Done)
    }

    fn in_words(&self, message: &InboxView) -> String {
        let when = if self.follow { time_of_day(message.received) } else { moment(message.received) };
        let text = harmless(&message.text).replace('\n', "\n    ");
        let mut lines = format!("{when}  {}: {text}", one_line(&message.from));
        for file in &message.files {
            lines.push_str("\n    ");
            lines.push_str(&file_line(file));
        }
        lines
    }
}

/// A file, and where it lies.
fn file_line(file: &InboxFileView) -> String {
    let name = format!("{} ({})", one_line(&file.name), amount(file.size));
    match &file.path {
        Some(path) => format!("{name}: {}", one_line(path)),
        None => format!("{name}: did not come as it was sent, and is not kept"),
    }
}

/// At least one message, where one comes, and those that come right behind it; and whether there may be more.
async fn next_batch(lines: &mut Lines) -> Result<(Vec<InboxView>, bool), Failure> {
    let mut batch = Vec::new();
    while batch.len() < AT_ONCE {
        let next = if batch.is_empty() {
            lines.next::<InboxView>().await?
        } else {
            match tokio::time::timeout(PAUSE, lines.next::<InboxView>()).await {
                Ok(next) => next?,
                Err(_) => return Ok((batch, true)),
            }
        };
        match next {
            Some(message) => batch.push(message),
            None => return Ok((batch, false)),
        }
    }
    Ok((batch, true))
}

async fn mark(session: &mut Session, batch: &[InboxView]) -> Result<(), Failure> {
    if batch.is_empty() {
        return Ok(());
    }
    let read = MarkRead { ids: batch.iter().map(|message| message.id.clone()).collect() };
    session.post("/v1/inbox/read", &read).await
}
