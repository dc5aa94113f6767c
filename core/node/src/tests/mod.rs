//! Whole nodes in one process, where a test must reach behind the local API.

#[path = "../../tests/support/mod.rs"]
mod support;

mod api;
mod bridges;
mod cards;
mod community;
mod disk;
mod doctor;
mod doors;
mod hostile;
mod introductions;
mod links;
mod mail;
mod mail_seized;
mod mailbox;
mod mailbox_costs;
mod meeting;
mod own_door;
mod pointers;
mod reach;
mod relay;
mod renew;
mod secrets;

use support::{Person, service, until};
use wayside_proto::crypto::keys::AccountId;

use crate::links::Peer;

/// Two friends with a link between them.
async fn friends(service: &wayside_bridge::MemoryService) -> (Person, Person) {
    let (ann, bob) = (Person::new("ann", service).await, Person::new("bob", service).await);
    befriend(&ann, &bob).await;
    (ann, bob)
}

async fn befriend(ann: &Person, bob: &Person) {
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping(ann.name).await.unwrap();
    ann.ping(bob.name).await.unwrap();
}

/// The link of `person` with `friend`, to do with it what one likes.
async fn link(person: &Person, friend: &str) -> Peer {
    person.ping(friend).await.unwrap();
    let view: crate::api::types::FriendView =
        person.api().get(&format!("/v1/friends/{friend}")).await.unwrap();
    let account = AccountId::parse(&view.account).unwrap();
    person.node().driver().links().of(&account).unwrap().peer
}
