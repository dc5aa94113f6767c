//! A friend of two introduces them to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wayside_bridge::MemoryService;
use wayside_proto::introduction::{IntroductionId, Message, Note, Receipt};
use wayside_proto::message::CardBytes;

use super::cards::Days;
use super::{Person, befriend, link, service, until};
use crate::api::types::*;
use crate::introductions;
use crate::links::{read_frame, write_frame};

/// Rita, and two friends of hers who do not know each other.
async fn three(service: &MemoryService) -> (Person, Person, Person) {
    let rita = Person::new("rita", service).await;
    let (ann, bob) = (Person::new("ann", service).await, Person::new("bob", service).await);
    befriend(&rita, &ann).await;
    befriend(&rita, &bob).await;
    (rita, ann, bob)
}

async fn introduce(rita: &Person, note: Option<&str>) -> Result<IntroductionView, ApiError> {
    let introduce = Introduce { friend: "ann".into(), to: "bob".into(), note: note.map(str::to_owned) };
    rita.api().post("/v1/introductions", &introduce).await
}

async fn requests(person: &Person) -> Vec<RequestView> {
    person.api().get("/v1/requests").await.unwrap()
}

/// The one request that somebody has, once it has come.
async fn request(person: &Person) -> RequestView {
    until("a request came", async || requests(person).await.len() == 1).await;
    requests(person).await.remove(0)
}

async fn accept(person: &Person, name: Option<&str>) -> RequestView {
    let id = request(person).await.id;
    let how = AcceptRequest { name: name.map(str::to_owned) };
    person.api().post(&format!("/v1/requests/{id}/accept"), &how).await.unwrap()
}

async fn refuse(person: &Person) -> RequestView {
    let id = request(person).await.id;
    person.api().post(&format!("/v1/requests/{id}/refuse"), &()).await.unwrap()
}

async fn introduction(rita: &Person) -> IntroductionView {
    rita.api().get::<Vec<IntroductionView>>("/v1/introductions").await.unwrap().remove(0)
}

fn answers(introduction: &IntroductionView) -> Vec<IntroducedAnswer> {
    introduction.friends.iter().map(|friend| friend.answer).collect()
}

async fn friends(person: &Person) -> Vec<String> {
    let friends: Vec<FriendView> = person.api().get("/v1/friends").await.unwrap();
    friends.into_iter().map(|friend| friend.name).collect()
}

