//! `wayside status`

use clap::Args;
use wayside::api::types::{BridgeView, LinkView, NodeKind, QueueView, RendezvousView, StatusView};

use super::Context;
use super::exit::{Exit, Outcome};
use super::friends::way;
use super::output::one_line;
use super::pointer::pointer_line;
use super::reach;
use super::words::{count, list, moment};

/// Show how things are: bridges, links, how this machine is reached, messages on their way
#[derive(Debug, Args)]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let status = session.get::<StatusView>("/v1/status").await;
        session.close().await;
        let status = status?;
        context.output.say(&status, || in_words(&status))?;
        Ok(Exit::Done)
    }
}

fn in_words(status: &StatusView) -> String {
    let node = match status.node {
        NodeKind::Up => format!("up, listening at {}", list(&status.listen)),
        NodeKind::Brief => "not up (`wayside up` starts it)".to_owned(),
    };
    let mut lines = vec![format!("{}: {node}", one_line(&status.id.name))];
    lines.extend(status.clock.as_ref().map(|clock| format!("clock: {}", one_line(clock))));
    section(&mut lines, "bridges", status.bridges.iter().map(bridge_line));
    section(&mut lines, "links", status.links.iter().map(link_line));
    section(&mut lines, "how this machine is reached", reach::lines(&status.reach).into_iter());
    section(&mut lines, "on their way", status.queues.iter().map(queue_line));
    if !status.pointers.is_empty() {
        section(&mut lines, "cards of yours", status.pointers.iter().map(pointer_line));
    }
    lines.extend(status.rendezvous.as_ref().map(rendezvous_line));
    lines.push(format!("unread: {}", count(status.unread, "message")));
    if status.pending_accepts > 0 {
        lines.push(format!("waiting for an answer: {}", count(status.pending_accepts, "accepted invite")));
    }
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl Iterator<Item = String>) {
    let before = lines.len();
    lines.push(format!("{title}:"));
    lines.extend(entries.map(|entry| format!("  {entry}")));
    if lines.len() == before + 1 {
        lines.pop();
        lines.push(format!("{title}: none"));
    }
}

/// How a bridge is, on one line.
pub(super) fn bridge_line(bridge: &BridgeView) -> String {
    let mail = if bridge.mail { ", takes mail" } else { "" };
    let name = format!("{}: {}{mail}", one_line(&bridge.name), one_line(&bridge.title));
    match (&bridge.error, bridge.healthy) {
        (_, true) if bridge.published == 0 => format!("{name}, works"),
        (_, true) => format!("{name}, works, {} of ours there", count(bridge.published, "record")),
        (error, false) => {
            let error = error.as_deref().unwrap_or("not tried yet");
            let again =
                bridge.retry_at.map(|at| format!("; tried again at {}", moment(at))).unwrap_or_default();
            format!("{name}, does not work: {}{again}", one_line(error))
        }
    }
}

fn link_line(link: &LinkView) -> String {
    let way = way(link.path, link.transport, link.relay.as_deref(), link.remote.as_deref());
    let rtt = link.rtt_ms.map(|rtt| format!(", {rtt:.1} ms away")).unwrap_or_default();
    format!("{}: {way}{rtt}, since {}", one_line(&link.friend), moment(link.since))
}

fn rendezvous_line(served: &RendezvousView) -> String {
    let lies =
        format!("{} of strangers in {}", count(served.records, "record"), count(served.spaces, "space"));
    format!("drop for everybody: at {}, {lies}", one_line(&served.listen))
}

fn queue_line(queue: &QueueView) -> String {
    let oldest = queue.oldest.map(|at| format!(", the oldest from {}", moment(at))).unwrap_or_default();
    let held = if queue.held == 0 { String::new() } else { format!(", {} held by friends", queue.held) };
    format!("{}: {}{held}{oldest}", one_line(&queue.friend), count(queue.queued, "message"))
}
