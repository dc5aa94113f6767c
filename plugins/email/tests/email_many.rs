//! What a meeting by mail costs beside two bare mails, and what a mailbox of many mails costs.
//!
//! `tests/run email` starts the servers; without any every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod common;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures::StreamExt;
use imap::extensions::idle::stop_on_any;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport};
use wayside_bridge::{RecordStream, SharedBridge, Watch};

use crate::common::server::{NONE, Person, Server};
use crate::common::{FAST, all, meeting, skip};

/// Both ways in, without TLS on either side of the comparison: it would only hide what is compared.
fn in_the_clear(server: &Server) -> [(&'static str, String); 2] {
    [
        ("smtp", format!("smtp://127.0.0.1:{}", server.port("clear_sub"))),
        ("imap", format!("imap://127.0.0.3:{}", server.port("clear_imap"))),
    ]
}

fn password(person: &Person) -> String {
    std::fs::read_to_string(&person.password).unwrap().trim().to_owned()
}

/// Sends a mail as any program does: it connects, logs in, and hangs up.
fn send(server: &Server, from: &Person, to: &Person) {
    let transport = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.port("clear_sub"))
        .credentials(Credentials::new(from.address.clone(), password(from)))
        .build();
    let mail = lettre::Message::builder()
        .from(from.address.parse().unwrap())
        .to(to.address.parse().unwrap())
        .subject("Hello")
        .body("x".repeat(500))
        .unwrap();
    transport.send(&mail).unwrap();
}

