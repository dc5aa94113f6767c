//! `wayside bridge list`

use clap::Args;
use wayside::api::types::BridgeView;

use crate::cli::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::status::bridge_line;

/// List bridges, a line each
#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let bridges = session.get::<Vec<BridgeView>>("/v1/bridges").await;
        session.close().await;
        let bridges = bridges?;
        for bridge in &bridges {
            context.output.say(bridge, || bridge_line(bridge))?;
        }
        if bridges.is_empty() {
            context.output.text("No bridges yet: `wayside bridge add` adds one.")?;
        }
        Ok(Exit::Done)
    }
}
