//! `wayside community …`: rooms with a bot that introduces their members to one another.

mod export;
mod list;
mod membership;

use clap::Subcommand;

use super::Context;
use super::exit::Outcome;

pub(super) use list::in_words;

/// List, join, leave or hand on communities: rooms with a bot that introduces members to one another
///
/// The bot passes cards between members who both agree, and nothing else. Who somebody is, is its word. `wayside introduce
/// @ben:example.org` asks it; `wayside requests` shows who asks for you.
#[derive(Debug, Subcommand)]
pub(super) enum Community {
    List(list::List),
    Join(membership::Join),
    Leave(membership::Leave),
    Export(export::Export),
}

impl Community {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Join(command) => command.run(context).await,
            Self::Leave(command) => command.run(context).await,
            Self::Export(command) => command.run(context),
        }
    }
}
