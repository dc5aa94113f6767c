//! Finding out: everything at the same time, each thing within its bound, and nobody asked whom the user did not name.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::{join_all, join3};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use wayside_bridge::{BridgeError, SharedBridge, Timestamp};
use wayside_path::{Filtering, traversal::guard::is_public};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant, Step, StepKind};

use super::Progress;
use super::facts::{Carried, Facts, Interfaces, Listens};
use super::report::{BridgeFigure, Family, Figures, FilteringKind, FriendFigure, Ipv6Kind, Known};
use crate::api::types::{
    AddressKind, ApiError, BridgeView, LinkState, MappingKind, NodeKind, PathKind, ReachView, RelayState,
    Transport,
};
use crate::driver::Driver;
use crate::home::{self, Examined, Listen};
use crate::links::{LiveLink, ping};
use crate::reach::{Picture, PortMapping};
use crate::rendezvous::Rendezvous;
use crate::requests::Requests;
use crate::times::millis;

/// How long bridges may take to be opened and tried at first, and then each to answer once more.
const BRIDGES: Duration = Duration::from_secs(6);
/// How long one of them may take to answer.
const PROBE: Duration = Duration::from_secs(6);
/// How long asking how this machine is seen may take: names are resolved, and what was under way comes first.
const ASKING: Duration = Duration::from_secs(9);
/// How long the router may take, where it is asked: that is what it is waited for ([PORTMAP.md]), and a bit.
///
/// [PORTMAP.md]: ../../../../docs/PORTMAP.md
const ROUTER: Duration = Duration::from_secs(10);
/// How long the disk may take.
const DISK: Duration = Duration::from_secs(10);
/// How often it is looked whether it has answered.
const LOOK: Duration = Duration::from_millis(100);
/// How long a friend may take to answer a ping.
const PING: Duration = Duration::from_secs(3);
/// How long a friend who forwards may take to let us in.
const RELAY: Duration = Duration::from_secs(3);
/// How long what a friend tells over a link that has just come up is waited for.
const TOLD: Duration = Duration::from_millis(500);
/// Friends who are pinged.
const MOST_PINGED: usize = 64;

/// Finds out all there is, and meets one friend first who is wanted.
pub(super) async fn collect(
    requests: &Requests,
    wanted: Option<(AccountId, Duration)>,
    progress: &Progress,
) -> Result<Facts, ApiError> {
    let driver = &requests.driver;
    let home = requests.home.path().to_owned();
    progress.say("looking at the home, the clock and the bridges");
    let on_disk = timeout(DISK, tokio::task::spawn_blocking(move || home::examine(&home)));
    let network = async {
        // Held until the friend was pinged, so that the link does not go meanwhile.
        let want = wanted.map(|(account, _)| driver.want(account));
        if let Some((account, wait)) = wanted {
            progress.say(format!("meeting {}", driver.name_of(&account).await));
            meet(requests, &account, wait).await;
        }
        progress.say("asking how this machine is seen from outside");
        let asking = driver.reach().examine(ASKING);
        let (_, (), friends) = join3(asking, router_answered(requests), friends(requests, progress)).await;
        drop(want);
        friends
    };
    let (tried, friends, on_disk) = join3(bridges(requests), network, on_disk).await;
    let ((bridges, ahead), friends) = (tried?, friends?);
    let on_disk = match on_disk {
        Ok(Ok(on_disk)) => on_disk,
        _ => Examined {
            unwritable: Some(format!("the disk did not answer within {} seconds", DISK.as_secs())),
            ..Examined::default()
        },
    };
    let picture = driver.reach().picture();
    let view = requests.reach().await;
    let links = carried(&friends);
    let listens = listens(&requests.listening);
    let is_behind_two_routers =
        matches!(&picture.port_mapping, PortMapping::Failed(why) if why.contains("behind another NAT"));
    let interfaces = interfaces(&picture);
    let figures = figures(view, &picture, &links, friends, bridges, ahead, &on_disk);
    Ok(Facts {
        config: requests.home.config_path().display().to_string(),
        home: requests.home.path().display().to_string(),
        is_brief: requests.kind == NodeKind::Brief,
        interfaces,
        listens,
        links,
        is_behind_two_routers,
        clock_wrong: driver.clock_wrong(),
        rendezvous: requests.rendezvous.as_ref().as_ref().map(Rendezvous::view),
        unwritable: on_disk.unwritable,
        figures,
    })
}

