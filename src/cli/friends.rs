//! `wayside friends`

use clap::Args;
use wayside::api::types::{FriendView, LinkState, PathKind, Transport};

use super::Context;
use super::exit::{Exit, Outcome};
use super::output::one_line;
use super::words::table;

/// List friends, a line each
#[derive(Debug, Args)]
pub(super) struct Friends {}

impl Friends {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let friends = session.get::<Vec<FriendView>>("/v1/friends").await;
        session.close().await;
        let friends = friends?;
        for friend in &friends {
            context.output.object(friend)?;
        }
        context.output.text(&in_words(&friends))?;
        Ok(Exit::Done)
    }
}

fn in_words(friends: &[FriendView]) -> String {
    if friends.is_empty() {
        return "No friends yet: `wayside invite` makes an invite, `wayside accept` takes one.".to_owned();
    }
    let rows: Vec<Vec<String>> = friends
        .iter()
        .map(|friend| {
            vec![
                friend.name.clone(),
                link_line(friend),
                or_dash(&friend.allows),
                or_dash(&friend.granted),
                verified(friend).to_owned(),
                friend.account.clone(),
            ]
        })
        .collect();
    table(&["NAME", "LINK", "I ALLOW", "THEY ALLOW", "VERIFIED", "ACCOUNT"], &rows)
}

/// How the link is, with what carries it and how long a round trip takes.
fn link_line(friend: &FriendView) -> String {
    let mut words = link(friend);
    if let Some(Transport::Tcp) = friend.transport {
        words.push_str(" by TCP");
    }
    if let Some(rtt) = friend.rtt_ms {
        words.push_str(&format!(", {rtt:.1} ms"));
    }
    words
}

/// How the link is, in a word.
pub(super) fn link(friend: &FriendView) -> String {
    match (friend.blocked, friend.link, friend.path) {
        (true, ..) => "blocked".to_owned(),
        (_, LinkState::Down, _) => "down".to_owned(),
        (_, LinkState::Up, Some(path)) => path_words(path, friend.relay.as_deref()),
        (_, LinkState::Up, None) => "up".to_owned(),
    }
}

/// How packets travel: directly, or relayed by whom.
pub(super) fn path_words(path: PathKind, relay: Option<&str>) -> String {
    match (path, relay) {
        (PathKind::Direct, _) => "direct".to_owned(),
        (PathKind::Relay, Some(relay)) => format!("relayed by {}", one_line(relay)),
        (PathKind::Relay, None) => "relayed".to_owned(),
    }
}

/// How packets travel and where to, in a few words.
pub(super) fn way(
    path: PathKind,
    transport: Option<Transport>,
    relay: Option<&str>,
    remote: Option<&str>,
) -> String {
    let mut words = path_words(path, relay);
    if let Some(transport) = transport {
        words.push_str(match transport {
            Transport::Udp => " by UDP",
            Transport::Tcp => " by TCP",
        });
    }
    if let Some(remote) = remote {
        words.push_str(&format!(" at {remote}"));
    }
    words
}

/// Whether both were seen to read the same, in a word: a dash where they became friends by an invite, which goes from one to the other.
fn verified(friend: &FriendView) -> &'static str {
    match (friend.verified, friend.by_card) {
        (true, _) => "yes",
        (false, true) => "no",
        (false, false) => "-",
    }
}

/// Grants, or a dash.
pub(super) fn or_dash(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}
