//! `wayside demo`: the whole story in one terminal, with real processes and a real folder, on loopback alone.

mod person;
mod story;
mod telling;

use clap::Args;

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::signals::Signals;

/// Show the whole story in one terminal
///
/// Makes two homes and a folder in a temporary place, and runs two nodes on this machine that listen on loopback alone. They
/// become friends over the folder, link, exchange messages; one is killed and comes back. Everything is removed at the end.
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut signals = Signals::catch()?;
        // Dropping the story ends its processes and removes its folder.
        tokio::select! {
            told = story::tell(context.output) => told.map(|()| Exit::Done),
            () = signals.next() => Err(Failure::new(Exit::Failed, "the demo was interrupted; everything of it is removed")),
        }
    }
}
