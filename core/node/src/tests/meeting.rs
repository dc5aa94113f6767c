//! Two who are not where they said: how they get through to each other, what they say of it, and what they say where there is no way.

use std::net::SocketAddr;
use std::time::Duration;

use wayside_proto::engine::{Engine, Input};
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};
use wayside_proto::reach::{Attestation, Mapping, NatReport, Reach, Reflector};

use super::{Person, service, until};
use crate::api::types::{Explanation, NodeEvent, PathKind};

/// Where nobody is, on loopback, which is where both nodes are. Ports below 1024 are given to nobody who does not ask.
const NOBODY: [&str; 2] = ["127.0.0.1:1", "127.0.0.1:2"];

fn reach(addresses: &[&str]) -> Reach {
    Reach::of(Candidates::new(addresses.iter().map(|address| Candidate {
        kind: CandidateKind::Reflexive,
        transport: Transport::Udp,
        address: address.parse().unwrap(),
    })))
}

/// Has a node say that it is reached so.
async fn says(person: &Person, reach: Reach) {
    person.node().driver().change(move |engine, now| engine.handle(now, Input::Reach(reach))).await.unwrap();
}

/// Has a node say that it is where nobody is.
pub(super) async fn says_nowhere(person: &Person) {
    says(person, reach(&NOBODY)).await;
}

async fn explain(person: &Person, friend: &str) -> Explanation {
    person.api().get(&format!("/v1/friends/{friend}/explain")).await.unwrap()
}

fn when(explanation: &Explanation, kind: &str) -> u64 {
    let step = explanation.steps.iter().find(|step| step.kind == kind);
    step.unwrap_or_else(|| panic!("no {kind} in {explanation:#?}")).ms
}

fn listens_at(person: &Person) -> SocketAddr {
    person.node().endpoint().local_addresses()[0]
}

/// The inviter is not where it says. It asks the joiner, who is, and is answered and dialled where its question came from.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_elsewhere_is_dialled_where_its_questions_come_from() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    says(&ann, reach(&NOBODY)).await;
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    ann.ping("bob").await.unwrap();
    let told = explain(&bob, "ann").await;
    assert_eq!(told.path, Some(PathKind::Direct));
    let at = listens_at(&ann).to_string();
    let reached = told.steps.iter().find(|step| step.kind == "reached").unwrap();
    assert!(reached.what.starts_with(&format!("reached at {at} after ")), "{reached:?}");
    let path = told.steps.iter().find(|step| step.kind == "path").unwrap();
    assert_eq!(path.what, format!("linked directly over UDP with {at}"));
    until("data came", async || {
        explain(&bob, "ann").await.steps.iter().any(|step| step.kind == "first-data")
    })
    .await;
    let told = explain(&bob, "ann").await;
    let times = ["welcome-read", "reached", "linked", "first-data"].map(|kind| when(&told, kind));
    assert!(times.is_sorted(), "{times:?}");
    let told = explain(&ann, "bob").await;
    let times = ["join-read", "answered", "linked", "path"].map(|kind| when(&told, kind));
    assert!(times.is_sorted(), "{times:?}");
}

/// The same where it is the one that dials who is elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_dials_may_be_elsewhere() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    says(&bob, reach(&NOBODY)).await;
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    assert_eq!(explain(&bob, "ann").await.path, Some(PathKind::Direct));
}

/// Neither is where it says until one says so anew: that is how an inviter hears where a newcomer is who has just learnt it.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_opens_the_way() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    says(&ann, reach(&NOBODY)).await;
    says(&bob, reach(&NOBODY)).await;
    let invite = ann.invite().await;
    let accepting = bob.accept(&invite);
    let learns = async {
        until("they met", async || {
            bob.node().driver().look(|engine, _| engine.sessions().count()).await.unwrap() > 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        says(&bob, reach(&[&listens_at(&bob).to_string()])).await;
    };
    let (accepted, ()) = tokio::join!(accepting, learns);
    accepted.unwrap();
    bob.ping("ann").await.unwrap();
    let told = explain(&bob, "ann").await;
    assert!(when(&told, "update-left") <= when(&told, "linked"));
    when(&explain(&ann, "bob").await, "update-read");
}

/// Whom a welcome names is asked first; what the newcomer then knows of itself goes to the inviter at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_asks_whom_the_welcome_names_and_says_what_it_knows_then() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    says(&ann, reach(&NOBODY)).await;
    says(&bob, reach(&NOBODY)).await;
    // Nobody answers there.
    let reflectors = vec![Reflector { addresses: vec!["127.0.0.1:3".parse().unwrap()], token: [7; 8] }];
    let named = move |engine: &mut Engine, now| engine.handle(now, Input::Reflectors(reflectors));
    ann.node().driver().change(named).await.unwrap();
    bob.accept(&ann.invite().await).await.unwrap();
    bob.ping("ann").await.unwrap();
    let told = explain(&bob, "ann").await;
    let times =
        ["welcome-read", "measuring", "measured", "update-left", "linked"].map(|kind| when(&told, kind));
    assert!(times.is_sorted(), "{times:?}");
}

/// What each says of its NAT comes through records and store; and where no way leads from one to the other, both are told so.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_nat_arrives() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let by = Attestation { by: "198.51.100.7:3478".parse().unwrap(), mac: [7; 8] };
    let behind = |mapping| Reach {
        nat: NatReport { mapping, attestations: vec![by], ..NatReport::default() },
        ..reach(&NOBODY)
    };
    let (hers, his) = (behind(Mapping::Random), behind(Mapping::Sequential { last: 4000, step: 2 }));
    says(&ann, hers.clone()).await;
    says(&bob, his.clone()).await;
    let invite = ann.invite().await;
    let mut events = ann.node().driver().events();
    tokio::join!(async { drop(bob.accept(&invite).await) }, async {
        let heard = async |person: &Person| person.node().driver().peers_of_meetings().await;
        until("both heard", async || {
            heard(&ann).await == [his.clone()] && heard(&bob).await == [hers.clone()]
        })
        .await;
        // No way leads from one to the other, and both are told so, once they have tried.
        let no_way = async {
            loop {
                match events.recv().await.unwrap() {
                    NodeEvent::NoWay { friend, why } if friend == "bob" => break why,
                    _ => {}
                }
            }
        };
        let why = tokio::time::timeout(Duration::from_secs(30), no_way).await.unwrap();
        assert!(why.contains("the NATs on both sides") || why.contains("nobody has told it"), "{why}");
        assert!(why.contains("Nobody has told this machine how it is seen from outside"), "{why}");
        let told = explain(&ann, "bob").await;
        assert!(told.steps.iter().any(|step| step.kind == "no-way" && step.what == why), "{told:#?}");
        assert!(told.path.is_none());
        // It was tried on: as soon as one of them is found, they are linked.
        says(&bob, reach(&[&listens_at(&bob).to_string()])).await;
        bob.ping("ann").await.unwrap();
    });
}
