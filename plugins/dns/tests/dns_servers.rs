//! What the suite does not ask: keys, clocks, caches and sizes, on BIND.
//!
//! `tests/run dns` starts the servers; without them every test is skipped and says so. One of them stops the server for a while: they run one after another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use wayside_bridge::{BridgeExt, Clock, ErrorKind, Fetch, Locator, Place, Record, SharedBridge};
use wayside_bridge_dns::DnsKind;

const ZONE: &str = "wayside.test";
const DAY: Duration = Duration::from_secs(86_400);

/// Ada's bridge to a fresh name, which is her own or shared.
async fn ada(server: &Server, zone: &str, more: &[(&'static str, &str)]) -> SharedBridge {
    bridge(server, zone, "ada", more, &TestClock::new()).await
}

async fn bridge(
    server: &Server,
    zone: &str,
    key: &str,
    more: &[(&'static str, &str)],
    clock: &TestClock,
) -> SharedBridge {
    let mut options = server.options(zone, key);
    options.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    open(&options, FAST, clock).await.unwrap()
}

const SHARED: (&str, &str) = ("shared", "yes");

#[tokio::test]
async fn a_key_that_the_server_does_not_take_is_named() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    for (key, why) in [("nobody", "BADKEY"), ("wrong", "BADSIG")] {
        let bridge = bridge(&server, &zone, key, &[], &TestClock::new()).await;
        for error in [bridge.publish(&meeting(1, b"x")).await.unwrap_err(), bridge.probe().await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.message().contains(why), "{error}");
        }
    }
    let narrow = bridge(&server, &zone, "narrow", &[], &TestClock::new()).await;
    let error = narrow.publish(&meeting(1, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("grant narrow zonesub TXT"), "{error}");
    let elsewhere = bridge(&server, "elsewhere.example", "ada", &[], &TestClock::new()).await;
    for error in
        [elsewhere.publish(&meeting(1, b"x")).await.unwrap_err(), elsewhere.probe().await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
    assert!(server.listed(ZONE, &zone).await.is_empty());
}

/// A clock that is wrong by days makes the server answer BADTIME, with its own time.
#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_servers() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let clock = TestClock::new();
    let real = clock.now();
    let bridge = bridge(&server, &fresh(ZONE), "ada", &[], &clock).await;
    clock.advance(9 * DAY);
    bridge.publish(&meeting(1, b"x")).await.unwrap();
    assert_eq!(bridge.fetch(just(&slot(1))).await.unwrap().records, [meeting(1, b"x")]);
    let time = bridge.probe().await.unwrap().service_time.unwrap();
    assert!(time.as_secs().abs_diff(real.as_secs()) < 60, "{time:?} is the server's time");
}

#[tokio::test]
async fn a_usual_record_is_one_datagram_and_more_comes_by_tcp() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    let ada = ada(&server, &zone, &[SHARED]).await;
    ada.publish(&meeting(1, &[1; 376])).await.unwrap();
    let name = name_of(&zone, &slot(1));
    let dig = ["+notcp", "+ignore", "+bufsize=1232", name.as_str(), "TXT"];
    let one = server.dig(&server.at, &dig).await;
    assert!(!one.contains(" tc") && one.contains("ANSWER: 1"), "{one}");
    for more in 2..=20 {
        ada.publish(&meeting(1, &[more; 376])).await.unwrap();
    }
    let many = server.dig(&server.at, &dig).await;
    assert!(many.lines().any(|line| line.contains("flags:") && line.contains(" tc")), "{many}");
    assert_eq!(ada.fetch(just(&slot(1))).await.unwrap().records.len(), 20);
    ada.publish(&meeting(2, &[1; 960])).await.unwrap();
    assert_eq!(ada.fetch(just(&slot(2))).await.unwrap().records, [meeting(2, &[1; 960])]);
}

#[tokio::test]
async fn private_resolvers_are_checked() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let said = |name| std::env::var(name).unwrap();
    let (tls, https, ca) = (said("WAYSIDE_DNS_TLS"), said("WAYSIDE_DNS_HTTPS"), said("WAYSIDE_DNS_CA"));
    let zone = fresh(ZONE);
    let ada = ada(&server, &zone, &[SHARED]).await;
    let records: Vec<Record> = (0..5).map(|number| meeting(1, &[number; 960])).collect();
    for record in &records {
        ada.publish(record).await.unwrap();
    }
    for resolver in [&tls, &https] {
        let options = [("zone", zone.clone()), ("resolver", resolver.clone()), ("ca", ca.clone())];
        let reader = open(&options, FAST, &TestClock::new()).await.unwrap();
        let found = reader.fetch_keys([slot(1)]).await.unwrap();
        assert!(records.iter().all(|record| found.contains(record)), "{resolver}: {} found", found.len());
        reader.probe().await.unwrap();

        let stranger = open(&options[..2], FAST, &TestClock::new()).await.unwrap();
        let error = stranger.fetch(just(&slot(1))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.message().contains("certificate"), "{error}");
        let other = resolver.replace("#localhost", "#dns.example");
        let options = [("zone", zone.clone()), ("resolver", other), ("ca", ca.clone())];
        let error =
            open(&options, FAST, &TestClock::new()).await.unwrap().fetch(just(&slot(1))).await.unwrap_err();
        assert!(error.message().contains("certificate"), "{error}");
    }
}

/// Caches keep for a day that a name of slow.test does not exist: one that was asked for before anything was published. After that all names exist.
#[tokio::test]
async fn names_exist_once_something_was_published() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh("slow.test");
    let cached = ("resolver", server.cache.as_str());
    let (writer, reader) =
        (ada(&server, &zone, &[SHARED]).await, ada(&server, &zone, &[SHARED, cached]).await);
    assert!(reader.fetch_keys([slot(1)]).await.unwrap().is_empty());
    let note = reader.probe().await.unwrap().note.unwrap();
    assert!(note.contains("86400 s"), "{note}");

    writer.publish(&meeting(1, b"early")).await.unwrap();
    assert_eq!(writer.fetch_keys([slot(1)]).await.unwrap().len(), 1, "at the server it is there");
    assert!(reader.fetch_keys([slot(1)]).await.unwrap().is_empty(), "the cache is sure that it is not");
    let note = reader.probe().await.unwrap().note.unwrap();
    assert!(!note.contains("86400 s"), "{note}");
    for byte in 2..6 {
        assert!(reader.fetch_keys([slot(byte)]).await.unwrap().is_empty());
        writer.publish(&meeting(byte, b"late")).await.unwrap();
        let asked = Instant::now();
        while reader.fetch_keys([slot(byte)]).await.unwrap().is_empty() {
            assert!(
                asked.elapsed() < Duration::from_secs(3),
                "what was asked for before it came is not found"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The zone's own servers know at once what caches learn late. In others' zones they are asked at public addresses alone, and these are on loopback.
#[tokio::test]
async fn the_zones_own_servers_know_at_once() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (zone, clock) = (fresh("slow.test"), TestClock::new());
    let port = server.at.rsplit(':').next().unwrap().parse().unwrap();
    let kind = DnsKind::at_pace(FAST).servers_at(port);
    let direct = |zone: &str| {
        let mut options = server.options(zone, "ada");
        options.extend([("resolver", server.cache.clone()), ("direct", "yes".to_owned())]);
        options
    };
    let own = open_kind(kind, &direct(&zone), &clock).await.unwrap();
    let other = open_kind(kind, &direct(&fresh("slow.test")), &clock).await.unwrap();
    let there =
        || Fetch::new(Place::Of(Locator::new("dns", &zone).unwrap()), [slot(1)].into_iter().collect());
    assert!(other.fetch(there()).await.unwrap().records.is_empty());
    assert!(own.fetch_keys([slot(1)]).await.unwrap().is_empty());
    own.publish(&meeting(1, b"news")).await.unwrap();
    assert_eq!(own.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"news")]);
    assert!(
        other.fetch(there()).await.unwrap().records.is_empty(),
        "the cache was asked, which is sure that it is not"
    );

    // Where nobody answers there, a resolver is asked.
    let nobody = open_kind(DnsKind::at_pace(FAST).servers_at(1), &direct(&zone), &clock).await.unwrap();
    own.publish(&meeting(2, b"more")).await.unwrap();
    assert_eq!(nobody.fetch_keys([slot(2)]).await.unwrap(), [meeting(2, b"more")]);
}

/// BIND has its own limit: a hundred records under one name. What is there stays, and who comes too late is told.
#[tokio::test]
async fn a_full_name_is_said() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh("few.test");
    let ada = ada(&server, &zone, &[SHARED]).await;
    let mut taken = 0;
    let error = loop {
        match ada.publish(&meeting(1, &[taken; 376])).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(taken, 100);
    assert!(error.message().contains("than it allows"), "{error}");
    assert_eq!(ada.fetch_keys([slot(1)]).await.unwrap().len(), 100);
    ada.publish(&meeting(2, b"elsewhere")).await.unwrap();
}

/// The update has for its prerequisite what was read: of several who replace a pointer at the same moment one is last, and what is not ours stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_leaves_one_record_and_what_is_not_ours() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    let name = name_of(&zone, &pointer("ada", b"").key);
    server.nsupdate(ZONE, &format!("update add {name} 60 TXT \"v=spf1 -all\"\n")).await;
    let mut writers = Vec::new();
    for _ in 0..4 {
        writers.push(ada(&server, &zone, &[]).await);
    }
    let cards: Vec<Record> = (0..12).map(|number| pointer("ada", &[number; 200])).collect();
    let turns = cards.iter().zip(writers.iter().cycle());
    let all = turns.map(|(card, writer)| async move { writer.publish(card).await });
    let receipts = futures::future::try_join_all(all).await.unwrap();
    let found = writers[0].fetch(just(&cards[0].key)).await.unwrap();
    assert_eq!((found.records.len(), found.skipped), (1, 1));
    writers[0].retract(&receipts).await.unwrap();
    let left = server.listed(ZONE, &name).await;
    assert!(left.len() == 1 && left[0].contains("v=spf1"), "{left:?}");
}

