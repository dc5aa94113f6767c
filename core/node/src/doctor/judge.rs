//! What the facts mean, in words: a function of them and of nothing else.

use super::facts::Facts;
use super::report::{
    FilteringKind, Finding, FriendFigure, Ipv6Kind, Known, PeerNetwork, Reachable, Topic, Verdict, Way,
};
use super::who::{self, Front};
use super::{people, place};
use crate::api::types::{AnswersKind, MappingKind, PortmapState};

/// How long a mapping lives that RFC 4787 (REQ-5) allows: less costs packets.
const LIFETIME_SECS: u64 = 120;
/// What lives less is kept alive more often than every 20 s.
const SHORT_SECS: u64 = 30;

/// All findings, in the order of their topics, and who gets a link.
pub(super) fn judge(facts: &Facts) -> (Vec<Finding>, Vec<Reachable>) {
    let mut findings = Vec::new();
    let is_open = facts.interfaces.any && (facts.listens.udp || facts.listens.tcp);
    let reachable = if is_open { who::reachable(facts) } else { Vec::new() };
    if is_open {
        findings.push(reach(facts, &reachable));
        findings.push(udp(facts));
        // What a router does to UDP matters where there is any.
        if Front::of(facts) != Front::Blocked {
            findings.push(mapping(facts));
            if facts.figures.mapping != MappingKind::None {
                findings.push(hairpin(facts));
                findings.push(lifetime(facts));
            }
            findings.push(filtering(facts));
            findings.push(portmap(facts));
        }
        findings.push(ipv6(facts));
        findings.push(stun(facts));
    }
    findings.push(network(facts));
    findings.extend(people::bridges(facts));
    findings.extend(people::friends(facts));
    findings.push(people::relays(facts, &reachable));
    findings.extend(place::rendezvous(facts));
    findings.push(place::clock(facts));
    findings.push(place::disk(facts));
    findings.push(place::home(facts));
    findings.sort_by_key(|finding| finding.topic);
    (findings, reachable)
}

/// The worst that is known.
pub(super) fn worst(findings: &[Finding]) -> Verdict {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    let known = [Verdict::Bad, Verdict::Fair, Verdict::Good];
    known.into_iter().find(|verdict| has(*verdict)).unwrap_or(Verdict::Unknown)
}

impl Finding {
    /// One of which there is nothing more to say.
    pub(super) fn new(topic: Topic, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { topic, about: None, verdict, what: what.into(), why: None, advice: Vec::new() }
    }

    /// How it is known, or why not.
    #[must_use]
    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// What to do.
    #[must_use]
    pub(super) fn advise(mut self, advice: impl IntoIterator<Item = String>) -> Self {
        self.advice.extend(advice);
        self
    }

    /// Which bridge or friend it is about.
    #[must_use]
    pub(super) fn about(self, about: impl Into<String>) -> Self {
        Self { about: Some(about.into()), ..self }
    }
}

fn reach(facts: &Facts, reachable: &[Reachable]) -> Finding {
    let way = |network| reachable.iter().find(|it| it.network == network).map_or(Way::Unknown, |it| it.way);
    let behind_routers = [PeerNetwork::OnePort, PeerNetwork::PortsInOrder, PeerNetwork::RandomPorts].map(way);
    let finding = |verdict, what: &str| Finding::new(Topic::Reach, verdict, what);
    let gets_through = |way: &Way| matches!(way, Way::Direct | Way::Guess);
    let finding = if Front::of(facts) == Front::NoIpv4 {
        finding(
            Verdict::Fair,
            "friends who have IPv6 get a direct link with this machine, and nobody else does",
        )
    } else if behind_routers.contains(&Way::Unknown) {
        finding(Verdict::Unknown, "from where friends get a direct link with this machine is not known yet")
            .advise(who_would_tell(facts))
    } else if behind_routers.iter().all(gets_through) {
        finding(Verdict::Good, "friends get a direct link with this machine from nearly everywhere")
    } else if behind_routers.iter().any(gets_through) || way(PeerNetwork::Public) == Way::Direct {
        finding(Verdict::Fair, "friends get a direct link with this machine from many networks, not from all")
            .advise(open_the_router(facts))
    } else {
        finding(Verdict::Bad, "hardly anybody gets a direct link with this machine")
            .advise(open_the_router(facts))
    };
    let needs: Vec<&str> = reachable
        .iter()
        .filter(|it| it.way == Way::Relay)
        .filter_map(|it| it.what.split(':').next())
        .collect();
    if needs.is_empty() {
        finding
    } else {
        finding.because(format!("a friend that relays is needed for friends {}", needs.join("; ")))
    }
}

