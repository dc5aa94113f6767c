//! The doctor, with nodes in one process: what it finds out, from whom, and what it leaves alone.

use std::time::Duration;

use wayside_noise::MemoryNetwork;

use super::{Person, befriend, friends, service, until};
use crate::api::types::{
    BridgeView, ChangeFriend, ExaminationLine, Examine, Figures, FriendView, Ipv6Kind, Known, LinkState,
    MappingKind, Report, Topic, Transport, Verdict, Way,
};

/// In memory, where nothing takes long.
const SOON: Duration = Duration::from_secs(15);

fn verdict(report: &Report, topic: Topic) -> Verdict {
    let found = report.findings.iter().find(|finding| finding.topic == topic);
    found.unwrap_or_else(|| panic!("{topic:?} in {report:#?}")).verdict
}

/// Somebody on a network in memory, whose `[network]` says this as well.
async fn on(
    network: &MemoryNetwork,
    service: &wayside_bridge::MemoryService,
    name: &'static str,
    address: &str,
    says: &str,
) -> Person {
    let mut person = Person::new(name, service).await;
    person.stop().await;
    let config = person.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("stun = \"off\"", says);
    std::fs::write(&config, text).unwrap();
    let listen = vec![format!("udp://{address}")];
    let memory = wayside_noise::Network::Memory(network.clone());
    person.start_with(|node| node.network(memory).listen(listen)).await;
    person.node().ready().await;
    person
}

