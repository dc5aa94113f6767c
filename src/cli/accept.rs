//! `wayside accept`

mod reply;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, AcceptState, Accepted, InvitePreview};

use super::exit::{Exit, Failure, Outcome};
use super::files::Target;
use super::given::Given;
use super::output::{self, one_line};
use super::pointer::{fetch, may_knock};
use super::session::Session;
use super::source::agreed;
use super::words::{list, millis, moment, parse_duration, shell_word};
use super::{Context, candidates, code, picture};

/// Accept an invite and become friends, or knock by somebody's card
///
/// Shows where it leads before anything is done with it, and asks on a terminal. Where the other side does not answer in
/// time this ends with exit code 3; `wayside up` goes on with it. By a card one asks: its owner has to agree. What is none
/// of your bridges is contacted, to fetch a card there, only when you agree. Where the inviter alone writes in the
/// invite's place, a reply line is printed: send it back, for `wayside complete`. Without a space of your own it is long.
/// An invite file is accepted over a service that both of you use, or else by a reply, for which nothing is needed.
///
/// A code that somebody says to you (7-crossover-clockwork) is typed as it is heard; with `wayside completions bash` or
/// `fish` the shell completes its words.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside accept wayside:AEAW…
  wayside accept 7-crossover-clockwork --name Ada
  wayside accept - --name Ada < invite.txt
  wayside accept https://alice.example
  wayside accept dns:alice.example
  wayside accept --wait 10m --yes wayside:AEAW…
  wayside accept git+https://git.example.org/project#alice
  wayside accept peers/alice.card
  wayside accept ann.wayside --reply ben.wayside
  wayside accept --qr screenshot.png")]
pub(super) struct Accept {
    /// The line that begins with `wayside:`, a code that was said to you, an invite file, or a card: `wayside-card:…`, a file, or where it lies (https://HOST, dns:NAME, BRIDGE#NAME, git+https://HOST/PATH#NAME, github:OWNER/REPO#NAME); - reads an invite or card from stdin, where other users do not see it
    #[arg(value_name = "INVITE|SOURCE", required_unless_present = "qr", add = candidates::codes())]
    invite: Option<String>,
    /// Read the QR code in this picture (PNG or JPEG) instead
    #[arg(long, value_name = "FILE", conflicts_with = "invite")]
    qr: Option<PathBuf>,
    /// Write the reply that the inviter needs to this file; an invite file is then answered by that, and by nothing else
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// Show the reply as a QR code
    #[arg(long)]
    reply_qr: bool,
    /// Write over a file that is there already
    #[arg(long, requires = "reply")]
    force: bool,
    /// What to call the friend here
    #[arg(long, value_name = "ALIAS", value_parser = super::session::parse_name)]
    name: Option<String>,
    /// Over this bridge, where it is a code; may be given several times
    #[arg(long = "bridge", value_name = "NAME", add = candidates::bridges())]
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
        let given = match (&self.qr, &self.invite) {
            (Some(picture), _) => Given::of_text(picture::read(picture)?),
            (None, Some(invite)) => Given::named(invite)?,
            (None, None) => return Err(Failure::usage("name an invite, a file or a card")),
        };
        let reply = self.reply.as_ref().map(|path| Target::new(path, self.force)).transpose()?;
        let ways = Ways { account: self.account, yes: self.yes, reply, reply_qr: self.reply_qr };
        let (invite, is_file) = match given {
            Given::Code(code) => {
                return code::accept(context, code, self.bridges, self.name, self.wait).await;
            }
            Given::Link(text) | Given::Card(text) => (text, false),
            Given::File(text) => (text, true),
            Given::Reply(_) => {
                return Err(Failure::usage(
                    "this is a reply to an invite of yours: `wayside complete` takes it",
                ));
            }
        };
        let request = types::Accept { invite, name: self.name, wait_ms: millis(self.wait) };
        let mut session = context.session().await?;
        let outcome = if is_file {
            accept_file(context, &mut session, request, &ways).await
        } else {
            accept(context, &mut session, request, &ways).await
        };
        session.close().await;
        outcome
    }
}

