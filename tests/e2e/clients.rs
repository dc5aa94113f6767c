//! Clients in other languages, as `examples/clients` has them, with a node that is up.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Person, Ran, Running, World, has_program, skip};

/// How a client is started, and what has to be there for it.
const CLIENTS: [(&str, &str, &[&str]); 2] =
    [("python3", "client.py", &["python3"]), ("sh", "client.sh", &["sh", "curl"])];

/// Where a client finds the node, and with which token.
#[derive(Clone, Debug)]
struct Way<'a> {
    home: &'a Path,
    api: Option<String>,
    token: Option<String>,
}

impl Way<'_> {
    fn command(&self, (interpreter, file, _): (&str, &str, &[&str]), arguments: &[&str]) -> Command {
        let mut command = Command::new(interpreter);
        command.arg(format!("{}/examples/clients/{file}", env!("CARGO_MANIFEST_DIR"))).args(arguments);
        command.env("WAYSIDE_HOME", self.home).env_remove("WAYSIDE_API").env_remove("WAYSIDE_TOKEN");
        command.envs(self.api.as_ref().map(|api| ("WAYSIDE_API", api)));
        command.envs(self.token.as_ref().map(|token| ("WAYSIDE_TOKEN", token)));
        command
    }
}

#[test]
fn clients_in_python_and_shell_ask_over_the_socket_and_over_tcp() {
    let world = World::new();
    let (mut ada, ben) = world.friends();
    ada.down();
    ada.run(&["config", "set", "api.listen", "127.0.0.1:0"]).ok();
    ada.up();
    let api = ada.run(&["status"]).object()["api"].as_str().expect("it is listened to").to_owned();
    let token = token(&ada, "app", "read,messages");

    let mut tried = 0;
    for client in CLIENTS {
        if let Some(missing) = client.2.iter().find(|program| !has_program(program)) {
            skip(&format!("there is no {missing}: {} is not tested", client.1));
            continue;
        }
        let socket = Way { home: &ada.home, api: None, token: None };
        let limited = Way { token: Some(token.clone()), ..socket.clone() };
        let tcp = Way { api: Some(api.clone()), ..limited.clone() };
        for (way, may_all) in [(&socket, true), (&limited, false), (&tcp, false)] {
            converse(client, way, may_all, &ben);
        }
        let unknown = Way { token: None, ..tcp };
        let refused = Ran::of(unknown.command(client, &["GET", "/v1/id"]), "", Duration::from_secs(20));
        assert_ne!(refused.code, Some(0), "{refused:?}");
        assert_eq!(json_of(&refused)["code"], "unauthorized", "{refused:?}");
        tried += 1;
    }
    assert!(tried > 0 || std::env::var_os("CI").is_none());
    for text in ["over there, client.py", "over there, client.sh"] {
        if has_program("python3") && has_program("curl") {
            assert!(ben.history().iter().filter(|said| *said == text).count() == 3, "{text}");
        }
    }
}

/// Asks, is refused where the token says so, sends, and listens.
fn converse(client: (&str, &str, &[&str]), way: &Way<'_>, may_all: bool, ben: &Person) {
    let run = |arguments: &[&str]| Ran::of(way.command(client, arguments), "", Duration::from_secs(60));
    let friends = run(&["GET", "/v1/friends"]);
    assert_eq!(json_of(friends.ok())[0]["name"], "Benn");
    let tokens = run(&["GET", "/v1/tokens"]);
    assert_eq!(tokens.code == Some(0), may_all, "{tokens:?}");
    if !may_all {
        assert_eq!(json_of(&tokens)["code"], "forbidden", "{tokens:?}");
    }
    // What happens comes as it happens.
    let events = Running::start({
        let mut command = way.command(client, &["GET", "/v1/events"]);
        command.stderr(Stdio::piped());
        command
    });
    events.event("ready");
    let text = format!("over there, {}", client.1);
    let message = json!({ "to": "Benn", "text": text, "wait_ms": 30_000 }).to_string();
    let sent = run(&["POST", "/v1/messages", &message]);
    assert_eq!(json_of(sent.ok())["state"], "delivered");
    events.event("message-delivered");
    events.kill();
    assert!(ben.history().contains(&text));
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|_| panic!("{ran:?}"))
}

