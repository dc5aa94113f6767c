//! `wayside doctor`

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use wayside::api::types::{
    ExaminationLine, Examine, Figures, FilteringKind, Finding, Ipv6Kind, Known, MappingKind, Reachable,
    Report, Topic, Verdict,
};

use super::exit::{Exit, Failure, Outcome};
use super::output::{one_line, remark};
use super::reach;
use super::session::{Session, parse_name};
use super::words::{count, millis, parse_duration, short_duration};
use super::{Context, candidates};

/// Look at the network, the bridges, the friends and the home, and say what to do about what does not work
///
/// Takes 15 seconds at most. Asks nobody whom you did not configure: bridges are tried, friends pinged who are linked anyway, STUN asked of friends who
/// allow it and of network.stun_servers, the router where network.portmap is on. Ends with exit code 1 where something does not work.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside doctor
  wayside doctor --friend Ada    # meets her, and says how that went
  wayside doctor --json")]
pub(super) struct Doctor {
    /// A friend to meet for it: a name here, the name on their card, or an account
    #[arg(long, value_name = "FRIEND", value_parser = parse_name, add = candidates::friends())]
    friend: Option<String>,
    /// How long that friend may take
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    wait: Duration,
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        let report = self.ask(&mut session).await;
        session.close().await;
        let report = report?;
        context.output.say(&report, || in_words(&report))?;
        Ok(if report.verdict == Verdict::Bad { Exit::Failed } else { Exit::Done })
    }

    async fn ask(&self, session: &mut Session) -> Result<Report, Failure> {
        let request = Examine { friend: self.friend.clone(), wait_ms: millis(self.wait) };
        let mut lines = session.post_lines("/v1/doctor", &request).await?;
        while let Some(line) = lines.next::<ExaminationLine>().await? {
            match line {
                ExaminationLine::Doing { doing } => remark(&format!("{}…", one_line(&doing))),
                ExaminationLine::Report(report) => return Ok(*report),
            }
        }
        Err(Failure::new(Exit::Failed, "the node ended before it was done: run `wayside doctor` again"))
    }
}

/// Under which heading a topic stands.
const SECTIONS: [(&str, &[Topic]); 6] = [
    (
        "network",
        &[
            Topic::Network,
            Topic::Udp,
            Topic::Mapping,
            Topic::Filtering,
            Topic::Hairpin,
            Topic::Lifetime,
            Topic::Portmap,
            Topic::Ipv6,
            Topic::Stun,
        ],
    ),
    ("bridges", &[Topic::Bridges]),
    ("friends", &[Topic::Friends]),
    ("relays", &[Topic::Relays]),
    ("rendezvous", &[Topic::Rendezvous]),
    ("this machine", &[Topic::Clock, Topic::Disk, Topic::Home]),
];

