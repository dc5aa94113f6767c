//! `wayside pointer fetch`: somebody's card, looked at.

use clap::Args;
use wayside::api::types::{Accept, FetchPointer, FoundPointer, InvitePreview, PointView};

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::{self, one_line};
use crate::cli::session::Session;
use crate::cli::source::{agreed, may_contact, read};
use crate::cli::words::{list, moment};

/// Fetch somebody's card and show what it says
///
/// SOURCE is where it lies, with its name behind a #: a bridge of yours, or whatever a kind of bridge can read by itself.
/// Or it is a file, or the card itself. What is none of your bridges is contacted only when you agree.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside pointer fetch git+https://git.example.org/project#alice
  wayside pointer fetch github:owner/repo#alice --yes
  wayside pointer fetch https://alice.example
  wayside pointer fetch project#alice
  wayside pointer fetch peers/alice.card")]
pub(in crate::cli) struct Fetch {
    /// https://HOST, dns:NAME (each with #NAME, else `me`), BRIDGE#NAME, git+https://HOST/PATH#NAME, github:OWNER/REPO#NAME, a file, a card, or - for stdin
    source: String,
    /// Whose, where several accounts left one under the name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Contact the service without asking
    #[arg(long, short)]
    yes: bool,
}

impl Fetch {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let text = read(&self.source)?;
        let mut session = context.session().await?;
        let found = look_and_fetch(context, &mut session, text, self.account, self.yes).await;
        session.close().await;
        let found = found?;
        context.output.say(&found, || show(&found))?;
        Ok(if found.fault.is_some() { Exit::Invite } else { Exit::Done })
    }
}

async fn look_and_fetch(
    context: &Context,
    session: &mut Session,
    text: String,
    account: Option<String>,
    yes: bool,
) -> Result<FoundPointer, Failure> {
    let look = Accept { invite: text.clone(), name: None, wait_ms: 0 };
    let preview: InvitePreview = session.post_once("/v1/accept/preview", &look).await?;
    match fetch(context, session, &preview, text, account, yes).await? {
        Some(found) => Ok(found),
        None => Err(Failure::usage("that is an invite and no card: `wayside accept` takes it")),
    }
}

/// The card that was previewed, fetched where it has to be once the person agrees; none where it is an invite.
pub(in crate::cli) async fn fetch(
    context: &Context,
    session: &mut Session,
    preview: &InvitePreview,
    source: String,
    account: Option<String>,
    yes: bool,
) -> Result<Option<FoundPointer>, Failure> {
    match (&preview.pointer, &preview.source) {
        (Some(pointer), _) if account.as_ref().is_some_and(|account| *account != pointer.account) => {
            Err(Failure::new(Exit::NotFound, "the card is of another account than the one that you name"))
        }
        (Some(pointer), _) => Ok(Some(pointer.clone())),
        (None, Some(from)) => {
            if let Some(service) = &from.contacts {
                may_contact(context, service, yes)?;
            }
            let wanted = FetchPointer { source, contact: true, account };
            session.post_once("/v1/pointers/fetch", &wanted).await.map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// What a card says, on some lines.
pub(in crate::cli) fn show(found: &FoundPointer) -> String {
    let mut lines = vec![one_line(&found.name), format!("  account  {}", found.account)];
    lines.push(format!("  until    {}", moment(found.expires)));
    lines.push(match &found.fault {
        None => "  holds    yes: its account signed it".to_owned(),
        Some(fault) => format!("  holds    no: {}", one_line(fault)),
    });
    lines.extend(found.points.iter().map(point));
    if found.own {
        lines.push("  yours    it is your own".to_owned());
    }
    if let Some(friend) = &found.friend {
        lines.push(format!("  friend   {} already", one_line(friend)));
    }
    if found.skipped > 0 && found.fault.is_none() {
        lines.push(format!("  besides  {} under the name that do not hold", found.skipped));
    }
    lines.join("\n")
}

fn point(point: &PointView) -> String {
    let place = one_line(&point.place);
    match (point.bridges.as_slice(), &point.add) {
        ([], Some(add)) => {
            format!("  looks at {place}, which none of your bridges reaches: `{}`", one_line(add))
        }
        ([], None) => format!("  looks at {place}, for which this wayside has no kind of bridge"),
        (bridges, _) => format!("  looks at {place}, which you reach by {}", list(bridges)),
    }
}

/// Asks a person whether to knock.
pub(in crate::cli) fn may_knock(found: &FoundPointer) -> Result<bool, Failure> {
    output::remark(&show(found));
    output::remark(
        "That the account is whose you think it is, is the word of whoever can write where the card lies.",
    );
    Ok(agreed(&output::ask("Knock and ask to become a friend? [Y/n]")?))
}
