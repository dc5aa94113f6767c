//! `wayside pointer withdraw`

use clap::Args;
use wayside::api::types::WithdrawnPointer;

use crate::cli::exit::{Exit, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::{parse_name, pointer_path};
use crate::cli::words::list;
use crate::cli::{Context, output};

/// Withdraw a card: nobody is let in by it any more
///
/// What lies at a service is taken back. What was written to a file leads nowhere from now on: delete it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Withdraw {
    /// Its name
    #[arg(value_parser = parse_name)]
    name: String,
}

impl Withdraw {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let withdrawn = session.delete::<WithdrawnPointer>(&pointer_path(&self.name)).await;
        session.close().await;
        let withdrawn = withdrawn?;
        context.output.say(&withdrawn, || {
            format!("{} is withdrawn: whoever knocks by it hears nothing.", one_line(&withdrawn.withdrawn))
        })?;
        if !withdrawn.left_at.is_empty() {
            output::remark(&format!(
                "It lies at {} still, and is taken back there once that works and a node is up.",
                list(&withdrawn.left_at)
            ));
        }
        Ok(Exit::Done)
    }
}
