//! A bot in a room in memory: what survives restarts and outages, and who has hold of its folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wayside_bridge::{ErrorKind, MemoryRoom, Outgoing, Sender, SharedRoom, Standing};
use wayside_node::bot::{self, BotError, BotFolder, Settings};
use wayside_node::{HomeError, NodeClock};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::AccountKey;
use wayside_proto::introducer::{Notice, Person};
use wayside_proto::place::Locator;
use wayside_proto::pointer::{Claims, Pointer, PointerName};

const START: u64 = 1_800_000_000;

fn card(account: u8) -> Pointer {
    let claims = Claims {
        name: PointerName::new("room").unwrap(),
        seq: 1,
        expires: UnixMillis::from_secs(START + 90 * 86_400),
        key: [account; 32],
        public: [account; 16],
        points: vec![Locator::new("memory", "room").unwrap()],
    };
    Pointer::sign(&AccountKey::from_secret(&Secret::new([account; 32])), claims).unwrap()
}

fn start(room: &MemoryRoom, name: &str, folder: &Path) -> JoinHandle<Result<(), BotError>> {
    let (room, folder) = (room.member(name), folder.to_owned());
    let clock = NodeClock::simulated(wayside_bridge::Timestamp::from_secs(START));
    tokio::spawn(async move {
        let folder = BotFolder::open(&folder)?;
        bot::run(room, &folder, Settings::default(), clock, std::future::pending()).await
    })
}

async fn say(member: &SharedRoom, text: &str) {
    let message = Outgoing { to: None, text: text.to_owned(), automatic: false, answers: None };
    member.say(&message).await.unwrap();
    sleep(Duration::from_secs(1)).await;
}

/// What the bot said to this one.
fn heard(room: &MemoryRoom, name: &str) -> Vec<Notice> {
    let to = Some(Sender(name.to_owned()));
    let said = room.said().into_iter().filter(|(_, message)| message.to == to);
    said.filter_map(|(_, message)| Notice::find(&message.text)).collect()
}

fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

/// Two members on the list, and what they heard so far.
async fn joined(room: &MemoryRoom) -> (SharedRoom, SharedRoom) {
    let (ann, ben) = (room.member("@ann:x"), room.member("@ben:x"));
    sleep(Duration::from_secs(1)).await;
    say(&ann, &format!("!join {}", card(1))).await;
    say(&ben, &format!("!join {}", card(2))).await;
    (ann, ben)
}

#[tokio::test(start_paused = true)]
async fn two_members_meet_over_a_restart() {
    let (room, folder) = (MemoryRoom::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("bot");
    let bot = start(&room, "@bot:x", &path);
    let (ann, ben) = joined(&room).await;
    say(&ann, "!meet @ben:x").await;
    assert_eq!(heard(&room, "@ben:x"), [Notice::Joined, Notice::Asked(person("@ann:x"))]);
    let second = start(&room, "@bot:x", &path).await.unwrap();
    assert!(matches!(second, Err(BotError::Folder(HomeError::InUse(_)))), "{second:?}");
    bot.abort();
    assert!(bot.await.is_err());
    let before = room.said().len();
    let bot = start(&room, "@bot:x", &path);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(room.said().len(), before, "a restart says nothing again");
    say(&ben, "!yes @ann:x").await;
    let meet = |who, account, asked| Notice::Meet { who: person(who), card: Box::new(card(account)), asked };
    assert_eq!(heard(&room, "@ann:x").last(), Some(&meet("@ben:x", 2, true)));
    assert_eq!(heard(&room, "@ben:x").last(), Some(&meet("@ann:x", 1, false)));
    assert!(
        room.said()
            .iter()
            .all(|(who, message)| who.0 != "@bot:x" || (message.automatic && message.to.is_some()))
    );
    bot.abort();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("state")), mode(&path.join("lock"))), (0o700, 0o600, 0o600));
    }
}

