//! Links that come twice, too late or with nobody to serve them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wayside_noise::{Expectation, Kem, SessionId, Stream, Whom};

use super::{Person, friends, link, service, until};
use crate::api::types::{FriendView, LinkState};
use crate::links::{Peer, Protocol};

/// What the one who dialled knows of its session.
async fn secrets(person: &Person) -> Expectation {
    let session = person.node().driver().look(|engine, _| {
        let session = engine.sessions().next()?;
        Some(Expectation {
            session: SessionId(session.id.0),
            whom: Whom::Device(session.peer),
            gate: (*session.gate.expose()).into(),
            psk: (*session.psk.expose()).into(),
            kem: Kem::None,
        })
    });
    session.await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_may_be_dialled_anew_while_it_lasts_and_not_after_it() {
    let service = service();
    let (ann, mut bob) = friends(&service).await;
    let first = link(&ann, "bob").await;
    let (dialled, server, client) = match first.link.is_initiator() {
        true => (first.link.remote(), &bob, &ann),
        false => (link(&bob, "ann").await.link.remote(), &ann, &bob),
    };
    let expectation = secrets(client).await;
    let endpoint = Arc::clone(client.node().endpoint());
    let again = endpoint.connect(expectation.clone(), &[dialled], Duration::from_secs(5)).await.unwrap();
    let name = client.name;
    let closed = tokio::time::timeout(Duration::from_secs(5), first.link.closed()).await;
    assert!(closed.is_ok(), "the old link is closed");
    // Served like any other.
    let mut pinger = crate::links::ping::Pinger::new(&again).await.unwrap();
    pinger.ping().await.unwrap();
    again.close("enough");
    until("it is gone", || async {
        let path = format!("/v1/friends/{name}");
        server.api().get::<FriendView>(&path).await.unwrap().link == LinkState::Down
    })
    .await;
    let late = endpoint.connect(expectation, &[dialled], Duration::from_secs(2)).await;
    assert!(late.is_err(), "its gate is shut");
    bob.stop().await;
}

/// Serves for as long as it is let.
#[derive(Debug)]
struct Endless(tokio::sync::mpsc::UnboundedSender<()>);

#[async_trait]
impl Protocol for Endless {
    async fn accept(&self, peer: Peer, stream: Stream) {
        let _ends = (Ends(self.0.clone()), peer, stream);
        std::future::pending::<()>().await;
    }
}

struct Ends(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spoken_over_a_link_ends_with_it() {
    let service = service();
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let ann =
        Person::new_with("ann", &service, |node| node.protocol("test/1", Arc::new(Endless(ended)))).await;
    let bob = Person::new("bob", &service).await;
    super::befriend(&ann, &bob).await;
    let peer = link(&bob, "ann").await;
    let _stream = peer.link.open("test/1").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), ends.recv()).await.is_err());
    peer.link.close("enough");
    tokio::time::timeout(Duration::from_secs(5), ends.recv()).await.unwrap().unwrap();
}
