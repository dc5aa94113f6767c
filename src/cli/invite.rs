//! `wayside invite`

use std::time::Duration;

use clap::Args;
use wayside::api::types::{InviteView, NewInvite};

use super::exit::{Exit, Outcome};
use super::words::{moment, parse_duration};
use super::{Context, code, output};

/// Make an invite: a line to give to a friend
///
/// Whoever has the line can become your friend with it, so give it to nobody else. It works over the services named by
/// --bridge, or up to three that work right now. Your node has to be up (`wayside up`) to answer it. Over a space that you
/// alone write in (a site or zone of your own) the friend sends a line back, which `wayside complete` takes.
///
/// With --code it is a code that you say to the friend instead, who types it: `wayside accept 7-crossover-clockwork`. It
/// waits until the friend has, and ends with this command or the node.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside invite
  wayside invite --code
  wayside invite --bridge share --uses 5 --expires 12h")]
pub(super) struct Invite {
    /// Over this bridge; may be given up to three times
    #[arg(long = "bridge", value_name = "NAME")]
    bridges: Vec<String>,
    /// How many people may use it, 1 to 127
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=127))]
    uses: u8,
    /// How long it lasts: 7d unless you say otherwise, 1h for a code
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
    /// A code to say aloud in place of a line, and wait until it was used
    #[arg(long, conflicts_with = "uses")]
    code: bool,
}

/// How long an invite lasts where nobody says.
const LASTS: Duration = Duration::from_secs(7 * 86_400);

impl Invite {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        if self.code {
            return code::speak(context, self.bridges, self.expires).await;
        }
        let expires_in_secs = self.expires.unwrap_or(LASTS).as_secs();
        let wanted = NewInvite { bridges: self.bridges, uses: self.uses, expires_in_secs };
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
