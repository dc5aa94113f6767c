//! `wayside outbox`

use clap::Args;
use wayside::api::types::{MessageState, OutgoingView};

use super::Context;
use super::exit::{Exit, Outcome};
use super::relay::amount;
use super::words::{list, moment, table};

/// Show which of your messages are on their way, and who holds them
#[derive(Debug, Args)]
pub(super) struct Outbox {}

impl Outbox {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let messages = session.get::<Vec<OutgoingView>>("/v1/messages").await;
        session.close().await;
        let messages = messages?;
        for message in &messages {
            context.output.object(message)?;
        }
        context.output.text(&in_words(&messages))?;
        Ok(Exit::Done)
    }
}

fn in_words(messages: &[OutgoingView]) -> String {
    if messages.is_empty() {
        return "Nothing is on its way.".to_owned();
    }
    let row = |message: &OutgoingView| {
        let state = match (message.state, &message.held_by[..]) {
            (MessageState::Held, []) => "held".to_owned(),
            (MessageState::Held, names) => format!("held by {}", list(names)),
            _ => "queued".to_owned(),
        };
        vec![message.to.clone(), state, moment(message.sent), amount(message.bytes), message.id.clone()]
    };
    let rows: Vec<Vec<String>> = messages.iter().map(row).collect();
    table(&["TO", "STATE", "SENT", "SIZE", "MESSAGE"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_holds_what() {
        let message = OutgoingView {
            id: "0".repeat(32),
            to: "Ann\u{1b}[2J".into(),
            state: MessageState::Held,
            held_by: vec!["Carol".into(), "Dan".into()],
            sent: wayside::api::types::Time(jiff::Timestamp::UNIX_EPOCH),
            bytes: 2_000,
        };
        let said = in_words(std::slice::from_ref(&message));
        assert!(said.contains("held by Carol") && said.contains("Dan") && said.contains("2.0 kB"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        let queued = OutgoingView { state: MessageState::Queued, held_by: vec![], ..message };
        assert!(in_words(&[queued]).contains("queued"));
        assert_eq!(in_words(&[]), "Nothing is on its way.");
    }
}
