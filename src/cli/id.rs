//! `wayside id`

use clap::Args;

use super::Context;
use super::exit::{Exit, Outcome};
use super::output::one_line;

/// Show who this home is: account, device and name
#[derive(Debug, Args)]
pub(super) struct Id {}

impl Id {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let id = context.home()?.id();
        context.output.say(&id, || {
            format!("name     {}\naccount  {}\ndevice   {}", one_line(&id.name), id.account, id.device)
        })?;
        Ok(Exit::Done)
    }
}