fn token(person: &Person, name: &str, scopes: &str) -> String {
    let made = person.run(&["token", "add", name, "--scope", scopes]).object();
    made["token"].as_str().expect("text").to_owned()
}

#[test]
fn tokens_are_shown_once_and_are_nowhere_afterwards() {
    let world = World::new();
    let mut ada = world.stranger("Ada");
    let made =
        ada.run_plain(&["token", "add", "app", "--scope", "read", "--scope", "messages", "--expires", "30d"]);
    let token = made.ok().stdout.trim().to_owned();
    assert!(token.starts_with("wayside_") && token.len() == 72, "{token}");
    assert!(made.stderr.contains("read, messages") && !made.stderr.contains(&token), "{made:?}");
    let secret = token.strip_prefix("wayside_").expect("it begins so");

    let node = Running::start({
        let mut command = ada.command(&["up", "--listen", "udp://127.0.0.1:0", "-vvv"]);
        command.env("WAYSIDE_LOG", "trace");
        command
    });
    node.event("ready");
    let listed = ada.run(&["token", "list"]).object();
    assert_eq!((&listed["name"], &listed["scopes"]), (&json!("app"), &json!(["read", "messages"])));
    assert!(listed["expires"].is_string() && listed["expired"] == false, "{listed}");
    if has_program("python3") {
        let way = Way { home: &ada.home, api: None, token: Some(token.clone()) };
        let id = Ran::of(way.command(CLIENTS[0], &["GET", "/v1/id"]), "", Duration::from_secs(20));
        assert_eq!(json_of(id.ok())["name"], "Ada");
        ada.run(&["token", "revoke", "app"]).ok();
        let id = Ran::of(way.command(CLIENTS[0], &["GET", "/v1/id"]), "", Duration::from_secs(20));
        assert_eq!(json_of(&id)["code"], "unauthorized");
    }
    let (code, _, log) = node.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("TRACE") && !log.contains(secret), "the log has it, or there is none");
    for file in walk(&ada.home) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let is_in = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_in, "{} has it", file.display());
    }
    ada.run(&["token", "revoke", "none"]).fails(4);
    ada.run(&["token", "add", "x", "--scope", "root"]).fails(2);
    ada.run(&["token", "add", "x"]).fails(2);
    ada.up();
    assert_eq!(ada.run(&["token", "list"]).objects(), Vec::<Value>::new());
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(walk(&path)),
            Ok(kind) if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

#[test]
fn invites_are_listed_and_withdrawn() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let (first, second) = (ada.invite(&["--expires", "1d"]), ada.invite(&["--expires", "2d", "--uses", "3"]));
    let open = ada.run(&["invites"]).objects();
    assert_eq!(
        open.iter().map(|invite| &invite["invite"]).collect::<Vec<_>>(),
        [&json!(first), &json!(second)]
    );
    assert_eq!((&open[1]["uses"], &open[1]["used_by"]), (&json!(3), &json!([])));
    let shown = ada.run_plain(&["invites"]);
    assert!(!shown.ok().stdout.contains("wayside:"), "{shown:?}");
    let id = open[0]["id"].as_str().expect("text");
    ada.run(&["invites", "withdraw", id]).ok();
    ada.run(&["invites", "withdraw", id]).fails(4);
    ben.run(&["accept", "--yes", "--wait", "60s", &first]).fails(5);
    let accepted = ben.run(&["accept", "--yes", "--wait", "60s", &second]).object();
    assert_eq!(accepted["state"], "done");
    assert_eq!(ada.run(&["invites"]).object()["used_by"], json!(["Benn"]));
}
