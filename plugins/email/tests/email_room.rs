//! A list as a room: what is heard, of whom, and what is said.
//!
//! `tests/run email` starts the servers; without any every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::Duration;

use futures::StreamExt;
use wayside_bridge::{ErrorKind, Incoming, Outgoing, RoomEvent, RoomEvents, Sender, SharedRoom, Standing};

use crate::common::server::{NONE, Person, Server};
use crate::common::{FAST, TestClock, skip};

/// A list, its members ann and bob, and a bot's account that is subscribed by being one of the two: ann is the bot.
struct Scene {
    server: Server,
    list: String,
    bot: Person,
    bob: Person,
    folder: tempfile::TempDir,
}

fn scene() -> Option<Scene> {
    let server = Server::started();
    if server.is_none() {
        skip(NONE);
    }
    let server = server?;
    let (list, [bot, bob]) = server.list();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("members"), format!("{}\n{}\n", bot.address, bob.address)).unwrap();
    Some(Scene { server, list, bot, bob, folder })
}

impl Scene {
    async fn room(&self, who: &Person, more: &[(&'static str, String)]) -> SharedRoom {
        let mut options = self.server.options(who);
        options.push(("list", self.list.clone()));
        options.extend(more.iter().cloned());
        let state = self.folder.path().join(&who.address);
        std::fs::create_dir_all(&state).unwrap();
        common::open(&options, FAST, &TestClock::new(), Some(state)).await.unwrap().room.unwrap()
    }

    fn for_a_bot(&self) -> Vec<(&'static str, String)> {
        let members = self.folder.path().join("members").to_str().unwrap().to_owned();
        vec![("members-file", members), ("hears", "all".to_owned()), ("owner", "olga@one.test".to_owned())]
    }

    /// A mail as it comes to the bot's mailbox.
    fn write(&self, headers: &str, text: &str) {
        let id = common::server::unique();
        let mail = format!("{headers}Message-ID: <{id}@two.test>\r\n\r\n{text}\r\n");
        self.server.maildir(&self.bot).put(mail.as_bytes());
    }

    fn by_bob(&self) -> String {
        format!("From: Bob <{}>\r\nTo: {}\r\n", self.bob.address, self.bot.address)
    }
}

async fn next(events: &mut RoomEvents) -> RoomEvent {
    tokio::time::timeout(Duration::from_secs(20), events.next()).await.unwrap().unwrap().unwrap()
}

async fn next_said(events: &mut RoomEvents) -> Incoming {
    match next(events).await {
        RoomEvent::Said(message) => message,
        other => panic!("{other:?}"),
    }
}

async fn is_quiet(events: &mut RoomEvents) -> bool {
    tokio::time::timeout(Duration::from_secs(2), events.next()).await.is_err()
}

fn to(who: Option<&Person>, text: &str, automatic: bool) -> Outgoing {
    let to = who.map(|who| Sender(who.address.clone()));
    Outgoing { to, text: text.to_owned(), automatic, answers: None }
}

/// Both are programs: each makes sure of the other without a person, and what one says to all the other hears.
#[tokio::test]
async fn two_programs_hear_each_other() {
    let Some(scene) = scene() else { return };
    let bot = scene.room(&scene.bot, &scene.for_a_bot()).await;
    let member = scene.room(&scene.bob, &[]).await;
    let (mut at_bot, mut at_member) = (bot.events().await.unwrap(), member.events().await.unwrap());
    member.say(&to(Some(&scene.bot), "!join wayside-card:abc", false)).await.unwrap();
    let heard = next_said(&mut at_bot).await;
    assert_eq!(
        (heard.from.0.as_str(), heard.text.as_str()),
        (scene.bob.address.as_str(), "!join wayside-card:abc")
    );
    assert!(heard.private && !heard.automatic);

    // A line as long as a card comes through as one.
    let line = format!("wayside-bot: met olga@one.test wayside-card:{}", "x".repeat(2000));
    let answer = Outgoing {
        answers: Some(heard.id.clone()),
        ..to(Some(&scene.bob), &format!("Hello.\n{line}"), true)
    };
    bot.say(&answer).await.unwrap();
    let heard = next_said(&mut at_member).await;
    assert_eq!(heard.from.0, scene.bot.address);
    assert!(
        heard.private && heard.automatic && heard.text.lines().any(|found| found == line),
        "{}",
        heard.text
    );

    member.say(&to(None, "Hello, all", false)).await.unwrap();
    let heard = next_said(&mut at_bot).await;
    assert_eq!((heard.text.as_str(), heard.private), ("Hello, all", false));
    let long = member.say(&to(None, &"x".repeat(9000), false)).await.unwrap_err();
    assert_eq!(long.kind(), ErrorKind::Refused);
}

/// A person's program says nothing by itself: they answer, and only then are they heard.
#[tokio::test]
async fn a_person_confirms() {
    let Some(scene) = scene() else { return };
    let bot = scene.room(&scene.bot, &scene.for_a_bot()).await;
    let mut events = bot.events().await.unwrap();
    scene.write(&format!("{}Subject: x\r\n", scene.by_bob()), "!yes olga@one.test\r\n\r\n-- \r\nBob");
    // In the name of strangers, and by programs to all, nothing is asked.
    scene.write(&format!("From: eve@evil.test\r\nTo: {}\r\n", scene.bot.address), "!join x");
    assert!(is_quiet(&mut events).await, "nobody is heard without a proof");
    let asked = scene.server.maildir(&scene.bob).with("Please confirm");
    assert_eq!(asked.len(), 1);
    let token = asked[0].split("wayside-room").nth(1).unwrap().split(')').next().unwrap().trim().to_owned();
    assert_eq!(token.len(), 32);
    let wrong = "0".repeat(32);
    scene.write(&format!("{}Subject: Re: (wayside-room {wrong})\r\n", scene.by_bob()), "Yes");
    assert!(is_quiet(&mut events).await);
    // Over a restart.
    drop((events, bot));
    let bot = scene.room(&scene.bot, &scene.for_a_bot()).await;
    scene.write(&format!("{}Subject: AW: Please confirm (wayside-room {token})\r\n", scene.by_bob()), "ok");
    let heard = next_said(&mut bot.events().await.unwrap()).await;
    assert_eq!(
        (heard.from.0.as_str(), heard.text.as_str()),
        (scene.bob.address.as_str(), "!yes olga@one.test")
    );
}

#[tokio::test]
async fn our_own_server_vouches() {
    let Some(scene) = scene() else { return };
    let mut options = scene.for_a_bot();
    options.push(("trust-auth", "mx.one.test".to_owned()));
    let bot = scene.room(&scene.bot, &options).await;
    let mut events = bot.events().await.unwrap();
    let results = "Authentication-Results: mx.one.test; dkim=pass header.d=two.test\r\n";
    scene.write(&format!("{results}{}", scene.by_bob()), "!help");
    assert_eq!(next_said(&mut events).await.text, "!help");
    assert!(scene.server.maildir(&scene.bob).with("Please confirm").is_empty());
    scene.write(&format!("Return-Path: <>\r\n{results}{}", scene.by_bob()), "away");
    scene.write("From: MAILER-DAEMON@two.test\r\n", "Undelivered");
    assert!(is_quiet(&mut events).await, "bounces are not heard");
}

#[tokio::test]
async fn who_is_a_member_is_asked_each_time() {
    let Some(scene) = scene() else { return };
    let bot = scene.room(&scene.bot, &scene.for_a_bot()).await;
    let is = async |name: &str| bot.standing(&Sender(name.to_owned())).await.unwrap();
    assert_eq!(is(&scene.bob.address).await, Standing::Member);
    assert_eq!(is(&scene.bob.address.to_uppercase()).await, Standing::Member);
    assert_eq!(is("olga@one.test").await, Standing::Moderator);
    assert_eq!(is("eve@evil.test").await, Standing::Stranger);
    assert_eq!(is("nonsense").await, Standing::Stranger);
    std::fs::write(scene.folder.path().join("members"), "x@one.test\n").unwrap();
    assert_eq!(is(&scene.bob.address).await, Standing::Stranger);
    let plain = scene.room(&scene.bob, &[]).await;
    let error = plain.standing(&Sender("x@one.test".to_owned())).await.unwrap_err();
    assert!(error.message().contains("--members-file"), "{error}");
}
