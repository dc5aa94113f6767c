//! Cards under public names, and who knocks by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeExt, BridgeKind, BridgeOptions, Class, ErrorKind, Key, MemoryService,
    Opened, OptionSpec, Record, Timestamp,
};
use wayside_proto::pointer::Pointer;

use super::cards::Days;
use super::{Person, befriend, service, until};
use crate::api::types::*;

const DAY: u64 = 86_400;

async fn publish(person: &Person, name: &str) -> PointerView {
    publish_as(person, name, |it| it).await.unwrap()
}

async fn publish_as(
    person: &Person,
    name: &str,
    with: impl FnOnce(PublishPointer) -> PublishPointer,
) -> Result<PointerView, ApiError> {
    let wanted = PublishPointer {
        name: name.into(),
        bridges: Vec::new(),
        place: None,
        file: false,
        lifetime_secs: 90 * DAY,
    };
    person.api().post("/v1/pointers", &with(wanted)).await
}

async fn fetch(person: &Person, source: &str) -> Result<FoundPointer, ApiError> {
    let wanted = FetchPointer { source: source.into(), contact: false, account: None };
    person.api().post("/v1/pointers/fetch", &wanted).await
}

async fn knock(person: &Person, card: &str, wait_ms: u64) -> Result<Accepted, ApiError> {
    person.api().post("/v1/accept", &Accept { invite: card.into(), name: None, wait_ms }).await
}

async fn requests(person: &Person) -> Vec<RequestView> {
    person.api().get("/v1/requests").await.unwrap()
}

/// The one knock that somebody has, once it has come.
async fn request(person: &Person) -> RequestView {
    until("somebody knocks", async || requests(person).await.len() == 1).await;
    requests(person).await.remove(0)
}

async fn accept(person: &Person) -> RequestView {
    let id = request(person).await.id;
    person.api().post(&format!("/v1/requests/{id}/accept"), &AcceptRequest::default()).await.unwrap()
}

async fn friends(person: &Person) -> Vec<FriendView> {
    person.api().get("/v1/friends").await.unwrap()
}

async fn pointers(person: &Person) -> Vec<PointerView> {
    person.api().get("/v1/pointers").await.unwrap()
}

/// What lies in the service under a name.
async fn under(service: &MemoryService, name: &str) -> Vec<Bytes> {
    let found = service.bridge("looks").fetch_keys([Key::Name(name.into())]).await.unwrap();
    found.into_iter().map(|record| record.bytes).collect()
}

/// Ends a node without any leave, and waits until its home is free.
async fn crash(person: &mut Person) {
    person.drop_node();
    let home = crate::Home::open(&person.home()).unwrap();
    until("the home is let go of", async || home.lock().is_ok()).await;
}