/// A card as `wayside pointer publish --file` prints it, put there by hand.
#[tokio::test]
async fn a_pasted_card_is_found() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    let key = pointer("ada", b"").key;
    let card = format!("wayside-card:{}", "QUBFR".repeat(200));
    let name = name_of(&zone, &key);
    server.nsupdate(ZONE, &format!("update add {name} 60 TXT {}\n", quoted(card.as_bytes()))).await;
    let reader = ada(&server, &zone, &[]).await;
    let found = reader.fetch_keys([key]).await.unwrap();
    assert_eq!((found.len(), &found[0].bytes[..]), (1, card.as_bytes()));
}

#[tokio::test]
async fn what_is_past_its_end_goes_on_the_way() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (zone, clock) = (fresh(ZONE), TestClock::new());
    let bridge = bridge(&server, &zone, "ada", &[SHARED], &clock).await;
    let soon = clock.now().saturating_add(DAY);
    for byte in 0..5 {
        bridge.publish(&Record { not_after: soon, ..meeting(1, &[byte; 376]) }).await.unwrap();
    }
    bridge.publish(&meeting(1, b"stays")).await.unwrap();
    clock.advance(4 * DAY);
    assert_eq!(bridge.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, b"stays")]);
    assert_eq!(server.listed(ZONE, &name_of(&zone, &slot(1))).await.len(), 6, "looking takes nothing away");
    bridge.publish(&meeting(2, b"new")).await.unwrap();
    assert_eq!(server.listed(ZONE, &name_of(&zone, &slot(1))).await.len(), 1);
}

