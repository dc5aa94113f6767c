//! Ann and Bob, who meet through Rita: how long it takes, in simulated time, and what ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wayside::api::types::{Accept, AddBridge, BridgeView, ChangeFriend, NewInvite};
use wayside::bridge::{MemoryService, Registry, Timestamp};
use wayside::link::Network;
use wayside::testing::MemoryNetwork;
use wayside::{Home, Node, NodeBuilder, NodeClock};

/// One way between any two.
const LEG: Duration = Duration::from_millis(40);
/// What the machines may take beside the network, of which the simulation has nearly none.
const SLACK: Duration = Duration::from_millis(50);
/// For cards to arrive and records to be taken back.
const SETTLE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

struct Circle {
    ann: Node,
    bob: Node,
    rita: Node,
    start_rita: Box<dyn Fn() -> NodeBuilder>,
    _folder: tempfile::TempDir,
}

impl Circle {
    /// Ann and Bob are each linked with Rita, whom they met at a service that they do not use any more. She lets both.
    async fn new() -> Self {
        let clock = NodeClock::simulated(Timestamp::from_secs(1_767_225_600));
        let service = MemoryService::builder().clock(Arc::new(clock)).build();
        let network = MemoryNetwork::new(LEG);
        let folder = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        let root = folder.path().to_owned();
        let build = move |name: &str, number: u8| {
            let home = Home::open(&root.join(name)).unwrap();
            Node::builder(home, Registry::new().with(service.clone()))
                .clock(clock)
                .seed([number; 32])
                .network(Network::Memory(network.clone()))
                .listen(vec![format!("udp://5.0.0.{number}:4040")])
        };
        for (name, number) in [("ann", 1), ("bob", 2), ("rita", 3)] {
            Home::init_seeded(&folder.path().join(name), name, &[number; 32]).unwrap();
            let node = build(name, number).start().await.unwrap();
            add(&node, "memory", "member", name).await;
            nodes.push(node);
        }
        let [ann, bob, rita]: [Node; 3] = nodes.try_into().unwrap();
        for friend in [&ann, &bob] {
            befriend(&rita, friend).await;
        }
        for name in ["ann", "bob"] {
            let change = ChangeFriend { allow: vec!["meet".into()], ..ChangeFriend::default() };
            rita.change_friend(name, change).await.unwrap();
        }
        for friend in [&ann, &bob] {
            let view = add(friend, "friend", "friend", "Rita").await;
            assert_eq!(view.locators, [format!("friend:{}", rita.id().account)]);
            friend.remove_bridge("memory").await.unwrap();
        }
        sleep(SETTLE).await;
        Self { ann, bob, rita, start_rita: Box::new(move || build("rita", 3)), _folder: folder }
    }

    /// Ann and Bob become friends, at Rita's.
    async fn befriend(&self) -> Duration {
        let began = Instant::now();
        befriend(&self.ann, &self.bob).await;
        began.elapsed()
    }

    /// They lose sight of each other.
    async fn part(&self) {
        sleep(SETTLE).await;
        let link = timeout(PATIENCE, self.ann.connect("bob")).await.unwrap().unwrap().link;
        link.close("the test says so");
        sleep(SETTLE).await;
        assert!(self.ann.linked("bob").await.unwrap().is_none());
        assert!(self.bob.linked("ann").await.unwrap().is_none());
    }
}

async fn add(node: &Node, kind: &str, option: &str, value: &str) -> BridgeView {
    let options = [(option.to_owned(), value.to_owned())].into();
    let bridge = AddBridge { kind: kind.to_owned(), options, ..AddBridge::default() };
    timeout(PATIENCE, node.add_bridge(bridge)).await.unwrap().unwrap()
}

async fn befriend(inviter: &Node, guest: &Node) {
    let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 3600 };
    let invite = inviter.invite(wanted).await.unwrap().invite;
    let accepted = guest.accept_invite(Accept { invite, name: None, wait_ms: 60_000 }).await.unwrap();
    let name = accepted.friend.unwrap();
    timeout(PATIENCE, guest.connect(&name)).await.unwrap().unwrap();
}

async fn bridge(node: &Node) -> BridgeView {
    node.bridges().await.unwrap().into_iter().find(|bridge| bridge.kind == "friend").unwrap()
}

