//! The real server: Synapse. `tests/run matrix` starts it and says where.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use matrix_sdk::reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use wayside_bridge::{BridgeError, ErrorKind, Opened, Record, file};

use super::{TestClock, random_name, secret_file};

/// Why a test without a server does not run.
pub const NONE: &str = "no server: `tests/run matrix` starts one";
/// The field that holds a record, written down once more.
pub const FIELD: &str = "dev.wayside.record";

/// A homeserver.
#[derive(Clone, Debug)]
pub struct Server {
    pub url: String,
    http: Client,
}

impl Server {
    /// The homeserver without limits that was started for the tests, if one was.
    pub fn started() -> Option<Self> {
        Self::at("WAYSIDE_MATRIX_URL")
    }

    /// The homeserver with Synapse's own limits.
    pub fn limited() -> Option<Self> {
        Self::at("WAYSIDE_MATRIX_LIMITED_URL")
    }

    /// The same for one test at a time: some stop it.
    pub async fn alone(self) -> Alone {
        static ALONE: Mutex<()> = Mutex::const_new(());
        Alone { _turn: ALONE.lock().await, server: self }
    }

    fn at(variable: &str) -> Option<Self> {
        Some(Self { url: std::env::var(variable).ok()?, http: Client::new() })
    }

    /// The same by another address.
    pub fn by(&self, url: String) -> Self {
        Self { url, http: Client::new() }
    }

