//! Both dial at once: exactly one link survives, and nothing that was sent is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Agreed, PATIENCE, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use wayside_noise::{Endpoint, Expectation, Link, LinkError};

/// Dials, and at once sends over the link that comes of it; then hears what the other side sent over the same one.
async fn dial_and_talk(
    endpoint: &Endpoint,
    peer: Expectation,
    to: &[SocketAddr],
    said: &str,
) -> Result<(Link, String), LinkError> {
    let link = endpoint.connect(peer, to, PATIENCE).await?;
    let mut stream = link.open("test/glare").await?;
    stream.send.write_all(said.as_bytes()).await.unwrap();
    stream.send.finish();
    let (_, mut theirs) = link.accept().await?;
    let mut heard = String::new();
    theirs.recv.read_to_string(&mut heard).await.unwrap();
    stream.send.finished().await?;
    Ok((link, heard))
}

async fn cross(agreed: &Agreed, head_start: Duration) {
    let (one, two) = agreed.endpoints().await;
    one.expect(agreed.of_server());
    two.expect(agreed.of_client());
    let (to_one, to_two) = (one.local_addresses(), two.local_addresses());
    let later = async {
        sleep(head_start).await;
        dial_and_talk(&two, agreed.of_client(), &to_one, "from two").await
    };
    let (a, b) = tokio::join!(dial_and_talk(&one, agreed.of_server(), &to_two, "from one"), later);
    let ((a, of_two), (b, of_one)) = (a.unwrap(), b.unwrap());
    assert_eq!((of_one.as_str(), of_two.as_str()), ("from one", "from two"));
    assert_eq!(a.exporter(b"x"), b.exporter(b"x"), "both have the same link");
    assert_ne!(a.is_initiator(), b.is_initiator());
    // Whoever was late may hear of the same link twice, and of no other.
    let nobody = Duration::from_millis(50);
    for endpoint in [&one, &two] {
        while let Ok(Some(link)) = timeout(nobody, endpoint.accept()).await {
            assert_eq!(link.exporter(b"x"), a.exporter(b"x"));
        }
    }
    assert!(timeout(nobody, a.closed()).await.is_err());
}

#[tokio::test]
async fn one_link_survives_whoever_is_a_little_earlier() {
    let agreed = Agreed::default();
    let swapped = Agreed { client: agreed.server.clone(), server: agreed.client.clone(), ..agreed.clone() };
    for micros in [0, 0, 0, 100, 300, 500, 700, 1_000, 1_500, 2_500, 4_000, 50_000] {
        cross(&agreed, Duration::from_micros(micros)).await;
        cross(&swapped, Duration::from_micros(micros)).await;
    }
}

#[tokio::test]
async fn where_only_one_side_gets_through_that_side_makes_the_link() {
    let agreed = Agreed::default();
    for (blocked_one, blocked_two) in [(true, false), (false, true)] {
        let (one, two) = agreed.endpoints().await;
        one.expect(agreed.of_server());
        two.expect(agreed.of_client());
        let to_two = Proxy::start(two.local_addresses()[0], 0, 1).await;
        let to_one = Proxy::start(one.local_addresses()[0], 0, 1).await;
        to_two.cut(blocked_one);
        to_one.cut(blocked_two);
        let (at_one, at_two) = ([to_one.address], [to_two.address]);
        let (a, b) = tokio::join!(
            dial_and_talk(&one, agreed.of_server(), &at_two, "from one"),
            dial_and_talk(&two, agreed.of_client(), &at_one, "from two"),
        );
        let ((a, of_two), (b, of_one)) = (a.unwrap(), b.unwrap());
        assert_eq!((of_one.as_str(), of_two.as_str()), ("from one", "from two"));
        assert_eq!(a.exporter(b"x"), b.exporter(b"x"));
    }
}

#[tokio::test]
async fn a_dial_that_is_given_up_leaves_the_other_one_alone() {
    let agreed = Agreed::default();
    let (one, two) = agreed.endpoints().await;
    one.expect(agreed.of_server());
    two.expect(agreed.of_client());
    let (to_one, nowhere) = (one.local_addresses(), [SocketAddr::from(([127, 0, 0, 1], 9))]);
    let given_up = one.connect(agreed.of_server(), nowhere, Duration::from_millis(50));
    let (given_up, dialled, accepted) = tokio::join!(
        given_up,
        async {
            sleep(Duration::from_millis(100)).await;
            two.connect(agreed.of_client(), &to_one, PATIENCE).await
        },
        one.accept(),
    );
    assert!(matches!(given_up, Err(LinkError::Timeout { .. })), "{given_up:?}");
    assert_eq!(dialled.unwrap().exporter(b"x"), accepted.unwrap().exporter(b"x"));
}
