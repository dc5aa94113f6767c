//! What the facts mean of bridges, friends, and those who forward.

use super::facts::Facts;
use super::judge::{count, named};
use super::report::{BridgeFigure, Finding, FriendFigure, Reachable, Topic, Verdict, Way};
use crate::api::types::{LinkState, PathKind, RelayState, Transport};

/// A service that takes longer makes meetings wait, in milliseconds.
const SLOW_MS: f64 = 3_000.0;
/// Friends who are told of one by one; of more the figures tell.
const MOST_FRIENDS: usize = 32;

/// A finding a bridge.
pub(super) fn bridges(facts: &Facts) -> Vec<Finding> {
    let bridges = &facts.figures.bridges;
    if bridges.is_empty() {
        return vec![
            Finding::new(Topic::Bridges, Verdict::Bad, "there is no bridge: nobody can meet this machine")
                .advise(["add something that you and your friends share, for example `wayside bridge add dir --path /mnt/share`".to_owned()]),
        ];
    }
    let any_works = bridges.iter().any(|bridge| bridge.works);
    bridges.iter().map(|each| bridge(each, any_works)).collect()
}

fn bridge(bridge: &BridgeFigure, any_works: bool) -> Finding {
    let BridgeFigure { bridge: name, title, works, latency_ms, note } = bridge;
    let finding = |verdict, what: String| Finding::new(Topic::Bridges, verdict, what).about(name);
    let finding = if *works {
        let slow = latency_ms.is_some_and(|ms| ms > SLOW_MS);
        let speed = latency_ms.map(|ms| format!(" in {}", in_ms(ms))).unwrap_or_default();
        finding(if slow { Verdict::Fair } else { Verdict::Good }, format!("{title} answers{speed}"))
    } else {
        // Friends who have another bridge in common still meet.
        let verdict = if any_works { Verdict::Fair } else { Verdict::Bad };
        finding(verdict, format!("{title} does not work"))
            .advise([format!("see whether you reach the service at all, then `wayside bridge test {name}`")])
    };
    match note {
        Some(note) => finding.because(note.clone()),
        None => finding,
    }
}

/// A finding a friend who is linked or whose last meeting came to nothing; one for all others.
pub(super) fn friends(facts: &Facts) -> Vec<Finding> {
    let friends = &facts.figures.friends;
    if friends.is_empty() {
        return vec![
            Finding::new(Topic::Friends, Verdict::Unknown, "there are no friends yet")
                .advise(["`wayside invite` makes a line for one to accept".to_owned()]),
        ];
    }
    let mut findings: Vec<Finding> = friends.iter().filter_map(friend).take(MOST_FRIENDS).collect();
    let told: Vec<_> = findings.iter().filter_map(|finding| finding.about.clone()).collect();
    let quiet = friends.iter().filter(|friend| !told.contains(&friend.friend)).count() as u64;
    if quiet > 0 {
        let are = if quiet == 1 { "is" } else { "are" };
        let what = format!("{} {are} not linked now", count(quiet, "friend"));
        findings.push(
            Finding::new(Topic::Friends, Verdict::Unknown, what)
                .because("a link comes up when somebody wants it, as `wayside ping` and messages do")
                .advise(["`wayside doctor --friend NAME` meets one".to_owned()]),
        );
    }
    findings
}

fn friend(friend: &FriendFigure) -> Option<Finding> {
    let name = &friend.friend;
    let finding = |verdict, what: String| Finding::new(Topic::Friends, verdict, what).about(name);
    let far = friend.rtt_ms.map(|ms| format!(", {} away", in_ms(ms))).unwrap_or_default();
    let family = friend.family.map(|family| match family {
        super::report::Family::Ipv4 => " over IPv4",
        super::report::Family::Ipv6 => " over IPv6",
    });
    let family = family.unwrap_or_default();
    let because = |finding: Finding| match &friend.reason {
        Some(reason) => finding.because(reason.clone()),
        None => finding,
    };
    match (friend.link, friend.path, friend.transport) {
        (LinkState::Up, Some(PathKind::Relay), _) => {
            let relay = friend.relay.as_deref().unwrap_or("a friend");
            Some(because(finding(
                Verdict::Fair,
                format!("{name} is linked through {relay}, who relays{far}"),
            )))
        }
        (LinkState::Up, _, Some(Transport::Tcp)) => {
            Some(finding(Verdict::Fair, format!("{name} is linked directly by TCP{family}{far}")).because(
                "UDP does not get through between the two networks, or one of the nodes listens to none",
            ))
        }
        (LinkState::Up, ..) => {
            Some(finding(Verdict::Good, format!("{name} is linked directly by UDP{family}{far}")))
        }
        (LinkState::Down, ..) => missed(friend, &finding),
    }
}

