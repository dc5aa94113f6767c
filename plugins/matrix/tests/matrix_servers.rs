//! What only a real server tells: sessions that last, who is removed, rooms that move, limits, crowds. `tests/run matrix` starts two.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod common;

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use wayside_bridge::{
    Bridge, ErrorKind, Fetch, Incoming, Key, Keys, Outgoing, Place, Record, RecordStream, Retry, Room,
    RoomEvent, RoomEvents, Sender, Standing, Watch,
};

use crate::common::server::{Account, FIELD, NONE, Server, content, dressed, escaped, text};
use crate::common::{TestClock, meeting, proxy, skip};

/// How long something may take that the server does by itself, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(15);

async fn found(bridge: &dyn Bridge, key: &Key) -> Vec<Record> {
    let keys: Keys = [key.clone()].into_iter().collect();
    bridge.fetch(Fetch::new(Place::Own, keys)).await.unwrap().records
}

async fn watching(bridge: &dyn Bridge) -> RecordStream {
    bridge.watch(Watch::new(Place::Own, Keys::All)).await.unwrap()
}

async fn until_seen(stream: &mut RecordStream, record: &Record) {
    timeout(SOON, async { while !stream.next().await.unwrap().unwrap().records.contains(record) {} })
        .await
        .unwrap();
}