/// Logs in as this person, and tells by the channel when it waits and when there is mail.
fn wait_for_mail(server: &Server, person: &Person) -> std::sync::mpsc::Receiver<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let stream = TcpStream::connect(("127.0.0.3", server.port("clear_imap"))).unwrap();
    stream.set_nodelay(true).unwrap();
    let (address, password) = (person.address.clone(), password(person));
    std::thread::spawn(move || {
        let mut client = imap::Client::new(stream);
        client.read_greeting().unwrap();
        let mut session = client.login(address, password).map_err(|(error, _)| error).unwrap();
        session.select("INBOX").unwrap();
        loop {
            session.idle().timeout(Duration::from_secs(30)).wait_while(stop_on_any).unwrap();
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Two bare mails, there and back.
fn bare(server: &Server, rounds: usize) -> Vec<Duration> {
    let (ann, bob) = (server.person("one.test"), server.person("two.test"));
    let (at_ann, at_bob) = (wait_for_mail(server, &ann), wait_for_mail(server, &bob));
    std::thread::sleep(Duration::from_millis(500));
    (0..rounds)
        .map(|_| {
            let began = Instant::now();
            send(server, &ann, &bob);
            at_bob.recv_timeout(Duration::from_secs(20)).unwrap();
            send(server, &bob, &ann);
            at_ann.recv_timeout(Duration::from_secs(20)).unwrap();
            let took = began.elapsed();
            // Further news of the same mail.
            std::thread::sleep(Duration::from_millis(700));
            while at_ann.try_recv().is_ok() || at_bob.try_recv().is_ok() {}
            took
        })
        .collect()
}

async fn wait_for(stream: &mut RecordStream, number: u8) {
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        while !stream.next().await.unwrap().unwrap().records.contains(&meeting(number, &[number; 376])) {}
    });
    found.await.unwrap();
}

async fn watch(bridge: &SharedBridge) -> RecordStream {
    bridge.watch(Watch::new(all().place, all().keys)).await.unwrap()
}

/// An offer and its answer.
async fn meet(server: &Server, rounds: u8) -> Vec<Duration> {
    let (ann, bob) = (server.person("one.test"), server.person("two.test"));
    let clear = in_the_clear(server);
    let (one, other) = (
        server.open_with(&ann, &bob, FAST, &clear).await.unwrap(),
        server.open_with(&bob, &ann, FAST, &clear).await.unwrap(),
    );
    let (mut at_ann, mut at_bob) = (watch(&one).await, watch(&other).await);
    let mut times = Vec::new();
    for round in 0..rounds {
        // As in life: nothing was sent for a while, so no connection is open.
        tokio::time::sleep(FAST.linger + Duration::from_millis(500)).await;
        let began = Instant::now();
        one.publish(&meeting(2 * round, &[2 * round; 376])).await.unwrap();
        wait_for(&mut at_bob, 2 * round).await;
        other.publish(&meeting(2 * round + 1, &[2 * round + 1; 376])).await.unwrap();
        wait_for(&mut at_ann, 2 * round + 1).await;
        times.push(began.elapsed());
    }
    times
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone"]
async fn a_meeting_takes_little_longer_than_two_bare_mails() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let of_bare = server.clone();
    let bare = median(tokio::task::spawn_blocking(move || bare(&of_bare, 7)).await.unwrap());
    let meeting = median(meet(&server, 7).await);
    let ratio = meeting.as_secs_f64() / bare.as_secs_f64();
    eprintln!("two bare mails {bare:?}, offer to answer {meeting:?}: {ratio:.2} times as long");
    assert!(ratio <= 1.5, "an offer and its answer take {ratio:.2} times as long as two bare mails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_mails_in_a_mailbox() {
    let Some(server) = Server::started() else { return skip(NONE) };
    among(&server, 5_000, FIVE_YEARS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: fills a mailbox with 50,000 mails"]
async fn fifty_thousand_mails_in_a_mailbox() {
    let Some(server) = Server::started() else { return skip(NONE) };
    among(&server, 50_000, FIVE_YEARS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: fills a mailbox with 50,000 mails"]
async fn fifty_thousand_mails_of_one_month() {
    let Some(server) = Server::started() else { return skip(NONE) };
    among(&server, 50_000, ONE_MONTH).await;
}

const FIVE_YEARS: Duration = Duration::from_secs(5 * 365 * 86_400);
/// All of it within the time of which a mailbox is searched that was never looked at before.
const ONE_MONTH: Duration = Duration::from_secs(28 * 86_400);

async fn among(server: &Server, count: usize, within: Duration) {
    let (ann, bob) = (server.person("one.test"), server.person("two.test"));
    let maildir = server.maildir(&bob);
    let text = "Lorem ipsum dolor sit amet, consectetur adipisici elit.\r\n".repeat(20);
    for number in 0..count {
        let mail = format!(
            "From: x{}@one.test\r\nTo: {}\r\nSubject: About {number}\r\nMessage-ID: <{number}@one.test>\r\nDate: Mon, 21 Sep 2026 10:00:00 +0000\r\n\r\n{text}",
            number % 97,
            bob.address
        );
        // One after the other, as in life.
        maildir.put_at(mail.as_bytes(), within.mul_f64((count - number) as f64 / count as f64));
    }
    let writer = server.open(&ann, &bob).await.unwrap();
    writer.publish(&meeting(1, &[1; 376])).await.unwrap();
    // The server has numbered the mails, as it has wherever somebody reads the mailbox; what their subjects are it does not know yet.
    let login = Instant::now();
    let (port, address, secret) = (server.port("clear_imap"), bob.address.clone(), password(&bob));
    let numbered = tokio::task::spawn_blocking(move || {
        let mut client = imap::Client::new(TcpStream::connect(("127.0.0.3", port)).unwrap());
        client.read_greeting().unwrap();
        let mut session = client.login(address, secret).map_err(|(error, _)| error).unwrap();
        session.select("INBOX").unwrap().exists
    });
    let exists = numbered.await.unwrap();
    eprintln!("{exists} mails, numbered in {:?}", login.elapsed());
    assert!(exists as usize >= count);
    for what in ["the first time", "later"] {
        let reader = server.open(&bob, &ann).await.unwrap();
        let before = memory("VmRSS:");
        let began = Instant::now();
        let mut stream = watch(&reader).await;
        wait_for(&mut stream, 1).await;
        let took = began.elapsed();
        let grown = memory("VmHWM:").saturating_sub(before);
        eprintln!("{what}: watching and the first record after {took:?}, {} KiB over idle at most", grown);
        assert!(took < Duration::from_secs(3), "{what} it took {took:?}");
        assert!(grown < 40 * 1024, "{what} it took {grown} KiB");
    }
}

/// A line of this process's status, in KiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.split_ascii_whitespace().next().unwrap().parse().unwrap()
}
