//! `wayside token …`: what programs show that may ask the node less than its owner.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use wayside::api::types::{MadeToken, NewToken, Scope, TokenView};

use super::Context;
use super::exit::{Exit, Outcome};
use super::output::remark;
use super::session::{parse_name, token_path};
use super::words::{moment, parse_duration, table};

/// Make, list or revoke tokens: what programs show that are to ask the node less than you may
///
/// At the home's socket you need none. A program that is handed the socket, or asks over TCP (`wayside config set api.listen 127.0.0.1:4650`), shows one
/// with each request: `Authorization: Bearer …`.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Add(Add),
    /// List tokens, a line each; what proves them is kept nowhere
    List,
    /// Take a token back, at once
    Revoke {
        /// What it is called
        #[arg(value_parser = parse_name)]
        name: String,
    },
}

/// Make a token, and print it this once
#[derive(Debug, Args)]
#[command(after_help = "Scopes:
  read      see how things are and what happens: no message, no secret
  messages  send messages, and read those that came
  friends   make, change and remove friends
  admin     everything, which is running programs as well; never for a web page

Examples:
  wayside token add chat --scope read,messages
  wayside token add desk --scope friends --scope read --expires 30d > desk.token")]
pub(super) struct Add {
    /// What to call it: 1 to 32 letters, digits, - and _
    #[arg(value_parser = parse_name)]
    name: String,
    /// What it may ask: read, messages, friends or admin; several between commas, or given again
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = str::parse::<Scope>)]
    scope: Vec<Scope>,
    /// How long it is good for; until it is revoked, if not given
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
}

impl Token {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Add(command) => command.run(context).await,
            Self::List => list(context).await,
            Self::Revoke { name } => revoke(context, &name).await,
        }
    }
}

impl Add {
    async fn run(self, context: &Context) -> Outcome {
        let Self { name, scope, expires } = self;
        let wanted =
            NewToken { name, scopes: scope, expires_in_secs: expires.map(|expires| expires.as_secs()) };
        let mut session = context.session().await?;
        let made = session.post::<_, MadeToken>("/v1/tokens", &wanted).await;
        session.close().await;
        let made = made?;
        context.output.say(&made, || made.token.clone())?;
        if !context.output.is_json() {
            let until =
                made.expires.map(|expires| format!(", until {}", moment(expires))).unwrap_or_default();
            remark(&format!(
                "it may: {}{until}. It is not shown again: keep it where only the program reads it",
                words(&made.scopes)
            ));
        }
        Ok(Exit::Done)
    }
}

async fn list(context: &Context) -> Outcome {
    let mut session = context.session().await?;
    let tokens = session.get::<Vec<TokenView>>("/v1/tokens").await;
    session.close().await;
    let tokens = tokens?;
    for token in &tokens {
        context.output.object(token)?;
    }
    context.output.text(&in_words(&tokens))?;
    Ok(Exit::Done)
}

async fn revoke(context: &Context, name: &str) -> Outcome {
    let mut session = context.session().await?;
    let revoked = session.delete::<()>(&token_path(name)).await;
    session.close().await;
    revoked?;
    context.output.say(&json!({ "revoked": name }), || format!("{name} lets nobody in any more"))?;
    Ok(Exit::Done)
}

fn in_words(tokens: &[TokenView]) -> String {
    if tokens.is_empty() {
        return "No tokens: `wayside token add NAME --scope read` makes one.".to_owned();
    }
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let expires = match (token.expires, token.expired) {
                (_, true) => "has ended".to_owned(),
                (Some(expires), false) => moment(expires),
                (None, false) => "when revoked".to_owned(),
            };
            vec![token.name.clone(), words(&token.scopes), moment(token.made), expires]
        })
        .collect();
    table(&["NAME", "MAY", "MADE", "ENDS"], &rows)
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
