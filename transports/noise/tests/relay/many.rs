//! A thousand circuits that nobody uses.

use std::time::Duration;

use tokio::time::sleep;
use wayside_relay::Limits;

use crate::scene::{Scene, transfer, until};

const MANY: u8 = 250;

#[tokio::test(start_paused = true)]
async fn a_thousand_idle_circuits_cost_nothing_and_hold_nobody_up() {
    let scene = Scene::in_memory(Duration::from_millis(10)).await;
    let limits = Limits { circuits: 10_000, friend_circuits: 10_000, ..Limits::default() };
    let mut relays = Vec::new();
    for number in 3..7 {
        relays.push(scene.relay(number, limits).await);
    }
    let mut idle = Vec::new();
    for rita in &mut relays {
        idle.extend((0..MANY).map(|_| rita.circuit(&scene)));
    }
    assert_eq!(idle.len(), 1_000);
    let network = scene.network.as_ref().unwrap();
    sleep(Duration::from_secs(60)).await;
    let before = network.sent();
    sleep(Duration::from_secs(600)).await;
    let sent = network.sent() - before;
    // What eight links need to stay alive: a packet each way in 20 s, and what asks whether they live.
    assert!(sent < 2_000, "{sent} datagrams in ten minutes");
    assert!(relays.iter().all(|rita| rita.forwarded() == 0));
    let (ann, bob) = scene.linked(&[&idle[500]]).await;
    transfer(&ann, &bob, 100_000).await;
    drop(idle);
    until("none leads anywhere", || ann.paths().is_empty()).await;
    let again = relays[0].circuit(&scene);
    ann.learn(wayside_noise::Remote::Tunnel(again.ann.id()));
    until("it is back", || ann.tunnel() == Some(again.ann.id())).await;
    transfer(&bob, &ann, 100_000).await;
    // The relays are told by whoever had them.
    let rita = &relays[1];
    assert_eq!(rita.relay.circuits().circuits, usize::from(MANY));
    rita.ann.0.close("enough");
    until("they are over", || rita.relay.circuits().circuits == 0).await;
}
