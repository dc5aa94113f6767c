//! `wayside up`

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};
use wayside::api::types::{ApiError, ErrorCode, NodeEvent, NodeKind, StatusView};
use wayside::api::{ApiClient, Lines};
use wayside::{Home, Node};

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::friends::way;
use super::introduce::state_word;
use super::notify;
use super::output::one_line;
use super::signals::Signals;
use super::status::bridge_line;
use super::words::{list, moment};

/// How long commands that run a node of their own may hold the home before this gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is tried again meanwhile.
const AGAIN: Duration = Duration::from_millis(100);

/// Run the node, in the foreground, until it is interrupted
///
/// While it is up friends can reach you, invites are answered and messages are delivered. Prints `ready` once it listens and
/// every bridge was tried, then what happens. Ends cleanly on SIGTERM and Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside up
  wayside up --listen udp://0.0.0.0:4040 --listen 'udp://[::]:4040'
  wayside up --listen udp://0.0.0.0:4040 --listen tcp://0.0.0.0:443")]
pub(super) struct Up {
    /// Listen at this address instead of what config.toml says (udp://ADDRESS:PORT or tcp://ADDRESS:PORT, port 0 for any); may be given again
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,
}

impl Up {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut signals = Signals::catch()?;
        let path = context.home_path()?;
        let node = tokio::select! {
            node = start(&path, &self.listen) => node?,
            () = signals.next() => return Ok(Exit::Done),
        };
        notify::tell(notify::READY);
        let outcome = tokio::select! {
            outcome = tell(context, &node) => outcome,
            () = signals.next() => Ok(()),
        };
        notify::tell(notify::STOPPING);
        // A second signal does not wait for leave to be taken.
        tokio::select! {
            () = node.shutdown() => {}
            () = signals.next() => {}
        }
        outcome?;
        say(context, &NodeEvent::Stopping)?;
        Ok(Exit::Done)
    }
}

/// Starts the node. A command that runs one for a moment is waited for; another `up` is not.
async fn start(path: &Path, listen: &[String]) -> Result<Node, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let home = Home::open(path)?;
        let socket = home.socket();
        let node = Node::builder(home, wayside::registry()).kind(NodeKind::Up).serve_api();
        match node.listen(listen.to_vec()).start().await {
            Ok(node) => return Ok(node),
            Err(error) if error.code == ErrorCode::Busy => {
                if Instant::now() > until {
                    return Err(error.into());
                }
                if is_up(&socket).await {
                    let sentence = format!(
                        "a node is up for {} already: use that one, or stop it first",
                        path.display()
                    );
                    return Err(Failure::new(Exit::Home, sentence));
                }
                sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the node behind the socket is a long-running one.
async fn is_up(socket: &Path) -> bool {
    let Some(client) = ApiClient::connect(socket).await else { return false };
    let status: Result<StatusView, ApiError> = client.get("/v1/status").await;
    status.is_ok_and(|status| status.node == NodeKind::Up)
}

/// Tells what happens, for as long as the node runs.
async fn tell(context: &Context, node: &Node) -> Result<(), Failure> {
    let mut events: Lines = node.client().get_lines("/v1/events").await?;
    while let Some(event) = events.next::<NodeEvent>().await? {
        say(context, &event)?;
    }
    Err(Failure::new(Exit::Failed, "the node ended by itself: start it again, with -v to see why"))
}

/// Says it. A node whose output nobody reads any more goes on without.
fn say(context: &Context, event: &NodeEvent) -> Result<(), Failure> {
    match context.output.say(event, || in_words(event)) {
        Err(Failure { message: None, .. }) => Ok(()),
        said => said,
    }
}

fn in_words(event: &NodeEvent) -> String {
    match event {
        NodeEvent::Ready { account, listen, bridges } => {
            let mut lines = vec![format!("Ready: {account}, listening at {}", list(listen))];
            lines.extend(bridges.iter().map(|bridge| format!("  {}", bridge_line(bridge))));
            if bridges.is_empty() {
                lines.push("  no bridge yet: `wayside bridge add` adds one".to_owned());
            }
            lines.join("\n")
        }
        NodeEvent::BridgeUp { bridge } => format!("{} works again", one_line(bridge)),
        NodeEvent::BridgeDown { bridge, error, retry_at } => {
            let again = retry_at.map(|at| format!("; tried again at {}", moment(at))).unwrap_or_default();
            format!("{} does not work: {}{again}", one_line(bridge), one_line(error))
        }
        NodeEvent::FriendAdded { friend, account } => {
            format!("{} is a friend now: {account}", one_line(friend))
        }
        NodeEvent::InviteRefused { why } | NodeEvent::JoinRefused { why } => one_line(why),
        NodeEvent::CodeGuessed { left: 0 } => {
            "somebody tried your code with wrong words, and it is burnt: make another one".to_owned()
        }
        NodeEvent::CodeGuessed { left } => {
            format!("somebody tried your code with wrong words: it takes {left} more guesses")
        }
        NodeEvent::LinkUp { friend, path, transport, remote, relay, .. } => {
            let way = way(*path, *transport, relay.as_deref(), remote.as_deref());
            format!("linked with {}, {way}", one_line(friend))
        }
        NodeEvent::LinkMoved { friend, path, transport, remote, relay, .. } => {
            let way = way(*path, *transport, relay.as_deref(), remote.as_deref());
            format!("the link with {} is {way} now", one_line(friend))
        }
        NodeEvent::LinkDown { friend, .. } => format!("no longer linked with {}", one_line(friend)),
        NodeEvent::MeetingFailed { friend, why } => {
            format!("could not meet {} for now: {}", one_line(friend), one_line(why))
        }
        NodeEvent::NoWay { friend, why } => {
            format!("still trying to reach {}: {}", one_line(friend), one_line(why))
        }
        NodeEvent::MessageReceived { from, .. } => format!("a message from {}", one_line(from)),
        NodeEvent::MessageDelivered { to, .. } => format!("a message reached {}", one_line(to)),
        NodeEvent::MessageExpired { to, .. } => {
            format!("a message to {} could not be delivered, and was given up", one_line(to))
        }
        NodeEvent::Request { text, .. } => {
            format!("{}: `wayside requests` shows it", one_line(text))
        }
        NodeEvent::Introduction { friends, state, .. } => {
            format!("your introduction of {}: {}", list(friends), state_word(*state))
        }
        NodeEvent::Encounter { text, .. } | NodeEvent::Warning { what: text } => one_line(text),
        NodeEvent::Missed { count } => format!("{count} events came and went too fast to be shown"),
        NodeEvent::Stopping => "Ended.".to_owned(),
        // Of a version that knows more of them; it says them itself.
        _ => String::new(),
    }
}