/// One whom nobody could be linked with at the last meeting.
fn missed(friend: &FriendFigure, finding: &dyn Fn(Verdict, String) -> Finding) -> Option<Finding> {
    let name = &friend.friend;
    if friend.blocked {
        return None;
    }
    let explain = format!("`wayside explain {}` tells each step", named(friend));
    let (verdict, what, advice) = match friend.step.as_deref()? {
        "no-bridge" => (
            Verdict::Bad,
            format!("no bridge that works here leads to {name}"),
            "add a bridge that both of you have: `wayside bridge add`".to_owned(),
        ),
        "clock-wrong" => (
            Verdict::Bad,
            format!("{name} was not offered a meeting"),
            "set this machine's clock right".to_owned(),
        ),
        "no-way" => (Verdict::Bad, format!("no way led to {name} at the last meeting"), explain),
        "dial-failed" | "no-link" => {
            (Verdict::Bad, format!("no link came of the last meeting with {name}"), explain)
        }
        "not-taken" => (Verdict::Fair, format!("a bridge did not take what was left for {name}"), explain),
        // Nobody need be at the other end.
        "offered" | "offered-anew" => (
            Verdict::Unknown,
            format!("{name} has not answered"),
            "that node may be off: it is offered again, ever more rarely".to_owned(),
        ),
        _ => return None,
    };
    let finding = finding(verdict, what).advise([advice]);
    Some(match &friend.reason {
        Some(reason) => finding.because(reason.clone()),
        None => finding,
    })
}

/// Whether somebody forwards where no direct way is.
pub(super) fn relays(facts: &Facts, reachable: &[Reachable]) -> Finding {
    let relays: Vec<&FriendFigure> =
        facts.figures.friends.iter().filter(|friend| friend.relays && !friend.blocked).collect();
    let (away, there): (Vec<&FriendFigure>, Vec<_>) =
        relays.iter().partition(|friend| friend.relay_state == Some(RelayState::Away));
    let names = |friends: &[&FriendFigure]| {
        let names: Vec<_> = friends.iter().map(|friend| friend.friend.as_str()).collect();
        names.join(" and ")
    };
    if !there.is_empty() {
        let relay = if there.len() == 1 { "relays" } else { "relay" };
        let finding =
            Finding::new(Topic::Relays, Verdict::Good, format!("{} {relay} for you", names(&there)));
        let unknown: Vec<_> = there.iter().copied().filter(|it| it.relay_state.is_none()).collect();
        return if !away.is_empty() {
            finding.because(format!("{} would too, and cannot be reached now", names(&away)))
        } else if unknown.len() == there.len() {
            finding.because("what it offers comes over the next link with it; until then it is not used")
        } else {
            finding
        };
    }
    if !away.is_empty() {
        let what = format!("{} would relay for you, and cannot be reached now", names(&away));
        return Finding::new(Topic::Relays, Verdict::Fair, what)
            .because("that machine is off, or is elsewhere since the last link with it");
    }
    let needed = reachable.iter().any(|it| it.way == Way::Relay);
    let (verdict, why) = match (reachable.is_empty(), needed) {
        (true, _) => (
            Verdict::Unknown,
            "whether one is needed cannot be told before this machine can be reached at all",
        ),
        (_, true) => {
            (Verdict::Fair, "there are networks from which friends get no direct link with this machine")
        }
        (_, false) => (Verdict::Good, "it is not needed for any kind of network"),
    };
    Finding::new(Topic::Relays, verdict, "none of your friends relays for you")
        .because(why)
        .advise(needed.then(|| {
            "ask one whose machine is always up, best with a public address, to run `wayside friend allow relay YOU`".to_owned()
        }))
}

fn in_ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}
