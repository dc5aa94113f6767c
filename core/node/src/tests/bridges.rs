//! Services that fail in the middle, and bridges that come and go.

use std::time::Duration;

use wayside_bridge::ErrorKind;

use super::{friends, service, until};
use crate::api::types::{AddBridge, BridgeView, MessageState};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_for_a_while_costs_a_delay_and_not_the_meeting() {
    let service = service();
    let (ann, mut bob) = friends(&service).await;
    bob.stop().await;
    service.fail_with(Some(ErrorKind::Unreachable));
    let sent = ann.send("bob", "hello", Some(300)).await.unwrap();
    assert_eq!(sent.state, MessageState::Queued);
    bob.start().await;
    until("it is said that the bridge does not work", || async {
        let bridges: Vec<BridgeView> = bob.api().get("/v1/bridges").await.unwrap();
        bridges.iter().all(|view| !view.healthy && view.error.is_some() && view.retry_at.is_some())
    })
    .await;
    service.fail_with(None);
    let mut texts = Vec::new();
    for _ in 0..6000 {
        texts.extend(bob.inbox().await);
        if !texts.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(texts, ["hello"]);
    until("nothing is left in the service", || async { service.stored() == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_was_removed_stays_away_and_may_come_back_under_its_name() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    for _ in 0..5 {
        let _: () = ann.api().delete("/v1/bridges/memory").await.unwrap();
        assert!(ann.api().get::<Vec<BridgeView>>("/v1/bridges").await.unwrap().is_empty());
        let options = [("member".to_owned(), "ann".to_owned())].into();
        let bridge = AddBridge { kind: "memory".into(), options, ..AddBridge::default() };
        let _: BridgeView = ann.api().post("/v1/bridges", &bridge).await.unwrap();
    }
    let views: Vec<BridgeView> = ann.api().get("/v1/bridges").await.unwrap();
    assert!(views.len() == 1 && views[0].healthy);
    assert_eq!(ann.send("bob", "still here", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    drop(bob);
}