async fn plant(service: &MemoryService, name: &str, bytes: impl Into<Bytes>) {
    let until = Timestamp::from_secs(4_000_000_000);
    let record = Record::new(Key::Name(name.into()), Class::Pointer, until, bytes);
    service.bridge("plants").publish_one(&record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_knocks_is_let_in_and_talks() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let mut events = ann.node().driver().events();
    let published = publish(&ann, "alice").await;
    assert_eq!((published.place.as_deref(), published.published), (Some("memory"), true));
    assert_eq!(published.points, ["memory:shared"]);
    assert_eq!(service.stored(), 1);

    let found = fetch(&bob, "memory#alice").await.unwrap();
    assert_eq!((found.name.as_str(), &found.account), ("alice", &ann.node().id().account));
    assert_eq!((found.fault.as_deref(), found.friend.as_deref(), found.own), (None, None, false));
    assert_eq!(found.points[0].bridges, ["memory"]);
    assert_eq!(found.card, published.card);
    let preview: InvitePreview = bob
        .api()
        .post("/v1/accept/preview", &Accept { invite: found.card.clone(), name: None, wait_ms: 0 })
        .await
        .unwrap();
    assert_eq!(preview.pointer.as_ref(), Some(&found));

    let (knocked, asked) = tokio::join!(knock(&bob, &found.card, 20_000), async {
        let asked = request(&ann).await;
        assert_eq!(friends(&ann).await.len(), 0, "nobody is let in unasked");
        assert_eq!(pointers(&ann).await[0].knocks, 1);
        assert!(accept(&ann).await.hint.is_some_and(|hint| hint.contains("friend verify bob")));
        asked
    });
    let RequestKind::Knock { name, account, pointer, over } = &asked.what else { panic!("{asked:?}") };
    assert_eq!((name.as_str(), account), ("bob", &bob.node().id().account));
    assert_eq!((pointer.as_str(), over.as_str(), asked.id.len()), ("alice", "memory", 16));
    let knocked = knocked.unwrap();
    assert_eq!((knocked.state, knocked.friend.as_deref()), (AcceptState::Done, Some("ann")));
    let event = async {
        loop {
            if let NodeEvent::Request { id, kind, text } = events.recv().await.unwrap() {
                break (id, kind, text);
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(5), event).await.unwrap();
    assert_eq!(event, (asked.id, "knock".into(), asked.text));
    bob.ping("ann").await.unwrap();
    assert_eq!(bob.send("ann", "hello", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    until("only the card is left in the service", async || service.stored() == 1).await;
    assert_eq!(requests(&ann).await.len(), 0);

    // Who is a friend already is not knocked at.
    let again = knock(&bob, &found.card, 0).await.unwrap();
    assert_eq!((again.state, again.friend.as_deref()), (AcceptState::Done, Some("ann")));
    assert_eq!(fetch(&bob, "memory#alice").await.unwrap().friend.as_deref(), Some("ann"));
    assert_eq!(knock(&ann, &found.card, 0).await.unwrap_err().code, ErrorCode::Invite);
    compare(&ann, &bob).await;
}

/// Both see that nobody knows who the other is, compare, and say so.
async fn compare(ann: &Person, bob: &Person) {
    for (person, friend) in [(ann, "bob"), (bob, "ann")] {
        let view = friends(person).await.remove(0);
        assert_eq!((view.verified, view.by_card), (false, true), "{}", person.name);
        let path = format!("/v1/friends/{friend}/comparison");
        let comparison: Comparison = person.api().get(&path).await.unwrap();
        assert!(!comparison.verified && comparison.comparison.len() > 20, "{comparison:?}");
    }
    let of = |person: &Person| person.api();
    let anns: Comparison = of(ann).get("/v1/friends/bob/comparison").await.unwrap();
    let bobs: Comparison = of(bob).get("/v1/friends/ann/comparison").await.unwrap();
    assert_eq!(anns.comparison, bobs.comparison);
    let same = ChangeFriend { verified: Some(true), ..ChangeFriend::default() };
    let view: FriendView = ann.api().patch("/v1/friends/bob", &same).await.unwrap();
    assert!(view.verified && view.by_card);
    assert!(!friends(bob).await[0].verified, "each says it for themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_hears_nothing() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let card = publish(&ann, "alice").await.card;
    let (knocked, ()) = tokio::join!(knock(&bob, &card, 3_000), async {
        let id = request(&ann).await.id;
        let refused: RequestView =
            ann.api().post(&format!("/v1/requests/{}/refuse", &id[..4]), &()).await.unwrap();
        assert_eq!(refused.state, RequestState::Refused);
    });
    assert_eq!(knocked.unwrap().state, AcceptState::Pending);
    assert_eq!(knock(&bob, &card, 1_000).await.unwrap().state, AcceptState::Pending);
    assert_eq!((requests(&ann).await.len(), friends(&ann).await.len(), friends(&bob).await.len()), (0, 0, 0));
    let gone: Result<RequestView, _> = ann.api().post("/v1/requests/0123456789abcdef/refuse", &()).await;
    assert_eq!(gone.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_both_lose_nothing() {
    let service = service();
    let (mut ann, mut bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let card = publish(&ann, "alice").await.card;
    ann.stop().await;
    assert_eq!(knock(&bob, &card, 0).await.unwrap().state, AcceptState::Pending);
    until("the knock lies there", async || service.stored() == 2).await;
    crash(&mut bob).await;
    ann.start().await;
    assert_eq!(pointers(&ann).await[0].card, card);
    request(&ann).await;
    crash(&mut ann).await;
    ann.start().await;
    accept(&ann).await;
    crash(&mut ann).await;
    bob.start().await;
    ann.start().await;
    until("both are friends", async || friends(&ann).await.len() == 1 && friends(&bob).await.len() == 1)
        .await;
    bob.ping("ann").await.unwrap();
    for person in [&ann, &bob] {
        assert!(friends(person).await[0].by_card, "{}", person.name);
    }
    let removed: () = bob.api().delete("/v1/friends/ann").await.unwrap();
    assert_eq!((removed, bob.node().kept_pointers().by_card().len()), ((), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_is_taken_back_and_lets_nobody_in() {
    let service = service();
    let (mut ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let card = publish(&ann, "alice").await.card;
    publish(&ann, "alice-at-work").await;
    ann.stop().await;
    ann.start().await;
    let withdrawn: WithdrawnPointer = ann.api().delete("/v1/pointers/alice").await.unwrap();
    assert_eq!((withdrawn.withdrawn.as_str(), withdrawn.left_at.len()), ("alice", 0));
    assert_eq!((under(&service, "alice").await.len(), under(&service, "alice-at-work").await.len()), (0, 1));
    assert_eq!(fetch(&bob, "memory#alice").await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(knock(&bob, &card, 1_000).await.unwrap().state, AcceptState::Pending);
    assert_eq!(requests(&ann).await.len(), 0);
    let again: Result<WithdrawnPointer, _> = ann.api().delete("/v1/pointers/alice").await;
    assert_eq!(again.unwrap_err().code, ErrorCode::NotFound);

    // While the service is away it stays there, and goes once it is back, whatever happens in between.
    service.fail_with(Some(ErrorKind::Unreachable));
    let withdrawn: WithdrawnPointer = ann.api().delete("/v1/pointers/alice-at-work").await.unwrap();
    assert_eq!(withdrawn.left_at, ["memory"]);
    crash(&mut ann).await;
    ann.start().await;
    service.fail_with(None);
    until("it is taken back", async || under(&service, "alice-at-work").await.is_empty()).await;
    until("nothing more is known of it", async || ann.node().kept_pointers().names().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_removed_takes_the_card_along() {
    let service = service();
    let ann = Person::new("ann", &service).await;
    publish(&ann, "alice").await;
    let _: () = ann.api().delete("/v1/bridges/memory").await.unwrap();
    assert_eq!(under(&service, "alice").await.len(), 0);
    assert_eq!(pointers(&ann).await[0].place, None, "by what is in files one may knock still");
    assert_eq!(publish_as(&ann, "alice", |it| it).await.unwrap_err().code, ErrorCode::NoBridge);
}

/// With a service that goes by a clock that can be set.
fn dated() -> (Arc<Days>, MemoryService) {
    let clock = Arc::new(Days(crate::bridge_context(None).clock, AtomicU64::new(0)));
    let service = MemoryService::builder()
        .clock(Arc::<Days>::clone(&clock))
        .retention(Duration::from_secs(400 * DAY))
        .build();
    (clock, service)
}

async fn days_later(person: &mut Person, clock: &Days, days: u64) {
    person.stop().await;
    clock.1.store(days, Ordering::Relaxed);
    let secs = i64::try_from(days * DAY).unwrap();
    person.start_with(|node| node.clock_off_by(secs)).await;
}

fn expiry(records: &[Bytes]) -> Option<u64> {
    match records {
        [record] => Some(Pointer::read(record).unwrap().expires().as_secs()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_at_a_place_is_renewed_in_time_and_what_is_in_a_file_is_not() {
    let (clock, service) = dated();
    let mut ann = Person::new("ann", &service).await;
    publish(&ann, "alice").await;
    let file = publish_as(&ann, "filed", |it| PublishPointer { file: true, ..it }).await.unwrap();
    assert_eq!((&file.place, file.published, file.file_expires), (&None, false, Some(file.expires)));
    let first = expiry(&under(&service, "alice").await).unwrap();
    days_later(&mut ann, &clock, 59).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(expiry(&under(&service, "alice").await), Some(first), "there is time yet");
    days_later(&mut ann, &clock, 61).await;
    until("it is renewed, and the one before taken back", async || {
        expiry(&under(&service, "alice").await).is_some_and(|expires| expires >= first + 60 * DAY)
    })
    .await;
    let again = pointers(&ann).await;
    assert_eq!(again[1], file, "the file is as it was");
    // Long off, and past its end.
    days_later(&mut ann, &clock, 300).await;
    until("it lies there again", async || {
        expiry(&under(&service, "alice").await).is_some_and(|expires| expires >= first + 290 * DAY)
    })
    .await;
    assert_eq!(pointers(&ann).await.len(), 1, "what was in the file has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_vanished_is_published_again_a_day_later() {
    let (clock, service) = dated();
    let mut ann = Person::new("ann", &service).await;
    publish(&ann, "alice").await;
    service.tamper(|record| record.key = Key::Name("elsewhere".into()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(under(&service, "alice").await.len(), 0, "it is looked for once a day");
    days_later(&mut ann, &clock, 2).await;
    until("it lies there again", async || under(&service, "alice").await.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_accounts_one_is_chosen_by_a_person() {
    let service = service();
    let (ann, bob, eve) = (
        Person::new("ann", &service).await,
        Person::new("bob", &service).await,
        Person::new("eve", &service).await,
    );
    let first = publish(&ann, "alice").await;
    plant(&service, "alice", &b"junk"[..]).await;
    plant(&service, "alice", vec![0; 60_000]).await;
    // An earlier one of the same account, as somebody may have kept it; and one of hers under another name.
    let second = publish(&ann, "alice").await;
    plant(&service, "alice", first.card).await;
    let other = publish(&ann, "alice2").await;
    plant(&service, "alice", other.card).await;
    let found = fetch(&bob, "memory#alice").await.unwrap();
    assert_eq!((&found.card, found.skipped), (&second.card, 2), "the newest that holds");

    publish(&eve, "alice").await;
    let error = fetch(&bob, "memory#alice").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Usage);
    for account in [&ann.node().id().account, &eve.node().id().account] {
        assert!(error.message.contains(account), "{error}");
        let wanted =
            FetchPointer { source: "memory#alice".into(), contact: false, account: Some(account.clone()) };
        let chosen: FoundPointer = bob.api().post("/v1/pointers/fetch", &wanted).await.unwrap();
        assert_eq!(chosen.account, *account);
    }
    let listed: PlacePointers = bob.api().get("/v1/bridges/memory/pointers").await.unwrap();
    let names: Vec<_> = listed.pointers.iter().map(|it| (it.name.as_str(), it.fault.is_none())).collect();
    assert_eq!((names, listed.more), (vec![("alice", true), ("alice", true), ("alice2", true)], false));

    plant(&service, "junk", &b"junk"[..]).await;
    assert_eq!(fetch(&bob, "memory#junk").await.unwrap_err().code, ErrorCode::Invite);
    plant(&service, "renamed", second.card).await;
    let renamed = fetch(&bob, "memory#renamed").await.unwrap();
    assert!(renamed.fault.is_some_and(|fault| fault.contains("alice")), "it is for another name");
}

/// Opens the service for whoever names it by a source, or does something worse.
#[derive(Debug)]
struct Library {
    service: MemoryService,
    opened: Arc<AtomicUsize>,
}

#[async_trait]
impl BridgeKind for Library {
    fn kind(&self) -> &'static str {
        "library"
    }

    fn summary(&self) -> &'static str {
        "a kind for a test"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::new("at", "WHERE", "where").required()];
        OPTIONS
    }

    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        let at = source.strip_prefix("lib+")?;
        Some(match at {
            "forbidden" => Err(BridgeError::new(ErrorKind::Configuration, "that is not to be followed")),
            at => Ok(BridgeOptions::from_iter([("at", at)])),
        })
    }

    fn usage(&self, address: &str) -> String {
        format!("--at {address}")
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        assert_eq!(context.state_dir, None);
        match options.required("at")? {
            "hangs" => std::future::pending().await,
            "panics" => panic!("a plugin's bug"),
            "refuses" => Err(BridgeError::new(ErrorKind::Denied, "nobody is let in")),
            _ => Ok(Opened::bridge(self.service.bridge("reads"))),
        }
    }
}

fn elsewhere() -> MemoryService {
    MemoryService::builder().name("elsewhere").clock(crate::bridge_context(None).clock).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_contacted_only_when_somebody_says_so() {
    let (library, elsewhere) = (service(), elsewhere());
    let opened = Arc::new(AtomicUsize::new(0));
    let ann = Person::new("ann", &library).await;
    publish(&ann, "alice").await;
    let kind = Library { service: library.clone(), opened: Arc::clone(&opened) };
    let bob = Person::new_with("bob", &elsewhere, |node| node.kind_of_bridge(kind)).await;
    let preview = async |source: &str| -> Result<InvitePreview, ApiError> {
        bob.api().post("/v1/accept/preview", &Accept { invite: source.into(), name: None, wait_ms: 0 }).await
    };
    let seen = preview("lib+here#alice").await.unwrap();
    let expected = SourceView { name: "alice".into(), bridge: None, contacts: Some("lib+here".into()) };
    assert_eq!((seen.source, seen.pointer, seen.expires), (Some(expected), None, None));
    // Without a name its owner's card is meant.
    let owner = SourceView { name: "me".into(), bridge: None, contacts: Some("lib+here".into()) };
    assert_eq!(preview("lib+here").await.unwrap().source, Some(owner));
    let own = preview("memory#alice").await.unwrap().source.unwrap();
    assert_eq!((own.bridge.as_deref(), own.contacts), (Some("memory"), None));
    assert_eq!(fetch(&bob, "lib+here#alice").await.unwrap_err().code, ErrorCode::Usage);
    assert_eq!(knock(&bob, "lib+here#alice", 0).await.unwrap_err().code, ErrorCode::Usage);
    for (source, code) in [
        ("lib+forbidden#alice", ErrorCode::Usage),
        ("lib+here#.alice", ErrorCode::Usage),
        ("lib+here#Alice", ErrorCode::Usage),
        ("git+https://host/path#alice", ErrorCode::Usage),
        ("memory", ErrorCode::Invite),
        ("somewhere", ErrorCode::Invite),
        ("lib+forbidden", ErrorCode::Usage),
        ("lib+he re#alice", ErrorCode::Invite),
        ("#alice", ErrorCode::Invite),
        ("", ErrorCode::Invite),
    ] {
        assert_eq!(preview(source).await.unwrap_err().code, code, "{source:?}");
    }
    assert_eq!(opened.load(Ordering::Relaxed), 0, "nobody was contacted");

    let contact = async |source: &str| -> Result<FoundPointer, ApiError> {
        let wanted = FetchPointer { source: source.into(), contact: true, account: None };
        bob.api().post("/v1/pointers/fetch", &wanted).await
    };
    let found = contact("lib+here#alice").await.unwrap();
    assert_eq!((found.name.as_str(), opened.load(Ordering::Relaxed)), ("alice", 1));
    assert_eq!(found.points[0].bridges, Vec::<String>::new());
    assert_eq!(found.points[0].add.as_deref(), Some("wayside bridge add memory"));
    assert_eq!(contact("lib+here#nobody").await.unwrap_err().code, ErrorCode::NotFound);
    for bad in ["lib+hangs#alice", "lib+panics#alice", "lib+refuses#alice"] {
        let error = contact(bad).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Bridge, "{bad}: {error}");
    }
    let error = knock(&bob, &found.card, 0).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoBridge);
    assert!(error.message.contains("memory:shared") && error.message.contains("`wayside bridge add memory`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_public_names_can_lie_a_card_goes_into_a_file() {
    let service =
        MemoryService::builder().clock(crate::bridge_context(None).clock).without(Class::Pointer).build();
    let ann = Person::new("ann", &service).await;
    for place in [None, Some("memory".to_owned())] {
        let error = publish_as(&ann, "alice", |it| PublishPointer { place, ..it }).await.unwrap_err();
        assert!(error.code == ErrorCode::Usage && error.message.contains("--file"), "{error}");
    }
    assert_eq!(pointers(&ann).await, [], "what was made for nothing is withdrawn");
    let made = publish_as(&ann, "alice", |it| PublishPointer { file: true, ..it }).await.unwrap();
    let bob = Person::new("bob", &service).await;
    let found = fetch(&bob, &format!("# alice\n{}\n", made.card)).await.unwrap();
    assert_eq!((found.name.as_str(), found.fault), ("alice", None));
    let (knocked, _) = tokio::join!(knock(&bob, &made.card, 20_000), accept(&ann));
    assert_eq!(knocked.unwrap().state, AcceptState::Done);
    for name in ["", "Alice", ".a", "a/b"] {
        let error = publish_as(&ann, name, |it| it).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage, "{name}");
    }
    let nowhere =
        publish_as(&ann, "alice", |it| PublishPointer { place: Some("nowhere".into()), ..it }).await;
    assert_eq!(nowhere.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_became_a_friend_by_an_invite_is_not_marked() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    befriend(&ann, &bob).await;
    let view = friends(&ann).await.remove(0);
    assert_eq!((view.verified, view.by_card), (false, false));
}
