//! Access tokens, certificates that servers have signed themselves, and what is asked anew on a new connection, with real servers.
//!
//! `tests/run email` starts them; without any every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use futures::StreamExt;
use wayside_bridge::{ErrorKind, Watch};

use crate::common::cutter::Cutter;
use crate::common::server::{NONE, Person, Server};
use crate::common::{FAST, TestClock, all, meeting, skip, until_found};

fn people() -> Option<(Server, Person, Person)> {
    let server = Server::started();
    if server.is_none() {
        skip(NONE);
    }
    server.map(|server| (server.clone(), server.person("one.test"), server.person("two.test")))
}

/// Dovecot checks the tokens itself, and Postfix asks Dovecot: XOAUTH2 on both.
#[tokio::test]
async fn an_access_token_of_a_command_lets_us_in() {
    let Some((server, ann, bob)) = people() else { return };
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/lab/services/mail.sh");
    let command =
        |who: &Person| format!("bash '{recipe}' token '{}' {}", server.folder.display(), who.address);
    let open = async |own: &Person, other: &Person, command: String| {
        let mut options = server.options(own);
        options.retain(|(name, _)| *name != "password-file");
        options.extend([("to", other.address.clone()), ("token-command", command)]);
        common::open(&options, FAST, &TestClock::new(), None).await.unwrap().bridge
    };
    let (one, other) = (open(&ann, &bob, command(&ann)).await, open(&bob, &ann, command(&bob)).await);
    one.probe().await.unwrap();
    one.publish(&meeting(1, b"x")).await.unwrap();
    until_found(&other, &meeting(1, b"x")).await;
    // Somebody else's, and one whose signature does not hold.
    for wrong in [command(&bob), format!("{} | sed 's/.$/!/'", command(&ann))] {
        let bridge = open(&ann, &bob, wrong).await;
        for error in
            [bridge.publish(&meeting(2, b"x")).await.unwrap_err(), bridge.fetch(all()).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(!error.message().contains("eyJ"), "a token is a secret: {error}");
        }
    }
}

/// Marked as an authority's, as the usual commands make them.
#[tokio::test]
async fn a_certificate_that_signed_itself_is_refused_until_it_is_given() {
    let Some((server, ann, bob)) = people() else { return };
    let own = server.folder.join("tls/own.pem").to_str().unwrap().to_owned();
    for smtp in [
        format!("smtps://localhost:{}", server.port("own_subs")),
        format!("smtp://localhost:{}", server.port("own_sub")),
    ] {
        let at = |ca: &str| {
            let imap = format!("imaps://127.0.0.4:{}", server.port("own_imaps"));
            [("smtp", smtp.clone()), ("imap", imap), ("ca", ca.to_owned())]
        };
        // Another authority's certificate is not this one.
        let bridge = server.open_with(&ann, &bob, FAST, &at(&server.ca())).await.unwrap();
        for error in
            [bridge.publish(&meeting(1, b"x")).await.unwrap_err(), bridge.fetch(all()).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(
                error.message().contains("give its certificate") && error.message().contains("--ca FILE"),
                "{error}"
            );
        }
        let record = meeting(u8::from(smtp.starts_with("smtps")), b"x");
        let one = server.open_with(&ann, &bob, FAST, &at(&own)).await.unwrap();
        one.publish(&record).await.unwrap();
        until_found(&server.open_with(&bob, &ann, FAST, &at(&own)).await.unwrap(), &record).await;
    }
    // It speaks for no other.
    let bridge = server.open_with(&ann, &bob, FAST, &[("ca", own)]).await.unwrap();
    for error in
        [bridge.publish(&meeting(3, b"x")).await.unwrap_err(), bridge.fetch(all()).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

/// Dovecot has CONDSTORE: a new connection that finds the mailbox as it was does not search it again.
#[tokio::test]
async fn a_mailbox_that_did_not_change_is_not_searched_again() {
    let Some((server, ann, bob)) = people() else { return };
    server
        .maildir(&bob)
        .put(b"From: x@one.test\r\nSubject: Dinner\r\nMessage-ID: <a@one.test>\r\n\r\nAt eight?\r\n");
    let between = Cutter::start_at("127.0.0.3", server.port("clear_imap"));
    let at = [("imap", format!("imap://127.0.0.1:{}", between.port))];
    let reader = server.open_with(&bob, &ann, FAST, &at).await.unwrap();
    // One connection waits, and has searched; another is made for questions.
    let mut stream = reader.watch(Watch::new(all().place, all().keys)).await.unwrap();
    reader.fetch(all()).await.unwrap();
    let searches = |connection: usize| between.said.lock().unwrap()[connection].matches("SEARCH").count();
    assert_eq!(between.said.lock().unwrap().len(), 2);
    assert_eq!((searches(0), searches(1)), (1, 0), "{:?}", between.said.lock().unwrap());
    // What changed is searched for.
    server.open(&ann, &bob).await.unwrap().publish(&meeting(1, b"x")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().records, [meeting(1, b"x")]);
    assert!(searches(0) > 1);
}
