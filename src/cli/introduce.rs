//! `wayside introduce`

use clap::Args;
use wayside::api::types::{self, IntroducedAnswer, IntroducedView, IntroductionState, IntroductionView};

use super::exit::{Exit, Outcome};
use super::output::one_line;
use super::session::parse_name;
use super::words::{moment, table};
use super::{Context, output};

/// Introduce two friends to each other, or show how far introductions have got
///
/// Each is told, on your word, who the other is, and asked. Where both consent they become friends, over a bridge that
/// both have; you pass on what that takes and cannot read it. A refusal is told to nobody: whoever has not consented may
/// have refused, or not looked yet. It ends after a week.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside introduce Ada Ben --note 'you both keep bees'
  wayside introduce")]
pub(super) struct Introduce {
    /// The one: a friend's name here, the name on their card, or their account
    #[arg(value_name = "FRIEND", value_parser = parse_name, requires = "other")]
    friend: Option<String>,
    /// The other
    #[arg(value_name = "FRIEND", value_parser = parse_name)]
    other: Option<String>,
    /// A few words for both, 1,000 bytes at most
    #[arg(long, value_name = "TEXT", requires = "other")]
    note: Option<String>,
}

impl Introduce {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let (Some(friend), Some(to)) = (self.friend, self.other) else { return list(context).await };
        let mut session = context.session().await?;
        let wanted = types::Introduce { friend, to, note: self.note };
        let made = session.post::<_, IntroductionView>("/v1/introductions", &wanted).await;
        let brief = session.is_brief();
        session.close().await;
        let made = made?;
        context.output.say(&made, || {
            let names: Vec<String> = made.friends.iter().map(|friend| one_line(&friend.name)).collect();
            format!("{} are asked, until {}.", names.join(" and "), moment(made.expires))
        })?;
        if brief {
            output::remark("No node is up to ask them: run `wayside up`.");
        }
        Ok(Exit::Done)
    }
}

async fn list(context: &Context) -> Outcome {
    let mut session = context.session().await?;
    let made = session.get::<Vec<IntroductionView>>("/v1/introductions").await;
    session.close().await;
    let made = made?;
    for introduction in &made {
        context.output.object(introduction)?;
    }
    context.output.text(&in_words(&made))?;
    Ok(Exit::Done)
}

fn in_words(made: &[IntroductionView]) -> String {
    if made.is_empty() {
        return "No introductions: `wayside introduce FRIEND FRIEND` makes one.".to_owned();
    }
    let end = |friend: Option<&IntroducedView>| {
        let Some(friend) = friend else { return String::new() };
        let answer = match friend.answer {
            IntroducedAnswer::Unasked => "not reached yet",
            IntroducedAnswer::Asked => "asked",
            IntroducedAnswer::Consented => "consents",
        };
        format!("{} ({answer})", friend.name)
    };
    let rows: Vec<Vec<String>> = made
        .iter()
        .map(|introduction| {
            let [one, other] = [0, 1].map(|number| end(introduction.friends.get(number)));
            let state = state_word(introduction.state).to_owned();
            vec![one, other, state, moment(introduction.expires)]
        })
        .collect();
    table(&["THE ONE", "THE OTHER", "STATE", "UNTIL"], &rows)
}

/// How far an introduction has got, in a few words.
pub(super) const fn state_word(state: IntroductionState) -> &'static str {
    match state {
        IntroductionState::Open => "open",
        IntroductionState::Agreed => "both consent",
        IntroductionState::Passed => "brought together",
    }
}