/// How it is to be done.
struct Ways {
    account: Option<String>,
    yes: bool,
    reply: Option<Target>,
    reply_qr: bool,
}

impl Ways {
    /// Whether a person is asked before anything is done.
    fn asks(&self, context: &Context) -> bool {
        !self.yes && !context.output.is_json() && output::can_ask()
    }
}

async fn accept(context: &Context, session: &mut Session, request: types::Accept, ways: &Ways) -> Outcome {
    let preview: InvitePreview = session.post("/v1/accept/preview", &request).await?;
    let asks = ways.asks(context);
    let source = request.invite.clone();
    let Some(found) = fetch(context, session, &preview, source, ways.account.clone(), ways.yes).await? else {
        // Where no bridge reaches it, accepting says so, and what to do.
        if !preview.bridges.is_empty() && !context.output.is_json() {
            output::remark(&leads(&preview));
            confirm(asks)?;
        }
        return finish(context, session, "/v1/accept", &request, ways, friends_by_invite).await;
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
    finish(context, session, "/v1/accept", &request, ways, in_words).await
}

/// What came in a file: over a bridge where one leads to its maker and no reply is asked for.
async fn accept_file(
    context: &Context,
    session: &mut Session,
    request: types::Accept,
    ways: &Ways,
) -> Outcome {
    let preview: InvitePreview = session.post("/v1/accept/preview", &request).await?;
    let by_reply = ways.reply.is_some() || ways.reply_qr;
    if !context.output.is_json() {
        output::remark(&introduces(&preview, by_reply));
        confirm(ways.asks(context))?;
    }
    let path = if by_reply { "/v1/accept/reply" } else { "/v1/accept" };
    finish(context, session, path, &request, ways, friends_by_invite).await
}

fn confirm(asks: bool) -> Result<(), Failure> {
    if asks && !agreed(&output::ask("Accept it? [Y/n]")?) {
        return Err(Failure::new(Exit::Failed, "the invite was not accepted, and nothing was published"));
    }
    Ok(())
}

async fn finish(
    context: &Context,
    session: &mut Session,
    path: &str,
    request: &types::Accept,
    ways: &Ways,
    in_words: fn(&Accepted) -> String,
) -> Outcome {
    let accepted: Accepted = session.post(path, request).await?;
    match &accepted.reply {
        Some(reply) => reply::hand_over(context, &accepted, reply, ways.reply.as_ref(), ways.reply_qr)?,
        None => {
            context.output.say(&accepted, || in_words(&accepted))?;
            if ways.reply.is_some() || ways.reply_qr {
                output::remark("No reply is needed, and none was written.");
            }
        }
    }
    match accepted.state {
        AcceptState::Done => Ok(Exit::Done),
        AcceptState::Pending => Ok(Exit::Pending),
    }
}

/// Where an invite leads.
fn leads(preview: &InvitePreview) -> String {
    let until =
        preview.expires.map(|until| format!(" It lasts until {}.", moment(until))).unwrap_or_default();
    let how =
        if preview.replies { "where the inviter alone writes. You read it by" } else { "which you reach by" };
    format!("The invite leads to {}, {how} {}.{until}", list(&preview.places), list(&preview.bridges),)
}

/// Who made an invite file, and how it is answered.
fn introduces(preview: &InvitePreview, by_reply: bool) -> String {
    let from = preview.from.as_ref().map(|from| {
        format!(
            "The invite file says that it is from {}.\n  account  {}\n",
            one_line(&from.name),
            one_line(&from.account)
        )
    });
    let how = if by_reply || preview.bridges.is_empty() {
        "It is answered by a reply that you give back; nobody is contacted.".to_owned()
    } else {
        leads(preview)
    };
    from.unwrap_or_default() + how.as_str()
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
