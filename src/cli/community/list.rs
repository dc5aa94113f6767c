//! `wayside community list`

use clap::Args;
use wayside::api::types::{CommunityView, ListState};

use crate::cli::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::output::one_line;

/// List communities: their bots, and whether you are on their lists
#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let communities = session.get::<Vec<CommunityView>>("/v1/communities").await;
        session.close().await;
        let communities = communities?;
        for community in &communities {
            context.output.say(community, || in_words(community))?;
        }
        if communities.is_empty() {
            context
                .output
                .text("No communities: `wayside bridge add --from FILE` adds the one whose file you have.")?;
        }
        Ok(Exit::Done)
    }
}

/// A community, on some lines.
pub(in crate::cli) fn in_words(community: &CommunityView) -> String {
    let (bridge, bot) = (one_line(&community.bridge), one_line(&community.bot));
    let title = community.title.as_deref().map(|title| format!(" ({})", one_line(title))).unwrap_or_default();
    let list = match community.list {
        ListState::Listed => format!("you are on the list of {bot}, so that members may ask for you"),
        ListState::Joining => {
            format!("you are about to be on the list of {bot}, so that members may ask for you")
        }
        ListState::Dropped => format!("you are not on the list of {bot} any more"),
        ListState::Leaving => format!("{bot} is told to take you off its list"),
        ListState::Unlisted => format!("you are not on the list of {bot}: `wayside community join {bridge}`"),
    };
    let mut lines = vec![format!("{bridge}{title}: {list}")];
    if let Some(own) = &community.own {
        lines.push(format!("  you are {} there", one_line(own)));
    }
    lines.extend(community.hint.as_ref().map(|hint| format!("  {}", one_line(hint))));
    lines.join("\n")
}