/// Waits for a link with a friend who is wanted, and for what is told over it.
async fn meet(requests: &Requests, account: &AccountId, wait: Duration) {
    let (mut changes, until) = (requests.driver.links_changed(), Instant::now() + wait);
    while requests.driver.links().of(account).is_none() {
        if !matches!(timeout_at(until, changes.changed()).await, Ok(Ok(()))) {
            return;
        }
    }
    sleep_until(Instant::now() + TOLD).await;
}

/// Waits for the router, where it is asked.
async fn router_answered(requests: &Requests) {
    let until = Instant::now() + ROUTER;
    while requests.driver.reach().picture().port_mapping == PortMapping::Asking && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
}

/// Each bridge, tried just now, and by how much our clock is ahead of the services'.
async fn bridges(requests: &Requests) -> Result<(Vec<BridgeFigure>, Option<i64>), ApiError> {
    requests.bridges_tried(BRIDGES).await;
    let bridges = requests.driver.bridges_to_try().await?;
    let tried = join_all(bridges.into_iter().map(|(view, bridge)| probe(requests, view, bridge))).await;
    let mut ahead: Vec<i64> = tried.iter().filter_map(|(_, ahead)| *ahead).collect();
    ahead.sort_unstable();
    let median = ahead.get(ahead.len() / 2).copied();
    Ok((tried.into_iter().map(|(figure, _)| figure).collect(), median))
}

/// A bridge, tried just now, and by how much our clock is ahead of its service's.
pub(super) async fn probe(
    requests: &Requests,
    view: BridgeView,
    bridge: Option<SharedBridge>,
) -> (BridgeFigure, Option<i64>) {
    let figure = BridgeFigure {
        bridge: view.name,
        title: view.title,
        works: false,
        latency_ms: None,
        note: view.error.or_else(|| Some("it was not tried yet".to_owned())),
    };
    let Some(bridge) = bridge else { return (figure, None) };
    let began = Instant::now();
    let note = match timeout(PROBE, bridge.probe()).await {
        Ok(Ok(probe)) => {
            let wall = requests.driver.clock().wall();
            let ahead = probe.service_time.map(|time| ahead(wall.as_secs(), time));
            let latency = if probe.latency.is_zero() { began.elapsed() } else { probe.latency };
            let figure =
                BridgeFigure { works: true, latency_ms: Some(millis(latency)), note: probe.note, ..figure };
            return (figure, ahead);
        }
        Ok(Err(error)) => BridgeError::message(&error).to_owned(),
        Err(_) => format!("no answer within {} seconds", PROBE.as_secs()),
    };
    (BridgeFigure { note: Some(note), ..figure }, None)
}

fn ahead(wall_secs: u64, service: Timestamp) -> i64 {
    i64::try_from(i128::from(wall_secs) - i128::from(service.as_secs())).unwrap_or_default()
}

/// Every friend as the engine knows it, pinged where a link is up, with the step that tells why there is no better one.
async fn friends(requests: &Requests, progress: &Progress) -> Result<Vec<FriendFigure>, ApiError> {
    let driver = &requests.driver;
    let known = driver.look(|engine, _| {
        let each = |friend: &Friend| {
            let figure = FriendFigure {
                friend: friend.name().to_owned(),
                account: friend.account().to_string(),
                link: LinkState::Down,
                path: None,
                transport: None,
                family: None,
                remote: None,
                relay: None,
                rtt_ms: None,
                step: None,
                reason: None,
                reflects: friend.granted(Grant::Reflect),
                relays: friend.granted(Grant::Relay),
                relay_state: None,
                blocked: friend.blocked(),
            };
            (friend.account(), figure, engine.explain(&friend.account()))
        };
        engine.friends().map(each).collect::<Vec<_>>()
    });
    let mut known = known.await?;
    known.sort_by_cached_key(|(_, figure, _)| (figure.friend.to_lowercase(), figure.account.clone()));
    if known.iter().any(|(account, ..)| driver.links().of(account).is_some()) {
        progress.say("pinging friends who are linked");
    }
    let mut pinged = 0;
    let each = known.into_iter().map(|(account, figure, steps)| {
        let live = driver.links().of(&account);
        pinged += usize::from(live.is_some());
        look_at(requests, account, figure, steps, live.filter(|_| pinged <= MOST_PINGED))
    });
    join_all(each.collect::<Vec<_>>()).await.into_iter().collect()
}

