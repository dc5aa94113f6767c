//! Two nodes in one process become friends over a service in memory, and talk.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use support::{Person, service, until};
use wayside_node::api::types::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_makes_friends_who_talk() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    assert_eq!(service.stored(), 0, "nothing is published before anybody wants anything");

    let accepted = bob.accept(&ann.invite().await).await.unwrap();
    assert_eq!(accepted.state, AcceptState::Done);
    assert_eq!(accepted.friend.as_deref(), Some("ann"));

    let pong = bob.ping("ann").await.unwrap();
    assert_eq!(pong.path, PathKind::Direct);
    assert!(ann.ping("bob").await.is_ok());

    let sent = bob.send("ann", "hello", Some(10_000)).await.unwrap();
    assert_eq!(sent.state, MessageState::Delivered);
    let sent = ann.send("bob", "hello yourself", Some(10_000)).await.unwrap();
    assert_eq!(sent.state, MessageState::Delivered);
    assert_eq!(ann.inbox().await, ["hello"]);
    assert_eq!(bob.inbox().await, ["hello yourself"]);
    assert!(ann.inbox().await.is_empty(), "each message is shown once");

    until("nothing is left in the service", || async { service.stored() == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_meet_again_through_the_service_and_what_waited_arrives_in_order() {
    let service = service();
    let (mut ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    ann.stop().await;

    for number in 0..20 {
        let sent = bob.send("ann", &number.to_string(), None).await.unwrap();
        assert_eq!(sent.state, MessageState::Queued);
    }
    ann.start().await;
    let mut texts = Vec::new();
    for _ in 0..2000 {
        texts.extend(ann.inbox().await);
        if texts.len() == 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    until("nothing is left in the service", || async { service.stored() == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_for_one_refuses_another_and_is_patient_with_the_same() {
    let service = service();
    let ann = Person::new("ann", &service).await;
    let (bob, eve) = (Person::new("bob", &service).await, Person::new("eve", &service).await);
    let invite = ann.invite().await;
    assert_eq!(bob.accept(&invite).await.unwrap().state, AcceptState::Done);
    assert_eq!(bob.accept(&invite).await.unwrap().state, AcceptState::Done);
    let refused = eve.accept(&invite).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invite);
    assert!(refused.message.contains("somebody else has used"), "{}", refused.message);
    let friends: Vec<FriendView> = ann.api().get("/v1/friends").await.unwrap();
    assert_eq!(friends.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_take_effect_over_the_live_link() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    let allow = ChangeFriend { allow: vec!["relay".into()], ..ChangeFriend::default() };
    let view: FriendView = ann.api().patch("/v1/friends/bob", &allow).await.unwrap();
    assert_eq!(view.allows, ["relay"]);
    until("bob knows", || async {
        let view: FriendView = bob.api().get("/v1/friends/ann").await.unwrap();
        view.granted == ["relay"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_friend_is_cut_off_until_unblocked() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    let block = |blocked| ChangeFriend { blocked: Some(blocked), ..ChangeFriend::default() };
    let view: FriendView = ann.api().patch("/v1/friends/bob", &block(true)).await.unwrap();
    assert!(view.blocked && view.link == LinkState::Down);
    until("bob's link is gone", || async {
        let view: FriendView = bob.api().get("/v1/friends/ann").await.unwrap();
        view.link == LinkState::Down
    })
    .await;
    assert_eq!(bob.send("ann", "hello?", Some(1_000)).await.unwrap().state, MessageState::Queued);
    let _: FriendView = ann.api().patch("/v1/friends/bob", &block(false)).await.unwrap();
    assert!(ann.ping("bob").await.is_ok());
    until("what waited arrived", || async { ann.inbox().await == ["hello?"] }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_home_has_one_node() {
    let service = service();
    let ann = Person::new("ann", &service).await;
    let home = wayside_node::Home::open(&ann.home()).unwrap();
    let second = wayside_node::Node::builder(home, wayside_bridge::Registry::new()).start().await;
    let error = second.unwrap_err();
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.message.contains("another wayside is using"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_and_again_meets_each_time() {
    let service = service();
    let (ann, mut bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    for round in 0..3 {
        bob.stop().await;
        until("nothing is left in the service", || async { service.stored() == 0 }).await;
        bob.start().await;
        if let Err(error) = bob.ping("ann").await {
            let explained: Explanation = bob.api().get("/v1/friends/ann/explain").await.unwrap();
            let other: Explanation = ann.api().get("/v1/friends/bob/explain").await.unwrap();
            panic!("round {round}: {error}\n{explained:#?}\n{other:#?}");
        }
    }
}
