//! What is held of every meeting, and how a failure is shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wayside_path::traversal::{FEW_HOPS, UNATTESTED};

use crate::{
    meeting::Meeting,
    network::HOPS,
    oracle::rule,
    probe::Body,
    transcript::{Fate, Line},
    world::{DIALS, WAITS},
};

/// Guesses of one run, at one address.
pub const RUN: usize = 2_000;
/// Guesses in any second, and one for the edges.
pub const RATE: usize = 101;

/// Questions that a side has sent.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// From its own sockets, to addresses that the peer named or spoke from.
    pub plain: usize,
    /// Those of them that go all the way.
    pub far: usize,
    /// From spare sockets, or with few hops.
    pub near: usize,
    /// Guesses.
    pub guesses: usize,
    /// When the last one was sent.
    pub last: Duration,
}

/// The lines of what a side sent.
pub fn sent(meeting: &Meeting, at: usize) -> impl Iterator<Item = &Line<Body>> {
    let host = meeting.world.peers.get(at).map(|home| home.host);
    let lines = meeting.world.network.transcript.iter();
    lines.filter(move |line| line.fate == Fate::Sent && Some(line.sender) == host)
}

/// What a side has asked between two moments.
pub fn asked(meeting: &Meeting, at: usize, from: Duration, until: Duration) -> Asked {
    let named = named(meeting, at);
    let mut count = Asked::default();
    for line in sent(meeting, at).filter(|line| line.at >= from && line.at <= until) {
        if !matches!(line.body, Body::Ask { .. }) {
            continue;
        }
        count.last = line.at;
        if is_guess(meeting, at, &named, line) {
            count.guesses += 1;
        } else {
            count.plain += 1;
            count.far += usize::from(line.hops == HOPS);
            count.near += usize::from(line.hops != HOPS);
        }
    }
    count
}

/// The rules that hold in every world. Yields what was broken.
pub fn broken(meeting: &Meeting) -> Vec<String> {
    let mut found = Vec::new();
    for at in [DIALS, WAITS] {
        aims(meeting, at, &mut found);
        answers(meeting, at, &mut found);
    }
    found
}

/// No question goes to an address that the peer neither named nor spoke from, but for guesses within the rules.
fn aims(meeting: &Meeting, at: usize, found: &mut Vec<String>) {
    let Some(agent) = meeting.agents.get(at) else { return };
    let named = named(meeting, at);
    let ips: BTreeSet<IpAddr> = named.iter().map(|it| it.ip()).collect();
    let mut guesses: BTreeMap<IpAddr, Vec<Duration>> = BTreeMap::new();
    for line in sent(meeting, at) {
        let Body::Ask { .. } = line.body else { continue };
        if !(line.hops == HOPS || line.hops == FEW_HOPS) {
            found.push(format!("side {at}: a hop limit of {}", line.hops));
        }
        if is_guess(meeting, at, &named, line) {
            if !ips.contains(&line.to.ip()) {
                found.push(format!("side {at} asks {}, which nobody named, at {:?}", line.to, line.at));
            }
            guesses.entry(line.to.ip()).or_default().push(line.at);
        }
    }
    for (ip, times) in guesses {
        // Who holds the keys may write any source on a question; an answer shows where it is.
        let sure = [agent.answered.get(&ip), agent.vouched.get(&ip)].into_iter().flatten().min();
        let before = times.iter().filter(|when| sure.is_none_or(|sure| *when < sure)).count();
        if before > UNATTESTED as usize {
            found.push(format!("side {at} guesses {before} ports of {ip}, unattested"));
        }
        if times.len() > RUN {
            found.push(format!("side {at} guesses {} ports of {ip}", times.len()));
        }
        if let Some(most) = most_within(&times, Duration::from_secs(1)).filter(|most| *most > RATE) {
            found.push(format!("side {at} guesses {most} ports of {ip} within a second"));
        }
    }
}

