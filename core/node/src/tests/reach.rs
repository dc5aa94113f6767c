//! How friends tell each other where they see them, and what comes of lies.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use wayside_bridge::MemoryService;

use super::{Person, befriend, friends, link, service, until};
use crate::api::types::{AddressKind, ChangeFriend, ReachView, StatusView};
use crate::links::address::{self, Address, View};
use crate::links::write_frame;

async fn reach(person: &Person) -> ReachView {
    person.api().get::<StatusView>("/v1/status").await.unwrap().reach
}

/// Where somebody is reached first, and which friends see it there.
async fn first(person: &Person) -> (String, Vec<String>) {
    let reach = reach(person).await;
    let first = reach.addresses.first().unwrap();
    (first.address.clone(), first.seen_by.clone())
}

fn port(person: &Person) -> String {
    person.node().listening()[0].trim_start_matches("udp://").to_owned()
}

/// A person whose `[network]` says this as well.
async fn configured(name: &'static str, service: &MemoryService, network: &str) -> Person {
    let mut person = Person::new(name, service).await;
    person.stop().await;
    let config = person.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("stun = \"off\"", network);
    std::fs::write(&config, text).unwrap();
    person.start().await;
    person.node().ready().await;
    person
}

async fn allow(person: &Person, friend: &str, allow: bool) {
    let words = vec!["reflect".to_owned()];
    let change = if allow {
        ChangeFriend { allow: words, ..ChangeFriend::default() }
    } else {
        ChangeFriend { deny: words, ..ChangeFriend::default() }
    };
    let _: crate::api::types::FriendView =
        person.api().patch(&format!("/v1/friends/{friend}"), &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_tell_where_they_see_each_other_and_again_after_it_changed() {
    let service = service();
    let (ann, mut bob) = friends(&service).await;
    for _ in 0..2 {
        until("both know how they are seen", || async {
            first(&ann).await == (port(&ann), vec!["bob".to_owned()])
                && first(&bob).await == (port(&bob), vec!["ann".to_owned()])
        })
        .await;
        bob.stop().await;
        bob.start().await;
        bob.ping("ann").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_heard_once_a_second_and_takes_nothing_away() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    let carol = Person::new("carol", &service).await;
    befriend(&ann, &carol).await;
    until("both told her", || async { first(&ann).await.1 == ["bob", "carol"] }).await;
    let peer = link(&bob, "ann").await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(peer.link.open(address::NAME).await.unwrap());
    }
    let lie = |text: &str| View { seen: Some(Address(text.parse().unwrap())), stun: vec![], token: None };
    // Those that cannot be are passed over, and of the others the last one counts.
    let lies = ["8.8.8.8:53", "224.0.0.1:1", "[::1]:1", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];
    let began = tokio::time::Instant::now();
    for (text, stream) in lies.iter().zip([0, 1, 2, 3, 0, 1]) {
        write_frame(&mut streams[stream].send, &lie(text)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until("she has heard them", || async {
        let reach = reach(&ann).await;
        reach.addresses.len() == 2 && reach.addresses.iter().any(|it| it.kind == AddressKind::Reflexive)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let known = reach(&ann).await.addresses;
    assert!(began.elapsed() > Duration::from_secs(5));
    assert_eq!(known.len(), 2, "{known:?}");
    let (lied, own): (Vec<_>, Vec<_>) = known.iter().partition(|it| it.kind == AddressKind::Reflexive);
    assert_eq!(lied[0].seen_by, ["bob"]);
    assert_eq!((&own[0].address, &own[0].seen_by), (&port(&ann), &vec!["carol".to_owned()]));
    // Whatever was said, they still meet.
    carol.ping("ann").await.unwrap();
    bob.ping("ann").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_asks_by_stun_and_names_it_to_newcomers() {
    let service = service();
    let carol = configured("carol", &service, "stun = \"friends\"").await;
    let ann = Person::new("ann", &service).await;
    befriend(&carol, &ann).await;
    let ann_asks = || async { reach(&ann).await.addresses.iter().any(|it| !it.servers.is_empty()) };
    assert!(ann.node().driver().reach().told().borrow().reflectors.is_empty(), "she is not let yet");

    allow(&carol, "ann", true).await;
    until("she knows whom to ask", || async {
        !ann.node().driver().reach().told().borrow().reflectors.is_empty()
    })
    .await;
    // A newcomer hears of it by the welcome, and asks.
    let bob = Person::new("bob", &service).await;
    befriend(&ann, &bob).await;
    until("he was told how he is seen", || async {
        reach(&bob).await.addresses.iter().any(|it| it.servers == ["127.0.0.1"] && it.address == port(&bob))
    })
    .await;
    assert!(!ann_asks().await, "to her it is a friend who says so");

    allow(&carol, "ann", false).await;
    until("it is hers no more", || async {
        ann.node().driver().reach().told().borrow().reflectors.is_empty()
    })
    .await;
    let dave = Person::new("dave", &service).await;
    befriend(&ann, &dave).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(reach(&dave).await.addresses.iter().all(|it| it.servers.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_servers_are_asked_and_no_others() {
    let service = service();
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (listed, unlisted) = (server.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let asks = format!("stun_servers = [\"stun:{listed}\"]");
    let mut ann = Person::new("ann", &service).await;
    ann.stop().await;
    let config = ann.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("stun_servers = []", &asks);
    std::fs::write(&config, text).unwrap();
    ann.start().await;
    let mut request = [0; 1500];
    let asked = tokio::time::timeout(Duration::from_secs(10), server.recv_from(&mut request)).await;
    let (length, from) = asked.unwrap().unwrap();
    assert_eq!(from, port(&ann).parse::<SocketAddr>().unwrap(), "from where its links are");
    assert!(length >= 20 && request[..2] == [0, 1], "a Binding request");
    assert_eq!(reach(&ann).await.stun_servers, [listed.to_string()]);
    let nothing = tokio::time::timeout(Duration::from_millis(200), unlisted.recv_from(&mut request)).await;
    assert!(nothing.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_nobody_is_answered() {
    let service = service();
    let ann = Person::new("ann", &service).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    let ask = async |person: &Person| {
        stranger.send_to(&request, port(person)).await.unwrap();
        let mut answer = [0; 1500];
        tokio::time::timeout(Duration::from_millis(300), stranger.recv_from(&mut answer)).await.is_ok()
    };
    assert!(!ask(&ann).await);
    let carol = configured("carol", &service, "stun = \"friends\"").await;
    assert!(!ask(&carol).await, "a stranger has no token");
    let dan = configured("dan", &service, "stun = \"anyone\"").await;
    assert!(ask(&dan).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_sends_nothing_to_anybody() {
    let network = wayside_noise::MemoryNetwork::new(Duration::from_millis(10));
    let folder = tempfile::tempdir().unwrap();
    let home = crate::Home::init(&folder.path().join("home"), "ann").unwrap();
    let node = crate::Node::builder(home, wayside_bridge::Registry::new())
        .network(wayside_noise::Network::Memory(network.clone()))
        .listen(vec!["udp://10.0.0.1:4040".into()])
        .start()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(network.sent(), 0);
    node.shutdown().await;
}
