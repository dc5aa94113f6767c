//! Two who cannot reach each other, and friends of both who forward: on loopback, where one has IPv4 alone, the other IPv6 alone, and the relays both.

use std::time::Duration;

use wayside_bridge::MemoryService;
use wayside_noise::{Endpoint, EndpointConfig, Link, Remote, StaticKey, Stream};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{DeviceId, DeviceKeys};
use wayside_proto::token::{Proof, Purpose, Token};
use wayside_relay::Reason;

use super::{Person, befriend, service, until};
use crate::api::types::*;
use crate::links::{read_frame, write_frame};
use crate::reach::Witness;
use crate::relays::Offered;
use crate::relays::hello::Hello;
use crate::relays::serving::{Ask, NAME, Word};

const V4: [&str; 1] = ["udp://127.0.0.1:0"];
const V6: [&str; 1] = ["udp://[::1]:0"];
const BOTH: [&str; 2] = ["udp://127.0.0.1:0", "udp://[::1]:0"];

async fn person(name: &'static str, service: &MemoryService, listen: &[&str]) -> Person {
    let listen = listen.iter().map(|it| (*it).to_owned()).collect();
    Person::new_with(name, service, |node| node.listen(listen)).await
}

async fn allow(person: &Person, friend: &str, may: bool) {
    let words = vec!["relay".to_owned()];
    let (allow, deny) = if may { (words, vec![]) } else { (vec![], words) };
    let change = ChangeFriend { allow, deny, ..ChangeFriend::default() };
    let _: FriendView = person.api().patch(&format!("/v1/friends/{friend}"), &change).await.unwrap();
}

async fn view(person: &Person) -> RelayView {
    person.api().get("/v1/relay").await.unwrap()
}

/// A friend of both who forwards for both.
async fn relay(name: &'static str, service: &MemoryService, ann: &Person, bob: &Person) -> Person {
    let rita = person(name, service, &BOTH).await;
    for friend in [ann, bob] {
        let before = view(friend).await.relays.len();
        befriend(&rita, friend).await;
        allow(&rita, friend.name, true).await;
        until("the offer came", async || view(friend).await.relays.len() == before + 1).await;
    }
    rita
}

/// Ann and Bob, who cannot reach each other, and Rita; all of them friends.
async fn three(service: &MemoryService) -> (Person, Person, Person) {
    let (ann, bob) = (person("ann", service, &V4).await, person("bob", service, &V6).await);
    let rita = relay("rita", service, &ann, &bob).await;
    bob.accept(&ann.invite().await).await.unwrap();
    (ann, bob, rita)
}

/// What Rita gave Ann.
fn offered(person: &Person) -> (DeviceId, Offered) {
    person.node().driver().relays().offers().pop().unwrap()
}

