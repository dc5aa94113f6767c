//! Mail between friends who are not online together.

use std::time::Duration;

use wayside_bridge::MemoryService;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::wire::HostEntry;

use super::{Person, befriend, service, until};
use crate::api::types::{ChangeFriend, FriendView, MessageState, NodeEvent, OutgoingView, Sent, StatusView};

pub(super) async fn account(person: &Person) -> AccountId {
    AccountId::parse(&person.api().get::<crate::api::types::Id>("/v1/id").await.unwrap().account).unwrap()
}

/// `host` keeps mail for `owner`, and `sender` knows.
pub(super) async fn keeps(host: &Person, owner: &Person, sender: &Person) {
    let change = ChangeFriend { allow: vec!["mailbox".into()], ..ChangeFriend::default() };
    let path = format!("/v1/friends/{}", owner.name);
    let _: FriendView = host.api().patch(&path, &change).await.unwrap();
    host.ping(owner.name).await.unwrap();
    until("the owner has a mailbox", async || !owner.node().driver().mailboxes().offers().is_empty()).await;
    sender.ping(owner.name).await.unwrap();
    until("the sender knows", async || {
        let hosts = hosts(sender, owner).await;
        hosts.iter().any(|it| it.name == host.name)
    })
    .await;
}

/// Who keeps mail for `friend`, as far as `person` knows.
async fn hosts(person: &Person, friend: &Person) -> Vec<HostEntry> {
    let account = account(friend).await;
    let hosts = person.node().driver().look(move |engine, _| {
        let card = engine.friend(&account)?.card();
        let device = card.roster().devices.first()?.keys.id();
        Some(card.status(&device)?.mailbox.as_ref()?.hosts.clone())
    });
    hosts.await.unwrap().unwrap_or_default()
}

async fn state(person: &Person, id: &str) -> Sent {
    person.api().get(&format!("/v1/messages/{id}")).await.unwrap()
}

/// Waits until a message of theirs has come so far.
async fn has_become(person: &Person, id: &str, wanted: MessageState) -> Sent {
    until(&format!("the message is {wanted:?}"), async || state(person, id).await.state == wanted).await;
    state(person, id).await
}

