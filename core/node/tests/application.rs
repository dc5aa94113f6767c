//! What an application does with a node in its own process, without the local API.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use support::{Person, service, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wayside_node::api::types::*;
use wayside_node::{ConnectError, Events, Node, NodeBuilder};

/// Long enough for anything here, on a machine with other things to do.
const SOON: Duration = Duration::from_secs(20);

fn shouts(builder: NodeBuilder) -> NodeBuilder {
    builder.serve("shout/1", |peer, mut stream| async move {
        let mut text = String::new();
        stream.recv.read_to_string(&mut text).await?;
        stream.send.write_all(format!("{}, {}!", text.to_uppercase(), peer.account).as_bytes()).await
    })
}

async fn friends() -> (Person, Person) {
    let service = service();
    let ann = Person::new_with("ann", &service, shouts).await;
    let bob = Person::new("bob", &service).await;
    let wanted = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
    let invite = ann.node().invite(wanted).await.unwrap().invite;
    assert_eq!(bob.node().preview(&invite).await.unwrap().bridges, ["memory"]);
    let accept = Accept { invite, name: None, wait_ms: 20_000 };
    assert_eq!(bob.node().accept_invite(accept).await.unwrap().state, AcceptState::Done);
    (ann, bob)
}

async fn event(events: &mut Events, mut wanted: impl FnMut(&NodeEvent) -> bool) -> NodeEvent {
    let found = async {
        loop {
            let event = events.next().await.expect("the node runs");
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(SOON, found).await.expect("it happens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friend_is_connected_with_by_name_and_by_account_and_answers_streams() {
    let (ann, bob) = friends().await;
    let peer = timeout(SOON, bob.node().connect("ann")).await.unwrap().unwrap();
    assert_eq!(peer.account.to_string(), ann.node().id().account);
    let mut stream = peer.link.open("shout/1").await.unwrap();
    stream.send.write_all(b"hello").await.unwrap();
    stream.send.finish();
    let mut answer = String::new();
    stream.recv.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, format!("HELLO, {}!", bob.node().id().account));

    let again = bob.node().connect(&peer.account.to_string()).await.unwrap();
    assert_eq!(again.link.session(), peer.link.session(), "a link that is up is the answer");
    let status = bob.node().status().await.unwrap();
    assert!(
        matches!(status.links.as_slice(), [link] if link.transport == Some(Transport::Udp)),
        "{status:?}"
    );
    let friend = bob.node().friend("ANN").await.unwrap();
    assert!(friend.rtt_ms.is_some_and(|rtt| rtt > 0.0) && friend.remote.is_some(), "{friend:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_closed_is_made_anew_and_events_tell() {
    let (ann, bob) = friends().await;
    let peer = timeout(SOON, bob.node().connect("ann")).await.unwrap().unwrap();
    timeout(SOON, ann.node().connect("bob")).await.unwrap().unwrap();
    let (account, mut events) = (bob.node().id().account, ann.node().events());
    peer.link.close("for a test");
    let down = event(&mut events, |event| matches!(event, NodeEvent::LinkDown { .. })).await;
    assert_eq!(down, NodeEvent::LinkDown { friend: "bob".into(), account: account.clone() });
    let again = timeout(SOON, bob.node().connect("ann")).await.unwrap().unwrap();
    let up = event(&mut events, |event| matches!(event, NodeEvent::LinkUp { .. })).await;
    assert!(
        matches!(&up, NodeEvent::LinkUp { account: who, path: PathKind::Direct, transport: Some(Transport::Udp), remote: Some(_), .. } if *who == account),
        "{up:?}"
    );
    assert!(again.link.rtt() > Duration::ZERO);
    let sent = bob.node().send(Send { wait_ms: Some(20_000), ..Send::new("ann".into(), "hi".into()) }).await;
    let id = sent.unwrap().id;
    let came = event(&mut events, |event| matches!(event, NodeEvent::MessageReceived { .. })).await;
    assert_eq!(came, NodeEvent::MessageReceived { id: id.clone(), from: "bob".into(), account });
    let unread = ann.node().unread().await.unwrap();
    assert!(matches!(unread.as_slice(), [message] if message.text == "hi" && message.id == id));
    ann.node().mark_read(&[id]).await.unwrap();
    assert!(ann.node().unread().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_wants_nothing_any_more() {
    let service = service();
    let (ann, mut bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    until("they are linked", || async { ann.node().linked("bob").await.unwrap().is_some() }).await;
    bob.stop().await;
    until("the link is gone", || async { ann.node().linked("bob").await.unwrap().is_none() }).await;
    until("nothing is left in the service", || async { service.stored() == 0 }).await;
    {
        let connecting = ann.node().connect("bob");
        tokio::pin!(connecting);
        let offered = until("an offer lies there", || async { service.stored() > 0 });
        tokio::select! {
            linked = &mut connecting => panic!("bob is away: {linked:?}"),
            () = offered => {}
        }
    }
    until("the offer is taken back", || async { service.stored() == 0 }).await;

    let wanted = ann.node().want("bob").await.unwrap();
    bob.start().await;
    let peer = timeout(SOON, bob.node().connect("ann")).await.unwrap().unwrap();
    assert_eq!(peer.account.to_string(), ann.node().id().account);
    assert_eq!(wanted.account().to_string(), bob.node().id().account);
    // It holds no home: the next node takes it while it lives.
    let mut ann = ann;
    ann.stop().await;
    ann.start().await;
    drop(wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_waiting_does_not_bring_is_an_error() {
    let (ann, mut bob) = friends().await;
    let connect = async |node: &Node, name| node.connect(name).await.map(|peer| peer.account);
    assert!(matches!(ann.node().connect("cid").await, Err(ConnectError::NotFound(_))));
    bob.stop().await;
    until("the link is gone", || async { ann.node().linked("bob").await.unwrap().is_none() }).await;
    let block = ChangeFriend { blocked: Some(true), ..ChangeFriend::default() };
    let (waited, blocked) = tokio::join!(timeout(SOON, connect(ann.node(), "bob")), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        ann.node().change_friend("bob", block).await.unwrap()
    });
    assert_eq!((waited.unwrap(), blocked.blocked), (Err(ConnectError::Blocked), true));
    assert_eq!(connect(ann.node(), "bob").await, Err(ConnectError::Blocked));
    ann.node().remove_friend("bob").await.unwrap();
    assert!(matches!(ann.node().connect("bob").await, Err(ConnectError::NotFound(_))));
    assert!(ann.node().friends().await.unwrap().is_empty());
}