async fn explain(person: &Person, friend: &str) -> Explanation {
    person.api().get(&format!("/v1/friends/{friend}/explain")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friend_of_both_forwards_what_they_have_to_say() {
    let service = service();
    let (ann, bob, rita) = three(&service).await;
    let pong = bob.ping("ann").await.unwrap();
    assert_eq!((pong.path, pong.relay.as_deref()), (PathKind::Relay, Some("rita")));
    assert_eq!(ann.send("bob", "through her", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(bob.inbox().await, ["through her"]);
    for (person, friend) in [(&ann, "bob"), (&bob, "ann")] {
        let told = explain(person, friend).await;
        assert_eq!((told.path, told.relay.as_deref()), (Some(PathKind::Relay), Some("rita")), "{told:#?}");
        assert!(told.because.contains("relayed by rita"), "{told:#?}");
        let step = |kind: &str| told.steps.iter().find(|it| it.kind == kind).map(|it| it.what.clone());
        assert!(step("relay").is_some_and(|it| it.starts_with("rita forwards")), "{told:#?}");
        assert_eq!(step("path").as_deref(), Some("linked, relayed by rita"));
        let status: StatusView = person.api().get("/v1/status").await.unwrap();
        assert!(status.links.iter().any(|it| it.friend == friend && it.relay.as_deref() == Some("rita")));
    }
    let seen = view(&rita).await;
    assert_eq!((seen.circuits, seen.waiting, seen.relays.len()), (1, 0, 0), "{seen:#?}");
    let names: Vec<_> = seen.friends.iter().map(|it| (it.friend.as_str(), it.circuits)).collect();
    assert_eq!(names, [("ann", 1), ("bob", 1)]);
    assert!(seen.friends.iter().all(|it| it.month_bytes > 1000) && seen.month_bytes > 2000, "{seen:#?}");
    assert_eq!(view(&ann).await.relays[0].state, RelayState::Linked);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_relay_dies_the_other_carries_on() {
    let service = service();
    let (ann, bob) = (person("ann", &service, &V4).await, person("bob", &service, &V6).await);
    let rita = relay("rita", &service, &ann, &bob).await;
    let rosa = relay("rosa", &service, &ann, &bob).await;
    befriend(&ann, &bob).await;
    let both = async || view(&rita).await.circuits == 1 && view(&rosa).await.circuits == 1;
    until("both forward", both).await;
    let mut relays = [(Some(rita), "rita"), (Some(rosa), "rosa")];
    let first = bob.ping("ann").await.unwrap().relay.unwrap();
    let link = super::link(&bob, "ann").await.link;
    let (dying, other) = if first == "rita" { (0, "rosa") } else { (1, "rita") };
    relays[dying].0.as_mut().unwrap().stop().await;
    let text = ann.send("bob", "still there", Some(20_000)).await.unwrap();
    assert_eq!(text.state, MessageState::Delivered);
    until("the other one carries it", async || {
        bob.ping("ann").await.unwrap().relay.as_deref() == Some(other)
    })
    .await;
    assert_eq!(super::link(&bob, "ann").await.link.number(), link.number(), "the same link");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_no_longer_is_forwarded_for_no_longer() {
    let service = service();
    let (ann, bob, rita) = three(&service).await;
    bob.ping("ann").await.unwrap();
    let (device, before) = offered(&bob);
    allow(&rita, "bob", false).await;
    until("nothing is forwarded", async || view(&rita).await.circuits == 0).await;
    until("he was told", async || view(&bob).await.relays.is_empty()).await;
    // A copy of the token that he kept is good for nothing, even once he is let again.
    let link = bob.node().driver().links().all().into_iter().find(|(_, it)| it.peer.device == device);
    let link = link.unwrap().1.peer.link;
    let shown = async || {
        let (bytes, exported) = (before.offer.relay.clone().unwrap(), link.export(Proof::LABEL));
        let keys = crate::Home::open(&bob.home()).unwrap().engine_identity().device;
        asked(&link, bytes, Proof::sign(&keys, exported.as_bytes())).await
    };
    assert_eq!(shown().await, Word::Refused { reason: Reason::Revoked.number(), retry: None });
    allow(&rita, "bob", true).await;
    until("he is let again", async || !view(&bob).await.relays.is_empty()).await;
    assert_eq!(shown().await, Word::Refused { reason: Reason::Revoked.number(), retry: None });
    assert_eq!(ann.send("bob", "again", Some(60_000)).await.unwrap().state, MessageState::Delivered);
}

/// Opens a stream for a circuit, says hello with this, and asks.
async fn asked(link: &Link, token: Vec<u8>, proof: Proof) -> Word {
    let (_, word) = asking(link, token, proof, [7; 16]).await;
    word
}

async fn asking(link: &Link, token: Vec<u8>, proof: Proof, tag: [u8; 16]) -> (Stream, Word) {
    let mut stream = link.open(NAME).await.unwrap();
    write_frame(&mut stream.send, &Hello { token, proof }).await.unwrap();
    write_frame(&mut stream.send, &Ask { tag }).await.unwrap();
    let word = read_frame::<Word>(&mut stream.recv, 64).await.unwrap().unwrap();
    (stream, word)
}

/// Somebody at the guest gate who has all that Ann has, but for her key.
async fn stranger(offered: &Offered) -> (Endpoint, Link) {
    let address = ["127.0.0.1:0".parse().unwrap()];
    let key = StaticKey::from_bytes([9; 32]);
    let endpoint = Endpoint::bind(&address, key, EndpointConfig::default()).await.unwrap();
    let gate = offered.offer.gate.as_ref().unwrap();
    let remotes: Vec<Remote> = offered.addresses().map(Remote::Udp).collect();
    let link = endpoint.connect(gate.dialled([1; 16]), remotes, Duration::from_secs(10)).await.unwrap();
    (endpoint, link)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_token_is_worth_nothing_and_who_shows_none_has_to_leave() {
    let service = service();
    let (ann, _bob, _rita) = three(&service).await;
    let (_, offered) = offered(&ann);
    let (_endpoint, link) = stranger(&offered).await;
    let token = offered.offer.relay.clone().unwrap();
    let thief = DeviceKeys::from_secrets(&Secret::new([1; 32]), &Secret::new([2; 32]));
    let bad = Word::Refused { reason: Reason::BadToken.number(), retry: None };
    let proof = Proof::sign(&thief, link.export(Proof::LABEL).as_bytes());
    assert_eq!(asked(&link, token.clone(), proof).await, bad);
    // Her own proof, made for another link.
    let keys = crate::Home::open(&ann.home()).unwrap().engine_identity().device;
    assert_eq!(asked(&link, token.clone(), Proof::sign(&keys, &[5; 32])).await, bad);
    // One that the thief signed itself.
    let now = crate::NodeClock::system().wall();
    let forged =
        Token::issue(&thief, Purpose::Relay, thief.public().sign, 1, now, now.after(Token::LIFETIME), 0);
    assert_eq!(asked(&link, forged.to_bytes(), proof).await, bad);
    // Nothing but what tokens are for is spoken.
    let mut stream = link.open("wayside/message/1").await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream.recv, &mut rest).await;
    assert!(rest.is_empty());
    let closed = tokio::time::timeout(Duration::from_secs(10), link.closed()).await;
    assert!(closed.is_ok(), "nobody stays without a token");
    // In earnest, the same is good.
    let (_endpoint, link) = stranger(&offered).await;
    let proof = Proof::sign(&keys, link.export(Proof::LABEL).as_bytes());
    assert!(matches!(asked(&link, token, proof).await, Word::Opened { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_on_counts_as_the_friend_s_and_only_where_it_may_be() {
    let service = service();
    let (ann, _bob, rita) = three(&service).await;
    let keys = crate::Home::open(&ann.home()).unwrap().engine_identity().device;
    let carl = DeviceKeys::from_secrets(&Secret::new([1; 32]), &Secret::new([2; 32]));
    let token = |person: &Person| Token::from_bytes(&offered(person).1.offer.relay.unwrap()).unwrap();
    let may_hand_on = async |hands| {
        let change = ChangeRelay { hand_on: Some(hands), ..ChangeRelay::default() };
        let _: RelayView = rita.api().patch("/v1/relay", &change).await.unwrap();
    };
    let until_when = token(&ann).expires();
    assert!(token(&ann).hand_on(&keys, carl.public().sign, until_when).is_err(), "not at first");
    may_hand_on(1).await;
    until("she was told", async || token(&ann).hands() == 1).await;
    let handed = token(&ann).hand_on(&keys, carl.public().sign, until_when).unwrap();
    let (_endpoint, link) = stranger(&offered(&ann).1).await;
    let proof = Proof::sign(&carl, link.export(Proof::LABEL).as_bytes());
    let before = view(&rita).await.friends[0].circuits;
    let (_stream, word) = asking(&link, handed.to_bytes(), proof, [7; 16]).await;
    assert!(matches!(word, Word::Opened { .. }), "{word:?}");
    assert_eq!(view(&rita).await.friends[0].circuits, before + 1, "it is hers");
    may_hand_on(0).await;
    let refused = Word::Refused { reason: Reason::NotAllowed.number(), retry: None };
    assert_eq!(asked(&link, handed.to_bytes(), proof).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_over_another_link_is_not_joined_with_itself() {
    let service = service();
    let (ann, bob, _rita) = three(&service).await;
    let keys = |person: &Person| crate::Home::open(&person.home()).unwrap().engine_identity().device;
    let ask = async |person: &Person| {
        let (_, offered) = offered(person);
        let (endpoint, link) = stranger(&offered).await;
        let proof = Proof::sign(&keys(person), link.export(Proof::LABEL).as_bytes());
        let (stream, word) = asking(&link, offered.offer.relay.clone().unwrap(), proof, [7; 16]).await;
        assert!(matches!(word, Word::Opened { .. }), "{word:?}");
        (endpoint, link, stream)
    };
    let (_first, _link, mut before) = ask(&ann).await;
    let (_second, _link, mut after) = ask(&ann).await;
    // What she lost is over, and nothing was joined.
    let end = read_frame::<Word>(&mut before.recv, 64).await.unwrap();
    assert_eq!(end, None);
    let (_third, _link, mut his) = ask(&bob).await;
    assert_eq!(read_frame::<Word>(&mut his.recv, 64).await.unwrap(), Some(Word::Joined));
    assert_eq!(read_frame::<Word>(&mut after.recv, 64).await.unwrap(), Some(Word::Joined));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_ends_with_the_token_that_it_was_given_for() {
    let service = service();
    let (ann, _bob, rita) = three(&service).await;
    let keys = |person: &Person| crate::Home::open(&person.home()).unwrap().engine_identity().device;
    let (_, offered) = offered(&ann);
    let serial = u64::MAX;
    let (now, subject) = (crate::NodeClock::system().wall(), keys(&ann).public().sign);
    let soon = now.after(Duration::from_secs(3));
    let brief = Token::issue(&keys(&rita), Purpose::Relay, subject, serial, now, soon, 0).to_bytes();
    let (_endpoint, link) = stranger(&offered).await;
    let proof = Proof::sign(&keys(&ann), link.export(Proof::LABEL).as_bytes());
    let (mut stream, word) = asking(&link, brief.clone(), proof, [7; 16]).await;
    assert!(matches!(word, Word::Opened { .. }), "{word:?}");
    let expired = Reason::Expired.number();
    let end = tokio::time::timeout(Duration::from_secs(20), read_frame::<Word>(&mut stream.recv, 64)).await;
    assert_eq!(end.unwrap().unwrap(), Some(Word::Ended { reason: expired }));
    assert_eq!(asked(&link, brief, proof).await, Word::Refused { reason: expired, retry: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_circuits_takes_one_friend_s_share_and_no_more() {
    let service = service();
    let (ann, bob, rita) = three(&service).await;
    let driver = ann.node().driver();
    let (device, offered) = offered(&ann);
    let link = driver.link_to_device(device, Duration::from_secs(5)).await.unwrap();
    let keys = crate::Home::open(&ann.home()).unwrap().engine_identity().device;
    let (token, proof) =
        (offered.offer.relay.clone().unwrap(), Proof::sign(&keys, link.export(Proof::LABEL).as_bytes()));
    let mut held = Vec::new();
    for number in 0..40u8 {
        let (stream, word) = asking(&link, token.clone(), proof, [number; 16]).await;
        match word {
            Word::Opened { .. } => held.push(stream),
            Word::Refused { reason, .. } => {
                assert_eq!(Reason::from_number(reason), Some(Reason::FriendCircuits));
            }
            other => panic!("{other:?}"),
        }
    }
    let seen = view(&rita).await;
    let hers = |view: &RelayView| view.friends.iter().find(|it| it.friend == "ann").unwrap().circuits;
    assert_eq!(hers(&seen), 16, "{seen:#?}");
    // Others are served: a third friend of hers and Bob.
    let carl = person("carl", &service, &V4).await;
    befriend(&rita, &carl).await;
    allow(&rita, "carl", true).await;
    until("the offer came", async || !view(&carl).await.relays.is_empty()).await;
    bob.accept(&carl.invite().await).await.unwrap();
    assert_eq!(bob.ping("carl").await.unwrap().relay.as_deref(), Some("rita"));
    // Dropped, they are closed, and the next one is to be had.
    drop(held);
    until("they are closed", async || hers(&view(&rita).await) <= 1).await;
    assert_eq!(bob.ping("ann").await.unwrap().relay.as_deref(), Some("rita"));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_at_once_and_what_was_forwarded_is_remembered() {
    let service = service();
    let (ann, bob, mut rita) = three(&service).await;
    bob.ping("ann").await.unwrap();
    let change =
        ChangeRelay { circuits: Some(0), rate_bytes_per_sec: Some(1_000_000), ..ChangeRelay::default() };
    let changed: RelayView = rita.api().patch("/v1/relay", &change).await.unwrap();
    assert_eq!((changed.limits.circuits, changed.limits.rate_bytes_per_sec), (0, Some(1_000_000)));
    until("circuits have ended", async || view(&rita).await.circuits == 0).await;
    let why = async || {
        let told = explain(&bob, "ann").await;
        told.steps
            .iter()
            .any(|it| it.kind == "no-relay" && it.what.contains("as many links as its owner allows"))
    };
    until("it is told why", why).await;
    let config = std::fs::read_to_string(rita.home().join("config.toml")).unwrap();
    assert!(config.contains("circuits = 0\n") && config.contains("rate = \"1 MB/s\""), "{config}");
    let forwarded = view(&rita).await.month_bytes;
    assert!(forwarded > 1000);
    rita.stop().await;
    rita.start_with(|node| node.listen(BOTH.map(str::to_owned).to_vec())).await;
    let seen = view(&rita).await;
    assert_eq!((seen.month_bytes, seen.limits.circuits), (forwarded, 0));
    assert_eq!(seen.friends.len(), 2);
    let _: RelayView = rita
        .api()
        .patch("/v1/relay", &ChangeRelay { circuits: Some(9), ..ChangeRelay::default() })
        .await
        .unwrap();
    drop(ann);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_relay_is_reached_without_any_bridge() {
    let service = service();
    let (mut ann, _bob, rita) = three(&service).await;
    let (device, _) = offered(&ann);
    ann.stop().await;
    ann.start_with(|node| node.listen(V4.map(str::to_owned).to_vec())).await;
    assert_eq!(view(&ann).await.relays.len(), 1, "the offer was kept");
    let driver = ann.node().driver();
    assert!(driver.links().all().is_empty());
    let link = driver.link_to_device(device, Duration::from_secs(5)).await.expect("a guest's link");
    assert!(driver.relays().guests_link(device).is_some() && driver.links().all().is_empty());
    let again = driver.link_to_device(device, Duration::from_secs(5)).await.unwrap();
    assert_eq!(link.number(), again.number(), "the same one for as long as it is used");
    let status: StatusView = rita.api().get("/v1/status").await.unwrap();
    assert!(status.links.iter().all(|it| it.friend != "ann"), "guests are no links of friends");
    let keys = crate::Home::open(&ann.home()).unwrap().engine_identity().device;
    let (token, exported) = (offered(&ann).1.offer.relay.unwrap(), link.export(Proof::LABEL));
    let rita_id = offered(&ann).1.account;
    let rita_says = |seen: &Witness| matches!(seen, Witness::Friend(account) if *account == rita_id);
    let told = || driver.reach().picture().addresses.iter().any(|(_, by)| by.iter().any(rita_says));
    assert!(!told(), "who has shown no token is told nothing");
    let (_stream, word) = asking(&link, token, Proof::sign(&keys, exported.as_bytes()), [7; 16]).await;
    assert!(matches!(word, Word::Opened { .. }));
    until("she is told how she is seen", async || told()).await;
    // Let no longer, she is shown out.
    allow(&rita, "ann", false).await;
    assert!(tokio::time::timeout(Duration::from_secs(5), link.closed()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_has_moved_is_met_by_bridges_as_anybody_is() {
    let service = service();
    let (ann, bob, mut rita) = three(&service).await;
    bob.ping("ann").await.unwrap();
    rita.stop().await;
    // At other ports, which nobody was told.
    rita.start_with(|node| node.listen(BOTH.map(str::to_owned).to_vec())).await;
    rita.node().ready().await;
    // An offer that came before she was found is made again after a minute, a fifth more or less.
    let sent = ann.send("bob", "met again", Some(120_000)).await.unwrap();
    assert_eq!(sent.state, MessageState::Delivered);
    assert_eq!(bob.ping("ann").await.unwrap().relay.as_deref(), Some("rita"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_network_blocks_udp_is_relayed_over_tcp() {
    let service = service();
    let bob = person("bob", &service, &V6).await;
    let ann = person("ann", &service, &["tcp://127.0.0.1:0"]).await;
    let rita = person("rita", &service, &["udp://[::1]:0", "tcp://127.0.0.1:0"]).await;
    for friend in [&ann, &bob] {
        befriend(&rita, friend).await;
        allow(&rita, friend.name, true).await;
        until("the offer came", async || view(friend).await.relays.len() == 1).await;
    }
    // Bob could go to her by TCP: he is not told where.
    super::meeting::says_nowhere(&ann).await;
    bob.accept(&ann.invite().await).await.unwrap();
    let pong = bob.ping("ann").await.unwrap();
    assert_eq!((pong.path, pong.relay.as_deref()), (PathKind::Relay, Some("rita")));
}

/// Both say at first that they are where nobody is, and then, over the relayed link, where they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_leaves_the_relay_as_soon_as_there_is_a_direct_way() {
    let service = service();
    let (ann, bob) = (person("ann", &service, &V4).await, person("bob", &service, &V4).await);
    let rita = relay("rita", &service, &ann, &bob).await;
    super::meeting::says_nowhere(&ann).await;
    super::meeting::says_nowhere(&bob).await;
    bob.accept(&ann.invite().await).await.unwrap();
    assert_eq!(bob.ping("ann").await.unwrap().relay.as_deref(), Some("rita"));
    let number = super::link(&bob, "ann").await.link.number();
    // Something is learnt: each says anew where it is.
    for person in [&ann, &bob] {
        person.node().driver().reach().say_again();
    }
    let direct = async || bob.ping("ann").await.unwrap().path == PathKind::Direct;
    until("the link is direct", direct).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = view(&rita).await;
    assert_eq!(seen.circuits, 0, "{seen:#?}");
    assert_eq!(ann.send("bob", "directly", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(super::link(&bob, "ann").await.link.number(), number, "the same link");
    assert_eq!(view(&rita).await.month_bytes, seen.month_bytes, "no byte more");
}
