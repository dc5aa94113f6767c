//! `wayside introduce`

use clap::Args;
use wayside::api::types::{
    self, AskToMeet, EncounterView, IntroducedAnswer, IntroducedView, IntroductionState, IntroductionView,
};

use super::exit::{Exit, Failure, Outcome};
use super::output::one_line;
use super::session::parse_name;
use super::words::{moment, table};
use super::{Context, candidates, output};

/// Introduce two friends to each other, ask a community's bot to introduce you, or show how far that has got
///
/// One name with an @ in it, as a room names its member, has the community's bot ask that member; where both of you agree
/// the two nodes meet by themselves, a week at most from now. That the member is who they are called is the bot's word.
///
/// Of two friends, each is told, on your word, who the other is, and asked. Where both consent they become friends, over a bridge that
/// both have; you pass on what that takes and cannot read it. A refusal is told to nobody: whoever has not consented may
/// have refused, or not looked yet. It ends after a week.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside introduce Ada Ben --note 'you both keep bees'
  wayside introduce @ben:example.org
  wayside introduce")]
pub(super) struct Introduce {
    /// The one: a friend's name here, the name on their card, or their account; or alone, whom to meet, as their room names them
    #[arg(value_name = "FRIEND|PERSON", value_parser = parse_name, add = candidates::friends())]
    friend: Option<String>,
    /// The other
    #[arg(value_name = "FRIEND", value_parser = parse_name, add = candidates::friends())]
    other: Option<String>,
    /// A few words for both, 1,000 bytes at most
    #[arg(long, value_name = "TEXT", requires = "other")]
    note: Option<String>,
    /// Of a person: in which community, where there are several
    #[arg(long, value_name = "BRIDGE", value_parser = parse_name, add = candidates::bridges(), requires = "friend", conflicts_with = "other")]
    bridge: Option<String>,
    /// Of a person: what to call the new friend here
    #[arg(long, value_name = "ALIAS", value_parser = parse_name, requires = "friend", conflicts_with = "other")]
    name: Option<String>,
}

impl Introduce {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let (friend, to) = match (self.friend, self.other) {
            (Some(friend), Some(to)) => (friend, to),
            (Some(person), None) if person.contains('@') => {
                return ask(context, AskToMeet { person, bridge: self.bridge, name: self.name }).await;
            }
            (Some(_), None) => {
                let sentence =
                    "name two friends, or one person as a room names them, for example @ben:example.org";
                return Err(Failure::usage(sentence));
            }
            (None, _) => return list(context).await,
        };
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

/// Has a community's bot asked.
async fn ask(context: &Context, whom: AskToMeet) -> Outcome {
    let mut session = context.session().await?;
    let asked = session.post::<_, EncounterView>("/v1/encounters", &whom).await;
    let brief = session.is_brief();
    session.close().await;
    let asked = asked?;
    context
        .output
        .say(&asked, || format!("{}; it has until {}.", one_line(&asked.text), moment(asked.expires)))?;
    if brief {
        output::remark("No node is up to ask the bot: run `wayside up`.");
    }
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Outcome {
    let mut session = context.session().await?;
    let made = session.get::<Vec<IntroductionView>>("/v1/introductions").await;
    let asked = match &made {
        Ok(_) => session.get::<Vec<EncounterView>>("/v1/encounters").await,
        Err(_) => Ok(Vec::new()),
    };
    session.close().await;
    let (made, asked) = (made?, asked?);
    for introduction in &made {
        context.output.object(introduction)?;
    }
    for encounter in &asked {
        context.output.object(encounter)?;
    }
    if !made.is_empty() || asked.is_empty() {
        context.output.text(&in_words(&made))?;
    }
    let asked: Vec<String> = asked.iter().map(encounter_line).collect();
    context.output.text(&asked.join("\n"))?;
    Ok(Exit::Done)
}

fn encounter_line(encounter: &EncounterView) -> String {
    let (text, until) = (one_line(&encounter.text), moment(encounter.expires));
    format!("{}: {text} (until {until})", one_line(&encounter.person))
}

fn in_words(made: &[IntroductionView]) -> String {
    if made.is_empty() {
        return "No introductions: `wayside introduce FRIEND FRIEND` makes one, and `wayside introduce PERSON` asks a community's bot.".to_owned();
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
