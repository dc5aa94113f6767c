//! What goes through a relay arrives as it was sent, over whatever the links with the relay are carried.

use std::time::Duration;

use tokio::time::sleep;
use wayside_noise::{Kind, Remote};
use wayside_relay::Limits;

use crate::{
    common::loopback,
    scene::{ANN, BOB, Person, Scene, transfer},
};

const MANY: usize = 6 << 20;

#[tokio::test]
async fn what_goes_through_a_relay_arrives_as_it_was_sent() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    for (link, circuit) in [(&ann, &ends.ann), (&bob, &ends.bob)] {
        assert_eq!((link.kind(), link.tunnel()), (Kind::Relayed, Some(circuit.id())));
        assert!(link.paths().iter().all(|path| path.tunnel == Some(circuit.id())));
    }
    assert_eq!(rita.ann.0.tunnel(), None);
    transfer(&ann, &bob, MANY).await;
    transfer(&bob, &ann, MANY).await;
    let usage = rita.relay.usage();
    for owner in [ANN, BOB] {
        assert!(usage.of(&owner) as usize > MANY, "{owner:?}: {usage:?}");
    }
    assert_eq!((rita.relay.circuits().circuits, rita.relay.circuits().waiting), (1, 0));
}

#[tokio::test]
async fn both_ways_at_once() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    // Links with the relay itself go on beside their frames, in the same buffers of the kernel's.
    tokio::join!(
        transfer(&ann, &bob, MANY),
        transfer(&bob, &ann, MANY),
        transfer(&rita.ann.0, &rita.ann.1, MANY),
        transfer(&rita.bob.1, &rita.bob.0, MANY)
    );
}

#[tokio::test(start_paused = true)]
async fn in_virtual_time_with_loss_and_jitter() {
    let scene = Scene::in_memory(Duration::from_millis(10)).await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    let network = scene.network.as_ref().unwrap();
    network.lose(20, 7);
    network.jitter(Duration::from_millis(4));
    transfer(&ann, &bob, MANY / 4).await;
    network.lose(0, 7);
    network.jitter(Duration::ZERO);
    sleep(Duration::from_secs(5)).await;
    let rtt = ann.rtt();
    assert!(rtt >= Duration::from_millis(40) && rtt < Duration::from_millis(100), "{rtt:?}");
}

#[tokio::test]
async fn over_tcp_where_one_end_has_no_udp() {
    let scene = Scene::on_loopback().await;
    let rita = Person::new(3, None).await;
    let tcp = rita.endpoint.listen_tcp(loopback()).await.unwrap();
    let ann = scene.ann.link(&rita, vec![Remote::Tcp(tcp)]).await;
    assert_eq!(ann.0.kind(), Kind::Tcp);
    let bob = scene.bob.link(&rita, vec![rita.at()]).await;
    let mut rita = scene.with(rita, Limits::default(), ann, bob);
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    transfer(&ann, &bob, MANY / 2).await;
    transfer(&bob, &ann, MANY / 2).await;
    assert!(rita.forwarded() as usize > MANY);
}

#[tokio::test]
async fn a_link_that_is_relayed_itself_carries_no_circuit() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    // Ann reaches Rose through Rita, and Bob reaches her directly.
    let rose = Person::new(4, None).await;
    let tag = wayside_relay::Tag([9; 16]);
    let rita_and_rose = rose.link(&rita.person, vec![rita.person.at()]).await;
    let of_ann = rita.relay.open(&rita.ann.1, ANN, tag).unwrap();
    let of_rose = rita.relay.open(&rita_and_rose.1, wayside_relay::Owner([4; 32]), tag).unwrap();
    let to_rose = scene.ann.endpoint.circuit(&rita.ann.0, of_ann.circuit, of_ann.keys);
    let _to_ann = rose.endpoint.circuit(&rita_and_rose.0, of_rose.circuit, of_rose.keys);
    let ann = scene.ann.link(&rose, vec![Remote::Tunnel(to_rose.id())]).await;
    assert_eq!(ann.1.kind(), Kind::Relayed);
    let bob = scene.bob.link(&rose, vec![rose.at()]).await;
    let mut rose = scene.with(rose, Limits::default(), ann, bob);
    let nested = rose.circuit(&scene);
    scene.bob.endpoint.expect(scene.bob.expects(&scene.ann));
    let to = vec![Remote::Tunnel(nested.ann.id())];
    let dialling = scene.ann.endpoint.connect(scene.ann.expects(&scene.bob), to, Duration::from_secs(1));
    assert!(dialling.await.is_err());
    assert_eq!(rose.forwarded(), 0);
    // Through Rita alone it works.
    let (ann, bob) = scene.linked(&[&ends]).await;
    transfer(&ann, &bob, 1000).await;
}
