//! Members of a Matrix room with a stock client: the homeserver's own API, through `curl`.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{PATIENCE, Ran, until};

/// Somebody who is logged in, and their direct room with the bot once there is one.
#[derive(Debug)]
pub(crate) struct Member {
    url: String,
    pub(crate) user: String,
    pub(crate) password: String,
    token: String,
    direct: Option<String>,
    heard: usize,
}

impl Member {
    /// A new account.
    pub(crate) fn register(url: &str, prefix: &str) -> Self {
        let name = name(prefix);
        let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
        let made = call(url, "", "POST", "v3/register", &body);
        Self {
            url: url.to_owned(),
            user: text(&made["user_id"]),
            password: name,
            token: text(&made["access_token"]),
            direct: None,
            heard: 0,
        }
    }

    /// What the homeserver answers; an error's body too.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        call(&self.url, &self.token, method, path, body)
    }

    /// A new room that everybody may join, by its id.
    pub(crate) fn make_room(&self) -> String {
        text(&self.ask("POST", "v3/createRoom", &json!({ "preset": "public_chat" }))["room_id"])
    }

    pub(crate) fn join(&self, room: &str) {
        let joined = self.ask("POST", &format!("v3/join/{}", escaped(room)), &json!({}));
        assert_eq!(joined["room_id"], room, "{joined}");
    }

    /// Kicks, bans, or invites, with the power to.
    pub(crate) fn act(&self, room: &str, what: &str, who: &str) {
        let done =
            self.ask("POST", &format!("v3/rooms/{}/{what}", escaped(room)), &json!({ "user_id": who }));
        assert_eq!(done, json!({}));
    }

    pub(crate) fn say_in(&self, room: &str, words: &str) {
        let body = json!({ "msgtype": "m.text", "body": words });
        let path = format!("v3/rooms/{}/send/m.room.message/{}", escaped(room), name("txn"));
        let said = self.ask("PUT", &path, &body);
        assert!(said["event_id"].is_string(), "{said}");
    }

    /// Asks the bot for a room of two.
    pub(crate) fn ask_for_talk(&mut self, bot: &str) -> String {
        let body = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [bot] });
        let room = text(&self.ask("POST", "v3/createRoom", &body)["room_id"]);
        self.direct = Some(room.clone());
        room
    }

    /// The same, and waits until the bot is there.
    pub(crate) fn talk_to(&mut self, bot: &str) {
        let room = self.ask_for_talk(bot);
        until("the bot comes", PATIENCE, || (self.membership(&room, bot) == "join").then_some(()));
    }

    /// What somebody is in a room of ours.
    pub(crate) fn membership(&self, room: &str, who: &str) -> String {
        let path = format!("v3/rooms/{}/state/m.room.member/{}", escaped(room), escaped(who));
        text(&self.ask("GET", &path, &Value::Null)["membership"])
    }

    /// Says something to the bot alone.
    pub(crate) fn say(&self, words: &str) {
        self.say_in(self.direct.as_deref().expect("a room of two"), words);
    }

    /// What others than us said in a room, the oldest first.
    pub(crate) fn said_in(&self, room: &str) -> Vec<String> {
        let answer =
            self.ask("GET", &format!("v3/rooms/{}/messages?dir=b&limit=200", escaped(room)), &Value::Null);
        let events = answer["chunk"].as_array().expect("events");
        let of_others = events
            .iter()
            .filter(|event| event["type"] == "m.room.message" && event["sender"] != self.user.as_str());
        of_others.rev().map(|event| text(&event["content"]["body"])).collect()
    }

    /// What the bot said to us alone and we have not heard yet.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let Some(room) = &self.direct else { return Vec::new() };
        let news: Vec<String> = self.said_in(room).into_iter().skip(self.heard).collect();
        self.heard += news.len();
        news
    }

    /// The bot's next message that has this in it.
    pub(crate) fn hears(&mut self, what: &str) -> String {
        let mut last = Vec::new();
        until(&format!("{} hears {what}", self.user), PATIENCE, || {
            last.extend(self.news());
            last.iter().find(|said| said.contains(what)).cloned()
        })
    }

    /// The rooms that somebody invited us to.
    pub(crate) fn invitations(&self) -> Vec<String> {
        // Synapse remembers its answer to the same question for two minutes.
        let another = LAST.fetch_add(1, Ordering::Relaxed) % 1_000 + 1;
        let filter = escaped(&format!(r#"{{"room":{{"timeline":{{"limit":{another}}}}}}}"#));
        let answer = self.ask("GET", &format!("v3/sync?timeout=0&filter={filter}"), &Value::Null);
        answer["rooms"]["invite"].as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
    }

    /// What the bot says meanwhile: nothing, where all is right.
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) {
        std::thread::sleep(time);
        assert_eq!(self.news(), Vec::<String>::new());
    }
}

fn call(url: &str, token: &str, method: &str, path: &str, body: &Value) -> Value {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "30", "-K", "-"]);
    let mut config = format!("url = \"{url}/_matrix/client/{path}\"\nrequest = {method}\n");
    if !token.is_empty() {
        config.push_str(&format!("header = \"Authorization: Bearer {token}\"\n"));
    }
    if method != "GET" {
        config.push_str(&format!("data-binary = {}\n", json!(body.to_string())));
    }
    let ran = Ran::of(command, &config, PATIENCE);
    serde_json::from_str(&ran.ok().stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Tells names, and questions, apart.
static LAST: AtomicU32 = AtomicU32::new(0);

/// A name that nobody has.
fn name(prefix: &str) -> String {
    let since = UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    format!("{prefix}-{since:x}-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
}
