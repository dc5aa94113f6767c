//! `wayside invites …`: those that are open.

use clap::{Args, Subcommand};
use serde_json::json;
use wayside::api::types::OpenInvite;

use super::Context;
use super::exit::{Exit, Outcome};
use super::session::{invite_path, parse_name};
use super::words::{list, moment, table};

/// List the invites of yours that are open, a line each; or withdraw one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Invites {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// End an invite now: whoever comes with it is told that it has expired
    Withdraw {
        /// Its id, as `wayside invites` shows it
        #[arg(value_name = "ID", value_parser = parse_name)]
        id: String,
    },
}

impl Invites {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self.what {
            None => show(context).await,
            Some(What::Withdraw { id }) => withdraw(context, &id).await,
        }
    }
}

async fn show(context: &Context) -> Outcome {
    let mut session = context.session().await?;
    let invites = session.get::<Vec<OpenInvite>>("/v1/invites").await;
    session.close().await;
    let invites = invites?;
    for invite in &invites {
        context.output.object(invite)?;
    }
    context.output.text(&in_words(&invites))?;
    Ok(Exit::Done)
}

async fn withdraw(context: &Context, id: &str) -> Outcome {
    let mut session = context.session().await?;
    let withdrawn = session.delete::<()>(&invite_path(id)).await;
    session.close().await;
    withdrawn?;
    context.output.say(&json!({ "withdrawn": id }), || format!("{id} lets nobody in any more"))?;
    Ok(Exit::Done)
}

/// Without the links, which are secrets.
fn in_words(invites: &[OpenInvite]) -> String {
    if invites.is_empty() {
        return "No invite is open: `wayside invite` makes one.".to_owned();
    }
    let rows: Vec<Vec<String>> = invites
        .iter()
        .map(|invite| {
            let used = match invite.used_by.as_slice() {
                [] => "-".to_owned(),
                used => list(used),
            };
            let left = usize::from(invite.uses).saturating_sub(invite.used_by.len());
            vec![invite.id.clone(), moment(invite.expires), left.to_string(), used, invite.places.join(", ")]
        })
        .collect();
    table(&["ID", "ENDS", "LEFT", "USED BY", "PLACES"], &rows)
}
