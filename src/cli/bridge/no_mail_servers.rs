//! In place of `mail_servers.rs` where mail is not built in: nothing is looked up.

use clap::{ArgMatches, Command};
use wayside::api::types::AddBridge;

use crate::cli::Context;
use crate::cli::exit::Failure;

#[derive(Debug, Default)]
pub(super) struct Lookup;

pub(super) fn with_arguments(command: Command) -> Command {
    command
}

impl Lookup {
    pub(super) fn of(_: &str, _: &ArgMatches) -> Self {
        Self
    }

    #[expect(clippy::unused_async, reason = "the other one asks")]
    pub(super) async fn complete(self, _: &Context, _: &mut AddBridge) -> Result<(), Failure> {
        Ok(())
    }
}
