//! What goes wrong with real servers: refusals, certificates, full mailboxes, connections that end, servers that stop.
//!
//! `tests/run email` starts them; without any every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use wayside_bridge::{BridgeError, Class, ErrorKind, Record, RecordStream, Retry, SharedBridge, Watch};

use crate::common::cutter::Cutter;
use crate::common::server::{NONE, Person, Server};
use crate::common::{FAST, IMPATIENT, LATER, TestClock, all, found, meeting, skip, slot, until_found};

/// Ann and Bob, and the servers.
fn people() -> Option<(Server, Person, Person)> {
    let server = Server::started();
    if server.is_none() {
        skip(NONE);
    }
    server.map(|server| (server.clone(), server.person("one.test"), server.person("two.test")))
}

async fn error_of(bridge: &SharedBridge) -> BridgeError {
    bridge.publish(&meeting(1, b"x")).await.unwrap_err()
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let Some((server, ann, bob)) = people() else { return };
    let wrong = server.folder.join("wrong");
    std::fs::write(&wrong, "wrong-password-7\n").unwrap();
    let wrong = [("password-file", wrong.to_str().unwrap().to_owned())];
    let bridge = server.open_with(&ann, &bob, FAST, &wrong).await.unwrap();
    for error in
        [error_of(&bridge).await, bridge.fetch(all()).await.unwrap_err(), bridge.probe().await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("does not take the password of p"), "{error}");
        assert!(!format!("{error:?}").contains("wrong-password-7"));
    }
    let nothing = [("password-file", String::new()), ("password-command", "exit 3".to_owned())];
    let options: Vec<_> = nothing[1..].to_vec();
    let mut all_options = server.options(&ann);
    all_options.retain(|(name, _)| *name != "password-file");
    all_options.extend(options);
    all_options.push(("to", bob.address.clone()));
    let bridge = common::open(&all_options, FAST, &TestClock::new(), None).await.unwrap().bridge;
    assert!(error_of(&bridge).await.message().contains("run it by hand"));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_over_is_refused() {
    let Some((server, ann, bob)) = people() else { return };
    let mut options = server.options(&ann);
    options.retain(|(name, _)| *name != "ca");
    options.push(("to", bob.address.clone()));
    let bridge = common::open(&options, FAST, &TestClock::new(), None).await.unwrap().bridge;
    for error in [error_of(&bridge).await, bridge.fetch(all()).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("with --ca FILE"), "{error}");
    }
    let expired = [
        ("smtp", format!("smtps://localhost:{}", server.port("expired_subs"))),
        ("imap", format!("imaps://127.0.0.2:{}", server.port("expired_imaps"))),
    ];
    let bridge = server.open_with(&ann, &bob, FAST, &expired).await.unwrap();
    for error in [error_of(&bridge).await, bridge.fetch(all()).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("has expired"), "{error}");
    }
}

#[tokio::test]
async fn all_ways_in_work() {
    let Some((server, ann, bob)) = people() else { return };
    for (number, smtp, imap) in [(1, "smtp", "imap"), (2, "smtps", "imaps")] {
        let port = |scheme: &str| {
            server.port(match scheme {
                "smtp" => "submission",
                "smtps" => "submissions",
                other => other,
            })
        };
        let at = [
            ("smtp", format!("{smtp}://localhost:{}", port(smtp))),
            ("imap", format!("{imap}://localhost:{}", port(imap))),
        ];
        let one = server.open_with(&ann, &bob, FAST, &at).await.unwrap();
        let other = server.open_with(&bob, &ann, FAST, &at).await.unwrap();
        one.publish(&meeting(number, b"x")).await.unwrap();
        until_found(&other, &meeting(number, b"x")).await;
    }
}

#[tokio::test]
async fn greylisting_says_when_to_come_again() {
    let Some((server, ann, bob)) = people() else { return };
    let grey = [("smtp", format!("smtp://localhost:{}", server.port("grey")))];
    let bridge = server.open_with(&ann, &bob, FAST, &grey).await.unwrap();
    let record = meeting(1, b"x");
    let error = bridge.publish(&record).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::After(Duration::from_secs(300))),
        "{error}"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while bridge.publish(&record).await.is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    until_found(&server.open(&bob, &ann).await.unwrap(), &record).await;
}

