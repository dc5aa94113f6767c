//! `wayside accept`

use std::io::BufRead;
use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, AcceptState, Accepted, InvitePreview};

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::session::Session;
use super::words::{list, millis, moment, parse_duration};

/// The longest invite that is read from stdin, in bytes.
const LONGEST: u64 = 4096;

/// Accept an invite and become friends
///
/// Shows where the invite leads before anything is done with it, and asks on a terminal. Where the inviter does not
/// answer in time this ends with exit code 3; `wayside up` goes on with it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside accept wayside:AEAW…
  wayside accept - --name Ada < invite.txt
  wayside accept --wait 10m --yes wayside:AEAW…")]
pub(super) struct Accept {
    /// The line that begins with `wayside:`, or - to read it from stdin, where other users do not see it
    invite: String,
    /// What to call the friend here
    #[arg(long, value_name = "ALIAS", value_parser = super::session::parse_name)]
    name: Option<String>,
    /// How long to wait for the inviter's answer
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = parse_duration)]
    wait: Duration,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Accept {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let invite = if self.invite == "-" { read_line()? } else { self.invite };
        // Mail programs and chats break long lines.
        let invite: String = invite.split_whitespace().collect();
        let request = types::Accept { invite, name: self.name, wait_ms: millis(self.wait) };
        let mut session = context.session().await?;
        let outcome = accept(context, &mut session, &request, self.yes).await;
        session.close().await;
        outcome
    }
}

async fn accept(context: &Context, session: &mut Session, request: &types::Accept, yes: bool) -> Outcome {
    let preview: InvitePreview = session.post("/v1/accept/preview", request).await?;
    // Where no bridge reaches it, accepting says so, and what to do.
    if !preview.bridges.is_empty() && !context.output.is_json() {
        show(&preview);
        if !yes && output::can_ask() && !agreed(&output::ask("Accept it? [Y/n]")?) {
            return Err(Failure::new(Exit::Failed, "the invite was not accepted, and nothing was published"));
        }
    }
    let accepted: Accepted = session.post("/v1/accept", request).await?;
    context.output.say(&accepted, || in_words(&accepted))?;
    match accepted.state {
        AcceptState::Done => Ok(Exit::Done),
        AcceptState::Pending => Ok(Exit::Pending),
    }
}

fn show(preview: &InvitePreview) {
    output::remark(&format!(
        "The invite leads to {}, which you reach by {}. It lasts until {}.",
        list(&preview.places),
        list(&preview.bridges),
        moment(preview.expires)
    ));
}

fn agreed(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "" | "y" | "yes")
}

fn in_words(accepted: &Accepted) -> String {
    match (&accepted.state, &accepted.friend, &accepted.account) {
        (AcceptState::Done, friend, account) => {
            let name = friend.as_deref().unwrap_or("somebody");
            let account = account.as_deref().unwrap_or("unknown");
            format!("You and {} are friends now.\n  account  {account}", one_line(name))
        }
        (AcceptState::Pending, ..) => {
            "Nobody has answered yet. `wayside up` goes on with it; accepting again waits once more."
                .to_owned()
        }
    }
}

fn read_line() -> Result<String, Failure> {
    use std::io::Read;
    let mut line = String::new();
    let read = tokio::task::block_in_place(|| {
        std::io::BufReader::new(std::io::stdin().lock().take(LONGEST)).read_line(&mut line)
    });
    match read {
        Ok(0) => Err(Failure::usage("there was no invite on stdin: paste it or pass it as the argument")),
        Ok(_) => Ok(line),
        Err(error) => {
            Err(Failure::usage(format!("stdin cannot be read ({error}): pass the invite as the argument")))
        }
    }
}
