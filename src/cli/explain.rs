//! `wayside explain`

use clap::Args;
use wayside::api::types::Explanation;

use super::exit::{Exit, Outcome};
use super::friends::path_words;
use super::output::one_line;
use super::session::{friend_path, parse_name};
use super::words::time_of_day;
use super::{Context, candidates};

/// Tell the steps of the last meeting with a friend, and why the path is what it is
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A friend's name here, the name on their card, or their account
    #[arg(value_parser = parse_name, add = candidates::friends())]
    friend: String,
}

impl Explain {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let explanation = session.get::<Explanation>(&friend_path(&self.friend, "/explain")).await;
        session.close().await;
        let explanation = explanation?;
        context.output.say(&explanation, || in_words(&explanation))?;
        Ok(Exit::Done)
    }
}

fn in_words(explanation: &Explanation) -> String {
    let relay = explanation.relay.as_deref();
    let path = explanation.path.map_or_else(|| "no link".to_owned(), |path| path_words(path, relay));
    let mut lines =
        vec![format!("{}: {path}", one_line(&explanation.friend)), format!("  {}", explanation.because)];
    if !explanation.steps.is_empty() {
        lines.push("  The last meeting (times in UTC):".to_owned());
    }
    let steps = explanation.steps.iter();
    lines.extend(steps.map(|step| format!("    {}  {}", time_of_day(step.at), one_line(&step.what))));
    lines.join("\n")
}