fn network(facts: &Facts) -> Finding {
    let finding = |verdict, what: &str| Finding::new(Topic::Network, verdict, what);
    let listen = || {
        format!("in {}, under `[network]`: `listen = [\"udp://0.0.0.0:0\", \"udp://[::]:0\"]`", facts.config)
    };
    if !facts.interfaces.any {
        return finding(Verdict::Bad, "this machine is connected to no network")
            .because("no interface has an address but loopback")
            .advise(["connect it, and run `wayside doctor` again".to_owned()]);
    }
    match (facts.listens.udp, facts.listens.tcp) {
        (false, false) => finding(Verdict::Fair, "only this machine itself reaches this node")
            .because("it listens on loopback alone")
            .advise([listen()]),
        (false, true) => finding(Verdict::Fair, "this node links by TCP alone")
            .because("it listens to no UDP address")
            .advise([listen()]),
        (true, _) => finding(Verdict::Good, "this machine is connected, and the node listens"),
    }
}

fn udp(facts: &Facts) -> Finding {
    let (figures, links) = (&facts.figures, &facts.links);
    let finding = |verdict, what: &str| Finding::new(Topic::Udp, verdict, what);
    let answers = || format!("{} of {} that were asked answered", figures.answered, figures.asked);
    match figures.udp {
        Known::Yes => finding(Verdict::Good, "UDP gets out to the internet and back in").because(match links
            .udp
            .first()
        {
            Some(friend) => format!("the link with {friend} travels over it"),
            None => answers(),
        }),
        Known::No => {
            let mut why = Vec::new();
            if figures.asked > 0 {
                why.push(answers());
            }
            if !links.tcp.is_empty() {
                let (friends, with) =
                    (links.tcp.join(", "), if links.tcp.len() == 1 { "link" } else { "links" });
                why.push(format!("the {with} with {friends} came up over TCP alone"));
            }
            finding(Verdict::Bad, "UDP does not get through: this network probably blocks it")
                .because(why.join(", and "))
                .advise([
                    "friends who can be reached by TCP get through all the same: let them run `wayside up --listen udp://0.0.0.0:0 --listen tcp://0.0.0.0:443`".to_owned(),
                    "in another network it may be better: try one, and run `wayside doctor` again".to_owned(),
                ])
        }
        Known::Unknown => {
            let finding = finding(Verdict::Unknown, "whether UDP gets out to the internet is not known");
            let finding = match (figures.asked, links.tcp.first()) {
                (0, Some(friend)) => finding.because(format!(
                    "the link with {friend} came up over TCP alone, which may be that network's fault or this one's"
                )),
                (0, None) => finding.because("nobody on the internet could be asked"),
                _ => finding.because("the only one who was asked did not answer, and may be away"),
            };
            finding.advise(who_would_tell(facts))
        }
    }
}

fn mapping(facts: &Facts) -> Finding {
    let finding = |verdict, what: &str| Finding::new(Topic::Mapping, verdict, what);
    match facts.figures.mapping {
        MappingKind::Unknown if facts.interfaces.v4_public => {
            finding(Verdict::Good, "this machine has a public address itself")
        }
        MappingKind::Unknown => finding(Verdict::Unknown, "which ports your router gives is not known")
            .because(if facts.figures.answered > 0 {
                "it takes two who tell how they see this machine, or one that answers at two ports, to compare"
            } else {
                "nobody on the internet has told how this machine is seen"
            })
            .advise(who_would_tell(facts)),
        MappingKind::None => finding(Verdict::Good, "no router changes this machine's address"),
        MappingKind::Independent => {
            finding(Verdict::Good, "your router gives this machine one port towards everybody")
                .because("what one friend sees, another can use")
        }
        MappingKind::Sequential => {
            finding(Verdict::Fair, "your router gives each destination another port, one after the other")
                .because("the next one is predicted, unless the friend's router does such a thing too")
                .advise(open_the_router(facts))
        }
        MappingKind::Random => {
            finding(Verdict::Fair, "your router gives each destination another port, at random")
                .because("it is guessed at, unless the friend's router does such a thing too")
                .advise(open_the_router(facts))
        }
    }
}

