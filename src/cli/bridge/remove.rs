//! `wayside bridge remove`

use clap::Args;
use serde::Serialize;

use crate::cli::exit::{Exit, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::{bridge_path, parse_name};
use crate::cli::{Context, candidates};

/// Remove a bridge, and what was kept for it
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// What it is called here
    #[arg(value_parser = parse_name, add = candidates::bridges())]
    name: String,
}

/// What is printed when a bridge is gone.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    removed: &'a str,
}

impl Remove {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let removed = session.delete::<()>(&bridge_path(&self.name)).await;
        session.close().await;
        removed?;
        let gone = Removed { removed: &self.name };
        context.output.say(&gone, || format!("{} is removed.", one_line(&self.name)))?;
        Ok(Exit::Done)
    }
}
