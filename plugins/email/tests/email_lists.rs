//! A list of Mailman 3's between two members: it adds a prefix, a footer and headers, and rewrites what it likes.
//!
//! `tests/run email` starts it; without it every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use futures::StreamExt;
use wayside_bridge::{Class, Record, Watch};

use crate::common::server::{Server, mailman};
use crate::common::{FAST, LATER, TestClock, all, meeting, skip, slot, until_found};

#[tokio::test]
async fn mailman_hands_notes_on() {
    let (Some(server), Some((list, people))) = (Server::started(), mailman()) else {
        return skip("no Mailman: `tests/run email` starts one");
    };
    let mut bridges = Vec::new();
    for person in &people {
        let mut options = server.options(person);
        options.push(("list", list.clone()));
        bridges.push(common::open(&options, FAST, &TestClock::new(), None).await.unwrap().bridge);
    }
    let mut stream = bridges[1].watch(Watch::new(all().place, all().keys)).await.unwrap();
    bridges[0].publish(&meeting(1, &[1; 376])).await.unwrap();
    let batch =
        tokio::time::timeout(std::time::Duration::from_secs(30), stream.next()).await.unwrap().unwrap();
    assert_eq!(batch.unwrap().records, vec![meeting(1, &[1; 376])]);
    // The largest that is declared passes too.
    let largest = Record::new(slot(2), Class::Meeting, LATER, vec![7; 8 * 1024]);
    bridges[1].publish(&largest).await.unwrap();
    until_found(&bridges[0], &largest).await;
    let seen = server.maildir(&people[0]).with("lists3.test");
    assert!(seen.iter().any(|mail| mail.contains("Subject: [")), "Mailman puts a prefix before it: {seen:?}");
}
