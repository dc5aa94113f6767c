//! `wayside ping`

use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, Pong};

use super::exit::{Exit, Outcome};
use super::friends::way;
use super::output::one_line;
use super::session::{Session, friend_path, parse_name};
use super::words::{millis, parse_duration};
use super::{Context, candidates};

/// Reach a friend: open the link, or use the one that is up
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside ping Ada
  wayside ping Ada -c 5 --wait 2m")]
pub(super) struct Ping {
    /// A friend's name here, the name on their card, or their account
    #[arg(value_parser = parse_name, add = candidates::friends())]
    friend: String,
    /// How many pings, a second apart
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How long to wait for the link
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    wait: Duration,
}

impl Ping {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let outcome = self.ping(context, &mut session).await;
        session.close().await;
        outcome
    }

    async fn ping(&self, context: &Context, session: &mut Session) -> Outcome {
        let request = types::Ping { count: self.count, wait_ms: millis(self.wait) };
        let mut pongs = session.post_lines(&friend_path(&self.friend, "/ping"), &request).await?;
        while let Some(pong) = pongs.next::<Pong>().await? {
            context.output.say(&pong, || in_words(&self.friend, &pong))?;
        }
        Ok(Exit::Done)
    }
}

fn in_words(friend: &str, pong: &Pong) -> String {
    let way = way(pong.path, pong.transport, pong.relay.as_deref(), pong.remote.as_deref());
    format!("{} answers in {:.2} ms, {way}", one_line(friend), pong.rtt_ms)
}