async fn knows(person: &Person, name: &str) -> bool {
    friends(person).await.iter().any(|friend| friend == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_consent_become_friends_and_talk() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    let mut heard = ann.node().driver().events();
    let made = introduce(&rita, Some("he mends bicycles")).await.unwrap();
    assert_eq!((made.state, made.friends[0].name.as_str()), (IntroductionState::Open, "ann"));
    let asked = request(&ann).await;
    assert_eq!(asked.text, "rita says that this is bob, and would like the two of you to meet");
    let RequestKind::Introduction { by, name, account, note, .. } = &asked.what else { panic!("{asked:?}") };
    assert_eq!((by.as_str(), name.as_str(), note.as_deref()), ("rita", "bob", Some("he mends bicycles")));
    assert_eq!(*account, bob.node().id().account);
    let event = async {
        loop {
            if let NodeEvent::Request { id, kind, text } = heard.recv().await.unwrap() {
                break (id, kind, text);
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(5), event).await.unwrap();
    assert_eq!(event, (asked.id.clone(), "introduction".into(), asked.text.clone()));
    assert_eq!(introduce(&rita, None).await.unwrap_err().code, ErrorCode::Exists);

    assert_eq!(accept(&ann, Some("Bobby")).await.state, RequestState::Accepted);
    until("rita knows", async || {
        answers(&introduction(&rita).await) == [IntroducedAnswer::Consented, IntroducedAnswer::Asked]
    })
    .await;
    assert!(!knows(&ann, "bob").await && !knows(&bob, "ann").await, "one consent is none");
    accept(&bob, None).await;
    until("ann has a friend more", async || knows(&ann, "Bobby").await).await;
    until("bob has a friend more", async || knows(&bob, "ann").await).await;
    assert!(bob.ping("ann").await.is_ok());
    assert_eq!(bob.send("ann", "hello", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(ann.inbox().await, ["hello"]);
    until("nothing is asked any more", async || {
        requests(&ann).await.is_empty() && requests(&bob).await.is_empty()
    })
    .await;
    until("it was passed on", async || introduction(&rita).await.state == IntroductionState::Passed).await;
    until("nothing is left in the service", async || service.stored() == 0).await;
    let mut friends = friends(&rita).await;
    friends.sort();
    assert_eq!(friends, ["ann", "bob"]);
}

/// Each of the three ends and starts again after each step.
#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_anybody_lose_nothing() {
    let service = service();
    let (mut rita, mut ann, mut bob) = three(&service).await;
    ann.stop().await;
    bob.stop().await;
    introduce(&rita, None).await.unwrap();
    rita.stop().await;
    rita.start().await;
    ann.start().await;
    accept(&ann, None).await;
    ann.stop().await;
    rita.drop_node();
    bob.start().await;
    rita.start().await;
    accept(&bob, Some("Annie")).await;
    bob.drop_node();
    ann.start().await;
    until("rita heard of both", async || {
        let heard = answers(&introduction(&rita).await);
        heard[0] == IntroducedAnswer::Consented
    })
    .await;
    rita.stop().await;
    bob.start().await;
    ann.stop().await;
    ann.start().await;
    rita.start().await;
    until("ann has a friend more", async || knows(&ann, "bob").await).await;
    until("bob has a friend more", async || knows(&bob, "Annie").await).await;
    assert!(ann.ping("bob").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_to_nobody() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    introduce(&rita, None).await.unwrap();
    assert_eq!(refuse(&ann).await.state, RequestState::Refused);
    assert!(requests(&ann).await.is_empty());
    accept(&bob, None).await;
    until("rita heard of bob", async || {
        answers(&introduction(&rita).await) == [IntroducedAnswer::Asked, IntroducedAnswer::Consented]
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(introduction(&rita).await.state, IntroductionState::Open);
    assert_eq!(request(&bob).await.state, RequestState::Accepted);
    assert!(!knows(&ann, "bob").await && !knows(&bob, "ann").await);
}

/// To the introducer two who are friends already look like two who have not answered.
#[tokio::test(flavor = "multi_thread")]
async fn friends_are_not_asked_about_each_other() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    befriend(&ann, &bob).await;
    introduce(&rita, None).await.unwrap();
    until("both have it", async || {
        answers(&introduction(&rita).await) == [IntroducedAnswer::Asked, IntroducedAnswer::Asked]
    })
    .await;
    assert!(requests(&ann).await.is_empty() && requests(&bob).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_friends_are_introduced() {
    let service = service();
    let (rita, ann, _bob) = three(&service).await;
    let ask = async |friend: &str, to: &str, note: Option<String>| {
        let introduce = Introduce { friend: friend.into(), to: to.into(), note };
        rita.api().post::<_, IntroductionView>("/v1/introductions", &introduce).await.unwrap_err().code
    };
    assert_eq!(ask("ann", "carl", None).await, ErrorCode::NotFound);
    assert_eq!(ask("ann", "Ann", None).await, ErrorCode::Usage);
    assert_eq!(ask("ann", "bob", Some("x".repeat(1001))).await, ErrorCode::Usage);
    assert_eq!(ask("ann", "bob", Some("turn\u{202e}around".into())).await, ErrorCode::Usage);
    let block = ChangeFriend { blocked: Some(true), ..ChangeFriend::default() };
    rita.api().patch::<_, FriendView>("/v1/friends/bob", &block).await.unwrap();
    assert_eq!(ask("ann", "bob", None).await, ErrorCode::Usage);
    let how = AcceptRequest::default();
    let unknown = ann.api().post::<_, RequestView>("/v1/requests/0123456789/accept", &how).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotFound);
    let short = ann.api().post::<_, RequestView>("/v1/requests/012/refuse", &()).await;
    assert_eq!(short.unwrap_err().code, ErrorCode::Usage);
}

/// What a friend asked who is blocked or removed goes with the friend; and so does what she was asked of somebody who is.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_or_removed_introduces_nobody() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    introduce(&rita, None).await.unwrap();
    request(&ann).await;
    request(&bob).await;
    let block = ChangeFriend { blocked: Some(true), ..ChangeFriend::default() };
    ann.api().patch::<_, FriendView>("/v1/friends/rita", &block).await.unwrap();
    until("it is gone", async || requests(&ann).await.is_empty()).await;
    accept(&bob, None).await;
    bob.api().delete::<()>("/v1/friends/rita").await.unwrap();
    until("it is gone", async || requests(&bob).await.is_empty()).await;
    rita.api().delete::<()>("/v1/friends/bob").await.unwrap();
    until("it is gone", async || {
        rita.api().get::<Vec<IntroductionView>>("/v1/introductions").await.unwrap().is_empty()
    })
    .await;
}

/// A week later, by everybody's clock.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_gone() {
    let clock = Arc::new(Days(crate::bridge_context(None).clock, AtomicU64::new(0)));
    let service = MemoryService::builder().clock(Arc::<Days>::clone(&clock)).build();
    let (mut rita, mut ann, bob) = three(&service).await;
    introduce(&rita, None).await.unwrap();
    request(&ann).await;
    accept(&bob, None).await;
    rita.stop().await;
    ann.stop().await;
    clock.1.store(8, Ordering::Relaxed);
    ann.start_with(|node| node.clock_off_by(8 * 86_400)).await;
    rita.start_with(|node| node.clock_off_by(8 * 86_400)).await;
    until("it is gone", async || requests(&ann).await.is_empty()).await;
    until("it is gone", async || {
        rita.api().get::<Vec<IntroductionView>>("/v1/introductions").await.unwrap().is_empty()
    })
    .await;
}

/// Two who share no service are told so, and become friends once they do.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_bridge_in_common_they_wait_for_one() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    introduce(&rita, None).await.unwrap();
    accept(&ann, None).await;
    let id = request(&bob).await.id;
    bob.api().delete::<()>("/v1/bridges/memory").await.unwrap();
    let how = AcceptRequest::default();
    bob.api().post::<_, RequestView>(&format!("/v1/requests/{id}/accept"), &how).await.unwrap();
    until("both are told", async || {
        let hints = [request(&ann).await.hint, request(&bob).await.hint];
        hints.iter().flatten().all(|hint| hint.contains("no bridge in common"))
            && hints.iter().all(Option::is_some)
    })
    .await;
    assert!(!knows(&ann, "bob").await);
    let options = [("member".to_owned(), "bob".to_owned())].into();
    let bridge = AddBridge { kind: "memory".into(), options, ..AddBridge::default() };
    bob.api().post::<_, BridgeView>("/v1/bridges", &bridge).await.unwrap();
    until("ann has a friend more", async || knows(&ann, "bob").await).await;
    until("bob has a friend more", async || knows(&bob, "ann").await).await;
}

/// Two who have nothing in common but the friend who introduces them meet at her place, where she lets both.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_bridge_in_common_they_meet_at_the_introducers_who_lets_them() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    let allow = ChangeFriend { allow: vec!["meet".into()], ..ChangeFriend::default() };
    for name in ["ann", "bob"] {
        rita.api().patch::<_, FriendView>(&format!("/v1/friends/{name}"), &allow).await.unwrap();
    }
    introduce(&rita, None).await.unwrap();
    for person in [&ann, &bob] {
        request(person).await;
        until("the grant is known", async || {
            let view: FriendView = person.api().get("/v1/friends/rita").await.unwrap();
            view.granted == ["meet"]
        })
        .await;
        person.api().delete::<()>("/v1/bridges/memory").await.unwrap();
    }
    let mut events = bob.node().driver().events();
    accept(&ann, None).await;
    accept(&bob, None).await;
    until("ann has a friend more", async || knows(&ann, "bob").await).await;
    until("bob has a friend more", async || knows(&bob, "ann").await).await;
    assert_eq!(
        ann.send("bob", "by your leave, Rita", Some(10_000)).await.unwrap().state,
        MessageState::Delivered
    );
    let bridges: Vec<BridgeView> = bob.api().get("/v1/bridges").await.unwrap();
    assert_eq!(bridges.iter().map(|bridge| bridge.kind.as_str()).collect::<Vec<_>>(), ["friend"]);
    let mut said = false;
    while let Ok(event) = events.try_recv() {
        said |= matches!(event, NodeEvent::Warning { what } if what.contains("meet ann at rita's"));
    }
    assert!(said, "the person is told of the bridge");
}

/// A friend who says what it likes over the protocol.
#[tokio::test(flavor = "multi_thread")]
async fn floods_replays_and_nonsense_cost_a_bounded_number_of_requests() {
    let service = service();
    let (rita, ann, bob) = three(&service).await;
    let peer = link(&rita, "ann").await;
    let mut stream = peer.link.open(introductions::NAME).await.unwrap();
    let mut say = async |message: &Message| {
        write_frame(&mut stream.send, message).await.unwrap();
        read_frame::<Receipt>(&mut stream.recv, 64).await.unwrap().unwrap().taken
    };
    let mut cards = Vec::new();
    for number in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let home = crate::Home::init(&folder.path().join("home"), &format!("n{number}")).unwrap();
        let registry = wayside_bridge::Registry::new();
        let node = crate::Node::builder(home, registry)
            .listen(vec!["udp://127.0.0.1:0".into()])
            .start()
            .await
            .unwrap();
        cards.push(node.driver().change(|engine, now| engine.own_card(now)).await.unwrap());
        node.shutdown().await;
    }
    let mut taken = 0;
    for (number, card) in (0..).zip(&cards) {
        let note = Note::new("again".into());
        let id = IntroductionId([number; 16]);
        let proposal = Message::Proposal { id, card: CardBytes(card.clone()), note, lifetime: u32::MAX };
        for _ in 0..3 {
            taken += usize::from(say(&proposal).await);
        }
    }
    assert_eq!((taken, requests(&ann).await.len()), (24, 8));
    // Nobody here consented: none of this leads to anything.
    let device = cards[0].roster().devices[0].keys.id();
    let id = IntroductionId([0; 16]);
    assert!(say(&Message::Agreed { id, device, places: Default::default(), hosted: true }).await);
    assert!(say(&Message::Invite { id, device, sealed: vec![1; 200] }).await);
    assert!(say(&Message::Consent { id, places: Default::default() }).await);
    assert!(requests(&ann).await.iter().all(|request| request.state == RequestState::Asked));
    // Even where somebody consents: what comes then was sealed by nobody whom the card names.
    let how = AcceptRequest::default();
    let first = requests(&ann).await.remove(0).id;
    ann.api().post::<_, RequestView>(&format!("/v1/requests/{first}/accept"), &how).await.unwrap();
    for number in 0..12 {
        let device = cards[usize::from(number)].roster().devices[0].keys.id();
        assert!(
            say(&Message::Invite { id: IntroductionId([number; 16]), device, sealed: vec![1; 200] }).await
        );
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(friends(&ann).await, ["rita"]);
    // Nonsense ends its stream and nothing else.
    let mut stream = peer.link.open(introductions::NAME).await.unwrap();
    write_frame(&mut stream.send, &7_u8).await.unwrap();
    assert!(read_frame::<Receipt>(&mut stream.recv, 64).await.map_or(true, |it| it.is_none()));
    assert_eq!(rita.send("ann", "still here", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    drop(bob);
}
