//! Relays, links with them and circuits end at any moment.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};
use wayside_noise::{Link, RelayEvent, Remote};
use wayside_relay::{Limits, Owner, Reason, Tag};

use crate::{
    common::PATIENCE,
    scene::{ANN, BOB, Scene, transfer, until, within},
};

const LATENCY: Duration = Duration::from_millis(20);

/// Bytes that go on and on from one end to the other; the longest pause, and that nothing was lost.
async fn flow(from: &Link, to: &Link, rounds: u32) -> Duration {
    let mut stream = from.open("test/flow").await.unwrap();
    let sending = tokio::spawn(async move {
        for round in 0..rounds {
            stream.send.write_all(&round.to_be_bytes()).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        stream.send.finished().await.unwrap();
    });
    let (_, mut theirs) = timeout(PATIENCE, to.accept()).await.unwrap().unwrap();
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    for round in 0..rounds {
        let mut next = [0; 4];
        theirs.recv.read_exact(&mut next).await.unwrap();
        assert_eq!(u32::from_be_bytes(next), round);
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    sending.await.unwrap();
    longest
}

#[tokio::test(start_paused = true)]
async fn of_two_relays_one_is_killed_and_the_other_carries_on() {
    for from_ann in [true, false] {
        let scene = Scene::in_memory(LATENCY).await;
        let mut rita = Some(scene.relay(3, Limits::default()).await);
        let mut rose = Some(scene.relay(4, Limits::default()).await);
        let through_rita = rita.as_mut().unwrap().circuit(&scene);
        let through_rose = rose.as_mut().unwrap().circuit(&scene);
        let (ann, bob) = scene.linked(&[&through_rita, &through_rose]).await;
        until("both paths", || ann.paths().len() == 2 && bob.paths().len() == 2).await;
        let (from, to) = if from_ann { (&ann, &bob) } else { (&bob, &ann) };
        let killing = async {
            sleep(Duration::from_secs(1)).await;
            let in_use = from.tunnel().unwrap();
            let is_ritas = [through_rita.ann.id(), through_rita.bob.id()].contains(&in_use);
            let network = scene.network.as_ref().unwrap();
            // Without a word: it hears and says nothing from now on.
            let dead = if is_ritas { rita.take() } else { rose.take() }.unwrap();
            network.isolate(dead.person.endpoint.local_addresses()[0]);
            sleep(Duration::from_secs(3)).await;
            (in_use, dead)
        };
        let (longest, (died, _dead)) = tokio::join!(flow(from, to, 4_000), killing);
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        assert_ne!(from.tunnel(), Some(died));
        transfer(&ann, &bob, 100_000).await;
        transfer(&bob, &ann, 100_000).await;
    }
}

#[tokio::test]
async fn of_two_relays_one_ends_in_the_middle_of_a_transfer() {
    let scene = Scene::on_loopback().await;
    let mut rita = Some(scene.relay(3, Limits::default()).await);
    let mut rose = Some(scene.relay(4, Limits::default()).await);
    let through_rita = rita.as_mut().unwrap().circuit(&scene);
    let through_rose = rose.as_mut().unwrap().circuit(&scene);
    let (ann, bob) = scene.linked(&[&through_rita, &through_rose]).await;
    until("both paths", || ann.paths().len() == 2 && bob.paths().len() == 2).await;
    let killing = async {
        sleep(Duration::from_millis(30)).await;
        let is_ritas = ann.tunnel() == Some(through_rita.ann.id());
        drop(if is_ritas { rita.take() } else { rose.take() });
    };
    let (took, ()) = tokio::join!(transfer(&ann, &bob, 16 << 20), killing);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_circuit_ends_with_the_link_over_which_it_goes() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    let (anns, bobs) = (rita.ann.1.number(), rita.bob.1.number());
    assert_eq!(rita.event().await, RelayEvent::Joined { link: anns, circuit: ends.opened[0].circuit });
    rita.ann.0.close("enough");
    let left = RelayEvent::Ended { link: bobs, circuit: ends.opened[1].circuit, reason: Reason::Left };
    assert_eq!(rita.event().await, left);
    until("no path", || ann.paths().is_empty()).await;
    // Bob knows by what the relay tells him, or by silence.
    assert_eq!(rita.relay.circuits().circuits, 0);
    let again = rita.relay.open(&rita.ann.1, ANN, Tag([99; 16]));
    assert_eq!(again.unwrap_err().reason, Reason::Ending);
    let dead = scene.ann.endpoint.circuit(&rita.ann.0, ends.opened[0].circuit, ends.opened[0].keys.clone());
    scene.bob.endpoint.expect(scene.bob.expects(&scene.ann));
    let dialling = scene.ann.endpoint.connect(
        scene.ann.expects(&scene.bob),
        [Remote::Tunnel(dead.id())],
        Duration::from_secs(2),
    );
    assert!(dialling.await.is_err());
    drop((ann, bob));
}

#[tokio::test(start_paused = true)]
async fn limits_are_lowered_in_mid_flight() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    rita.event().await;
    let fast = transfer(&ann, &bob, 500_000).await;
    let lowering = async {
        sleep(3 * LATENCY).await;
        rita.relay.set_limits(Limits { rate: Some(100_000), ..Limits::default() });
    };
    let (slow, ()) = tokio::join!(transfer(&ann, &bob, 1_000_000), lowering);
    assert!(slow > Duration::from_secs(4) && slow > 2 * fast, "{slow:?} after {fast:?}");
    rita.relay.set_limits(Limits { circuits: 0, ..Limits::default() });
    for _ in 0..2 {
        let event = rita.event().await;
        assert!(matches!(event, RelayEvent::Ended { reason: Reason::Circuits, .. }), "{event:?}");
    }
    let before = rita.forwarded();
    ann.send_datagram(vec![1; 100].into()).unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!((rita.relay.circuits().circuits, rita.forwarded()), (0, before));
    let refused = rita.relay.open(&rita.ann.1, ANN, Tag([50; 16])).unwrap_err();
    assert_eq!(refused.reason, Reason::Circuits);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_is_told_and_whoever_is_revoked_too() {
    let scene = Scene::in_memory(LATENCY).await;
    let half_open = Duration::from_secs(10);
    let mut rita = scene.relay(3, Limits { half_open, ..Limits::default() }).await;
    let alone = rita.relay.open(&rita.ann.1, ANN, Tag([50; 16])).unwrap();
    let began = Instant::now();
    let link = rita.ann.1.number();
    let ended = RelayEvent::Ended { link, circuit: alone.circuit, reason: Reason::Alone };
    assert_eq!(within("an end", rita.events.recv()).await, None.or(Some(ended)));
    assert!(began.elapsed() >= half_open);
    rita.circuit(&scene);
    rita.event().await;
    rita.relay.revoke(BOB);
    let reasons = [rita.event().await, rita.event().await].map(|event| match event {
        RelayEvent::Ended { link, reason, .. } => (link == rita.bob.1.number(), reason),
        event => panic!("{event:?}"),
    });
    assert!(reasons.contains(&(true, Reason::Revoked)) && reasons.contains(&(false, Reason::Left)));
}

#[tokio::test(start_paused = true)]
async fn another_relay_takes_the_place_of_the_one_before() {
    let scene = Scene::in_memory(LATENCY).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    transfer(&ann, &bob, 1_000).await;
    let (relay, events) = rita.person.endpoint.relay(Limits::default(), rita.relay.usage());
    let (former, mut formers) =
        (std::mem::replace(&mut rita.relay, relay), std::mem::replace(&mut rita.events, events));
    while within("the end", formers.recv()).await.is_some() {}
    assert!(former.open(&rita.ann.1, ANN, Tag([50; 16])).is_err());
    drop(former);
    let carried = rita.forwarded();
    assert!(carried > 1_000, "what was forwarded in this month goes on");
    let again = rita.circuit(&scene);
    ann.learn(Remote::Tunnel(again.ann.id()));
    until("the new one carries it", || ann.tunnel() == Some(again.ann.id())).await;
    transfer(&bob, &ann, 1_000).await;
    assert!(rita.relay.usage().of(&Owner(BOB.0)) > 1_000);
}
