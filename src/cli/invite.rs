//! `wayside invite`

use std::time::Duration;

use clap::Args;
use wayside::api::types::{InviteView, NewInvite};

use super::exit::{Exit, Outcome};
use super::words::{moment, parse_duration};
use super::{Context, output};

/// Make an invite: a line to give to a friend
///
/// Whoever has the line can become your friend with it, so give it to nobody else. It works over the services named by
/// --bridge, or up to three that work right now. Your node has to be up (`wayside up`) to answer it. Over a space that you
/// alone write in (a site or zone of your own) the friend sends a line back, which `wayside complete` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside invite
  wayside invite --bridge share --uses 5 --expires 12h")]
pub(super) struct Invite {
    /// Over this bridge; may be given up to three times
    #[arg(long = "bridge", value_name = "NAME")]
    bridges: Vec<String>,
    /// How many people may use it, 1 to 127
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=127))]
    uses: u8,
    /// How long it lasts
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_duration)]
    expires: Duration,
}

impl Invite {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let wanted =
            NewInvite { bridges: self.bridges, uses: self.uses, expires_in_secs: self.expires.as_secs() };
        let mut session = context.session().await?;
        let made = session.post::<_, InviteView>("/v1/invites", &wanted).await;
        let brief = session.is_brief();
        session.close().await;
        let invite = made?;
        context
            .output
            .say(&invite, || format!("{}\n\nIt lasts until {}.", invite.invite, moment(invite.expires)))?;
        if invite.replies {
            output::remark(
                "You alone write where it leads to, so whoever accepts it is shown a line to send back: type `wayside complete` and that line.",
            );
        }
        if brief {
            output::remark(
                "No node is up to answer this invite: run `wayside up` until your friend has used it.",
            );
        }
        Ok(Exit::Done)
    }
}
