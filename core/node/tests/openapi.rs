//! `docs/openapi.json` says what the local API does: no path more, no path less, and every answer as it is.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[path = "openapi/schema.rs"]
mod schema;
mod support;

use std::collections::BTreeSet;

use schema::Document;
use serde::Serialize;
use serde_json::{Value, json};
use support::{Person, service, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside_node::Home;
use wayside_node::api::Lines;
use wayside_node::api::types::*;

/// Where the routes are, in a form that this test reads.
const ROUTES: &str = include_str!("../src/api/handlers/mod.rs");

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let mut routed = BTreeSet::new();
    for line in ROUTES.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                routed.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    assert_eq!(routed, Document::read().operations());
}

/// What each route takes, in a form that this test reads.
const SCOPES: &str = include_str!("../src/api/access/scopes.rs");

#[test]
fn every_operation_says_its_scope() {
    let document = Document::read();
    let mut said = BTreeSet::new();
    for line in SCOPES.lines().filter_map(|line| line.trim().strip_prefix("(\"")) {
        let words: Vec<&str> =
            line.split(['"', ' ', ',', ':', ')']).filter(|word| !word.is_empty()).collect();
        let [method, path, "Scope", scope] = words.as_slice() else { panic!("{line}") };
        let method = method.to_lowercase();
        assert_eq!(document.scope(&method, path), scope.to_lowercase(), "{method} {path}");
        assert!(said.insert((method, (*path).to_owned())), "{path} stands there twice");
    }
    assert_eq!(said, document.operations());
}