fn filtering(facts: &Facts) -> Finding {
    let finding = |verdict, what: &str| Finding::new(Topic::Filtering, verdict, what);
    match facts.figures.filtering {
        FilteringKind::Anybody => finding(Verdict::Good, "whoever knows the port gets in"),
        FilteringKind::Address => {
            finding(Verdict::Good, "whoever this machine has sent to gets in, from any port")
        }
        FilteringKind::AddressAndPort => {
            finding(Verdict::Good, "only whom this machine has sent to gets in, as is usual")
                .because("two who meet send at the same time")
        }
        FilteringKind::Unknown => finding(Verdict::Unknown, "whose packets get in is not known").because(
            "it takes somebody on the internet who answers STUN from a second port, as wayside does for friends",
        ),
    }
}

fn hairpin(facts: &Facts) -> Finding {
    let finding = |verdict, what: &str| Finding::new(Topic::Hairpin, verdict, what);
    match facts.figures.hairpin {
        Known::Yes => finding(
            Verdict::Good,
            "your router leads its own outside address back in: machines behind it reach each other there",
        ),
        Known::No => finding(
            Verdict::Fair,
            "your router does not lead its own outside address back in: machines behind it reach each other inside, in one network",
        ),
        Known::Unknown => {
            finding(Verdict::Unknown, "whether your router leads its own outside address back in is not known")
                .because("it is tried where somebody on the internet tells how this machine is seen, and one port holds towards everybody")
        }
    }
}

fn lifetime(facts: &Facts) -> Finding {
    let finding = |verdict, what: String| Finding::new(Topic::Lifetime, verdict, what);
    match facts.figures.mapping_lifetime_secs {
        Some(secs) => {
            let verdict = if secs < SHORT_SECS { Verdict::Fair } else { Verdict::Good };
            let finding = finding(verdict, format!("your router keeps a port for {secs} s without traffic"));
            let often = "links are kept alive more often than that";
            let short = "two minutes are usual; links are kept alive more often than that";
            finding.because(if secs < LIFETIME_SECS { short } else { often })
        }
        None => finding(Verdict::Unknown, "how long your router keeps a port is not known".to_owned()).because(
            "it takes ten minutes, a node that stays up, and a friend who answers STUN; links are kept alive often enough until then",
        ),
    }
}

fn portmap(facts: &Facts) -> Finding {
    let finding = |verdict, what: String| Finding::new(Topic::Portmap, verdict, what);
    let portmap = &facts.figures.portmap;
    match portmap.state {
        PortmapState::Mapped => finding(
            Verdict::Good,
            format!(
                "your router lets friends in at {}",
                portmap.external.as_deref().unwrap_or("its outside address")
            ),
        )
        .because(format!(
            "it was asked by {}",
            portmap.by.as_deref().unwrap_or("the protocol that it knows")
        )),
        PortmapState::Asking => finding(Verdict::Unknown, "your router has not answered yet".to_owned()),
        PortmapState::Failed => {
            let finding = finding(Verdict::Fair, "your router opens no port".to_owned())
                .because(portmap.error.clone().unwrap_or_else(|| "it did not say why".to_owned()));
            if facts.is_behind_two_routers {
                finding
                    .advise(["a second router, or the provider, is in between: only they could open one"
                        .to_owned()])
            } else {
                finding.advise([
                    "switch on PCP, NAT-PMP or UPnP in the router's settings, if you may".to_owned()
                ])
            }
        }
        PortmapState::Off if facts.interfaces.v4_public || facts.figures.mapping == MappingKind::None => {
            finding(Verdict::Good, "no router needs to be asked to let friends in".to_owned())
        }
        PortmapState::Off => {
            let verdict = if Front::of(facts) == Front::Unknown { Verdict::Unknown } else { Verdict::Fair };
            finding(verdict, "your router is not asked to let friends in".to_owned())
                .because("`network.portmap` is off, as it is until you switch it on")
                .advise(open_the_router(facts))
        }
    }
}

