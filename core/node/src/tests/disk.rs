//! A disk that takes nothing for a while.

use std::time::{Duration, Instant};

use super::{Person, befriend, service, until};
use crate::api::types::{ApiError, ErrorCode, FriendView, InviteView, MessageState, NewInvite, StatusView};
use crate::store::Disk;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_soon_and_loses_nothing() {
    let service = service();
    let disk = Disk::default();
    let mut ann = Person::new_with("ann", &service, |node| node.disk(disk.clone())).await;
    let bob = Person::new("bob", &service).await;
    befriend(&ann, &bob).await;

    disk.fill(true);
    let began = Instant::now();
    let request = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
    for _ in 0..20 {
        let refused: Result<InviteView, ApiError> = ann.api().post("/v1/invites", &request).await;
        let refused = refused.unwrap_err();
        assert!(refused.code == ErrorCode::Home && refused.message.contains("make room"), "{refused}");
        let refused = ann.send("bob", "lost?", None).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Home, "{refused}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // What needs the disk says why not, what needs none goes on.
    if let Err(error) = ann.api().get::<StatusView>("/v1/status").await {
        assert!(error.code == ErrorCode::Home && error.message.contains("make room"), "{error}");
    }
    let friends: Vec<FriendView> = ann.api().get("/v1/friends").await.unwrap();
    assert_eq!(friends.len(), 1);
    for text in ["one", "two"] {
        assert_eq!(bob.send("ann", text, Some(300)).await.unwrap().state, MessageState::Queued);
    }

    disk.fill(false);
    let mut texts = Vec::new();
    for _ in 0..1000 {
        texts.extend(ann.inbox().await);
        if texts.len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(texts, ["one", "two"]);
    until("invites are made again", || async {
        ann.api().post::<_, InviteView>("/v1/invites", &request).await.is_ok()
    })
    .await;
    ann.stop().await;
    ann.start_with(|node| node.disk(disk.clone())).await;
    assert_eq!(ann.api().get::<Vec<FriendView>>("/v1/friends").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_dropped_lets_go_of_its_home() {
    let service = service();
    let mut ann = Person::new("ann", &service).await;
    ann.drop_node();
    for _ in 0..500 {
        let home = crate::Home::open(&ann.home()).unwrap();
        match crate::Node::builder(home, wayside_bridge::Registry::new()).start().await {
            Ok(node) => return node.shutdown().await,
            Err(error) => assert_eq!(error.code, ErrorCode::Busy, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the home is still in use");
}