/// Ann's word goes to Bob through Rita and his to her: four legs. Then her first datagram goes to him directly, along with her
/// question, and his comes back: two.
/// Nothing else waits for anything.
#[tokio::test(start_paused = true)]
async fn meeting_through_a_friend_takes_as_long_as_the_legs_do() {
    let circle = Circle::new().await;
    let befriended = circle.befriend().await;
    // Bob's join, Ann's welcome, and the same direct part.
    assert!((6 * LEG..=6 * LEG + SLACK).contains(&befriended), "becoming friends took {befriended:?}");
    for _ in 0..3 {
        circle.part().await;
        let wanted = Instant::now();
        timeout(PATIENCE, circle.ann.connect("bob")).await.unwrap().unwrap();
        let took = wanted.elapsed();
        let steps = circle.ann.explain("bob").await.unwrap().steps;
        let at = |word: &str| steps.iter().rfind(|step| step.kind == word).unwrap().ms;
        let through_rita = Duration::from_millis(at("answer-read") - at("offered"));
        assert!((4 * LEG..=4 * LEG + SLACK / 5).contains(&through_rita), "{through_rita:?}, {steps:?}");
        assert!((6 * LEG..=6 * LEG + SLACK).contains(&took), "{took:?}, {steps:?}");
    }
}

/// Who is let no longer meets nobody there, and who is let again does at once.
#[tokio::test(start_paused = true)]
async fn what_she_takes_back_ends_and_what_she_gives_begins() {
    let circle = Circle::new().await;
    circle.befriend().await;
    circle.part().await;
    let let_bob = async |allow: bool| {
        let word = vec!["meet".to_owned()];
        let change = match allow {
            true => ChangeFriend { allow: word, ..ChangeFriend::default() },
            false => ChangeFriend { deny: word, ..ChangeFriend::default() },
        };
        circle.rita.change_friend("bob", change).await.unwrap();
        sleep(Duration::from_secs(2)).await;
    };
    let_bob(false).await;
    let view = bridge(&circle.bob).await;
    assert!(!view.healthy && view.error.as_ref().unwrap().contains("meet"), "{view:?}");
    assert!(bridge(&circle.ann).await.healthy, "she still lets Ann");
    assert!(timeout(Duration::from_secs(20), circle.ann.connect("bob")).await.is_err());
    let_bob(true).await;
    let view = bridge(&circle.bob).await;
    assert!(view.healthy, "{view:?}");
    timeout(PATIENCE, circle.bob.connect("ann")).await.unwrap().unwrap();
}

/// Without a link with her both come as her guests: she gave each a token and the keys of her gate, and neither needs another bridge for that.
#[tokio::test(start_paused = true)]
async fn who_has_no_link_with_her_comes_as_a_guest() {
    let circle = Circle::new().await;
    circle.befriend().await;
    circle.part().await;
    for friend in [&circle.ann, &circle.bob] {
        friend.connect("rita").await.unwrap().link.close("the test says so");
    }
    sleep(SETTLE).await;
    for friend in [&circle.ann, &circle.bob] {
        assert!(friend.linked("rita").await.unwrap().is_none());
        let view = bridge(friend).await;
        assert!(view.healthy, "{view:?}");
    }
    let wanted = Instant::now();
    timeout(PATIENCE, circle.ann.connect("bob")).await.unwrap().unwrap();
    let took = wanted.elapsed();
    assert!((6 * LEG..=6 * LEG + SLACK).contains(&took), "{took:?}");
    // What she takes back ends that too.
    let change = ChangeFriend { deny: vec!["meet".into()], ..ChangeFriend::default() };
    circle.rita.change_friend("bob", change).await.unwrap();
    sleep(SETTLE).await;
    let view = bridge(&circle.bob).await;
    assert!(!view.healthy, "{view:?}");
    assert!(bridge(&circle.ann).await.healthy);
}

/// While she is away the bridge says so, and once she is back it works again.
#[tokio::test(start_paused = true)]
async fn the_bridge_goes_and_comes_with_her() {
    let Circle { ann, bob, rita, start_rita, _folder } = Circle::new().await;
    rita.shutdown().await;
    sleep(Duration::from_secs(600)).await;
    for friend in [&ann, &bob] {
        let view = bridge(friend).await;
        assert!(!view.healthy && view.error.as_ref().unwrap().contains("no link with rita"), "{view:?}");
    }
    let rita = start_rita().start().await.unwrap();
    // As often as bridges are tried at least.
    sleep(Duration::from_secs(400)).await;
    for friend in [&ann, &bob] {
        let view = bridge(friend).await;
        assert!(view.healthy, "{view:?}");
    }
    befriend(&ann, &bob).await;
    drop(rita);
}
