//! What a home shows whoever takes it away.

use std::path::Path;

use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::prekeys::{PUBLISHED, WEEK};

use super::{friends, service, until};
use crate::api::types::MessageState;

const TEXT: &str = "meet me behind the old mill at half past eleven";

/// Whether these bytes stand anywhere in a folder.
fn is_in(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in(&path, wanted);
        }
        // A socket has none.
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_shows_no_text() {
    let service = service();
    let (mut ann, mut bob) = friends(&service).await;
    bob.stop().await;
    let sent = ann.send("bob", TEXT, None).await.unwrap();
    assert_eq!(sent.state, MessageState::Queued);
    ann.stop().await;
    assert!(!is_in(&ann.home(), TEXT.as_bytes()), "a message that waits can be read");
    ann.start().await;
    bob.start().await;
    until("it came", async || {
        let found: crate::api::types::StatusView = bob.api().get("/v1/status").await.unwrap();
        found.unread == 1
    })
    .await;
    bob.stop().await;
    ann.stop().await;
    assert!(is_in(&bob.home(), TEXT.as_bytes()), "what came is there to be read");
    assert!(!is_in(&ann.home(), TEXT.as_bytes()), "a message that was sent can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_is_over_is_nowhere_in_the_home() {
    let service = service();
    let (mut ann, _bob) = friends(&service).await;
    let mail = ann.node().driver().mail().clone();
    let weeks: Vec<_> = mail.weeks();
    assert_eq!(weeks.len(), PUBLISHED);
    let first = weeks[0].clone();
    assert!(is_in(&ann.home(), first.seed.expose()), "a seed of now is there");
    for late in 1..=20 {
        mail.rotate(Age(first.begins.0 + late * WEEK));
    }
    ann.stop().await;
    for week in &weeks {
        assert!(!is_in(&ann.home(), week.seed.expose()), "the seed of week {}", week.id);
    }
}