fn in_words(report: &Report) -> String {
    let mut lines = vec![summary(report)];
    let mut advised = BTreeSet::new();
    let of = |topics: &[Topic]| -> Vec<&Finding> {
        report.findings.iter().filter(|finding| topics.contains(&finding.topic)).collect()
    };
    for finding in of(&[Topic::Reach]) {
        lines.extend(finding_lines(finding, &mut advised));
    }
    if !report.reachable.is_empty() {
        lines.push(String::new());
        lines.push("a link with friends:".to_owned());
        lines.extend(reachable_lines(&report.reachable));
    }
    for (title, topics) in SECTIONS {
        let findings = of(topics);
        if findings.is_empty() {
            continue;
        }
        lines.push(String::new());
        lines.push(format!("{title}:"));
        lines.extend(findings.into_iter().flat_map(|finding| finding_lines(finding, &mut advised)));
    }
    lines.push(String::new());
    lines.push("details:".to_owned());
    lines.extend(details(&report.figures).into_iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

fn summary(report: &Report) -> String {
    let number = |verdict| report.findings.iter().filter(|finding| finding.verdict == verdict).count();
    let told: Vec<String> = [Verdict::Bad, Verdict::Fair, Verdict::Unknown, Verdict::Good]
        .into_iter()
        .map(|verdict| (number(verdict), word(verdict)))
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let took = short_duration(Duration::from_millis(report.took_ms));
    format!("looked at {} in {took}: {}", count(report.findings.len() as u64, "thing"), told.join(", "))
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Fair => "fair",
        Verdict::Bad => "bad",
        Verdict::Unknown => "unknown",
    }
}

/// The verdict and the sentence; below it why, and what to do, each piece of advice the first time only.
fn finding_lines(finding: &Finding, advised: &mut BTreeSet<String>) -> Vec<String> {
    let about = finding.about.as_ref().filter(|_| finding.topic == Topic::Bridges);
    let about = about.map(|about| format!("{}: ", one_line(about))).unwrap_or_default();
    let mut lines = vec![format!("  {:<8}{about}{}", word(finding.verdict), one_line(&finding.what))];
    // From where it is reached is told kind by kind below.
    let why = finding.why.iter().filter(|_| finding.topic != Topic::Reach);
    lines.extend(why.map(|why| format!("          {}", one_line(why))));
    let new = finding.advice.iter().filter(|advice| advised.insert((*advice).clone()));
    lines.extend(new.map(|advice| format!("        → {}", one_line(advice))));
    lines
}

/// The kinds of networks, those of which the same is said together.
fn reachable_lines(reachable: &[Reachable]) -> Vec<String> {
    let mut by_way: Vec<(&str, Vec<&str>)> = Vec::new();
    for (network, way) in reachable.iter().filter_map(|it| it.what.split_once(": ")) {
        match by_way.iter_mut().find(|(known, _)| *known == way) {
            Some((_, networks)) => networks.push(network),
            None => by_way.push((way, vec![network])),
        }
    }
    let mut lines = Vec::new();
    for (way, networks) in by_way {
        lines.extend(networks.into_iter().map(|network| format!("  {}", one_line(network))));
        lines.push(format!("        → {}", one_line(way)));
    }
    lines
}

/// The figures, for whoever knows what they mean.
fn details(figures: &Figures) -> Vec<String> {
    let mut lines: Vec<String> = figures.addresses.iter().map(reach::address).collect();
    lines.push(format!(
        "UDP to the internet: {}; asked by STUN: {}, answered: {}",
        known(figures.udp),
        figures.asked,
        figures.answered
    ));
    lines.push(format!(
        "mapping {}, filtering {}, hairpinning {} (RFC 4787)",
        mapping(figures.mapping),
        filtering(figures.filtering),
        known(figures.hairpin)
    ));
    let ipv6 = match figures.ipv6 {
        Ipv6Kind::None => "no address",
        Ipv6Kind::Address => "an address, not confirmed",
        Ipv6Kind::Works => "works",
    };
    lines.push(format!("IPv6: {ipv6}"));
    let free = figures.disk_free_bytes.map(|bytes| format!("{} MB free", bytes >> 20));
    let write = figures.disk_write_ms.map(|ms| format!("a small file written in {ms:.1} ms"));
    let disk: Vec<String> = [free, write].into_iter().flatten().collect();
    if !disk.is_empty() {
        lines.push(format!("disk: {}", disk.join(", ")));
    }
    lines
}

const fn known(known: Known) -> &'static str {
    match known {
        Known::Yes => "yes",
        Known::No => "no",
        Known::Unknown => "not known",
    }
}

const fn mapping(mapping: MappingKind) -> &'static str {
    match mapping {
        MappingKind::Unknown => "not known",
        MappingKind::None => "none",
        MappingKind::Independent => "endpoint-independent",
        MappingKind::Sequential => "dependent on the destination, in order",
        MappingKind::Random => "dependent on the destination, at random",
    }
}

const fn filtering(filtering: FilteringKind) -> &'static str {
    match filtering {
        FilteringKind::Unknown => "not known",
        FilteringKind::Anybody => "endpoint-independent",
        FilteringKind::Address => "address-dependent",
        FilteringKind::AddressAndPort => "address- and port-dependent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_once_and_others_words_stay_on_their_line() {
        let finding = |what: &str| Finding {
            topic: Topic::Udp,
            about: None,
            verdict: Verdict::Bad,
            what: what.to_owned(),
            why: Some("nobody\u{1b}[2J answers\nhere".to_owned()),
            advice: vec!["try `this`".to_owned()],
        };
        let mut advised = BTreeSet::new();
        let first = finding_lines(&finding("one"), &mut advised);
        assert_eq!(first.len(), 3, "{first:?}");
        assert_eq!(first.first().map(String::as_str), Some("  bad     one"));
        assert!(!first.iter().any(|line| line.contains(['\n', '\u{1b}'])), "{first:?}");
        assert_eq!(finding_lines(&finding("two"), &mut advised).len(), 2);
    }
}