async fn look_at(
    requests: &Requests,
    account: AccountId,
    mut figure: FriendFigure,
    steps: Vec<Step>,
    live: Option<LiveLink>,
) -> Result<FriendFigure, ApiError> {
    if let Some(live) = live {
        let echoed = async { ping::Pinger::new(&live.peer.link).await?.ping().await };
        let rtt = timeout(PING, echoed).await.ok().and_then(Result::ok);
        // What answers nobody is told as it is listed, without a time.
        describe(&mut figure, &live);
        figure.relay = requests.driver.relay_of(&live).await;
        figure.rtt_ms = rtt.map(millis).or(figure.rtt_ms);
    }
    if figure.relays && !figure.blocked {
        figure.relay_state = tried_to_relay(&requests.driver, account).await;
    }
    if figure.link == LinkState::Down || figure.path == Some(PathKind::Relay) {
        let steps = requests.driver.store().run(move |store| store.steps(&account, steps)).await?;
        if let Some(step) = telling(&steps, figure.link) {
            (figure.step, figure.reason) = (Some(step.kind.word().to_owned()), Some(step.what.clone()));
        }
    }
    Ok(figure)
}

/// Whether a friend who forwards for us can be reached just now: by the best of its devices. `None` where its offer has not come yet.
async fn tried_to_relay(driver: &Driver, account: AccountId) -> Option<RelayState> {
    let relays = driver.relays();
    let device = relays
        .ranked()
        .into_iter()
        .find(|device| relays.offer_of(device).is_some_and(|offer| offer.account == account))?;
    // Dropped at once: that it came up is what counts.
    drop(driver.link_to_device(device, RELAY).await);
    Some(relays.condition(driver, device).0.into())
}

fn describe(figure: &mut FriendFigure, live: &LiveLink) {
    figure.link = LinkState::Up;
    figure.path = Some(live.path());
    figure.transport = live.transport();
    figure.remote = live.remote();
    figure.rtt_ms = live.rtt_ms();
    let remote = figure.remote.as_ref().and_then(|remote| remote.parse::<SocketAddr>().ok());
    figure.family = remote.map(|remote| match remote.ip().to_canonical() {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    });
}

/// The last step of the last meeting that tells why there is no link, or none that is direct.
fn telling(steps: &[Step], link: LinkState) -> Option<&Step> {
    let last = steps.last()?;
    let failed = |kind| {
        matches!(
            kind,
            StepKind::NoWay
                | StepKind::NoBridge
                | StepKind::ClockWrong
                | StepKind::NotTaken
                | StepKind::DialFailed
                | StepKind::NoLink
        )
    };
    // Of a link that has been up since, the failures before it say nothing about the next one.
    let began = steps
        .iter()
        .rposition(|step| matches!(step.kind, StepKind::Offered | StepKind::OfferRead | StepKind::JoinRead));
    let of_last = steps.get(began.unwrap_or(0)..).unwrap_or_default();
    let was_linked = of_last.iter().any(|step| step.kind == StepKind::Linked);
    if link == LinkState::Down && was_linked {
        return None;
    }
    // Why there is no way says more than that there came no link.
    let by_kind = |wanted: StepKind| of_last.iter().rev().find(|step| step.kind == wanted);
    let other = || of_last.iter().rev().find(|step| failed(step.kind));
    let waiting = || Some(last).filter(|it| matches!(it.kind, StepKind::Offered | StepKind::OfferedAnew));
    by_kind(StepKind::NoWay).or_else(other).or_else(waiting)
}

/// Friends on the internet by what carries their links.
fn carried(friends: &[FriendFigure]) -> Carried {
    let mut carried = Carried::default();
    for friend in friends {
        let remote = friend.remote.as_ref().and_then(|remote| remote.parse::<SocketAddr>().ok());
        if !remote.is_some_and(|remote| is_public(remote.ip())) {
            continue;
        }
        match friend.transport {
            Some(Transport::Udp) => carried.udp.push(friend.friend.clone()),
            Some(Transport::Tcp) => carried.tcp.push(friend.friend.clone()),
            None => {}
        }
    }
    carried
}