#[test]
fn the_document_is_of_this_version_and_leads_nowhere() {
    let document = Document::read();
    assert_eq!(document.whole()["info"]["version"], env!("CARGO_PKG_VERSION"));
    document.check_references();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_routed() {
    let ann = Person::new("ann", &service()).await;
    // What is answered where there is no route at all; an unknown friend is something else.
    let unrouted = ask(&ann, "get", "/v1/nothing").await;
    assert_eq!(unrouted.0, 404);
    for (method, path) in Document::read().operations() {
        let path = path
            .replace("{friend}", "nobody")
            .replace("{name}", "nothing")
            .replace("{id}", "0123")
            .replace("{number}", "0");
        if path == "/v1/events" {
            continue; // goes on for ever; it is read below
        }
        let answer = ask(&ann, &method, &path).await;
        assert_ne!(answer.0, 405, "{method} {path}");
        assert_ne!(answer, unrouted, "{method} {path}");
    }
    assert_eq!(ask(&ann, "put", "/v1/id").await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_the_document_says() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let mut checked = Checked { document: Document::read(), seen: BTreeSet::new() };
    let mut events = ann.api().get_lines("/v1/events").await.unwrap();
    checked.line("get", "/v1/events", &mut events).await;

    checked.get(&ann, "/v1/id", "/v1/id").await;
    checked.get(&ann, "/v1/bridges", "/v1/bridges").await;
    let options = [("member".to_owned(), "again".to_owned())].into();
    let bridge =
        AddBridge { kind: "memory".into(), name: Some("second".into()), options, ..AddBridge::default() };
    checked.post(&ann, "/v1/bridges", &bridge).await;
    let removed: Value = ann.api().delete("/v1/bridges/second").await.unwrap();
    checked.answer("delete", "/v1/bridges/{name}", &removed);

    let answer: Value = ann.api().post("/v1/bridges/memory/probe", &()).await.unwrap();
    checked.answer("post", "/v1/bridges/{name}/probe", &answer);
    assert_eq!(answer["works"], true);
    checked.get(&ann, "/v1/config", "/v1/config").await;
    checked.get(&ann, "/v1/kinds", "/v1/kinds").await;
    tokens(&mut checked, &ann).await;

    let wanted = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
    invites(&mut checked, &ann, &wanted).await;
    let invite = checked.post(&ann, "/v1/invites", &wanted).await["invite"].as_str().unwrap().to_owned();
    let accept = Accept { invite, name: Some("Anna".into()), wait_ms: 20_000 };
    checked.post(&bob, "/v1/accept/preview", &accept).await;
    let accepted = checked.post(&bob, "/v1/accept", &accept).await;
    assert_eq!(accepted["state"], "done");

    let ping = Ping { count: 1, wait_ms: 20_000 };
    checked.request("post", "/v1/friends/{friend}/ping", &ping);
    let mut pongs = bob.api().post_lines("/v1/friends/Anna/ping", &ping).await.unwrap();
    checked.line("post", "/v1/friends/{friend}/ping", &mut pongs).await;
    checked.doctor(&bob, &Examine { friend: Some("Anna".into()), wait_ms: 5_000 }).await;
    checked.get(&bob, "/v1/friends", "/v1/friends").await;
    checked.get(&bob, "/v1/friends/{friend}", "/v1/friends/Anna").await;
    checked.get(&bob, "/v1/friends/{friend}/explain", "/v1/friends/Anna/explain").await;

    checked.get(&bob, "/v1/mailbox", "/v1/mailbox").await;
    checked.get(&bob, "/v1/relay", "/v1/relay").await;
    let change = ChangeRelay { month_bytes: Some(0), circuits: Some(3), ..ChangeRelay::default() };
    checked.request("patch", "/v1/relay", &change);
    let changed: Value = bob.api().patch("/v1/relay", &change).await.unwrap();
    checked.answer("patch", "/v1/relay", &changed);

    checked.get(&bob, "/v1/mailbox", "/v1/mailbox").await;
    let change = ChangeMailbox { days: Some(7), ..ChangeMailbox::default() };
    checked.request("patch", "/v1/mailbox", &change);
    let changed: Value = bob.api().patch("/v1/mailbox", &change).await.unwrap();
    checked.answer("patch", "/v1/mailbox", &changed);

    let send = Send { wait_ms: Some(20_000), ..Send::new("Anna".into(), "hello".into()) };
    let sent = checked.post(&bob, "/v1/messages", &send).await;
    assert_eq!(sent["state"], "delivered");
    let path = format!("/v1/messages/{}", sent["id"].as_str().unwrap());
    checked.get(&bob, "/v1/messages/{id}", &path).await;
    let mut inbox = ann.api().get_lines("/v1/inbox?all=true").await.unwrap();
    let message = checked.line("get", "/v1/inbox", &mut inbox).await;
    let read = MarkRead { ids: vec![message["id"].as_str().unwrap().to_owned()] };
    checked.post(&ann, "/v1/inbox/read", &read).await;
    files(&mut checked, &ann, &bob).await;

    // Friend added, link up, message received: three lines at least.
    for _ in 0..3 {
        checked.line("get", "/v1/events", &mut events).await;
    }
    checked.get(&bob, "/v1/status", "/v1/status").await;
    introductions(&mut checked, &service, &ann, &bob).await;
    pointers(&mut checked, &service, &ann).await;
    communities(&mut checked, &service).await;
    replies(&mut checked).await;
    codes(&mut checked, &service).await;
    carried(&mut checked).await;
    let change = ChangeFriend { blocked: Some(true), allow: vec!["relay".into()], ..ChangeFriend::default() };
    checked.request("patch", "/v1/friends/{friend}", &change);
    let blocked: Value = bob.api().patch("/v1/friends/Anna", &change).await.unwrap();
    checked.answer("patch", "/v1/friends/{friend}", &blocked);
    until("the link is gone", || async {
        bob.api().get::<FriendView>("/v1/friends/Anna").await.unwrap().link == LinkState::Down
    })
    .await;
    // With a queue, and without a link.
    checked.post(&bob, "/v1/messages", &Send { wait_ms: None, ..send }).await;
    checked.get(&bob, "/v1/messages", "/v1/messages").await;
    checked.get(&bob, "/v1/status", "/v1/status").await;
    checked.get(&bob, "/v1/friends/{friend}", "/v1/friends/Anna").await;
    let removed: Value = bob.api().delete("/v1/friends/Anna").await.unwrap();
    checked.answer("delete", "/v1/friends/{friend}", &removed);

    let (status, error) = ask(&bob, "get", "/v1/friends/Anna").await;
    assert_eq!(status, 404);
    checked.document.check_error(&serde_json::from_str(&error).unwrap());
    assert_eq!(checked.seen, checked.document.operations(), "some operation was not tried");
}

/// Made, listed, revoked.
async fn tokens(checked: &mut Checked, ann: &Person) {
    let wanted = NewToken {
        name: "app".into(),
        scopes: vec![Scope::Read, Scope::Messages],
        expires_in_secs: Some(3600),
    };
    checked.post(ann, "/v1/tokens", &wanted).await;
    let wanted = NewToken { name: "other".into(), scopes: vec![Scope::Admin], expires_in_secs: None };
    checked.post(ann, "/v1/tokens", &wanted).await;
    checked.get(ann, "/v1/tokens", "/v1/tokens").await;
    let revoked: Value = ann.api().delete("/v1/tokens/app").await.unwrap();
    checked.answer("delete", "/v1/tokens/{name}", &revoked);
    let again: Result<Value, ApiError> = ann.api().post("/v1/tokens", &wanted).await;
    assert_eq!(again.unwrap_err().code, ErrorCode::Exists);
}

/// One is made, listed and withdrawn, and lets nobody in.
async fn invites(checked: &mut Checked, ann: &Person, wanted: &NewInvite) {
    let made: InviteView = ann.api().post("/v1/invites", wanted).await.unwrap();
    let open: Value = ann.api().get("/v1/invites").await.unwrap();
    checked.answer("get", "/v1/invites", &open);
    assert_eq!(open[0]["invite"], made.invite.as_str());
    let path = format!("/v1/invites/{}", open[0]["id"].as_str().unwrap());
    let withdrawn: Value = ann.api().delete(&path).await.unwrap();
    checked.answer("delete", "/v1/invites/{id}", &withdrawn);
    assert_eq!(ann.api().get::<Vec<OpenInvite>>("/v1/invites").await.unwrap(), []);
    assert_eq!(ann.api().delete::<Value>(&path).await.unwrap_err().code, ErrorCode::NotFound);
}

/// Bob sends Ann a file, which she fetches.
async fn files(checked: &mut Checked, ann: &Person, bob: &Person) {
    let path = bob.folder.path().join("map.txt");
    std::fs::write(&path, "x marks the spot").unwrap();
    let file = SendFile { name: "map.txt".into(), path: path.to_str().unwrap().into() };
    let send = Send { wait_ms: Some(20_000), files: vec![file], ..Send::new("Anna".into(), "look".into()) };
    let sent = checked.post(bob, "/v1/messages", &send).await;
    let path = |number: u32| format!("/v1/inbox/{}/files/{number}", sent["id"].as_str().unwrap());
    let (status, got) = ask(ann, "get", &path(0)).await;
    assert_eq!((status, got.as_str()), (200, "x marks the spot"));
    assert_eq!(ask(ann, "get", &path(1)).await.0, 404);
    checked.seen.insert(("get".to_owned(), "/v1/inbox/{id}/files/{number}".to_owned()));
}

/// Ada and Ben each have a place that they alone write in.
async fn replies(checked: &mut Checked) {
    let clock = wayside_node::bridge_context(None).clock;
    let own =
        wayside_bridge::MemoryService::builder().writers(wayside_bridge::Writers::One).clock(clock).build();
    let (ada, mut ben) = (Person::new("ada", &own).await, Person::new("ben", &own).await);
    let accept = Accept { invite: ada.invite().await, name: None, wait_ms: 20_000 };
    assert_eq!(checked.post(&ben, "/v1/accept/preview", &accept).await["replies"], true);
    let accepted = checked.post(&ben, "/v1/accept", &accept).await;
    assert_eq!(accepted["state"], "pending");
    ben.stop().await;
    ben.start().await;
    let complete = Complete { reply: accepted["reply"].as_str().unwrap().to_owned(), wait_ms: 20_000 };
    let completed = checked.post(&ada, "/v1/complete", &complete).await;
    assert_eq!((&completed["state"], &completed["friend"]), (&json!("done"), &json!("ben")));
    let accepted = checked.post(&ben, "/v1/accept", &accept).await;
    assert_eq!((&accepted["state"], &accepted["friend"]), (&json!("done"), &json!("ada")));
    ben.ping("ada").await.unwrap();
    let wrong: Result<Value, ApiError> = ben.api().post("/v1/complete", &complete).await;
    assert_eq!(wrong.unwrap_err().code, ErrorCode::Invite);
}

/// Dora says a code, and Emil types it.
async fn codes(checked: &mut Checked, service: &wayside_bridge::MemoryService) {
    let (dora, emil) = (Person::new("dora", service).await, Person::new("emil", service).await);
    let wanted = NewCode { bridges: vec![], expires_in_secs: 3600, words: None };
    let made = checked.post(&dora, "/v1/codes", &wanted).await;
    let path = format!("/v1/codes/{}", made["id"].as_str().unwrap());
    checked.get(&dora, "/v1/codes/{id}", &format!("{path}?wait_ms=10")).await;
    let open: Value = dora.api().get(&path).await.unwrap();
    assert_eq!((&open["state"], open.get("code")), (&json!("open"), None));
    let code = made["code"].as_str().unwrap().to_owned();
    let accept = AcceptCode { code, bridges: vec![], name: None, wait_ms: 20_000 };
    let accepted = checked.post(&emil, "/v1/codes/accept", &accept).await;
    assert_eq!((&accepted["state"], &accepted["friend"]), (&json!("done"), &json!("dora")));
    checked.get(&dora, "/v1/codes/{id}", &path).await;
    let done: Value = dora.api().get(&path).await.unwrap();
    assert_eq!((&done["state"], &done["friend"]), (&json!("done"), &json!("emil")));
    let ended: Value = dora.api().delete(&path).await.unwrap();
    checked.answer("delete", "/v1/codes/{id}", &ended);
    let gone: Result<Value, ApiError> = dora.api().get(&path).await;
    assert_eq!(gone.unwrap_err().code, ErrorCode::NotFound);
    let wrong = AcceptCode { code: "7-clockwork".to_owned(), ..accept };
    let refused: Result<Value, ApiError> = emil.api().post("/v1/codes/accept", &wrong).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Invite);
}

/// Ada and Ben share nothing: a file goes there, and a reply comes back.
async fn carried(checked: &mut Checked) {
    let service = || {
        let clock = wayside_node::bridge_context(None).clock;
        wayside_bridge::MemoryService::builder().clock(clock).build()
    };
    let (ada, ben) = (Person::new("ada", &service()).await, Person::new("ben", &service()).await);
    let wanted = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
    let made = checked.post(&ada, "/v1/invites/file", &wanted).await;
    let invite = made["invite"].as_str().unwrap().to_owned();
    assert!(invite.starts_with("wayside-invite:"), "{made}");
    let accept = Accept { invite, name: None, wait_ms: 20_000 };
    let preview = checked.post(&ben, "/v1/accept/preview", &accept).await;
    assert_eq!(preview["from"]["name"], "ada");
    let accepted = checked.post(&ben, "/v1/accept/reply", &accept).await;
    assert_eq!((&accepted["state"], &accepted["friend"]), (&json!("done"), &json!("ada")));
    // Accepted in the other way, it is the same reply still.
    assert_eq!(checked.post(&ben, "/v1/accept", &accept).await["reply"], accepted["reply"]);
    let complete = Complete { reply: accepted["reply"].as_str().unwrap().to_owned(), wait_ms: 20_000 };
    let completed = checked.post(&ada, "/v1/complete", &complete).await;
    assert_eq!((&completed["state"], &completed["friend"]), (&json!("done"), &json!("ben")));
    ben.ping("ada").await.unwrap();
}

/// Ann introduces Bob and Carl to each other: Bob accepts, and Carl refuses.
async fn introductions(
    checked: &mut Checked,
    service: &wayside_bridge::MemoryService,
    ann: &Person,
    bob: &Person,
) {
    let carl = Person::new("carl", service).await;
    carl.accept(&ann.invite().await).await.unwrap();
    carl.ping("ann").await.unwrap();
    let mut events = bob.api().get_lines("/v1/events").await.unwrap();
    let introduce = Introduce { friend: "bob".into(), to: "carl".into(), note: Some("both sing".into()) };
    checked.post(ann, "/v1/introductions", &introduce).await;
    while checked.line("get", "/v1/events", &mut events).await["event"] != "request" {}
    until("carl is asked", || async {
        !carl.api().get::<Vec<Value>>("/v1/requests").await.unwrap().is_empty()
    })
    .await;
    checked.get(bob, "/v1/requests", "/v1/requests").await;
    let accept = AcceptRequest { name: Some("Charles".into()) };
    checked.request("post", "/v1/requests/{id}/accept", &accept);
    let asked: Vec<RequestView> = bob.api().get("/v1/requests").await.unwrap();
    let path = format!("/v1/requests/{}/accept", &asked[0].id[..8]);
    let accepted: Value = bob.api().post(&path, &accept).await.unwrap();
    assert_eq!((&accepted["state"], &accepted["kind"]), (&json!("accepted"), &json!("introduction")));
    checked.answer("post", "/v1/requests/{id}/accept", &accepted);
    let asked: Vec<RequestView> = carl.api().get("/v1/requests").await.unwrap();
    let refused: Value = carl.api().post(&format!("/v1/requests/{}/refuse", asked[0].id), &()).await.unwrap();
    checked.answer("post", "/v1/requests/{id}/refuse", &refused);
    checked.get(ann, "/v1/introductions", "/v1/introductions").await;
}

/// Ann publishes a card, by which Dora knocks: Ann lets her in.
async fn pointers(checked: &mut Checked, service: &wayside_bridge::MemoryService, ann: &Person) {
    let dora = Person::new("dora", service).await;
    let wanted = PublishPointer {
        name: "ann".into(),
        bridges: vec!["memory".into()],
        place: None,
        file: true,
        lifetime_secs: 86_400,
    };
    checked.post(ann, "/v1/pointers", &wanted).await;
    let wanted = PublishPointer { place: Some("memory".into()), ..wanted };
    let made = checked.post(ann, "/v1/pointers", &wanted).await;
    checked.get(&dora, "/v1/bridges/{name}/pointers", "/v1/bridges/memory/pointers").await;
    let preview = |invite: &str| Accept { invite: invite.to_owned(), name: None, wait_ms: 0 };
    checked.post(&dora, "/v1/accept/preview", &preview("memory#ann")).await;
    checked.post(&dora, "/v1/accept/preview", &preview(made["card"].as_str().unwrap())).await;
    let fetch = FetchPointer { source: "memory#ann".into(), contact: false, account: None };
    let found = checked.post(&dora, "/v1/pointers/fetch", &fetch).await;
    assert_eq!(found["card"], made["card"]);
    let mut events = ann.api().get_lines("/v1/events").await.unwrap();
    let knocked = checked.post(&dora, "/v1/accept", &preview(found["card"].as_str().unwrap())).await;
    assert_eq!(knocked, json!({"state": "pending"}));
    while checked.line("get", "/v1/events", &mut events).await["event"] != "request" {}
    checked.get(ann, "/v1/requests", "/v1/requests").await;
    checked.get(ann, "/v1/pointers", "/v1/pointers").await;
    checked.get(ann, "/v1/status", "/v1/status").await;
    let asked: Vec<RequestView> = ann.api().get("/v1/requests").await.unwrap();
    let path = format!("/v1/requests/{}/accept", asked[0].id);
    let accepted: Value = ann.api().post(&path, &AcceptRequest::default()).await.unwrap();
    assert_eq!((&accepted["state"], &accepted["kind"]), (&json!("meeting"), &json!("knock")));
    checked.answer("post", "/v1/requests/{id}/accept", &accepted);
    checked.get(ann, "/v1/friends/{friend}/comparison", "/v1/friends/dora/comparison").await;
    let withdrawn: Value = ann.api().delete("/v1/pointers/ann").await.unwrap();
    checked.answer("delete", "/v1/pointers/{name}", &withdrawn);
}

/// Emma is in a room with a bot, which is asked for Finn, and asks for Gus.
async fn communities(checked: &mut Checked, service: &wayside_bridge::MemoryService) {
    let room = wayside_bridge::MemoryRoom::new();
    let bot = room.member("@bot");
    let kind = support::rooms::Rooms { service: service.clone(), room: room.clone() };
    let folder = tempfile::tempdir().unwrap();
    let home = Home::init(&folder.path().join("home"), "emma").unwrap();
    let node = wayside_node::Node::builder(home, wayside_bridge::Registry::new().with(kind))
        .listen(vec!["udp://127.0.0.1:0".into()])
        .serve_api();
    let node = node.start().await.unwrap();
    let (emma, mut events) = (node.client(), node.client().get_lines("/v1/events").await.unwrap());
    let community = Some(RoomBot { bot: "@bot".into(), listed: false });
    let options = [("member".to_owned(), "@emma".to_owned())].into();
    let bridge = AddBridge { kind: "rooms".into(), options, community, ..AddBridge::default() };
    checked.request("post", "/v1/bridges", &bridge);
    let _: BridgeView = emma.post("/v1/bridges", &bridge).await.unwrap();
    let change = ChangeCommunity { bot: Some("@bot".into()), listed: Some(true) };
    checked.request("patch", "/v1/communities/{name}", &change);
    let changed: Value = emma.patch("/v1/communities/rooms", &change).await.unwrap();
    checked.answer("patch", "/v1/communities/{name}", &changed);
    let ask = AskToMeet { person: "@finn".into(), bridge: Some("rooms".into()), name: Some("Finn".into()) };
    checked.request("post", "/v1/encounters", &ask);
    let asked: Value = emma.post("/v1/encounters", &ask).await.unwrap();
    checked.answer("post", "/v1/encounters", &asked);
    until("the bot has a card", || async { !room.said().is_empty() }).await;
    let says = async |text: &str| {
        let to = Some(wayside_bridge::Sender("@emma".into()));
        let text = text.to_owned();
        bot.say(&wayside_bridge::Outgoing { to, text, automatic: true, answers: None }).await.unwrap();
    };
    says("wayside-bot: joined").await;
    until("the bot is asked", || async { room.said().iter().any(|(_, said)| said.text == "!meet @finn") })
        .await;
    until("somebody asks", || async {
        says("wayside-bot: asked @gus").await;
        says("wayside-bot: asking @finn").await;
        !emma.get::<Vec<Value>>("/v1/requests").await.unwrap().is_empty()
    })
    .await;
    while checked.line("get", "/v1/events", &mut events).await["event"] != "encounter" {}
    for path in ["/v1/communities", "/v1/encounters", "/v1/requests"] {
        let answer: Value = emma.get(path).await.unwrap();
        checked.answer("get", path, &answer);
    }
    node.shutdown().await;
}

/// Looks at requests and answers, and remembers of which operations.
struct Checked {
    document: Document,
    seen: BTreeSet<(String, String)>,
}

impl Checked {
    fn request<B: Serialize>(&self, method: &str, path: &str, body: &B) {
        self.document.check_request(method, path, &serde_json::to_value(body).unwrap());
    }

    fn answer(&mut self, method: &str, path: &str, answer: &Value) {
        self.document.check_answer(method, path, answer);
        self.seen.insert((method.to_owned(), path.to_owned()));
    }

    async fn get(&mut self, person: &Person, path: &str, at: &str) {
        let answer: Value = person.api().get(at).await.unwrap();
        self.answer("get", path, &answer);
    }

    async fn post<B: Serialize + Sync>(&mut self, person: &Person, path: &str, body: &B) -> Value {
        self.request("post", path, body);
        let answer: Value = person.api().post(path, body).await.unwrap();
        self.answer("post", path, &answer);
        answer
    }

    /// All lines, of which the last one is the report.
    async fn doctor(&mut self, person: &Person, examine: &Examine) {
        self.request("post", "/v1/doctor", examine);
        let mut lines = person.api().post_lines("/v1/doctor", examine).await.unwrap();
        let mut last = Value::Null;
        while let Some(line) = lines.next::<Value>().await.unwrap() {
            self.answer("post", "/v1/doctor", &line);
            last = line;
        }
        assert_eq!(last["figures"]["friends"][0]["link"], "up", "{last}");
    }

    async fn line(&mut self, method: &str, path: &str, lines: &mut Lines) -> Value {
        let line: Value = lines.next().await.unwrap().expect("a line");
        self.answer(method, path, &line);
        line
    }
}

/// Status and body of a request that makes little sense, sent as bytes.
async fn ask(person: &Person, method: &str, path: &str) -> (u16, String) {
    let socket = Home::open(&person.home()).unwrap().socket();
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let (method, body) = (method.to_uppercase(), json!({}).to_string());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: wayside\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status, body.unwrap_or_default())
}
