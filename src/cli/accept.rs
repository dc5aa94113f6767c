//! `wayside accept`

use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, AcceptState, Accepted, InvitePreview};

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::pointer::{fetch, may_knock};
use super::session::Session;
use super::source::{agreed, read};
use super::words::{list, millis, moment, parse_duration, shell_word};
use super::{Context, code};

/// Accept an invite and become friends, or knock by somebody's card
///
/// Shows where it leads before anything is done with it, and asks on a terminal. Where the other side does not answer in
/// time this ends with exit code 3; `wayside up` goes on with it. By a card one asks: its owner has to agree. What is none
/// of your bridges is contacted, to fetch a card there, only when you agree. Where the inviter alone writes in the
/// invite's place, a reply line is printed: send it back, for `wayside complete`. Without a space of your own it is long.
///
/// A code that somebody says to you (7-crossover-clockwork) is typed as it is heard; words may be cut off and completed by
/// the shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside accept wayside:AEAW…
  wayside accept 7-crossover-clockwork --name Ada
  wayside accept - --name Ada < invite.txt
  wayside accept https://alice.example
  wayside accept dns:alice.example
  wayside accept --wait 10m --yes wayside:AEAW…
  wayside accept git+https://git.example.org/project#alice
  wayside accept peers/alice.card")]
pub(super) struct Accept {
    /// The line that begins with `wayside:`, a code that was said to you, or a card: `wayside-card:…`, a file, or where it lies (https://HOST, dns:NAME, BRIDGE#NAME, git+https://HOST/PATH#NAME, github:OWNER/REPO#NAME); - reads an invite or card from stdin, where other users do not see it
    #[arg(value_name = "INVITE|SOURCE")]
    invite: String,
    /// What to call the friend here
    #[arg(long, value_name = "ALIAS", value_parser = super::session::parse_name)]
    name: Option<String>,
    /// Over this bridge, where it is a code; may be given several times
    #[arg(long = "bridge", value_name = "NAME")]
    bridges: Vec<String>,
    /// Whose card, where several accounts left one under the name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// How long to wait for the other side's answer
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = parse_duration)]
    wait: Duration,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Accept {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        if code::is_like(&self.invite) {
            return code::accept(context, self.invite, self.bridges, self.name, self.wait).await;
        }
        let invite = read(&self.invite)?;
        let request = types::Accept { invite, name: self.name, wait_ms: millis(self.wait) };
        let mut session = context.session().await?;
        let outcome = accept(context, &mut session, request, self.account, self.yes).await;
        session.close().await;
        outcome
    }
}

async fn accept(
    context: &Context,
    session: &mut Session,
    request: types::Accept,
    account: Option<String>,
    yes: bool,
) -> Outcome {
    let preview: InvitePreview = session.post("/v1/accept/preview", &request).await?;
    let asks = !yes && !context.output.is_json() && output::can_ask();
    let source = request.invite.clone();
    let Some(found) = fetch(context, session, &preview, source, account, yes).await? else {
        // Where no bridge reaches it, accepting says so, and what to do.
        if !preview.bridges.is_empty() && !context.output.is_json() {
            show(&preview);
            if asks && !agreed(&output::ask("Accept it? [Y/n]")?) {
                return Err(Failure::new(
                    Exit::Failed,
                    "the invite was not accepted, and nothing was published",
                ));
            }
        }
        return finish(context, session, &request, friends_by_invite).await;
    };
    if let Some(fault) = &found.fault {
        let sentence = format!("the card does not hold, and nothing was published: {}", one_line(fault));
        return Err(Failure::new(Exit::Invite, sentence));
    }
    let knocks = !found.own && found.friend.is_none();
    if knocks && asks && !may_knock(&found)? {
        return Err(Failure::new(Exit::Failed, "nobody was knocked at, and nothing was published"));
    }
    if knocks && !context.output.is_json() {
        let name = one_line(&found.name);
        output::remark(&format!(
            "The owner of the card {name} is asked, and has to agree: waiting for that."
        ));
    }
    let request = types::Accept { invite: found.card, ..request };
    // Who is a friend already is not asked, and may be known by another way.
    let in_words = if knocks { friends_by_card } else { friends_by_invite };
    finish(context, session, &request, in_words).await
}

async fn finish(
    context: &Context,
    session: &mut Session,
    request: &types::Accept,
    in_words: fn(&Accepted) -> String,
) -> Outcome {
    let accepted: Accepted = session.post("/v1/accept", request).await?;
    context.output.say(&accepted, || accepted.reply.clone().unwrap_or_else(|| in_words(&accepted)))?;
    if accepted.reply.is_some() && !context.output.is_json() {
        output::remark(
            "Send this line back to who invited you, who types `wayside complete` and the line: without it nothing is answered. \
             `wayside up` goes on with it; accepting again waits for the answer.",
        );
    }
    match accepted.state {
        AcceptState::Done => Ok(Exit::Done),
        AcceptState::Pending => Ok(Exit::Pending),
    }
}

fn show(preview: &InvitePreview) {
    let until =
        preview.expires.map(|until| format!(" It lasts until {}.", moment(until))).unwrap_or_default();
    let how =
        if preview.replies { "where the inviter alone writes. You read it by" } else { "which you reach by" };
    output::remark(&format!(
        "The invite leads to {}, {how} {}.{until}",
        list(&preview.places),
        list(&preview.bridges),
    ));
}

fn friends_by_invite(accepted: &Accepted) -> String {
    match accepted.state {
        AcceptState::Done => friends(accepted),
        AcceptState::Pending => {
            "Nobody has answered yet. `wayside up` goes on with it; accepting again waits once more."
                .to_owned()
        }
    }
}

fn friends_by_card(accepted: &Accepted) -> String {
    let name = accepted.friend.as_deref().map(shell_word).unwrap_or_default();
    match accepted.state {
        AcceptState::Done => format!(
            "{}\n  verified no: a card that lay somewhere says who it is; compare with `wayside friend verify {name}`",
            friends(accepted)
        ),
        AcceptState::Pending => {
            "The owner of the card has not agreed yet, and may never say so. `wayside up` goes on with it; \
                                 accepting again waits once more."
                .to_owned()
        }
    }
}

pub(super) fn friends(accepted: &Accepted) -> String {
    friends_of(accepted.friend.as_deref(), accepted.account.as_deref())
}

pub(super) fn friends_of(name: Option<&str>, account: Option<&str>) -> String {
    let (name, account) = (name.unwrap_or("somebody"), account.unwrap_or("unknown"));
    format!("You and {} are friends now.\n  account  {account}", one_line(name))
}
