//! Who may ask the local API what: at the socket, and over TCP.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[path = "access/http.rs"]
mod http;
#[path = "openapi/schema.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod schema;
mod support;

use std::time::{Duration, Instant};

use http::{Answer, At, ask, follow};
use schema::Document;
use serde_json::{Value, json};
use support::{Person, service};
use wayside_node::Home;
use wayside_node::api::types::*;

const ORIGIN: &str = "https://app.example";

/// Ann, whose node is up and listens on TCP.
async fn ann() -> (Person, At, At) {
    let mut ann = Person::new("ann", &service()).await;
    ann.stop().await;
    let home = Home::open(&ann.home()).unwrap();
    home.set_option("api.listen", "127.0.0.1:0").unwrap();
    home.set_option("api.origins", ORIGIN).unwrap();
    ann.start_with(|node| node.kind(NodeKind::Up)).await;
    let status: StatusView = ann.api().get("/v1/status").await.unwrap();
    let port = status.api.unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let socket = At::Socket(home.socket());
    (ann, socket, At::Port(port))
}

async fn token(ann: &Person, name: &str, scopes: &[Scope]) -> String {
    let wanted = NewToken { name: name.into(), scopes: scopes.to_vec(), expires_in_secs: None };
    ann.api().post::<_, MadeToken>("/v1/tokens", &wanted).await.unwrap().token
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Every operation of the document: its scope lets a token in, none of the others does, and over TCP nobody is let in without one.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_the_scope_that_the_document_says() {
    let (ann, socket, tcp) = ann().await;
    let mut tokens = Vec::new();
    for scope in Scope::ALL {
        tokens.push((scope, token(&ann, scope.word(), &[scope]).await));
    }
    let document = Document::read();
    let operations = document.operations();
    assert!(operations.len() > 45);
    for (method, path) in operations {
        let needed = document.scope(&method, &path);
        let at = path
            .replace("{friend}", "nobody")
            .replace("{name}", "nothing")
            .replace("{id}", "01")
            .replace("{number}", "0");
        let head = format!("{} {at}", method.to_uppercase());
        let none = ask(&tcp, &head, &[], "").await;
        assert_eq!((none.status, none.code()), (401, "unauthorized".into()), "{method} {path}");
        assert!(none.head.contains("www-authenticate: Bearer"), "{}", none.head);
        for (scope, token) in &tokens {
            if scope.word() == needed || *scope == Scope::Admin {
                // The operation itself, which must not be let through to do harm, is asked with a body that makes no sense.
                let answer = ask(&tcp, &head, &[("Authorization", &bearer(token))], "!").await;
                assert_ne!(
                    (answer.status, answer.code()),
                    (403, "forbidden".into()),
                    "{method} {path}: {scope}"
                );
                assert_ne!(answer.status, 401, "{method} {path}: {scope}");
                continue;
            }
            for place in [&tcp, &socket] {
                let answer = ask(place, &head, &[("Authorization", &bearer(token))], "!").await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (403, "forbidden".into()),
                    "{method} {path}: {scope}"
                );
                document.check_error(&answer.json());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_socket_a_token_is_optional_and_limits() {
    let (ann, socket, _tcp) = ann().await;
    let read = token(&ann, "read", &[Scope::Read]).await;
    assert_eq!(ask(&socket, "GET /v1/tokens", &[], "").await.status, 200);
    assert_eq!(ask(&socket, "GET /v1/id", &[("Authorization", &bearer(&read))], "").await.status, 200);
    assert_eq!(ask(&socket, "GET /v1/tokens", &[("Authorization", &bearer(&read))], "").await.status, 403);
    // A wrong one is not as good as none, and neither is what is no token at all.
    for wrong in ["Bearer wrong", "Basic YTpi", "Bearer", ""] {
        assert_eq!(ask(&socket, "GET /v1/id", &[("Authorization", wrong)], "").await.status, 401, "{wrong}");
    }
    let twice = [("Authorization", &*bearer(&read)), ("Authorization", "Bearer wrong")];
    assert_eq!(ask(&socket, "GET /v1/id", &twice, "").await.status, 401);
    // Somebody hands the socket on to browsers.
    assert_eq!(ask(&socket, "GET /v1/id", &[("Origin", ORIGIN)], "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_sent_by_a_token_and_files_of_the_owner_are_not() {
    let (ann, _socket, tcp) = ann().await;
    let messages = token(&ann, "app", &[Scope::Messages, Scope::Read]).await;
    let keys = ann.home().join("keys.toml");
    let body = json!({"to": "nobody", "text": "see", "files": [{"name": "a", "path": keys}]}).to_string();
    let answer = ask(&tcp, "POST /v1/messages", &[("Authorization", &bearer(&messages))], &body).await;
    assert_eq!((answer.status, answer.code()), (403, "forbidden".into()));
    let body = json!({"to": "nobody", "text": "see"}).to_string();
    let answer = ask(&tcp, "POST /v1/messages", &[("Authorization", &bearer(&messages))], &body).await;
    assert_eq!((answer.status, answer.code()), (404, "not-found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_origins_named_may_ask_and_no_others() {
    let (ann, _socket, tcp) = ann().await;
    let (read, admin) =
        (token(&ann, "read", &[Scope::Read]).await, token(&ann, "admin", &[Scope::Admin]).await);
    let (read, admin) = (bearer(&read), bearer(&admin));
    let At::Port(port) = tcp else { panic!() };
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(
            ask(&tcp, "GET /v1/id", &[("Host", &host), ("Authorization", &read)], "").await.status,
            200,
            "{host}"
        );
    }
    // Names that somebody has lead here, with a page of theirs and a token that was stolen.
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "localhost".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
    ] {
        let answer = ask(&tcp, "GET /v1/id", &[("Host", &host), ("Authorization", &read)], "").await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden".into()), "{host}");
    }
    let own = ask(&tcp, "GET /v1/id", &[("Origin", ORIGIN), ("Authorization", &read)], "").await;
    assert_eq!(own.status, 200);
    assert!(own.head.contains(&format!("access-control-allow-origin: {ORIGIN}")), "{}", own.head);
    assert!(own.head.contains("vary: Origin"), "{}", own.head);
    for origin in ["https://evil.example", "http://app.example", "https://app.example:444", "null", ""] {
        let answer = ask(&tcp, "GET /v1/id", &[("Origin", origin), ("Authorization", &read)], "").await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    // No page may everything, whichever route it asks for; a program may.
    assert_eq!(
        ask(&tcp, "GET /v1/id", &[("Origin", ORIGIN), ("Authorization", &admin)], "").await.code(),
        "forbidden"
    );
    assert_eq!(ask(&tcp, "GET /v1/tokens", &[("Authorization", &admin)], "").await.status, 200);

    let before = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")];
    let allowed = ask(&tcp, "OPTIONS /v1/messages", &before, "").await;
    assert_eq!(allowed.status, 204);
    assert!(allowed.head.contains("access-control-allow-headers: Authorization"), "{}", allowed.head);
    let before = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")];
    assert_eq!(ask(&tcp, "OPTIONS /v1/messages", &before, "").await.status, 403);
    // Errors can be read by the page, too.
    let none = ask(&tcp, "GET /v1/id", &[("Origin", ORIGIN)], "").await;
    assert!(none.status == 401 && none.head.contains("access-control-allow-origin"), "{}", none.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_answered_slowly_and_right_ones_at_once() {
    let (ann, _socket, tcp) = ann().await;
    let read = bearer(&token(&ann, "read", &[Scope::Read]).await);
    let began = Instant::now();
    let wrong = (0..40).map(|number| {
        let (tcp, wrong) = (tcp.clone(), format!("Bearer wayside_{number:064}"));
        tokio::spawn(async move { ask(&tcp, "GET /v1/id", &[("Authorization", &wrong)], "").await })
    });
    let wrong: Vec<_> = wrong.collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let right = ask(&tcp, "GET /v1/id", &[("Authorization", &read)], "").await;
    assert!(right.status == 200 && began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let mut statuses = Vec::new();
    for asked in wrong {
        statuses.push(asked.await.unwrap().status);
    }
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(401), count(429)), (16, 24), "{statuses:?}");
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_may_be_are_turned_away() {
    let (ann, _socket, tcp) = ann().await;
    let read = bearer(&token(&ann, "read", &[Scope::Read]).await);
    let At::Port(port) = tcp else { panic!() };
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ask(&tcp, "GET /v1/id", &[("Authorization", &read)], "").await.status, 503);
    // The owner comes in, whoever fills the port.
    let _: Id = ann.api().get("/v1/id").await.unwrap();
    drop(held);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ask(&tcp, "GET /v1/id", &[("Authorization", &read)], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_runs_a_node_for_a_moment_serves_no_port() {
    let (mut ann, _socket, _tcp) = ann().await;
    ann.stop().await;
    ann.start().await;
    assert_eq!(ann.api().get::<StatusView>("/v1/status").await.unwrap().api, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_what_is_being_told() {
    let (ann, _socket, tcp) = ann().await;
    let read = bearer(&token(&ann, "read", &[Scope::Read]).await);
    let mut events = follow(&tcp, "/v1/events", &[("Authorization", &read)]).await;
    assert_eq!(events.next().await.unwrap()["event"], "ready");
    let _: Value = ann.api().delete("/v1/tokens/read").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap().is_none());
    let Answer { status, .. } = ask(&tcp, "GET /v1/id", &[("Authorization", &read)], "").await;
    assert_eq!(status, 401);
}
