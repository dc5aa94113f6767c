//! A link through a relay learns of a better way and takes it, and the relay has nothing to do any more.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use wayside_noise::{
    Candidate, CandidateKind, Kind, LinkEvent, MeetEvent, Meeting, Nat, Remote,
    traversal::{Role, guard::Surroundings},
};
use wayside_relay::Limits;

use crate::{
    common::PATIENCE,
    scene::{Ends, Person, Scene, transfer, until, within},
};

const LATENCY: Duration = Duration::from_millis(20);
/// In virtual time: longer than anything takes to notice something.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn it_moves_in_the_middle_of_a_transfer() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    let mut events = ann.events();
    let moving = async {
        sleep(Duration::from_millis(20)).await;
        ann.learn(scene.bob.at());
        until("a direct path", || ann.kind().is_direct() && bob.kind().is_direct()).await;
    };
    tokio::join!(transfer(&ann, &bob, 32 << 20), moving);
    let mut moved = false;
    while let Ok(event) = events.try_recv() {
        moved |= matches!(event, LinkEvent::Moved(path) if path.kind.is_direct() && path.tunnel.is_none());
    }
    assert!(moved);
    assert_eq!((ann.tunnel(), bob.tunnel()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn no_byte_goes_through_the_relay_once_its_circuits_are_dropped() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let Ends { ann: to_bob, bob: to_ann, .. } = rita.circuit(&scene);
    let (ann, bob) = scene.ann.link(&scene.bob, vec![Remote::Tunnel(to_bob.id())]).await;
    transfer(&ann, &bob, 100_000).await;
    ann.learn(scene.bob.at());
    until("a direct path", || ann.kind().is_direct() && bob.kind().is_direct()).await;
    drop((to_bob, to_ann));
    let both_direct = || [&ann, &bob].iter().all(|link| link.paths().len() == 1);
    until("one path", both_direct).await;
    // What was on its way.
    sleep(4 * LATENCY).await;
    let before = rita.forwarded();
    for _ in 0..4 {
        transfer(&ann, &bob, 100_000).await;
        transfer(&bob, &ann, 100_000).await;
        sleep(LONG).await;
    }
    assert_eq!(rita.forwarded(), before);
    assert!(both_direct());
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_already_is_asked_anew_once_it_is_said_to_answer() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    let network = scene.network.as_ref().unwrap();
    network.cut(true);
    ann.learn(scene.bob.at());
    // By itself it is asked again after three seconds.
    sleep(Duration::from_millis(1_600)).await;
    network.cut(false);
    sleep(2 * LATENCY).await;
    assert!(!ann.kind().is_direct());
    ann.learn(scene.bob.at());
    let direct = async {
        while !ann.kind().is_direct() || !bob.kind().is_direct() {
            sleep(LATENCY / 2).await;
        }
    };
    timeout(Duration::from_millis(500), direct).await.expect("at once");
}

#[tokio::test(start_paused = true)]
async fn the_one_who_keeps_its_circuit_longer_loses_nothing() {
    for ann_first in [true, false] {
        let scene = Scene::in_memory(LATENCY).await;
        let mut rita = scene.relay(3, Limits::default()).await;
        let Ends { ann: to_bob, bob: to_ann, .. } = rita.circuit(&scene);
        let (ann, bob) = scene.ann.link(&scene.bob, vec![Remote::Tunnel(to_bob.id())]).await;
        ann.learn(scene.bob.at());
        until("a direct path", || ann.kind().is_direct() && bob.kind().is_direct()).await;
        let (first, second) = if ann_first { (to_bob, to_ann) } else { (to_ann, to_bob) };
        drop(first);
        transfer(&ann, &bob, 100_000).await;
        transfer(&bob, &ann, 100_000).await;
        sleep(LONG).await;
        drop(second);
        transfer(&bob, &ann, 100_000).await;
        until("one path", || [&ann, &bob].iter().all(|link| link.paths().len() == 1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_carries_the_link_alone_may_be_dropped_for_another_one() {
    for ann_first in [true, false] {
        let scene = Scene::in_memory(LATENCY).await;
        let mut rita = scene.relay(3, Limits::default()).await;
        let Ends { ann: to_bob, bob: to_ann, .. } = rita.circuit(&scene);
        let (ann, bob) = scene.ann.link(&scene.bob, vec![Remote::Tunnel(to_bob.id())]).await;
        transfer(&ann, &bob, 1_000).await;
        let (first, second) = if ann_first { (to_bob, to_ann) } else { (to_ann, to_bob) };
        drop(first);
        let (sent, mut stream) = (vec![7; 10_000], ann.open("test/cut").await.unwrap());
        stream.send.write_all(&sent).await.unwrap();
        sleep(Duration::from_secs(3)).await;
        assert!(bob.paths().len() <= 1);
        let again = rita.circuit(&scene);
        ann.learn(Remote::Tunnel(again.ann.id()));
        let (_, mut theirs) = timeout(PATIENCE, bob.accept()).await.unwrap().unwrap();
        let mut received = vec![0; sent.len()];
        timeout(PATIENCE, theirs.recv.read_exact(&mut received)).await.unwrap().unwrap();
        assert_eq!(received, sent);
        drop(second);
        transfer(&bob, &ann, 100_000).await;
        transfer(&ann, &bob, 100_000).await;
        assert_eq!((ann.tunnel(), bob.tunnel()), (Some(again.ann.id()), Some(again.bob.id())));
    }
}

#[tokio::test(start_paused = true)]
async fn circuits_come_and_go_for_as_long_as_a_link_lives() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let mut held = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&held]).await;
    // More than a link has candidates.
    for _ in 0..50 {
        let next = rita.circuit(&scene);
        ann.learn(Remote::Tunnel(next.ann.id()));
        within("two paths", async {
            while ann.paths().len() < 2 {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        rita.relay.close(rita.ann.1.number(), held.opened[0].circuit);
        held = next;
        until("the new one carries it", || {
            ann.tunnel() == Some(held.ann.id()) && bob.tunnel() == Some(held.bob.id())
        })
        .await;
        transfer(&ann, &bob, 1_000).await;
    }
    assert_eq!(rita.relay.circuits().circuits, 1);
}

/// What one side says of a meeting in which nobody is reached directly.
fn meeting(of: &Person, peer: &Person, role: Role) -> Meeting {
    let ourselves = of.endpoint.local_addresses();
    let interfaces = ourselves.iter().map(|address| (address.ip(), 32)).collect();
    let nowhere = Candidate { kind: CandidateKind::Reflexive, address: ([10, 0, 0, 99], 9).into() };
    Meeting {
        expectation: of.expects(peer),
        role,
        candidates: vec![nowhere],
        others: Vec::new(),
        theirs: Nat::default(),
        surroundings: Surroundings { interfaces, gateways: Vec::new(), ourselves },
        nat: Nat::default(),
        latency: Duration::from_secs(1),
        may_guess: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_meeting_takes_the_circuit_that_turns_up_and_then_the_direct_way() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    scene.bob.endpoint.expect(scene.bob.expects(&scene.ann));
    let (by_ann, mut reached) = scene.ann.endpoint.meet(meeting(&scene.ann, &scene.bob, Role::Dials));
    let (by_bob, _events) = scene.bob.endpoint.meet(meeting(&scene.bob, &scene.ann, Role::Waits));
    let linking = by_ann.link(PATIENCE);
    tokio::pin!(linking);
    assert!(timeout(Duration::from_secs(2), &mut linking).await.is_err());
    let ends = rita.circuit(&scene);
    by_bob.add(Remote::Tunnel(ends.bob.id()));
    by_ann.add(Remote::Tunnel(ends.ann.id()));
    let at_once = timeout(Duration::from_secs(1), linking).await;
    let ann = at_once.expect("at once").unwrap();
    let bob = within("a link", scene.bob.endpoint.accept()).await.unwrap();
    assert_eq!((ann.tunnel(), bob.tunnel()), (Some(ends.ann.id()), Some(ends.bob.id())));
    // The meeting goes on.
    let bobs = Candidate { kind: CandidateKind::Host, address: scene.bob.endpoint.local_addresses()[0] };
    by_ann.peer(&[bobs], Nat::default());
    let way = async {
        loop {
            if let Some(MeetEvent::Reached(way)) = reached.recv().await {
                return way.remote;
            }
        }
    };
    ann.learn(within("reached", way).await);
    until("a direct path", || ann.kind().is_direct() && bob.kind().is_direct()).await;
    // One that comes later still is a way for the link.
    let (again, paths) = (rita.circuit(&scene), ann.paths().len());
    by_ann.add(Remote::Tunnel(again.ann.id()));
    until("one more path", || ann.paths().len() > paths).await;
    assert!(matches!(ann.kind(), Kind::Udp { .. }));
}
