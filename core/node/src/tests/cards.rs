//! Cards that have expired, and steps of meetings that are told later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use wayside_bridge::{Clock, MemoryService, Monotonic, Timestamp};
use wayside_noise::Stream;

use super::{Person, befriend, friends, service, until};
use crate::api::types::{Explanation, MessageState};
use crate::links::{Peer, Protocol, card};

/// The system's clock, and some days.
pub(super) struct Days(pub(super) Arc<dyn Clock>, pub(super) AtomicU64);

impl Clock for Days {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.now().as_secs() + self.1.load(Ordering::Relaxed) * 86_400)
    }

    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

/// Takes a card and does nothing with it.
#[derive(Debug)]
struct Ignores;

#[async_trait]
impl Protocol for Ignores {
    async fn accept(&self, _: Peer, stream: Stream) {
        let _stream = stream;
        std::future::pending().await
    }
}

/// Two who met, and forty days later each of them.
async fn forty_days_later(hears: bool) -> (Person, Person) {
    let clock = Arc::new(Days(crate::bridge_context(None).clock, AtomicU64::new(0)));
    let service = MemoryService::builder().clock(Arc::<Days>::clone(&clock)).build();
    let (mut ann, mut bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    befriend(&ann, &bob).await;
    ann.stop().await;
    bob.stop().await;
    clock.1.store(40, Ordering::Relaxed);
    ann.start_with(|node| {
        let node = node.clock_off_by(40 * 86_400);
        if hears { node } else { node.protocol(card::NAME, Arc::new(Ignores)) }
    })
    .await;
    bob.start_with(|node| node.clock_off_by(40 * 86_400)).await;
    (ann, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_whose_cards_expired_give_each_other_fresh_ones() {
    let (ann, bob) = forty_days_later(true).await;
    assert_eq!(bob.send("ann", "long time", Some(20_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(ann.inbox().await, ["long time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fresh_card_nothing_is_taken_and_the_link_ends() {
    let (ann, bob) = forty_days_later(false).await;
    let mut events = ann.node().driver().events();
    assert_eq!(bob.send("ann", "trust me", Some(6_000)).await.unwrap().state, MessageState::Queued);
    assert!(ann.inbox().await.is_empty());
    let (mut up, mut down) = (false, false);
    while let Ok(event) = events.try_recv() {
        up |= matches!(event, crate::api::types::NodeEvent::LinkUp { .. });
        down |= matches!(event, crate::api::types::NodeEvent::LinkDown { .. });
    }
    assert!(up && down, "the link came up ({up}) and ended ({down})");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_process_tells_the_steps_of_the_last_meeting() {
    let service = service();
    let (mut ann, bob) = friends(&service).await;
    let explain =
        async |ann: &Person| ann.api().get::<Explanation>("/v1/friends/bob/explain").await.unwrap().steps;
    let steps = explain(&ann).await;
    assert!(!steps.is_empty());
    ann.stop().await;
    drop(bob);
    ann.start().await;
    let later = explain(&ann).await;
    assert!(steps.iter().all(|step| later.contains(step)), "{steps:?} {later:?}");
    until("a friend who is removed is forgotten", || async {
        let _ = ann.api().delete::<()>("/v1/friends/bob").await;
        ann.api().get::<Explanation>("/v1/friends/bob/explain").await.is_err()
    })
    .await;
}