async fn allow_reflect(person: &Person, friend: &str) {
    let change = ChangeFriend { allow: vec!["reflect".into()], ..ChangeFriend::default() };
    let _: FriendView = person.api().patch(&format!("/v1/friends/{friend}"), &change).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_is_told_what_is_not_known_and_nothing_is_sent() {
    let network = MemoryNetwork::new(Duration::from_millis(10));
    let folder = tempfile::tempdir().unwrap();
    let home = crate::Home::init(&folder.path().join("home"), "ann").unwrap();
    let node = crate::Node::builder(home, wayside_bridge::Registry::new())
        .network(wayside_noise::Network::Memory(network.clone()))
        .listen(vec!["udp://10.0.0.1:4040".into()])
        .start()
        .await
        .unwrap();
    let report = node.examine(Examine::default()).await.unwrap();
    assert_eq!(network.sent(), 0);
    let Figures { udp, mapping, hairpin, ipv6, asked, .. } = report.figures;
    assert_eq!((udp, mapping, hairpin), (Known::Unknown, MappingKind::Unknown, Known::Unknown));
    assert_eq!((ipv6, asked), (Ipv6Kind::None, 0));
    for topic in [Topic::Reach, Topic::Udp, Topic::Mapping, Topic::Filtering, Topic::Stun, Topic::Friends] {
        assert_eq!(verdict(&report, topic), Verdict::Unknown, "{topic:?}");
    }
    assert_eq!(verdict(&report, Topic::Bridges), Verdict::Bad, "there is none");
    assert_eq!(report.verdict, Verdict::Bad);
    let missing = node.examine(Examine { friend: Some("nobody".into()), wait_ms: 0 }).await.unwrap_err();
    assert_eq!(missing.code, crate::api::types::ErrorCode::NotFound);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friend_in_public_tells_what_the_network_is() {
    let (service, network) = (service(), MemoryNetwork::new(Duration::from_millis(5)));
    let fay = on(&network, &service, "fay", "9.9.9.9:4040", "stun = \"friends\"").await;
    let ann = on(&network, &service, "ann", "5.5.5.5:4040", "stun = \"off\"").await;
    befriend(&fay, &ann).await;
    allow_reflect(&fay, "ann").await;
    until("ann was asked in", || async {
        let view: FriendView = ann.api().get("/v1/friends/fay").await.unwrap();
        view.granted == ["reflect"]
    })
    .await;
    until("she knows whom to ask", || async {
        !ann.node().driver().reach().told().borrow().reflectors.is_empty()
    })
    .await;
    let began = std::time::Instant::now();
    let report = ann.node().examine(Examine::default()).await.unwrap();
    assert!(began.elapsed() < SOON);
    let figures = &report.figures;
    assert_eq!((figures.udp, figures.asked, figures.answered), (Known::Yes, 1, 1), "{figures:#?}");
    assert_eq!(figures.mapping, MappingKind::None);
    assert_eq!(figures.responders, 1);
    let friend = &figures.friends[0];
    assert_eq!((friend.link, friend.transport), (LinkState::Up, Some(Transport::Udp)));
    assert!(friend.reflects && !friend.relays && friend.rtt_ms.is_some_and(|ms| ms >= 10.0), "{friend:?}");
    assert!(figures.bridges[0].works && figures.bridges[0].latency_ms.is_some());
    for topic in [Topic::Reach, Topic::Udp, Topic::Mapping, Topic::Stun, Topic::Friends, Topic::Bridges] {
        assert_eq!(verdict(&report, topic), Verdict::Good, "{topic:?}: {report:#?}");
    }
    assert!(report.reachable.iter().filter(|it| it.way == Way::Direct).count() >= 5, "{report:#?}");
    // Fay lets nobody but friends ask, and has nobody to ask herself: a link tells her that much.
    let hers = fay.node().examine(Examine::default()).await.unwrap();
    assert_eq!((hers.figures.udp, hers.figures.asked), (Known::Yes, 0), "{hers:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friend_who_is_wanted_is_met_and_others_are_left_alone() {
    let service = service();
    let (mut ann, bob) = friends(&service).await;
    let carol = Person::new("carol", &service).await;
    befriend(&ann, &carol).await;
    ann.stop().await;
    ann.start().await;
    let alone = ann.node().examine(Examine::default()).await.unwrap();
    assert!(alone.figures.friends.iter().all(|friend| friend.link == LinkState::Down), "{alone:#?}");
    let report = ann.node().examine(Examine { friend: Some("bob".into()), wait_ms: 15_000 }).await.unwrap();
    let links: Vec<_> = report.figures.friends.iter().map(|it| (it.friend.as_str(), it.link)).collect();
    assert_eq!(links, [("bob", LinkState::Up), ("carol", LinkState::Down)]);
    drop(bob);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friend_who_does_not_come_costs_the_time_that_was_given() {
    let service = service();
    let (ann, mut bob) = friends(&service).await;
    bob.stop().await;
    until("the link is gone", || async {
        ann.api().get::<FriendView>("/v1/friends/bob").await.unwrap().link == LinkState::Down
    })
    .await;
    let began = std::time::Instant::now();
    let report = ann.node().examine(Examine { friend: Some("bob".into()), wait_ms: 1_500 }).await.unwrap();
    assert!((Duration::from_millis(1_500)..SOON).contains(&began.elapsed()), "{:?}", began.elapsed());
    let bob = &report.figures.friends[0];
    assert_eq!((bob.link, bob.step.as_deref()), (LinkState::Down, Some("offered")), "{bob:?}");
    assert_eq!(verdict(&report, Topic::Friends), Verdict::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_went_away_is_said_to_be() {
    let service = service();
    let ann = Person::new("ann", &service).await;
    assert_eq!(
        verdict(&ann.node().examine(Examine::default()).await.unwrap(), Topic::Bridges),
        Verdict::Good
    );
    service.fail_with(Some(wayside_bridge::ErrorKind::Unreachable));
    let report = ann.node().examine(Examine::default()).await.unwrap();
    assert_eq!(verdict(&report, Topic::Bridges), Verdict::Bad, "{report:#?}");
    assert!(report.figures.bridges[0].note.is_some());
    // Whatever its own task has noticed by then.
    let views: Vec<BridgeView> = ann.api().get("/v1/bridges").await.unwrap();
    assert_eq!(views.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_tell_what_is_looked_at_and_end_with_the_report() {
    let service = service();
    let (ann, _bob) = friends(&service).await;
    let mut lines = ann.api().post_lines("/v1/doctor", &serde_json::json!({})).await.unwrap();
    let (mut doing, mut report) = (0, None);
    while let Some(line) = lines.next::<ExaminationLine>().await.unwrap() {
        assert!(report.is_none(), "nothing comes after it");
        match line {
            ExaminationLine::Doing { .. } => doing += 1,
            ExaminationLine::Report(told) => report = Some(told),
        }
    }
    assert!(doing >= 2);
    let report = report.unwrap();
    let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(again, *report, "what is read is what was written");
    let unknown = ann.api().post_lines("/v1/doctor", &serde_json::json!({"friend": "nobody"})).await;
    assert_eq!(unknown.unwrap_err().code, crate::api::types::ErrorCode::NotFound);
}