/// What is read until there is so much of it.
async fn read(person: &Person, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..2_000 {
        texts.extend(person.inbox().await);
        if texts.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    texts
}

/// Blobs that `host` keeps, for everybody.
pub(super) async fn kept(host: &Person) -> u64 {
    let (usage, _) = host.node().driver().mailboxes().usage().await.unwrap();
    usage.values().map(|usage| usage.items).sum()
}

/// Ann and Bob, and Hal, who keeps mail for both.
pub(super) async fn three(service: &MemoryService) -> (Person, Person, Person) {
    let ann = Person::new("ann", service).await;
    let bob = Person::new("bob", service).await;
    let hal = Person::new("hal", service).await;
    befriend(&ann, &bob).await;
    befriend(&hal, &bob).await;
    befriend(&hal, &ann).await;
    keeps(&hal, &bob, &ann).await;
    keeps(&hal, &ann, &bob).await;
    (ann, bob, hal)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_are_never_online_together_have_one_host() {
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    let one = ann.send("bob", "one", None).await.unwrap();
    let two = ann.send("bob", "two", Some(8_000)).await.unwrap();
    assert_eq!((two.state, &two.held_by[..]), (MessageState::Held, &["hal".to_owned()][..]));
    assert_eq!(has_become(&ann, &one.id, MessageState::Held).await.held_by, ["hal"]);
    let status: StatusView = ann.api().get("/v1/status").await.unwrap();
    assert_eq!((status.queues[0].queued, status.queues[0].held), (0, 2));
    let outgoing: Vec<OutgoingView> = ann.api().get("/v1/messages").await.unwrap();
    assert_eq!(outgoing.iter().map(|it| &it.id).collect::<Vec<_>>(), [&one.id, &two.id]);
    for message in &outgoing {
        let said = (message.to.as_str(), message.state, &message.held_by[..]);
        assert_eq!(said, ("bob", MessageState::Held, &["hal".to_owned()][..]));
        assert!(message.bytes > 512, "{message:?}");
    }
    let friend: FriendView = ann.api().get("/v1/friends/bob").await.unwrap();
    assert_eq!(friend.mailboxes, ["hal"]);
    assert_eq!(kept(&hal).await, 2);
    ann.stop().await;

    bob.start().await;
    assert_eq!(read(&bob, 2).await, ["one", "two"]);
    until("the receipt is with the host, and nothing else", async || kept(&hal).await == 1).await;
    bob.stop().await;

    ann.start().await;
    has_become(&ann, &one.id, MessageState::Delivered).await;
    has_become(&ann, &two.id, MessageState::Delivered).await;
    until("nothing is with the host any more", async || kept(&hal).await == 0).await;
    let status: StatusView = ann.api().get("/v1/status").await.unwrap();
    assert!(status.queues.is_empty());
    // And they go on by the link.
    bob.start().await;
    assert_eq!(ann.send("bob", "three", Some(20_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(read(&bob, 1).await, ["three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_two_hosts_is_shown_once_and_one_of_them_may_be_lost() {
    let service = service();
    let (ann, mut bob, hal) = three(&service).await;
    let mut mia = Person::new("mia", &service).await;
    befriend(&mia, &bob).await;
    keeps(&mia, &bob, &ann).await;
    bob.stop().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(ann.send("bob", &number.to_string(), None).await.unwrap());
    }
    until("both have all of it", async || kept(&hal).await == 5 && kept(&mia).await == 5).await;
    bob.start().await;
    assert_eq!(read(&bob, 5).await, ["0", "1", "2", "3", "4"]);
    until("it is with nobody any more", async || kept(&hal).await == 0 && kept(&mia).await == 0).await;
    assert!(bob.inbox().await.is_empty());
    has_become(&ann, &sent[4].id, MessageState::Delivered).await;

    bob.stop().await;
    let sent = ann.send("bob", "once more", None).await.unwrap();
    until("both have it", async || kept(&hal).await == 1 && kept(&mia).await == 1).await;
    until("both are named", async || state(&ann, &sent.id).await.held_by.len() == 2).await;
    mia.stop().await;
    bob.start().await;
    assert_eq!(read(&bob, 1).await, ["once more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_holds_across_ways_and_restarts() {
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    for number in 0..10 {
        ann.send("bob", &number.to_string(), None).await.unwrap();
    }
    until("the host has all of it", async || kept(&hal).await == 10).await;
    ann.stop().await;
    ann.start().await;
    for number in 10..15 {
        ann.send("bob", &number.to_string(), None).await.unwrap();
    }
    // Some come by the host, some by the link, some by both.
    bob.start().await;
    let expected: Vec<String> = (0..15).map(|number| number.to_string()).collect();
    assert_eq!(read(&bob, 15).await, expected);
    bob.stop().await;
    bob.start().await;
    until("nothing is left anywhere", async || {
        let status: StatusView = ann.api().get("/v1/status").await.unwrap();
        kept(&hal).await == 0 && status.queues.is_empty()
    })
    .await;
    assert!(bob.inbox().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_room_gets_the_rest_from_the_host_once_some_was_read() {
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    let config = bob.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("inbox = 10000", "inbox = 5");
    std::fs::write(&config, text).unwrap();
    for number in 0..12 {
        ann.send("bob", &number.to_string(), None).await.unwrap();
    }
    until("the host has all of it", async || kept(&hal).await == 12).await;
    ann.stop().await;
    bob.start().await;
    let mut texts = Vec::new();
    for _ in 0..2_000 {
        let batch = bob.inbox().await;
        assert!(batch.len() <= 5, "{batch:?}");
        texts.extend(batch);
        if texts.len() == 12 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expected: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_from_a_friend_who_is_blocked() {
    let (mut ann, mut bob, mut hal) = three(&service()).await;
    bob.stop().await;
    ann.send("bob", "hello?", None).await.unwrap();
    until("the host has it", async || kept(&hal).await == 1).await;
    ann.stop().await;
    // Without the host at first, so that it is blocked before anything is fetched.
    hal.stop().await;
    bob.start().await;
    let block = ChangeFriend { blocked: Some(true), ..ChangeFriend::default() };
    let _: FriendView = bob.api().patch("/v1/friends/ann", &block).await.unwrap();
    hal.start().await;
    bob.ping("hal").await.unwrap();
    until("the host does not keep it", async || kept(&hal).await == 0).await;
    assert!(bob.inbox().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_by_way_of_a_host() {
    use crate::api::types::{InboxView, Send, SendFile};
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let path = ann.folder.path().join("picture.png");
    std::fs::write(&path, &bytes).unwrap();
    let files = vec![SendFile { name: "picture.png".into(), path: path.to_str().unwrap().into() }];
    let message = Send { files, ..Send::new("bob".into(), "look".into()) };
    let sent: Sent = ann.api().post("/v1/messages", &message).await.unwrap();
    // It is held once each part is with anybody, and by whoever has all of them.
    until("all of it is held", async || state(&ann, &sent.id).await.held_by == ["hal"]).await;
    assert_eq!(kept(&hal).await, 6);
    std::fs::remove_file(&path).unwrap();
    ann.stop().await;
    bob.start().await;
    until("it came", async || {
        let status: StatusView = bob.api().get("/v1/status").await.unwrap();
        status.unread == 1
    })
    .await;
    let mut lines = bob.api().get_lines("/v1/inbox").await.unwrap();
    let message: InboxView = lines.next().await.unwrap().unwrap();
    let file = &message.files[0];
    assert_eq!((file.name.as_str(), file.size), ("picture.png", 300_000));
    let below = file.path.as_ref().unwrap();
    assert_eq!(std::fs::read(bob.home().join(below)).unwrap(), bytes);
    let parts = std::fs::read_dir(bob.home().join("files")).unwrap();
    assert_eq!(parts.count(), 1, "no parts are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_a_year_loses_nothing() {
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    let sent = ann.send("bob", "before", None).await.unwrap();
    until("the host has it", async || kept(&hal).await == 1).await;
    ann.stop().await;
    // A year ahead, then right again: nothing is given up, and nothing destroyed that is needed.
    for secs in [365 * 86_400, 0] {
        ann.start_with(|node| node.clock_off_by(secs)).await;
        assert_eq!(state(&ann, &sent.id).await.state, MessageState::Held);
        ann.stop().await;
        bob.start_with(|node| node.clock_off_by(secs)).await;
        bob.stop().await;
    }
    ann.start().await;
    bob.start().await;
    assert_eq!(read(&bob, 1).await, ["before"]);
    has_become(&ann, &sent.id, MessageState::Delivered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_in_between_loses_nothing() {
    let service = service();
    let disk = crate::store::Disk::default();
    let ann = Person::new("ann", &service).await;
    let hal = Person::new("hal", &service).await;
    let mut bob = Person::new_with("bob", &service, |node| node.disk(disk.clone())).await;
    befriend(&ann, &bob).await;
    befriend(&hal, &bob).await;
    keeps(&hal, &bob, &ann).await;
    bob.stop().await;
    for number in 0..5 {
        ann.send("bob", &number.to_string(), None).await.unwrap();
    }
    until("the host has all of it", async || kept(&hal).await == 5).await;
    bob.start_with(|node| node.disk(disk.clone())).await;
    disk.fill(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(disk.refused() > 0);
    disk.fill(false);
    assert_eq!(read(&bob, 5).await, ["0", "1", "2", "3", "4"]);
    assert!(bob.inbox().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_given_up_at_once_and_holds_nothing_up() {
    let (ann, mut bob) = super::friends(&service()).await;
    let of_bob = account(&bob).await;
    let known = || ann.node().driver().mail().targets_of(&of_bob);
    until("ann can seal for bob", async || !known().is_empty()).await;
    let before = known();
    bob.stop().await;
    let lost = ann.send("bob", "sealed to keys that will be gone", None).await.unwrap();
    assert_eq!(lost.state, MessageState::Queued);
    // As after a restored copy of the home, or a broken disk.
    std::fs::remove_file(bob.home().join("mail.keys")).unwrap();
    let mut events = ann.node().driver().events();
    bob.start().await;
    has_become(&ann, &lost.id, MessageState::Expired).await;
    until("ann knows the new keys", async || known() != before).await;
    assert!(ann.node().outgoing().await.unwrap().is_empty());
    assert_eq!(ann.send("bob", "behind it", Some(20_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(read(&bob, 1).await, ["behind it"]);
    let mut given_up = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let NodeEvent::MessageExpired { id, to } = event {
            given_up.push((id, to));
        }
    }
    assert_eq!(given_up, [(lost.id, "bob".to_owned())]);
}