fn listens(urls: &[String]) -> Listens {
    let listen = Listen::parse(urls).unwrap_or_default();
    let elsewhere = |addresses: &[SocketAddr]| addresses.iter().any(|address| !address.ip().is_loopback());
    Listens { udp: elsewhere(&listen.udp), tcp: elsewhere(&listen.tcp) }
}

fn interfaces(picture: &Picture) -> Interfaces {
    let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let elsewhere = || picture.interfaces.iter().filter(|ip| !ip.is_loopback() && !link_local(ip));
    Interfaces {
        any: elsewhere().next().is_some(),
        v4: elsewhere().any(IpAddr::is_ipv4),
        v4_public: elsewhere().any(|ip| ip.is_ipv4() && is_public(*ip)),
    }
}

/// Whether UDP gets to the internet and back. One answer is enough; silence takes two to mean something, since anybody may be away. A server has an address in each
/// family, and counts once.
fn udp(asked: &[SocketAddr], answered: &[SocketAddr], links: &Carried) -> Known {
    let silent = |v4| {
        let ips: BTreeSet<IpAddr> =
            asked.iter().map(SocketAddr::ip).filter(|ip| ip.is_ipv4() == v4).collect();
        ips.len()
    };
    if !answered.is_empty() || !links.udp.is_empty() {
        Known::Yes
    } else if silent(true).max(silent(false)) + links.tcp.len() >= 2 {
        Known::No
    } else {
        Known::Unknown
    }
}

fn figures(
    view: ReachView,
    picture: &Picture,
    links: &Carried,
    friends: Vec<FriendFigure>,
    bridges: Vec<BridgeFigure>,
    clock_ahead_secs: Option<i64>,
    on_disk: &Examined,
) -> Figures {
    let public = |addresses: &BTreeSet<SocketAddr>| -> Vec<SocketAddr> {
        addresses.iter().copied().filter(|address| is_public(address.ip())).collect()
    };
    let (asked, answered) = (public(&picture.tried.asked), public(&picture.tried.answered));
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let ipv6 = ipv6(picture, &view, &answered, &friends);
    // Whoever is in this network sees this machine before any router.
    let is_of_inside = view.mapping == MappingKind::None && !interfaces(picture).v4_public;
    let (mapping, filters) = if is_of_inside {
        (MappingKind::Unknown, FilteringKind::Unknown)
    } else {
        (view.mapping, filtering(picture.nat.filtering))
    };
    Figures {
        udp: udp(&asked, &answered, links),
        asked: number(asked.len()),
        answered: number(answered.len()),
        addresses: view.addresses,
        mapping,
        filtering: filters,
        mapping_lifetime_secs: view.mapping_lifetime_secs,
        hairpin: picture.tried.hairpin.into(),
        ipv6,
        portmap: view.portmap,
        answers: view.answers,
        responders: number(picture.responders),
        stun_servers: view.stun_servers,
        unresolved: picture.tried.unresolved.clone(),
        bridges,
        friends,
        clock_ahead_secs,
        disk_free_bytes: on_disk.free_bytes,
        disk_write_ms: on_disk.write.map(millis),
        open_to_others: on_disk.open_to_others.clone(),
    }
}

/// Somebody on the internet confirms it, or there is an address at least.
fn ipv6(picture: &Picture, view: &ReachView, answered: &[SocketAddr], friends: &[FriendFigure]) -> Ipv6Kind {
    let is_public_v6 = |address: &SocketAddr| address.is_ipv6() && is_public(address.ip());
    let linked = friends.iter().filter_map(|friend| friend.remote.as_ref()?.parse().ok());
    let mut reached = linked.chain(answered.iter().copied());
    if reached.any(|address| is_public_v6(&address)) {
        return Ipv6Kind::Works;
    }
    let told = view.addresses.iter().filter(|it| it.kind == AddressKind::Host);
    let mut told = told.filter_map(|it| it.address.parse::<SocketAddr>().ok());
    let has = picture.interfaces.iter().any(|ip| ip.is_ipv6() && is_public(*ip));
    if has || told.any(|address| is_public_v6(&address)) { Ipv6Kind::Address } else { Ipv6Kind::None }
}

fn filtering(filtering: Filtering) -> FilteringKind {
    match filtering {
        Filtering::Unknown => FilteringKind::Unknown,
        Filtering::EndpointIndependent => FilteringKind::Anybody,
        Filtering::AddressDependent => FilteringKind::Address,
        Filtering::AddressAndPortDependent => FilteringKind::AddressAndPort,
    }
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