#[tokio::test]
async fn one_login_serves_for_all_openings() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (url, counts) = proxy::before(&server.url).await;
    let ann = server.by(url).account("ann").await;
    let room = server.room(&ann, true).await;
    let clock = TestClock::new();
    let first = ann.open(&room.alias, &clock).await.unwrap().bridge;
    // As the node does that tries a bridge and opens it at once.
    let second = ann.open(&room.alias, &clock).await.unwrap().bridge;
    first.publish(&meeting(1, b"one")).await.unwrap();
    drop(first);
    second.publish(&meeting(2, b"two")).await.unwrap();
    drop(second);
    let third = ann.open(&room.id, &clock).await.unwrap().bridge;
    assert_eq!(found(&*third, &meeting(1, b"").key).await, [meeting(1, b"one")]);
    assert_eq!(found(&*third, &meeting(2, b"").key).await, [meeting(2, b"two")]);
    assert_eq!(counts.logins(), 1);
    let locators: Vec<_> = third.info().locators.iter().map(ToString::to_string).collect();
    assert_eq!(locators, [format!("matrix:{}", room.id)]);
    #[cfg(unix)]
    for file in ["session.json", "store-key"] {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(ann.state().join(file).metadata().unwrap().mode() & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn without_a_folder_the_session_ends_with_the_bridge() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let ann = server.account("ann").await;
    let room = server.room(&ann, false).await;
    let bridge = common::open(&ann.options(&room.alias), None, &TestClock::new()).await.unwrap().bridge;
    assert_eq!(devices(&ann).await, 2);
    drop(bridge);
    timeout(SOON, async {
        while devices(&ann).await != 1 {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
}

async fn devices(account: &Account) -> usize {
    let found = account.server.must(&account.token, "GET", "v3/devices", &Value::Null).await;
    found["devices"].as_array().unwrap().len()
}

#[tokio::test]
async fn wrong_passwords_tokens_and_rooms_are_told_apart() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let mut ann = server.account("ann").await;
    let room = server.room(&ann, false).await;
    let clock = TestClock::new();
    let missing = ann.open("#nothing-here:localhost", &clock).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Denied);
    assert!(missing.message().contains("there is no room"), "{missing}");
    ann.password = "wrong".to_owned();
    let eve = server.account("eve").await;
    let mut options = ann.options(&room.alias);
    let wrong = common::open(&options, Some(eve.state()), &clock).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Denied);
    assert!(wrong.message().contains("password"), "{wrong}");
    // By a token, whose device the server knows.
    options.retain(|(name, _)| *name != "password-file");
    options.push(("token-file", common::secret_file(ann.folder.path(), "token", &ann.token)));
    let by_token =
        common::open(&options, Some(ann.folder.path().join("other")), &clock).await.unwrap().bridge;
    by_token.publish(&meeting(1, b"by token")).await.unwrap();
    server.must(&ann.token, "POST", "v3/logout", &json!({})).await;
    let revoked = by_token.probe().await.unwrap_err();
    assert_eq!(revoked.kind(), ErrorKind::Denied);
    assert!(revoked.message().contains("session"), "{revoked}");
}

#[tokio::test]
async fn who_is_removed_hears_of_it_and_goes_on_when_invited_again() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (owner, ben) = (server.account("owner").await, server.account("ben").await);
    let room = server.room(&owner, false).await;
    let bridge = ben.open(&room.alias, &TestClock::new()).await.unwrap().bridge;
    let mut stream = watching(&*bridge).await;
    owner.act(&room.id, "kick", &json!({ "user_id": ben.user })).await;
    let told = timeout(SOON, stream.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Denied);
    assert!(told.message().contains("removed"), "{told}");
    assert_eq!(bridge.probe().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(bridge.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::Denied);

    owner.act(&room.id, "invite", &json!({ "user_id": ben.user })).await;
    let mut last = None;
    let again = timeout(SOON, async {
        while let Err(error) = bridge.publish(&meeting(1, b"again")).await {
            last = Some(error);
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(again.await.is_ok(), "{last:?}");
    owner.act(&room.id, "ban", &json!({ "user_id": ben.user })).await;
    let mut last = None;
    let banned = timeout(SOON, async {
        loop {
            last = Some(bridge.probe().await);
            match &last {
                Some(Err(error)) if error.message().contains("banned") => break error.kind(),
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    });
    assert_eq!(banned.await.ok(), Some(ErrorKind::Denied), "{last:?}");
}

#[tokio::test]
async fn an_upgraded_room_is_followed() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (owner, ben) = (server.account("owner").await, server.account("ben").await);
    let room = server.room(&owner, false).await;
    let clock = TestClock::new();
    let (one, other) =
        (owner.open(&room.id, &clock).await.unwrap(), ben.open(&room.id, &clock).await.unwrap());
    let mut stream = watching(&*other.bridge).await;
    let receipt = one.bridge.publish(&meeting(1, b"before")).await.unwrap();
    until_seen(&mut stream, &meeting(1, b"before")).await;
    let upgraded = owner.act(&room.id, "upgrade", &json!({ "new_version": "10" })).await;
    let successor = format!("matrix:{}", text(&upgraded["replacement_room"]));
    for bridge in [&one.bridge, &other.bridge] {
        timeout(SOON, async {
            while bridge.info().locators.iter().all(|locator| locator.to_string() != successor) {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
    }
    one.bridge.publish(&meeting(2, b"after")).await.unwrap();
    until_seen(&mut stream, &meeting(2, b"after")).await;
    one.bridge.retract(&[receipt]).await.unwrap();
    drop((stream, other));
    let again = ben.open(&room.id, &clock).await.unwrap().bridge;
    assert_eq!(again.info().locators[0].to_string(), successor);
}

#[tokio::test]
async fn limits_are_kept_to() {
    let Some(limited) = Server::limited() else { return skip(NONE) };
    let server = limited.alone().await;
    let ann = server.account("ann").await;
    let room = server.room(&ann, false).await;
    let (url, counts) = proxy::before(&server.url).await;
    let mut options = ann.options(&room.id);
    options[0].1 = url;
    let bridge = common::open(&options, Some(ann.state()), &TestClock::new()).await.unwrap().bridge;
    let mut number = 0;
    let limited = loop {
        number += 1;
        assert!(number < 30, "a server with limits has none");
        if let Err(error) = bridge.publish(&meeting(number, b"x")).await {
            break error;
        }
    };
    assert_eq!(limited.kind(), ErrorKind::RateLimited, "{limited}");
    let Retry::After(wait) = limited.retry() else { panic!("{limited:?}") };
    let before = counts.requests();
    let at_once = bridge.publish(&meeting(number, b"x")).await.unwrap_err();
    assert_eq!(at_once.kind(), ErrorKind::RateLimited);
    assert_eq!(counts.requests(), before, "something was sent although the server asked to wait");
    sleep(wait + Duration::from_millis(200)).await;
    bridge.publish(&meeting(number, b"x")).await.unwrap();
}

#[tokio::test]
async fn an_idle_bridge_has_one_poll_pending() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (url, counts) = proxy::before(&server.url).await;
    let ann = server.by(url).account("ann").await;
    let room = server.room(&ann, true).await;
    let bridge = ann.open(&room.id, &TestClock::new()).await.unwrap().bridge;
    let _stream = watching(&*bridge).await;
    sleep(Duration::from_secs(3)).await;
    let (requests, polls) = (counts.requests(), counts.polls());
    sleep(Duration::from_secs(40)).await;
    let (requests, polls) = (counts.requests() - requests, counts.polls() - polls);
    eprintln!("idle for 40 s: {requests} requests, {polls} of them polls");
    assert!(polls >= 1, "nobody listens");
    assert!(polls <= 2, "{polls} polls in 40 s: they are to stay pending");
    assert_eq!(requests, polls, "something beside the poll is asked");
}

/// `WAYSIDE_MATRIX_OLD` has more of them put there.
#[tokio::test]
async fn a_crowded_room_costs_little() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let old = std::env::var("WAYSIDE_MATRIX_OLD").ok().and_then(|old| old.parse().ok()).unwrap_or(600);
    let (owner, ann) = (server.account("owner").await, server.account("ann").await);
    let room = server.room(&owner, false).await;
    let clock = TestClock::new();
    let bridge = ann.open(&room.id, &clock).await.unwrap().bridge;
    bridge.publish(&meeting(1, b"the first")).await.unwrap();
    drop(bridge);
    let mut taken = 0;
    for number in 0..old {
        // Some of it no careful server takes; one that takes it is what this is for.
        let path = format!("v3/rooms/{}/send/m.room.message/h{number}", escaped(&room.id));
        let (status, _) = server.ask(&owner.token, "PUT", &path, &hostile(number)).await;
        taken += u32::from(status == 200);
    }
    let (began, before) = (Instant::now(), resident());
    let bridge = ann.open(&room.id, &clock).await.unwrap().bridge;
    assert_eq!(found(&*bridge, &meeting(1, b"").key).await, [meeting(1, b"the first")]);
    let took = began.elapsed();
    let grown = resident().saturating_sub(before) >> 20;
    eprintln!("opening, and finding a record behind {taken} others, took {took:?} and {grown} MiB");
    assert!(grown < 160, "{grown} MiB");
    assert!(taken * 2 >= old, "only {taken} of {old} are there");
    assert!(took < Duration::from_secs(5) + Duration::from_millis(5) * old, "it took {took:?}");
    let all = bridge.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert_eq!(all.records, [meeting(1, b"the first")]);
}

/// What this process has in memory, in bytes; nothing where nobody says.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// What somebody says who means harm, or does not know of us.
fn hostile(number: u32) -> Value {
    let deep = (0..60).fold(json!(1), |inner, _| json!({ FIELD: inner }));
    match number % 8 {
        0 => json!({ "msgtype": "m.text", "body": "hello, is this thing on?" }),
        1 => dressed(&[7; 3000]),
        2 => json!({ "msgtype": "m.notice", "body": "x", FIELD: { "a": [1, 2, 3] } }),
        3 => json!({ "msgtype": "m.notice", "body": "x", FIELD: "?".repeat(40_000) }),
        4 => json!({ "msgtype": ["m.text"], "body": {}, "m.relates_to": "nonsense" }),
        5 => {
            json!({ "msgtype": "m.text", "body": "* edited", "m.relates_to": { "rel_type": "m.replace", "event_id": "$x" },
            "m.new_content": content(&meeting(1, b"forged")) })
        }
        6 => deep,
        _ => json!({}),
    }
}

async fn next_said(events: &mut RoomEvents) -> Incoming {
    timeout(SOON, async {
        loop {
            if let RoomEvent::Said(said) = events.next().await.unwrap().unwrap() {
                return said;
            }
        }
    })
    .await
    .unwrap()
}

async fn say(room: &dyn Room, to: Option<&str>, text: &str, automatic: bool) {
    let to = to.map(|to| Sender(to.to_owned()));
    room.say(&Outgoing { to, text: text.to_owned(), automatic, answers: None }).await.unwrap();
}

#[tokio::test]
async fn people_talk_in_a_plain_room() {
    people_talk(false).await;
}

#[tokio::test]
async fn people_talk_in_an_encrypted_room() {
    people_talk(true).await;
}

async fn people_talk(encrypted: bool) {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (ann, bot) = (server.account("ann").await, server.account("bot").await);
    let room = server.room(&ann, encrypted).await;
    let clock = TestClock::new();
    let (opened, helper) =
        (ann.open(&room.id, &clock).await.unwrap(), bot.open(&room.id, &clock).await.unwrap());
    let (here, there) = (opened.room.unwrap(), helper.room.unwrap());
    let mut heard = there.events().await.unwrap();
    let mut answers = here.events().await.unwrap();
    // A record is no message.
    opened.bridge.publish(&meeting(1, b"no message")).await.unwrap();
    say(&*here, None, "!help", false).await;
    let said = next_said(&mut heard).await;
    assert_eq!((said.text.as_str(), said.private, said.automatic), ("!help", false, false));
    assert_eq!(said.from, Sender(ann.user.clone()));

    say(&*there, Some(&ann.user), "what I can do", true).await;
    let said = next_said(&mut answers).await;
    assert_eq!((said.text.as_str(), said.private, said.automatic), ("what I can do", true, true));
    say(&*here, Some(&bot.user), "!list", false).await;
    let said = next_said(&mut heard).await;
    assert_eq!((said.text.as_str(), said.private), ("!list", true));

    assert_eq!(there.standing(&Sender(ann.user.clone())).await.unwrap(), Standing::Moderator);
    assert_eq!(here.standing(&Sender(bot.user.clone())).await.unwrap(), Standing::Member);
    let stranger = Sender("@nobody-at-all:localhost".to_owned());
    assert_eq!(here.standing(&stranger).await.unwrap(), Standing::Stranger);

    // What is said while the bot is away is heard when it is back, once it had been there.
    assert!(timeout(Duration::from_millis(300), heard.next()).await.is_err());
    drop((heard, there, helper.bridge));
    say(&*here, None, "!join", false).await;
    let there = bot.open(&room.id, &clock).await.unwrap().room.unwrap();
    let mut heard = there.events().await.unwrap();
    assert_eq!(next_said(&mut heard).await.text, "!join");
    ann.act(&room.id, "ban", &json!({ "user_id": bot.user })).await;
    assert_eq!(here.standing(&Sender(bot.user.clone())).await.unwrap(), Standing::Banned);
    let left = timeout(SOON, async {
        loop {
            if let RoomEvent::Left(who) = answers.next().await.unwrap().unwrap() {
                return who;
            }
        }
    });
    assert_eq!(left.await.unwrap(), Sender(bot.user.clone()));
}

/// Rooms of two are in the poll from the moment somebody listens: what is said in one while the former poll is pending is not lost.
#[tokio::test]
async fn what_is_said_alone_is_heard_at_once_after_a_restart() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (ann, bot) = (server.account("ann").await, server.account("bot").await);
    let room = server.room(&ann, false).await;
    let clock = TestClock::new();
    let here = ann.open(&room.id, &clock).await.unwrap().room.unwrap();
    let _answers = here.events().await.unwrap();
    let there = bot.open(&room.id, &clock).await.unwrap();
    let mut heard = there.room.as_ref().unwrap().events().await.unwrap();
    say(&*here, Some(&bot.user), "before", false).await;
    assert_eq!(next_said(&mut heard).await.text, "before");
    drop((heard, there));

    let again = bot.open(&room.id, &clock).await.unwrap();
    // The first poll is pending.
    sleep(Duration::from_millis(500)).await;
    let mut heard = again.room.as_ref().unwrap().events().await.unwrap();
    assert_eq!(
        next_said(&mut heard).await.text,
        "before",
        "nothing more was asked for, so it may have been lost"
    );
    assert!(timeout(Duration::from_millis(500), heard.next()).await.is_err());
    say(&*here, Some(&bot.user), "after", false).await;
    let said = next_said(&mut heard).await;
    assert_eq!((said.text.as_str(), said.private), ("after", true));
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_stands_still_is_waited_for() {
    let Some(limited) = Server::limited() else { return skip(NONE) };
    let server = limited.alone().await;
    let (ann, ben) = (server.account("ann").await, server.account("ben").await);
    let room = server.room(&ann, false).await;
    let clock = TestClock::new();
    let one = ann.open_by_token(&room.id, &clock).await.unwrap().bridge;
    let other = ben.open_by_token(&room.id, &clock).await.unwrap().bridge;
    let mut stream = watching(&*other).await;
    server.signal("-STOP");
    let record = meeting(1, b"in between");
    let publishing = one.publish(&record);
    let resumed = async {
        sleep(Duration::from_secs(2)).await;
        server.signal("-CONT");
    };
    let (published, ()) = futures::join!(publishing, resumed);
    published.unwrap();
    until_seen(&mut stream, &record).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_started_anew_is_found_again() {
    let Some(limited) = Server::limited() else { return skip(NONE) };
    let server = limited.alone().await;
    let (ann, ben) = (server.account("ann").await, server.account("ben").await);
    let room = server.room(&ann, true).await;
    let clock = TestClock::new();
    let one = ann.open_by_token(&room.id, &clock).await.unwrap().bridge;
    let other = ben.open_by_token(&room.id, &clock).await.unwrap().bridge;
    let mut stream = watching(&*other).await;
    let offer = meeting(1, b"offer");
    one.publish(&offer).await.unwrap();
    until_seen(&mut stream, &offer).await;
    server.recipe("stop");
    let away = one.publish(&meeting(2, b"answer")).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unreachable, "{away}");
    let told = async { while stream.next().await.is_some_and(|batch| batch.is_ok()) {} };
    timeout(SOON, told).await.unwrap();
    server.recipe("start");
    // By the session that there was.
    let answer = meeting(2, b"answer");
    timeout(SOON, async {
        while one.publish(&answer).await.is_err() {
            sleep(Duration::from_millis(200)).await;
        }
        while found(&*other, &answer.key).await.is_empty() {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .unwrap();
    let mut stream = watching(&*other).await;
    let last = meeting(3, b"and it listens");
    one.publish(&last).await.unwrap();
    until_seen(&mut stream, &last).await;
    assert_eq!(found(&*other, &offer.key).await, [offer]);
    assert_eq!(devices(&ann).await, 1, "nobody logged in anew");
}

#[tokio::test]
async fn an_authority_of_its_own_is_trusted_where_it_is_named() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let tls = ["WAYSIDE_MATRIX_TLS_URL", "WAYSIDE_MATRIX_CA"].map(std::env::var);
    let [Ok(url), Ok(authority)] = tls else { return skip("nobody says where the server speaks TLS") };
    let ann = server.account("ann").await;
    let room = server.room(&ann, false).await;
    let clock = TestClock::new();
    let mut options = ann.options(&room.alias);
    options.retain(|(name, _)| *name != "homeserver");
    options.push(("homeserver", url));
    let refused = common::open(&options, Some(ann.state()), &clock).await.unwrap_err();
    assert!(refused.message().contains("certificate") && refused.message().contains("--ca"), "{refused}");
    assert_eq!(devices(&ann).await, 1, "nothing was said to whoever that is");
    options.push(("ca", authority));
    let bridge = common::open(&options, Some(ann.state()), &clock).await.unwrap().bridge;
    bridge.publish(&meeting(1, b"sealed twice")).await.unwrap();
}

/// An offer and its answer, beside the bare time from sending to hearing; and both with 1,000 events a minute of others' in the room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone"]
async fn how_long_a_meeting_takes() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let (ann, ben, noise) =
        (server.account("ann").await, server.account("ben").await, server.account("noise").await);
    let room = server.room(&ann, false).await;
    let clock = TestClock::new();
    let one = ann.open(&room.id, &clock).await.unwrap().bridge;
    let other = ben.open(&room.id, &clock).await.unwrap().bridge;
    noise.join(&room.id).await;
    let (mut here, mut there) = (watching(&*one).await, watching(&*other).await);
    let mut since =
        text(&server.must(&ben.token, "GET", &bare_path(&room.id, ""), &Value::Null).await["next_batch"]);
    let mut medians = Vec::new();
    for noisy in [false, true] {
        let (noise_token, noise_server, noise_room) = (noise.token.clone(), server.clone(), room.id.clone());
        let others = async move {
            let mut pace = tokio::time::interval(Duration::from_millis(60));
            let mut number = 0u64;
            loop {
                pace.tick().await;
                number += 1;
                let path = format!("v3/rooms/{}/send/m.room.message/n{number}", escaped(&noise_room));
                let record = Record { bytes: number.to_be_bytes().to_vec().into(), ..meeting(9, b"") };
                noise_server.ask(&noise_token, "PUT", &path, &content(&record)).await;
            }
        };
        let crowd = noisy.then(|| tokio::spawn(others));
        let (mut bare, mut meetings) = (Vec::new(), Vec::new());
        for turn in 0..20u8 {
            sleep(Duration::from_millis(150)).await;
            bare.push(bare_run(&server, &ann, &ben, &room.id, &mut since, turn).await);
            sleep(Duration::from_millis(150)).await;
            let (offer, answer) =
                (meeting(turn, &[u8::from(noisy), 1]), meeting(turn, &[u8::from(noisy), 2]));
            let began = Instant::now();
            let answering = async {
                until_seen(&mut there, &offer).await;
                other.publish(&answer).await.unwrap();
            };
            let (sent, (), ()) =
                futures::join!(one.publish(&offer), answering, until_seen(&mut here, &answer));
            sent.unwrap();
            meetings.push(began.elapsed());
        }
        if let Some(crowd) = crowd {
            crowd.abort();
        }
        medians.push((median(bare), median(meetings)));
    }
    let [(bare, quiet), (_, noisy)] = medians[..] else { panic!() };
    let (ratio, slowdown) =
        (quiet.as_secs_f64() / bare.as_secs_f64(), noisy.as_secs_f64() / quiet.as_secs_f64());
    eprintln!(
        "bare {bare:?}; offer to answer {quiet:?} ({ratio:.2} of it); among noise {noisy:?} ({slowdown:.2})"
    );
    eprintln!("with noise and bare alike: {medians:?}");
    assert!(ratio <= 2.5, "offer to answer takes {ratio:.2} of the bare time");
    assert!(slowdown <= 1.2, "noise makes a meeting {slowdown:.2} as long");
}

/// Why the room is watched by `/sync` with a filter: beside sliding sync (MSC4186) with a subscription to that room alone, for an account that is in many others.
#[tokio::test]
#[ignore = "a measurement: run it alone"]
async fn what_sliding_sync_would_save() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let ann = server.account("ann").await;
    let room = server.room(&ann, false).await;
    for _ in 0..200 {
        let other = server.room(&ann, false).await;
        ann.send(&other.id, &json!({ "msgtype": "m.text", "body": "elsewhere" })).await;
    }
    ann.send(&room.id, &json!({ "msgtype": "m.text", "body": "here" })).await;
    let sliding = "unstable/org.matrix.simplified_msc3575/sync?timeout=0";
    let subscription = json!({ "timeline_limit": 100, "required_state": [["m.room.create", ""], ["m.room.encryption", ""], ["m.room.tombstone", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"]] });
    let (mut filtered, mut slid, mut sizes) = (Vec::new(), Vec::new(), [0, 0]);
    for turn in 0..9 {
        // Synapse remembers answers: another question each time.
        let began = Instant::now();
        let filter = json!({ "room": { "rooms": [room.id], "timeline": { "limit": 100 + turn, "lazy_load_members": true }, "state": { "lazy_load_members": true }, "ephemeral": { "types": [] }, "account_data": { "types": [] } }, "presence": { "types": [] }, "account_data": { "types": ["m.direct"] } });
        let path = format!("v3/sync?timeout=0&filter={}", escaped(&filter.to_string()));
        let answer = server.must(&ann.token, "GET", &path, &Value::Null).await;
        filtered.push(began.elapsed());
        assert_eq!(answer["rooms"]["join"].as_object().unwrap().len(), 1);
        sizes[0] = answer.to_string().len();
        let began = Instant::now();
        let body = json!({ "conn_id": format!("c{turn}"), "lists": {}, "room_subscriptions": { room.id.clone(): subscription }, "extensions": { "to_device": { "enabled": true }, "e2ee": { "enabled": true } } });
        let answer = server.must(&ann.token, "POST", sliding, &body).await;
        slid.push(began.elapsed());
        assert_eq!(answer["rooms"].as_object().unwrap().len(), 1);
        sizes[1] = answer.to_string().len();
    }
    let (filtered, slid) = (median(filtered), median(slid));
    eprintln!(
        "a first answer, in 201 rooms: /sync {filtered:?}, {} bytes; sliding sync {slid:?}, {} bytes",
        sizes[0], sizes[1]
    );
}

fn bare_path(room: &str, since: &str) -> String {
    let filter =
        json!({ "room": { "rooms": [room], "ephemeral": { "types": [] } }, "presence": { "types": [] } });
    let filter = escaped(&filter.to_string());
    match since {
        "" => format!("v3/sync?timeout=0&filter={filter}"),
        since => format!("v3/sync?timeout=30000&filter={filter}&since={since}"),
    }
}

/// From sending an event by plain HTTP to having it by a long poll that was pending.
async fn bare_run(
    server: &Server,
    from: &Account,
    to: &Account,
    room: &str,
    since: &mut String,
    turn: u8,
) -> Duration {
    // What lies there already is out of the way.
    let marker = common::random_name(&format!("bare-{turn}-"));
    let listening = async {
        loop {
            let answer = server.must(&to.token, "GET", &bare_path(room, since), &Value::Null).await;
            *since = text(&answer["next_batch"]);
            if answer.to_string().contains(&marker) {
                return Instant::now();
            }
        }
    };
    let sending = async {
        sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        from.send(room, &json!({ "msgtype": "m.text", "body": marker })).await;
        began
    };
    let (heard, began) = futures::join!(listening, sending);
    heard - began
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}
