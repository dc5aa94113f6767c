//! `wayside community join` and `wayside community leave`

use clap::Args;
use wayside::api::types::{ChangeCommunity, CommunityView};

use super::in_words;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::{Session, community_path, parse_name};
use crate::cli::{Context, candidates, output};

/// Be on the list of a community's bot, so that members may ask for you
///
/// The bot gets a card made for it alone. Members see in the room's notation that you are on the list; nobody gets your
/// card before you have agreed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Join {
    /// The bridge to its room
    #[arg(value_parser = parse_name, add = candidates::bridges())]
    bridge: String,
    /// Who the bot is, as the room names it; where the bridge has none yet, or another one
    #[arg(long, value_name = "WHO", value_parser = parse_name)]
    bot: Option<String>,
}

/// Leave the list of a community's bot: nobody may ask for you, and the bridge stays
///
/// The card that the bot had leads nowhere from then on. `wayside bridge remove` leaves the room's bridge as well.
#[derive(Debug, Args)]
pub(in crate::cli) struct Leave {
    /// The bridge to its room; not needed where there is one community
    #[arg(value_parser = parse_name, add = candidates::bridges())]
    bridge: Option<String>,
}

impl Join {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let change = ChangeCommunity { bot: self.bot, listed: Some(true) };
        let mut session = context.session().await?;
        let changed = session.patch(&community_path(&self.bridge), &change).await;
        told(context, session, changed).await
    }
}

impl Leave {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let change = ChangeCommunity { bot: None, listed: Some(false) };
        let mut session = context.session().await?;
        let changed = async {
            let bridge = match self.bridge {
                Some(bridge) => bridge,
                None => only(session.get("/v1/communities").await?)?,
            };
            session.patch(&community_path(&bridge), &change).await
        };
        let changed = changed.await;
        told(context, session, changed).await
    }
}

/// The one community that there is.
fn only(communities: Vec<CommunityView>) -> Result<String, Failure> {
    let names: Vec<String> = communities.iter().map(|community| one_line(&community.bridge)).collect();
    match <[CommunityView; 1]>::try_from(communities) {
        Ok([community]) => Ok(community.bridge),
        Err(none) if none.is_empty() => {
            Err(Failure::new(Exit::NotFound, "you are in no community: `wayside community list` lists them"))
        }
        Err(_) => Err(Failure::usage(format!("say which: {}", names.join(", ")))),
    }
}

async fn told(context: &Context, session: Session, changed: Result<CommunityView, Failure>) -> Outcome {
    let brief = session.is_brief();
    session.close().await;
    let changed = changed?;
    context.output.say(&changed, || in_words(&changed))?;
    if brief {
        output::remark("No node is up to tell the bot: run `wayside up`.");
    }
    Ok(Exit::Done)
}
