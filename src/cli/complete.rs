//! `wayside complete`

use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, AcceptState, Accepted};
use wayside::reply::{Joined, Reply};

use super::exit::{Exit, Failure, Outcome};
use super::given::Given;
use super::output::{self, one_line};
use super::source::agreed;
use super::words::{millis, parse_duration};
use super::{Context, accept};

/// Take the line that a friend sent back who accepted your invite
///
/// It is needed where you alone write in the place of the invite, such as a site or a zone of your own: it tells where the
/// friend's side of it lies. Shows where it leads, and asks on a terminal; from then on your node looks there. The reply to
/// an invite file makes you friends at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside complete wayside-reply:AEAA…
  wayside complete ben.wayside
  wayside complete - < reply.txt")]
pub(super) struct Complete {
    /// The line that begins with `wayside-reply:`, a file with it, or - to read it from stdin
    #[arg(value_name = "REPLY")]
    reply: String,
    /// How long to wait for the friend
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = parse_duration)]
    wait: Duration,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Complete {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let text = match Given::named(&self.reply)? {
            Given::Reply(text) | Given::Card(text) => text,
            Given::Link(_) | Given::File(_) | Given::Code(_) => {
                return Err(Failure::usage("this is an invite: `wayside accept` takes it"));
            }
        };
        let reply: Reply = text
            .parse()
            .map_err(|error: wayside::reply::ReplyError| Failure::new(Exit::Invite, error.to_string()))?;
        if let Joined::Space(space) = reply.joined()
            && !self.yes
            && !context.output.is_json()
            && output::can_ask()
        {
            let space = one_line(&space.to_string());
            output::remark(&format!("The reply leads to {space}. Whoever runs that will see your address."));
            if !agreed(&output::ask("Look there? [Y/n]")?) {
                return Err(Failure::new(Exit::Failed, "the reply was not taken, and nobody was contacted"));
            }
        }
        let wanted = types::Complete { reply: text, wait_ms: millis(self.wait) };
        let mut session = context.session().await?;
        let completed = session.post::<_, Accepted>("/v1/complete", &wanted).await;
        session.close().await;
        let completed = completed?;
        context.output.say(&completed, || match completed.state {
            AcceptState::Done => accept::friends(&completed),
            AcceptState::Pending => {
                "Nothing of your friend's was found there yet. `wayside up` goes on with it; completing again waits once more."
                    .to_owned()
            }
        })?;
        Ok(match completed.state {
            AcceptState::Done => Exit::Done,
            AcceptState::Pending => Exit::Pending,
        })
    }
}
