//! `wayside pointer …`: cards under public names, by which anybody may knock.

mod fetch;
mod list;
mod publish;
mod tree;
mod verify;
mod withdraw;

use clap::Subcommand;

use super::Context;
use super::exit::Outcome;

pub(super) use fetch::{fetch, may_knock};
pub(super) use list::pointer_line;

/// Publish a card under a public name, or look at somebody's
///
/// Whoever knows where it lies may knock, and you decide (`wayside requests`). It is signed by your account and holds no
/// secret. It says who you are, and at which services you look for knocks.
#[derive(Debug, Subcommand)]
pub(super) enum Pointer {
    Publish(publish::Publish),
    Fetch(fetch::Fetch),
    List(list::List),
    Verify(verify::Verify),
    Withdraw(withdraw::Withdraw),
}

impl Pointer {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Publish(command) => command.run(context).await,
            Self::Fetch(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Verify(command) => command.run(context),
            Self::Withdraw(command) => command.run(context).await,
        }
    }
}
