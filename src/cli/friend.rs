//! `wayside friend …`: one friend shown or changed.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use wayside::api::types::{ChangeFriend, FriendView};

use super::exit::{Exit, Outcome};
use super::friends::{link, or_dash};
use super::output::one_line;
use super::session::{friend_path, parse_name};
use super::verify::Verify;
use super::words::shell_word;
use super::{Context, candidates};

/// Show or change one friend
///
/// FRIEND is what you call them, the name on their card (with a number where two are alike), or their account.
#[derive(Debug, Subcommand)]
pub(super) enum Friend {
    /// Show a friend: account, devices, link, what each of you allows
    Show(Whom),
    /// Call a friend something else
    Rename {
        /// Whom
        #[arg(value_parser = parse_name, add = candidates::friends())]
        friend: String,
        /// The new name
        #[arg(value_parser = parse_name)]
        name: String,
    },
    Verify(Verify),
    /// Have nothing to do with a friend for now
    Block(Whom),
    /// Take a block back
    Unblock(Whom),
    /// Be friends no more; messages that still wait for them are dropped
    Remove(Whom),
    /// Let a friend use this machine: as a relay, as a mailbox, or to see how it is seen
    Allow(Grant),
    /// Take that back
    Deny(Grant),
}

/// A friend.
#[derive(Debug, Args)]
pub(super) struct Whom {
    /// A friend's name here, the name on their card, or their account
    #[arg(value_parser = parse_name, add = candidates::friends())]
    friend: String,
}

/// A friend and what they may do.
#[derive(Debug, Args)]
pub(super) struct Grant {
    /// What
    what: What,
    #[command(flatten)]
    whom: Whom,
}

/// What a friend may be let do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Reach other friends through this machine
    Relay,
    /// Have sealed messages for them kept on this machine while they are away
    Mailbox,
    /// Ask this machine how it sees them, and name it to newcomers for the same (where `network.stun` is on)
    Reflect,
    /// Leave records on this machine for friends of yours
    Meet,
}

/// What it means to keep a friend's mail.
const KEEPS_MAIL: &str = "\
This machine keeps mail for this friend from now on: sealed, up to what `wayside mailbox` shows, until it is fetched.
It sees how much there is and when it came, not from whom and not what it says. Its friends leave it here without
saying who they are; they learn how this machine is reached.";

impl Friend {
    /// What a change means beyond what is printed of the friend.
    fn meaning(&self) -> Option<&'static str> {
        let keeps_mail = matches!(self, Self::Allow(Grant { what: What::Mailbox, .. }));
        keeps_mail.then_some(KEEPS_MAIL)
    }
}

impl What {
    fn word(self) -> String {
        match self {
            Self::Relay => "relay".to_owned(),
            Self::Mailbox => "mailbox".to_owned(),
            Self::Reflect => "reflect".to_owned(),
            Self::Meet => "meet".to_owned(),
        }
    }
}

/// What is printed when a friend is gone.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    removed: &'a str,
}

impl Friend {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let nothing = ChangeFriend::default();
        let meaning = self.meaning();
        let (friend, change) = match self {
            Self::Show(Whom { friend }) => return show(context, &friend).await,
            Self::Remove(Whom { friend }) => return remove(context, &friend).await,
            Self::Verify(verify) => return verify.run(context).await,
            Self::Rename { friend, name } => (friend, ChangeFriend { rename: Some(name), ..nothing }),
            Self::Block(Whom { friend }) => (friend, ChangeFriend { blocked: Some(true), ..nothing }),
            Self::Unblock(Whom { friend }) => (friend, ChangeFriend { blocked: Some(false), ..nothing }),
            Self::Allow(Grant { what, whom }) => {
                (whom.friend, ChangeFriend { allow: vec![what.word()], ..nothing })
            }
            Self::Deny(Grant { what, whom }) => {
                (whom.friend, ChangeFriend { deny: vec![what.word()], ..nothing })
            }
        };
        let mut session = context.session().await?;
        let changed = session.patch::<_, FriendView>(&friend_path(&friend, ""), &change).await;
        session.close().await;
        let changed = changed?;
        context.output.say(&changed, || in_words(&changed))?;
        if let Some(meaning) = meaning {
            context.output.text(meaning)?;
        }
        Ok(Exit::Done)
    }
}

async fn show(context: &Context, friend: &str) -> Outcome {
    let mut session = context.session().await?;
    let view = session.get::<FriendView>(&friend_path(friend, "")).await;
    session.close().await;
    let view = view?;
    context.output.say(&view, || in_words(&view))?;
    Ok(Exit::Done)
}

async fn remove(context: &Context, friend: &str) -> Outcome {
    let mut session = context.session().await?;
    let removed = session.delete::<()>(&friend_path(friend, "")).await;
    session.close().await;
    removed?;
    context
        .output
        .say(&Removed { removed: friend }, || format!("{} is no friend any more.", one_line(friend)))?;
    Ok(Exit::Done)
}

fn in_words(friend: &FriendView) -> String {
    let devices = friend.devices.join("\n           ");
    let name = one_line(&friend.name);
    let verified = match (friend.verified, friend.by_card) {
        (true, _) => "\n  verified yes: you both read the same".to_owned(),
        (false, true) => format!(
            "\n  verified no: a card that lay somewhere says who it is; compare with `wayside friend verify {}`",
            shell_word(&friend.name)
        ),
        (false, false) => String::new(),
    };
    format!(
        "{name}\n  link     {}\n  account  {}\n  devices  {devices}\n  I allow  {}\n  they     {}{verified}",
        link(friend),
        friend.account,
        or_dash(&friend.allows),
        or_dash(&friend.granted)
    )
}