#[tokio::test(start_paused = true)]
async fn outages_are_waited_for_and_who_left_meanwhile_is_found() {
    let (room, folder) = (MemoryRoom::new(), tempfile::tempdir().unwrap());
    let bot = start(&room, "@bot:x", folder.path());
    let (ann, ben) = joined(&room).await;
    say(&ann, "!meet @ben:x").await;
    for kind in [ErrorKind::Unreachable, ErrorKind::RateLimited] {
        room.fail_with(Some(kind));
        sleep(Duration::from_secs(90)).await;
        room.fail_with(None);
        sleep(Duration::from_secs(90)).await;
        say(&ann, "!list").await;
    }
    let lists = room
        .said()
        .iter()
        .filter(|(_, message)| message.text.contains("@ben:x\n") || message.text.ends_with("@ben:x"))
        .count();
    assert!(lists >= 2, "{:?}", room.said());
    bot.abort();
    assert!(bot.await.is_err());
    drop(ben);
    room.set("@ben:x", Standing::Stranger);
    let bot = start(&room, "@bot:x", folder.path());
    sleep(Duration::from_secs(10)).await;
    let over = Notice::Unmet(person("@ben:x"), wayside_proto::introducer::Unmet::Over);
    assert_eq!(heard(&room, "@ann:x").last(), Some(&over));
    room.fail_with(Some(ErrorKind::Denied));
    let ended = timeout(Duration::from_secs(60), bot).await.expect("it ends by itself").unwrap();
    assert!(matches!(ended, Err(BotError::Room(_))), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn two_bots_in_one_room_do_not_feed_each_other() {
    let (room, folder) = (MemoryRoom::new(), tempfile::tempdir().unwrap());
    let bots = ["@one:x", "@two:x"].map(|name| start(&room, name, &folder.path().join(&name[1..])));
    let (ann, _ben) = joined(&room).await;
    say(&ann, "!meet @ben:x").await;
    say(&ann, "!help").await;
    sleep(Duration::from_secs(3_600)).await;
    let said = room.said();
    let of_bots = said.iter().filter(|(who, _)| who.0 != "@ann:x" && who.0 != "@ben:x").count();
    assert_eq!(of_bots, 2 * 5, "each: two joined, one asking, one asked, one help: {said:?}");
    bots.iter().for_each(JoinHandle::abort);
}

/// The service lost that it was automatic: limits end it.
#[tokio::test(start_paused = true)]
async fn a_bot_that_talks_back_is_soon_not_answered() {
    let (room, folder) = (MemoryRoom::new(), tempfile::tempdir().unwrap());
    let bot = start(&room, "@bot:x", folder.path());
    let parrot = room.member("@parrot:x");
    let mut events = parrot.events().await.unwrap();
    let talk = tokio::spawn(async move {
        while let Some(Ok(wayside_bridge::RoomEvent::Said(said))) = events.next().await {
            let to = Some(said.from);
            parrot.say(&Outgoing { to, text: said.text, automatic: false, answers: None }).await.unwrap();
        }
    });
    sleep(Duration::from_secs(1)).await;
    let ann = room.member("@parrot:x");
    say(&ann, "!help").await;
    sleep(Duration::from_secs(3_600)).await;
    let of_bot = room.said().iter().filter(|(who, _)| who.0 == "@bot:x").count();
    assert!((2..70).contains(&of_bot), "{of_bot}");
    bot.abort();
    talk.abort();
}

#[tokio::test(start_paused = true)]
async fn a_damaged_state_says_so() {
    let (room, folder) = (MemoryRoom::new(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("state"), b"junk").unwrap();
    let ended = start(&room, "@bot:x", folder.path()).await.unwrap();
    assert!(ended.is_err_and(|error| error.to_string().contains("later version")));
    std::fs::write(folder.path().join("state"), b"\x01junk").unwrap();
    let ended = start(&room, "@bot:x", folder.path()).await.unwrap();
    assert!(ended.is_err_and(|error| error.to_string().contains("damaged")));
}
