//! `wayside request …`: what others ask, answered.

use clap::{Args, Subcommand};
use wayside::api::types::{AcceptRequest, RequestKind, RequestView};

use super::exit::{Exit, Outcome};
use super::output::one_line;
use super::requests::in_words;
use super::session::{parse_name, request_path};
use super::{Context, output};

/// Answer what somebody asks of you
///
/// ID is what `wayside requests` shows, or the first digits of it, four at least.
#[derive(Debug, Subcommand)]
pub(super) enum Request {
    /// Accept: what follows goes on by itself while a node is up
    ///
    /// Of an introduction: that it is who is named is your friend's word. Of a community's bot: its word. Of a knock: nobody's but theirs. Compare the account by another way where that
    /// matters (`wayside friend verify`).
    Accept {
        #[command(flatten)]
        which: Which,
        /// What to call the new friend here
        #[arg(long, value_name = "ALIAS", value_parser = parse_name)]
        name: Option<String>,
    },
    /// Refuse: nobody is told but a community's bot, and the same is not asked again before it expires; who knocked is not heard again by this card
    Refuse(Which),
}

/// A request.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Which
    #[arg(value_parser = parse_name)]
    id: String,
}

impl Request {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let answered = match &self {
            Self::Accept { which, name } => {
                let how = AcceptRequest { name: name.clone() };
                session.post::<_, RequestView>(&request_path(&which.id, "/accept"), &how).await
            }
            Self::Refuse(which) => session.post(&request_path(&which.id, "/refuse"), &()).await,
        };
        let brief = session.is_brief();
        session.close().await;
        let answered = answered?;
        context.output.say(&answered, || match &self {
            Self::Accept { .. } => in_words(&answered),
            Self::Refuse(_) => {
                let told = match &answered.what {
                    RequestKind::Community { .. } => "The bot is told",
                    _ => "Nobody is told",
                };
                format!("Refused: {}. {told}.", one_line(&answered.text))
            }
        })?;
        if brief && matches!(self, Self::Accept { .. }) {
            output::remark("No node is up to go on with it: run `wayside up`.");
        }
        Ok(Exit::Done)
    }
}
