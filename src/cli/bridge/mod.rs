//! `wayside bridge …`: the services over which friends are met.

pub(super) mod add;
mod from;
mod list;
#[cfg(feature = "bridge-email")]
mod mail_servers;
#[cfg(not(feature = "bridge-email"))]
#[path = "no_mail_servers.rs"]
mod mail_servers;
mod remove;
#[cfg(feature = "bridge-web")]
mod script;
mod test;

use clap::Subcommand;

use super::Context;
use super::exit::Outcome;

/// Add, list, test or remove bridges: services that you share with friends
#[derive(Debug, Subcommand)]
pub(super) enum Bridge {
    Add(add::Add),
    List(list::List),
    Test(test::Test),
    Remove(remove::Remove),
    #[cfg(feature = "bridge-web")]
    Script(script::Script),
}

impl Bridge {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Add(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Test(command) => command.run(context).await,
            Self::Remove(command) => command.run(context).await,
            #[cfg(feature = "bridge-web")]
            Self::Script(command) => command.run(context),
        }
    }
}