/// Each answer goes to where its question came from, and each question draws one at most.
fn answers(meeting: &Meeting, at: usize, found: &mut Vec<String>) {
    let host = meeting.world.peers.get(at).map(|home| home.host);
    let mut open: BTreeMap<u64, BTreeSet<SocketAddr>> = BTreeMap::new();
    let mut given: BTreeSet<u64> = BTreeSet::new();
    for line in &meeting.world.network.transcript {
        match (line.fate, line.body) {
            (Fate::Arrived, Body::Ask { number, .. }) if Some(line.node) == host => {
                open.entry(number).or_default().insert(line.source);
            }
            (Fate::Sent, Body::Answer { number, .. }) if Some(line.sender) == host => {
                if !open.get(&number).is_some_and(|from| from.contains(&line.to)) {
                    found
                        .push(format!("side {at} answers {} to {}, which did not ask that", number, line.to));
                }
                if !given.insert(number) {
                    found.push(format!("side {at} answers {number} twice"));
                }
            }
            _ => {}
        }
    }
}

/// The most that fall within any span of this length.
pub fn most_within(times: &[Duration], span: Duration) -> Option<usize> {
    let counts = times
        .iter()
        .enumerate()
        .map(|(at, from)| times.iter().skip(at).take_while(|when| when.saturating_sub(*from) < span).count());
    counts.max()
}

/// How many questions and answers of a side came to each address that is neither's, and was neither's when they met.
pub fn third_parties(meeting: &Meeting, at: usize) -> BTreeMap<IpAddr, usize> {
    let host = meeting.world.peers.get(at).map(|home| home.host);
    let friends: Vec<_> = meeting.world.friends.iter().flatten().map(|(node, _)| *node).collect();
    let mut theirs: Vec<IpAddr> = meeting.world.peers.iter().map(|home| home.public).collect();
    for (home, side) in meeting.world.peers.iter().zip([meeting.axes.dials, meeting.axes.waits]) {
        theirs.extend(side.moves.map(|_| home.v4));
    }
    let mut strangers: BTreeMap<IpAddr, BTreeSet<u64>> = BTreeMap::new();
    for line in &meeting.world.network.transcript {
        let is_probe =
            matches!(line.body, Body::Ask { .. } | Body::Answer { .. }) && Some(line.sender) == host;
        let is_strange = match line.fate {
            Fate::Stranger | Fate::Gateway => true,
            Fate::Arrived => friends.contains(&line.node),
            _ => false,
        };
        if is_probe && is_strange && !theirs.contains(&line.to.ip()) {
            // What the network repeats counts once.
            strangers.entry(line.to.ip()).or_default().insert(line.number);
        }
    }
    strangers.into_iter().map(|(ip, packets)| (ip, packets.len())).collect()
}

/// Everything that people need to see what happened.
pub fn report(meeting: &Meeting, what: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{what}");
    let _ = writeln!(text, "WAYSIDE_NETSIM_SEED={}", meeting.seed);
    let _ = writeln!(text, "{}the oracle: {}", meeting.axes, rule(&meeting.axes));
    for (name, at) in [("dials", DIALS), ("waits", WAITS)] {
        let (Some(word), Some(agent)) = (meeting.words.get(at), meeting.agents.get(at)) else { continue };
        let _ = writeln!(text, "{name} says {:?}", word.mapping);
        for it in &word.candidates {
            let _ = writeln!(text, "    {:?} {}", it.kind, it.address);
        }
        let _ = writeln!(text, "    reached {:?}", agent.reached);
        let why = agent.traversal.as_ref().and_then(|it| it.why());
        let _ = writeln!(text, "    told {:?}, says in the end {why:?}", agent.told);
    }
    let _ = writeln!(text, "who waits began at {:?}, both at {:?}", meeting.times.waits, meeting.times.both);
    let lines = &meeting.world.network.transcript;
    let ours: Vec<_> =
        lines.iter().filter(|it| matches!(it.body, Body::Ask { .. } | Body::Answer { .. })).collect();
    for line in ours.iter().take(SHOWN) {
        let _ = writeln!(text, "{}", meeting.world.network.say(line));
    }
    if let Some(more) = ours.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "… and {more} lines more");
    }
    text
}

/// Lines of a transcript that are printed.
const SHOWN: usize = 160;

fn named(meeting: &Meeting, at: usize) -> BTreeSet<SocketAddr> {
    meeting.named.get(1 - at).cloned().unwrap_or_default()
}

fn is_guess(meeting: &Meeting, at: usize, named: &BTreeSet<SocketAddr>, line: &Line<Body>) -> bool {
    let spoke = meeting.agents.get(at).and_then(|agent| agent.authentic.get(&line.to));
    !named.contains(&line.to) && spoke.is_none_or(|when| *when > line.at)
}