    /// One request; what comes back that is no JSON is null.
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/_matrix/client/{path}", self.url.trim_end_matches('/'));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method.clone(), url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if method != Method::GET {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// The same, which is to work.
    pub async fn must(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(token, method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A new account.
    pub async fn account(&self, prefix: &str) -> Account {
        let name = random_name(prefix);
        let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
        let made = loop {
            let (status, answer) = self.ask("", "POST", "v3/register", &body).await;
            match (status, answer["retry_after_ms"].as_u64()) {
                (200, _) => break answer,
                (429, Some(wait)) => tokio::time::sleep(std::time::Duration::from_millis(wait)).await,
                _ => panic!("{status}: {answer}"),
            }
        };
        let (user, token) = (text(&made["user_id"]), text(&made["access_token"]));
        Account { server: self.clone(), user, password: name, token, folder: tempfile::tempdir().unwrap() }
    }

    /// A new room of somebody's that everybody may join.
    pub async fn room(&self, owner: &Account, encrypted: bool) -> Place {
        let name = random_name("room");
        let mut body = json!({ "preset": "public_chat", "room_alias_name": name });
        if encrypted {
            let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
            body["initial_state"] =
                json!([{ "type": "m.room.encryption", "state_key": "", "content": content }]);
        }
        let made = self.must(&owner.token, "POST", "v3/createRoom", &body).await;
        Place { id: text(&made["room_id"]), alias: format!("#{name}:localhost") }
    }
}

/// The homeserver with limits, as long as nobody else uses it.
pub struct Alone {
    server: Server,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Alone {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

#[cfg(unix)]
impl Alone {
    fn folder() -> String {
        std::env::var("WAYSIDE_MATRIX_LIMITED_DIR").unwrap()
    }

    /// Sends its process a signal.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(format!("{}/pid", Self::folder())).unwrap();
        let done = Command::new("kill").args([name, pid.trim()]).status().unwrap();
        assert!(done.success());
    }

    /// Stops or starts it by its recipe.
    pub fn recipe(&self, what: &str) {
        let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/lab/services/synapse.sh");
        let mut command = Command::new(recipe);
        command.args([what, &Self::folder()]).env("SYNAPSE_LIMITS", "default").stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{what}");
    }
}

/// Somebody's account, with a folder for files and a bridge's state.
#[derive(Debug)]
pub struct Account {
    pub server: Server,
    pub user: String,
    pub password: String,
    /// Of a device of its own.
    pub token: String,
    pub folder: TempDir,
}

/// A room.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: String,
    pub alias: String,
}

impl Account {
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn options(&self, room: &str) -> Vec<(&'static str, String)> {
        let password = secret_file(self.folder.path(), "password", &self.password);
        vec![
            ("homeserver", self.server.url.clone()),
            ("user", self.user.clone()),
            ("password-file", password),
            ("room", room.to_owned()),
        ]
    }

    /// A bridge of this account's to a room, with its state folder.
    pub async fn open(&self, room: &str, clock: &TestClock) -> Result<Opened, BridgeError> {
        super::open(&self.options(room), Some(self.state()), clock).await
    }

    /// The same by the token that there is: servers with limits allow few logins.
    pub async fn open_by_token(&self, room: &str, clock: &TestClock) -> Result<Opened, BridgeError> {
        let mut options = self.options(room);
        options.retain(|(name, _)| *name != "password-file");
        options.push(("token-file", secret_file(self.folder.path(), "token", &self.token)));
        super::open(&options, Some(self.state()), clock).await
    }

    /// The bridge's own token, from its folder.
    pub fn session_token(&self) -> String {
        let bytes = std::fs::read(self.state().join("session.json")).unwrap();
        text(&serde_json::from_slice::<Value>(&bytes).unwrap()["token"])
    }

    /// Sends an event of any content.
    pub async fn send(&self, room: &str, content: &Value) -> String {
        let path = format!("v3/rooms/{}/send/m.room.message/{}", escaped(room), random_name("t"));
        text(&self.server.must(&self.token, "PUT", &path, content).await["event_id"])
    }

    pub async fn join(&self, room: &str) {
        self.server.must(&self.token, "POST", &format!("v3/join/{}", escaped(room)), &json!({})).await;
    }

    pub async fn act(&self, room: &str, what: &str, body: &Value) -> Value {
        self.server.must(&self.token, "POST", &format!("v3/rooms/{}/{what}", escaped(room)), body).await
    }

    pub async fn redact(&self, room: &str, event: &str) {
        let path = format!("v3/rooms/{}/redact/{}/{}", escaped(room), escaped(event), random_name("t"));
        self.server.must(&self.token, "PUT", &path, &json!({})).await;
    }

    /// What was said in a room and not taken back, the newest first; at most a thousand.
    pub async fn messages(&self, room: &str) -> Vec<Value> {
        let filter = escaped(r#"{"types":["m.room.message","m.room.encrypted"]}"#);
        let path = format!("v3/rooms/{}/messages?dir=b&limit=1000&filter={filter}", escaped(room));
        let found = self.server.must(&self.token, "GET", &path, &Value::Null).await;
        let events = found["chunk"].as_array().cloned().unwrap_or_default();
        events
            .into_iter()
            .filter(|event| event["content"].as_object().is_some_and(|it| !it.is_empty()))
            .collect()
    }

    /// Which rooms this account is invited to.
    pub async fn invitations(&self) -> Vec<String> {
        // Synapse remembers its answer to the same question for two minutes.
        let another = TURNS.fetch_add(1, Ordering::SeqCst) % 1000 + 1;
        let filter = escaped(&format!(r#"{{"room":{{"timeline":{{"limit":{another}}}}}}}"#));
        let path = format!("v3/sync?timeout=0&filter={filter}");
        let sync = self.server.must(&self.token, "GET", &path, &Value::Null).await;
        sync["rooms"]["invite"].as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
    }
}

/// A record's content, as the bridge writes it, written down once more.
pub fn content(record: &Record) -> Value {
    dressed(&file::encode(record).unwrap().0)
}

/// Anything in the place of a record.
pub fn dressed(bytes: &[u8]) -> Value {
    json!({ "msgtype": "m.notice", "body": "A note.", FIELD: data_encoding::BASE64.encode(bytes) })
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// For a path.
pub fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub fn failed(message: impl Into<String>) -> BridgeError {
    BridgeError::new(ErrorKind::Internal, message.into())
}

/// How often invitations were asked for.
static TURNS: AtomicUsize = AtomicUsize::new(0);
