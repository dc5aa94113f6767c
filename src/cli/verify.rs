//! `wayside friend verify`: two friends compare a string, so that nobody sits between them.

use clap::Args;
use wayside::api::types::{ChangeFriend, Comparison, FriendView};

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::session::{Session, friend_path, parse_name};
use super::{Context, candidates};

/// Make sure that a friend is who you think: compare a few digits
///
/// Both of you run this and read the digits to each other by a way on which you know each other: by voice, face to face.
/// Where they are the same nobody has taken the place of either of you. What you say of it is stored.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside friend verify Ada
  wayside friend verify Ada --same    # you have compared already")]
pub(super) struct Verify {
    /// A friend's name here, the name on their card, or their account
    #[arg(value_parser = parse_name, add = candidates::friends())]
    friend: String,
    /// Say without being asked that both read the same
    #[arg(long)]
    same: bool,
}

/// What different digits mean.
const DIFFERENT: &str = "\
Then the friend here is not the one whom you compared with: either one of you looked at another friend's digits, or somebody
put a card of their own where you looked for your friend's, and what you write goes to them. Compare once more. If they
differ still, block this friend, and have your friend give you an invite by a way that only the two of you use.";

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let outcome = verify(context, &mut session, &self).await;
        session.close().await;
        outcome
    }
}

async fn verify(context: &Context, session: &mut Session, verify: &Verify) -> Outcome {
    let comparison: Comparison = session.get(&friend_path(&verify.friend, "/comparison")).await?;
    let account = comparison.account.clone();
    if verify.same {
        let friend = change(session, &account, true, None).await?;
        let comparison = Comparison { verified: friend.verified, ..comparison };
        context.output.say(&comparison, || format!("{} is verified.", one_line(&comparison.friend)))?;
        return Ok(Exit::Done);
    }
    context.output.say(&comparison, || in_words(&comparison))?;
    if context.output.is_json() || !output::can_ask() {
        return Ok(Exit::Done);
    }
    let name = one_line(&comparison.friend);
    match output::ask("Do both of you read the same? [yes/no]")?.to_lowercase().as_str() {
        "y" | "yes" => {
            change(session, &account, true, None).await?;
            context.output.text(&format!("{name} is verified."))?;
            Ok(Exit::Done)
        }
        "n" | "no" => {
            output::remark(DIFFERENT);
            let answer = output::ask(&format!("Block {name} now? [y/N]"))?;
            let blocked = matches!(answer.to_lowercase().as_str(), "y" | "yes").then_some(true);
            change(session, &account, false, blocked).await?;
            let done = if blocked.is_some() { "is blocked" } else { "is not verified" };
            context.output.text(&format!("{name} {done}."))?;
            Ok(Exit::Failed)
        }
        _ => Err(Failure::new(Exit::Failed, "nothing was stored: answer yes or no once you have compared")),
    }
}

async fn change(
    session: &mut Session,
    account: &str,
    verified: bool,
    blocked: Option<bool>,
) -> Result<FriendView, Failure> {
    let change = ChangeFriend { verified: Some(verified), blocked, ..ChangeFriend::default() };
    session.patch(&friend_path(account, ""), &change).await
}

fn in_words(comparison: &Comparison) -> String {
    let name = one_line(&comparison.friend);
    let stored = if comparison.verified { "You said before that they are the same." } else { "" };
    let text = format!(
        "{name} sees these digits for you, and you see them for {name}:\n\n    {}\n\n\
         Read them to each other by a way on which you know each other. {stored}",
        one_line(&comparison.comparison)
    );
    text.trim_end().to_owned()
}