/// Two people with a zone each: one writes in hers, the other reads there.
#[tokio::test]
async fn each_reads_the_others_zone() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (hers, his) = (fresh(ZONE), fresh(ZONE));
    let resolver = ("resolver", server.cache.as_str());
    let ada = bridge(&server, &hers, "ada", &[resolver], &TestClock::new()).await;
    let ben = bridge(&server, &his, "ben", &[resolver], &TestClock::new()).await;
    ada.publish(&meeting(1, b"an offer")).await.unwrap();
    let there = Place::Of(Locator::new("dns", &hers).unwrap());
    let fetch = Fetch::new(there, [slot(1)].into_iter().collect());
    assert_eq!(ben.fetch(fetch).await.unwrap().records, [meeting(1, b"an offer")]);
    assert!(ben.fetch(just(&slot(1))).await.unwrap().records.is_empty());
    for elsewhere in ["192.0.2.1", "two words", "../etc", "\u{e4}.example"] {
        let Some(locator) = Locator::new("dns", elsewhere) else { continue };
        let fetch = Fetch::new(Place::Of(locator), [slot(1)].into_iter().collect());
        assert_eq!(ben.fetch(fetch).await.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

/// Of what is in the zone, names tell how many there are and nothing else.
#[tokio::test]
async fn names_tell_nothing() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    let ada = ada(&server, &zone, &[]).await;
    let receipt = ada.publish(&meeting(7, b"x")).await.unwrap();
    ada.publish(&pointer("ada", b"card")).await.unwrap();
    let names = |lines: Vec<String>| {
        let mut names: Vec<String> =
            lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        names.iter_mut().for_each(|name| *name = name.split_whitespace().next().unwrap().to_owned());
        names.sort();
        names
    };
    let there = names(server.listed(ZONE, &zone).await);
    let slot = "07".repeat(16);
    assert_eq!(
        there,
        [format!("*._wayside.{zone}."), format!("{slot}._wayside.{zone}."), format!("_wayside.ada.{zone}.")]
    );
    ada.retract(&[receipt]).await.unwrap();
    assert_eq!(server.listed(ZONE, &zone).await.len(), 2);
}

/// A server that accepts and never answers.
#[cfg(unix)]
#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let pid = std::fs::read_to_string(std::env::var("WAYSIDE_DNS_PID").unwrap()).unwrap().trim().to_owned();
    let signal = |name: &str| {
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    let pace = wayside_bridge_dns::Pace { patience: Duration::from_secs(1), ..FAST };
    let bridge = open(&server.options(&fresh(ZONE), "ada"), pace, &TestClock::new()).await.unwrap();
    let receipt = bridge.publish(&meeting(1, b"before")).await.unwrap();
    signal("-STOP");
    let began = Instant::now();
    let answers = [
        bridge.publish(&meeting(2, b"x")).await.err(),
        bridge.retract(&[receipt]).await.err(),
        bridge.probe().await.err(),
        bridge.fetch(Fetch::new(Place::Own, (0..60).map(slot).collect())).await.err(),
    ];
    let took = began.elapsed();
    signal("-CONT");
    for answer in answers {
        let error = answer.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.message().contains("does not answer"), "{error}");
    }
    assert!(took < Duration::from_secs(12), "{took:?}");
    bridge.publish(&meeting(3, b"after")).await.unwrap();
    assert_eq!(bridge.fetch(just(&slot(3))).await.unwrap().records, [meeting(3, b"after")]);
}
