//! `wayside requests`

use clap::Args;
use wayside::api::types::{RequestKind, RequestState, RequestView};

use super::Context;
use super::exit::{Exit, Outcome};
use super::output::{harmless, one_line};
use super::words::moment;

/// How many digits of an id are shown: enough to tell requests apart.
const DIGITS: usize = 8;

/// Show what others ask of you
///
/// To become the friend of somebody whom a friend or a community's bot introduces to you, or who came by a card of yours. `wayside request
/// accept` and `wayside request refuse` answer.
#[derive(Debug, Args)]
pub(super) struct Requests {}

impl Requests {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let requests = session.get::<Vec<RequestView>>("/v1/requests").await;
        session.close().await;
        let requests = requests?;
        for request in &requests {
            context.output.object(request)?;
        }
        if requests.is_empty() {
            context.output.text("Nobody asks anything.")?;
        }
        let shown: Vec<String> = requests.iter().map(in_words).collect();
        context.output.text(&shown.join("\n"))?;
        Ok(Exit::Done)
    }
}

/// A request, on some lines.
pub(super) fn in_words(request: &RequestView) -> String {
    let id = request.id.get(..DIGITS).unwrap_or(&request.id);
    let mut lines = vec![format!("{id}  {}.", one_line(&request.text))];
    match &request.what {
        RequestKind::Introduction { by, account, note, .. } => {
            lines.push(format!("          account  {account}"));
            if let Some(note) = note {
                lines.push(format!(
                    "          {} adds: {}",
                    one_line(by),
                    harmless(note).replace('\n', "\n          ")
                ));
            }
        }
        RequestKind::Knock { account, over, .. } => {
            lines.push(format!("          account  {account}, over `{}`", one_line(over)));
            lines.push("          the name is their own word: nobody else says who it is".to_owned());
        }
        RequestKind::Community { person, bot, account, .. } => {
            if let Some(account) = account {
                lines.push(format!("          account  {account}"));
            }
            let (person, bot) = (one_line(person), one_line(bot));
            lines.push(format!(
                "          that it is {person} is the word of {bot} and of the room's service"
            ));
        }
        // Of a version that knows more of them; it says what is asked by itself.
        _ => {}
    }
    let until = moment(request.expires);
    lines.push(match request.state {
        RequestState::Asked => {
            format!("          `wayside request accept {id}` or `wayside request refuse {id}`, until {until}")
        }
        RequestState::Accepted => format!("          accepted; the other side has until {until}"),
        RequestState::Meeting => "          accepted by both: a link is being made".to_owned(),
        RequestState::Refused => match &request.what {
            RequestKind::Community { .. } => "          refused; the bot is told".to_owned(),
            _ => "          refused; nobody is told".to_owned(),
        },
    });
    if let Some(hint) = &request.hint {
        lines.push(format!("          {}", one_line(hint)));
    }
    lines.join("\n")
}
