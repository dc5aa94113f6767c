//! Mail for somebody for whom nobody keeps any: couriers bring it to its own door.

use std::time::Duration;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::item::{Kind, News};
use wayside_proto::mailbox::seal;
use wayside_proto::mailbox::wire::{Answer, HostEntry, Put, queue};

use super::mail::account;
use super::{Person, befriend, service, until};
use crate::api::types::{ChangeFriend, FriendView, MessageState, Sent, StatusView};

/// Whom the card of `friend` names, as far as `person` knows.
async fn named(person: &Person, friend: AccountId) -> Vec<HostEntry> {
    let named = person.node().driver().look(move |engine, _| {
        let card = engine.friend(&friend)?.card();
        let device = card.roster().devices.first()?.keys.id();
        Some(card.status(&device)?.mailbox.as_ref()?.hosts.clone())
    });
    named.await.unwrap().unwrap_or_default()
}

/// `courier` lets `sender` have things carried, and the sender knows.
async fn carries(courier: &Person, sender: &Person) {
    let change = ChangeFriend { allow: vec!["mailbox".into()], ..ChangeFriend::default() };
    let path = format!("/v1/friends/{}", sender.name);
    let _: FriendView = courier.api().patch(&path, &change).await.unwrap();
    courier.ping(sender.name).await.unwrap();
    until("the sender has a mailbox", async || !sender.node().driver().mailboxes().offers().is_empty()).await;
}

async fn carried(courier: &Person) -> usize {
    courier.node().driver().mailboxes().carried_in_all().await
}

async fn state(person: &Person, id: &str) -> Sent {
    person.api().get(&format!("/v1/messages/{id}")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_brings_it_to_whom_nobody_keeps_mail_for() {
    let service = service();
    let mut ann = Person::new("ann", &service).await;
    let mut bob = Person::new("bob", &service).await;
    let carl = Person::new("carl", &service).await;
    befriend(&ann, &bob).await;
    befriend(&ann, &carl).await;
    carries(&carl, &ann).await;
    let of_bob = account(&bob).await;
    until("ann knows of bob's own door", async || named(&ann, of_bob).await.iter().any(HostEntry::is_itself))
        .await;
    bob.stop().await;
    let mut sent = Vec::new();
    for text in ["one", "two"] {
        sent.push(ann.send("bob", text, None).await.unwrap());
    }
    until("carl has both", async || carried(&carl).await == 2).await;
    until("ann knows", async || state(&ann, &sent[1].id).await.state == MessageState::Held).await;
    assert_eq!(state(&ann, &sent[1].id).await.held_by, ["carl"]);
    ann.stop().await;

    // Carl and bob are no friends.
    bob.start().await;
    let mut texts = Vec::new();
    until("bob has both", async || {
        let status: StatusView = bob.api().get("/v1/status").await.unwrap();
        status.unread == 2
    })
    .await;
    texts.extend(bob.inbox().await);
    assert_eq!(texts, ["one", "two"]);
    until("carl carries nothing any more", async || carried(&carl).await == 0).await;
    let friends: Vec<FriendView> = carl.api().get("/v1/friends").await.unwrap();
    assert_eq!(friends.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["ann"]);
    ann.start().await;
    for sent in sent {
        until("ann knows", async || state(&ann, &sent.id).await.state == MessageState::Delivered).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_door_takes_in_what_friends_sealed_and_nothing_else() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let sue = Person::new("sue", &service).await;
    befriend(&ann, &bob).await;
    let of_bob = account(&bob).await;
    until("ann knows of bob's own door", async || !named(&ann, of_bob).await.is_empty()).await;
    let door = named(&ann, of_bob).await.remove(0);
    let driver = ann.node().driver();
    let access = driver.mail().targets_of(&of_bob).into_values().next().unwrap().access;
    let (id, key) = queue(&access.root, &door.guest);
    let news = News { seq: 1 << 50, receipt: None, floor: 0, card: None, access: None };
    let blob = driver.mail().sealed(driver.store(), &of_bob, Kind::News(news)).await.unwrap();
    let hash = seal::hash(&blob);
    let put = |lifetime| Put {
        queue: id,
        hash,
        lifetime,
        mac: custody::mac(&key, &id, &hash, lifetime),
        blob: blob.clone(),
    };
    let garbage = vec![1; 600];
    let hash = seal::hash(&garbage);
    let puts = [
        (put(60), Answer::Stored),
        (put(60), Answer::Stored),
        (put(0), Answer::Malformed),
        (Put { lifetime: 61, ..put(60) }, Answer::Denied),
        (Put { queue: wayside_proto::mailbox::wire::QueueId([7; 16]), ..put(60) }, Answer::Denied),
        (Put { blob: garbage.clone(), ..put(60) }, Answer::Malformed),
        (Put { hash, mac: custody::mac(&key, &id, &hash, 60), blob: garbage, ..put(60) }, Answer::Stored),
    ];
    // Who brings it is nobody to bob.
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    let link = sue.node().driver().host_link(&door, until).await.unwrap();
    let (puts, wanted): (Vec<_>, Vec<_>) = puts.into_iter().unzip();
    let stream = link.open(crate::mailbox::deposit::NAME).await.unwrap();
    let (answers, left) = crate::mailbox::deposit::leave(stream, &puts).await;
    left.unwrap();
    assert_eq!(answers, wanted);
    assert!(bob.inbox().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_a_host_names_that_and_keeps_its_own_door() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let hal = Person::new("hal", &service).await;
    befriend(&ann, &bob).await;
    let of_bob = account(&bob).await;
    until("bob names itself", async || named(&ann, of_bob).await.iter().any(HostEntry::is_itself)).await;
    let before = bob.node().driver().own_door().await.unwrap().guest;
    befriend(&hal, &bob).await;
    super::mail::keeps(&hal, &bob, &ann).await;
    let names: Vec<String> = named(&ann, of_bob).await.into_iter().map(|host| host.name).collect();
    assert_eq!(names, ["hal"]);
    assert_eq!(bob.node().driver().own_door().await.unwrap().guest, before);
}
