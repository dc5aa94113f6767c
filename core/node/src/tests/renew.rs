//! Looking for a better way over a link that is up.

use std::time::Duration;

use super::{friends, link, service};
use crate::links::renew::{NAME, Word};
use crate::links::{read_frame, write_frame};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_proposed_to_says_how_it_is_reached_now_and_once_a_number() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    let (of_ann, of_bob) = (link(&ann, "bob").await, link(&bob, "ann").await);
    let dialled = if of_ann.link.is_initiator() { of_ann } else { of_bob };
    let mut stream = dialled.link.open(NAME).await.unwrap();
    let word =
        |number| Word { number: Some(number), candidates: Default::default(), nat: Default::default() };
    write_frame(&mut stream.send, &word(7)).await.unwrap();
    let reply = read_frame::<Word>(&mut stream.recv, 512).await.unwrap().unwrap();
    assert_eq!(reply.number, Some(7));
    assert!(!reply.candidates.is_empty());
    write_frame(&mut stream.send, &word(7)).await.unwrap();
    let end = read_frame::<Word>(&mut stream.recv, 512);
    let end = tokio::time::timeout(Duration::from_secs(20), end).await.expect("in time");
    assert!(matches!(end, Ok(None) | Err(_)), "secrets are used once: {end:?}");
}