fn ipv6(facts: &Facts) -> Finding {
    let finding = |verdict, what: &str| Finding::new(Topic::Ipv6, verdict, what);
    match facts.figures.ipv6 {
        Ipv6Kind::Works => {
            finding(Verdict::Good, "IPv6 works: somebody on the internet sees this machine there")
        }
        Ipv6Kind::Address => finding(
            Verdict::Unknown,
            "this machine has an IPv6 address, and nobody has told whether it comes through",
        ),
        Ipv6Kind::None => finding(Verdict::Fair, "this machine has no IPv6 address on the internet").because(
            "with it there is mostly no router in the way that changes ports; your provider may offer it",
        ),
    }
}

fn stun(facts: &Facts) -> Finding {
    let figures = &facts.figures;
    let answers = match figures.answers {
        AnswersKind::Off => "friends may not ask this machine how it sees them",
        AnswersKind::Friends => "friends who may reflect can ask this machine how it sees them",
        AnswersKind::Anyone => "anybody can ask this machine how it sees them",
    };
    let listed = u64::try_from(figures.stun_servers.len()).unwrap_or(u64::MAX);
    let whom = [(u64::from(figures.responders), "friend"), (listed, "listed server")];
    let whom: Vec<String> = whom
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| count(number, what))
        .collect();
    let finding = |verdict, what: String| Finding::new(Topic::Stun, verdict, what).because(answers);
    if !figures.unresolved.is_empty() {
        let servers = figures.unresolved.join(", ");
        return finding(Verdict::Fair, format!("the name of {servers} cannot be resolved"))
            .advise([format!("see to the network's resolver, or to `stun_servers` in {}", facts.config)]);
    }
    let finding = if whom.is_empty() {
        finding(Verdict::Unknown, "nobody can be asked how this machine is seen from outside".to_owned())
            .advise(who_would_tell(facts))
    } else {
        let what = format!("{} can be asked how this machine is seen from outside", whom.join(" and "));
        finding(Verdict::Good, what)
    };
    if figures.answers == AnswersKind::Off && Front::of(facts) == Front::Open {
        return finding.advise([format!(
            "this machine could tell friends how they are seen: in {}, under `[network]`: `stun = \"friends\"`, and `wayside friend allow reflect NAME`",
            facts.config
        )]);
    }
    finding
}

/// What would let the rest be found out.
pub(super) fn who_would_tell(facts: &Facts) -> Vec<String> {
    let figures = &facts.figures;
    let mut advice = Vec::new();
    let offline = figures.friends.iter().find(|friend| friend.reflects && !friend.blocked);
    if figures.responders == 0 && figures.asked == 0 {
        match offline {
            Some(friend) => {
                advice.push(format!("`wayside doctor --friend {}`, who lets you ask", named(friend)));
            }
            None => advice.push(
                "let a friend with a public address set `network.stun = \"friends\"` and run `wayside friend allow reflect YOU`".to_owned(),
            ),
        }
    }
    if facts.is_brief && !figures.friends.is_empty() {
        advice.push("`wayside up`, and once friends are linked `wayside doctor` again: they tell how they see this machine".to_owned());
    }
    if figures.stun_servers.is_empty() {
        advice.push(format!(
            "list a STUN server that you trust to learn this machine's address: in {}, under `[network]`: `stun_servers = [\"stun:HOST:3478\"]`",
            facts.config
        ));
    }
    advice
}

/// What would let friends in.
fn open_the_router(facts: &Facts) -> Vec<String> {
    let is_blocked = Front::of(facts) == Front::Blocked;
    let is_translated =
        !is_blocked && !facts.interfaces.v4_public && facts.figures.mapping != MappingKind::None;
    if facts.figures.portmap.state != PortmapState::Off || !is_translated || !facts.interfaces.v4 {
        return Vec::new();
    }
    vec![format!(
        "ask your router for a port: in {}, under `[network]`: `portmap = [\"pcp\", \"nat-pmp\"]` (add `\"upnp\"` where it knows nothing else), then start `wayside up` anew",
        facts.config
    )]
}

/// A friend in a command that is pasted into a shell: names are the friends' own words.
pub(super) fn named(friend: &FriendFigure) -> &str {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = friend.friend.as_str();
    if name.chars().all(is_plain) && !name.starts_with('-') { name } else { &friend.account }
}

/// `1 thing`, `2 things`.
pub(super) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