#[tokio::test]
async fn a_recipient_that_is_not_there_and_one_elsewhere_are_told() {
    let Some((server, ann, bob)) = people() else { return };
    let nobody = Person { address: "nobody-there@two.test".to_owned(), ..bob.clone() };
    let error = error_of(&server.open(&ann, &nobody).await.unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    assert!(error.message().contains("there is nobody at nobody-there@two.test"), "{error}");
    // What was refused costs nothing of the budget.
    let once = [("daily", "1".to_owned())];
    let bridge = server.open_with(&ann, &nobody, FAST, &once).await.unwrap();
    assert_eq!(
        (error_of(&bridge).await.kind(), error_of(&bridge).await.kind()),
        (ErrorKind::Gone, ErrorKind::Gone)
    );
}

#[tokio::test]
async fn a_days_budget_is_kept_to() {
    let Some((server, ann, bob)) = people() else { return };
    let bridge = server.open_with(&ann, &bob, FAST, &[("daily", "2".to_owned())]).await.unwrap();
    let receipt = bridge.publish(&meeting(1, b"x")).await.unwrap();
    assert_eq!(bridge.publish(&meeting(1, b"x")).await.unwrap(), receipt, "one record is one mail");
    bridge.publish(&meeting(2, b"x")).await.unwrap();
    let error = bridge.publish(&meeting(3, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert!(matches!(error.retry(), Retry::After(wait) if wait <= Duration::from_secs(86_400)));
    assert!(bridge.probe().await.unwrap().note.unwrap().contains("all 2 mails"));
    until_found(&server.open(&bob, &ann).await.unwrap(), &meeting(2, b"x")).await;
    assert_eq!(server.maildir(&bob).len(), 2);
}

/// The sender's server takes it, and says by mail that the other mailbox is full; nobody answers that.
#[tokio::test]
async fn a_full_mailbox_hurts_nobody() {
    let Some((server, ann, _)) = people() else { return };
    let full = server.cramped("two.test");
    let bridge = server.open(&ann, &full).await.unwrap();
    let large = Record::new(slot(1), Class::Custody, LATER, vec![1; 16 * 1024]);
    bridge.publish(&large).await.unwrap();
    let own = server.maildir(&ann);
    let deadline = Instant::now() + Duration::from_secs(20);
    while own.with("Mailbox is full").is_empty() && own.with("Quota exceeded").is_empty() {
        assert!(Instant::now() < deadline, "no bounce came");
        bridge.fetch(all()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(found(&bridge).await, vec![large], "our own, and nothing that a bounce quotes");
    assert_eq!(own.len(), 1, "the bounce is left where it is");
    // The other side reads what it has.
    assert!(found(&server.open(&full, &ann).await.unwrap()).await.is_empty());
}

#[tokio::test]
async fn other_mail_is_left_as_it_is() {
    let Some((server, ann, bob)) = people() else { return };
    let maildir = server.maildir(&bob);
    maildir.put(b"From: x@one.test\r\nSubject: Dinner\r\nMessage-ID: <a@one.test>\r\n\r\nAt eight?\r\n");
    maildir.put(b"From: x@one.test\r\nSubject: Re: A note (wayside-note)\r\nMessage-ID: <b@one.test>\r\n\r\nWhat is this?\r\n");
    let clock = TestClock::new();
    let mut options = server.options(&bob);
    options.push(("to", ann.address.clone()));
    let reader = common::open(&options, FAST, &clock, None).await.unwrap().bridge;
    let writer = server.open(&ann, &bob).await.unwrap();
    let soon = Record {
        not_after: wayside_bridge::Clock::now(&clock).saturating_add(Duration::from_secs(9)),
        ..meeting(1, b"x")
    };
    writer.publish(&soon).await.unwrap();
    until_found(&reader, &soon).await;
    assert_eq!(maildir.len(), 3);
    clock.advance(Duration::from_secs(2 * 86_400));
    reader.fetch(all()).await.unwrap();
    let left = maildir.mails();
    assert_eq!(left.len(), 2, "what is over is deleted");
    for (path, _) in left {
        // Maildir's flags stand behind `:2,`; S is seen, T is trashed.
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.rsplit_once(":2,").is_none_or(|(_, flags)| flags.is_empty()), "{name}");
    }
}

#[tokio::test]
async fn what_is_over_can_be_moved_away() {
    let Some((server, ann, bob)) = people() else { return };
    let clock = TestClock::new();
    let mut options = server.options(&bob);
    options.extend([("to", ann.address.clone()), ("folder", "wayside/over".to_owned())]);
    let reader = common::open(&options, FAST, &clock, None).await.unwrap().bridge;
    let soon = Record { not_after: wayside_bridge::Clock::now(&clock), ..meeting(1, b"x") };
    server.open(&ann, &bob).await.unwrap().publish(&soon).await.unwrap();
    until_found(&reader, &soon).await;
    clock.advance(Duration::from_secs(2 * 86_400));
    reader.fetch(all()).await.unwrap();
    assert_eq!(server.maildir(&bob).len(), 0);
    let folder = server.maildir(&bob).path().join(".wayside.over");
    assert_eq!(
        ["cur", "new"]
            .iter()
            .map(|part| std::fs::read_dir(folder.join(part)).unwrap().count())
            .sum::<usize>(),
        1
    );
}

#[tokio::test]
async fn others_delete_under_us_and_numbers_begin_anew() {
    let Some((server, ann, bob)) = people() else { return };
    let (writer, reader) = (server.open(&ann, &bob).await.unwrap(), server.open(&bob, &ann).await.unwrap());
    for number in 1..=3 {
        writer.publish(&meeting(number, b"x")).await.unwrap();
        until_found(&reader, &meeting(number, b"x")).await;
    }
    let cursor = reader.fetch(all()).await.unwrap().cursor;
    let maildir = server.maildir(&bob);
    std::fs::remove_file(&maildir.mails()[0].0).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while found(&reader).await.len() != 2 {
        assert!(Instant::now() < deadline, "what others delete is still found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The server lost its lists of numbers: what it gives now means something else.
    drop(reader);
    // They begin with the time, in seconds, and which were given is forgotten with the rest.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for entry in std::fs::read_dir(maildir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("dovecot") {
            std::fs::remove_file(path).unwrap();
        }
    }
    writer.publish(&meeting(4, b"x")).await.unwrap();
    let reader = server.open(&bob, &ann).await.unwrap();
    until_found(&reader, &meeting(4, b"x")).await;
    assert_eq!(
        reader.fetch(all().after(cursor)).await.unwrap().records.len(),
        3,
        "a stale cursor is the beginning"
    );
}

/// A server's process that stops in the middle of IDLE: nothing comes as long as it stands, and all of it once it goes on.
#[tokio::test]
async fn a_server_that_stops_while_we_wait_and_goes_on() {
    let Some((server, ann, bob)) = people() else { return };
    let (writer, reader) = (server.open(&ann, &bob).await.unwrap(), server.open(&bob, &ann).await.unwrap());
    let mut stream = reader.watch(Watch::new(all().place, all().keys)).await.unwrap();
    writer.publish(&meeting(1, b"x")).await.unwrap();
    sees(&mut stream, 1).await;
    let stopped = Stopped::all_of(&bob.address);
    writer.publish(&meeting(2, b"x")).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(4), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?} came from processes that stand still");
    drop(stopped);
    sees(&mut stream, 2).await;
}

/// The same, and it never goes on: the connection is made anew, and the same stream goes on with what came meanwhile.
#[tokio::test]
async fn a_server_that_stops_while_we_wait_for_good() {
    let Some((server, ann, bob)) = people() else { return };
    let (writer, reader) =
        (server.open(&ann, &bob).await.unwrap(), server.open_with(&bob, &ann, IMPATIENT, &[]).await.unwrap());
    let mut stream = reader.watch(Watch::new(all().place, all().keys)).await.unwrap();
    writer.publish(&meeting(1, b"x")).await.unwrap();
    sees(&mut stream, 1).await;
    let _stopped = Stopped::all_of(&bob.address);
    writer.publish(&meeting(2, b"x")).await.unwrap();
    sees(&mut stream, 2).await;
}

/// Waits until a stream has a record.
async fn sees(stream: &mut RecordStream, number: u8) {
    let seen =
        async { while !stream.next().await.unwrap().unwrap().records.contains(&meeting(number, b"x")) {} };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
}

/// Processes that stand still until this is dropped.
struct Stopped(Vec<String>);

impl Stopped {
    fn all_of(address: &str) -> Self {
        let processes = imap_processes(address);
        assert!(!processes.is_empty(), "no process of the server's serves {address}");
        signal("-STOP", &processes);
        Self(processes)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

/// Dovecot's processes that serve somebody: they have a folder of theirs open.
fn imap_processes(address: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let command = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let maps = std::fs::read_to_string(entry.path().join("maps")).unwrap_or_default();
        let open = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten().any(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|path| path.to_string_lossy().contains(address))
        });
        if command.trim() == "imap" && (open || maps.contains(address)) {
            found.push(name);
        }
    }
    found
}

fn signal(signal: &str, processes: &[String]) {
    assert!(std::process::Command::new("kill").arg(signal).args(processes).status().unwrap().success());
}

/// Cut at every line that we send: each time an error that passes, and afterwards everything works.
#[tokio::test]
async fn a_connection_that_ends_at_any_command() {
    let Some((server, ann, bob)) = people() else { return };
    let (smtp, imap) =
        (Cutter::start(server.port("clear_sub")), Cutter::start_at("127.0.0.3", server.port("clear_imap")));
    let through = [
        ("smtp", format!("smtp://127.0.0.1:{}", smtp.port)),
        ("imap", format!("imap://127.0.0.1:{}", imap.port)),
    ];
    let record = |number: usize| meeting(u8::try_from(number).unwrap(), b"x");
    let other = server.open(&bob, &ann).await.unwrap();
    // How many lines there are to cut at.
    let bridge = server.open_with(&ann, &bob, IMPATIENT, &through).await.unwrap();
    bridge.publish(&record(200)).await.unwrap();
    other.publish(&record(201)).await.unwrap();
    until_found(&bridge, &record(201)).await;
    drop(bridge);
    let (of_smtp, of_imap) = (smtp.longest.load(Ordering::SeqCst), imap.longest.load(Ordering::SeqCst));
    assert!(of_smtp > 20 && of_imap > 5, "{of_smtp} and {of_imap} lines");
    for at in 1..=of_imap.min(16) {
        imap.after.store(at, Ordering::SeqCst);
        let bridge = server.open_with(&ann, &bob, IMPATIENT, &through).await.unwrap();
        if let Err(error) = bridge.fetch(all()).await {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "line {at}: {error}");
        }
        imap.after.store(0, Ordering::SeqCst);
        assert!(found(&bridge).await.contains(&record(201)), "line {at}");
    }
    // The commands, and the mail's first and last lines.
    for at in (1..=8).chain(of_smtp.saturating_sub(3)..=of_smtp) {
        smtp.after.store(at, Ordering::SeqCst);
        let bridge = server.open_with(&ann, &bob, IMPATIENT, &through).await.unwrap();
        if let Err(error) = bridge.publish(&record(at)).await {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "line {at}: {error}");
        }
        smtp.after.store(0, Ordering::SeqCst);
        bridge.publish(&record(at)).await.unwrap();
        until_found(&other, &record(at)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let Some((server, ann, bob)) = people() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = [("smtp", format!("smtp://127.0.0.1:{port}")), ("imap", format!("imap://127.0.0.1:{port}"))];
    // It accepts and never answers.
    let bridge = server.open_with(&ann, &bob, IMPATIENT, &at).await.unwrap();
    for error in
        [error_of(&bridge).await, bridge.fetch(all()).await.unwrap_err(), bridge.probe().await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    }
    drop(listener);
    let bridge = server.open_with(&ann, &bob, IMPATIENT, &at).await.unwrap();
    for error in [error_of(&bridge).await, bridge.fetch(all()).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    }
    // It closes at once.
    let cutter = Cutter::start(1);
    let at = [("imap", format!("imap://127.0.0.1:{}", cutter.port))];
    let bridge = server.open_with(&ann, &bob, IMPATIENT, &at).await.unwrap();
    assert_eq!(bridge.fetch(all()).await.unwrap_err().kind(), ErrorKind::Unreachable);
}
