//! Providers' APIs and hooks, on fakes of ours: no real one can be had for a test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::fake::{Fake, fitting};
use common::*;
use hickory_proto::op::ResponseCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wayside_bridge::{BridgeExt, ErrorKind, Record, Retry, SharedBridge};

const ZONE: &str = "box.ada.example";
const DOMAIN: &str = "ada.example";

/// What a request is answered with, where not as deSEC would.
type Says = Option<(u16, &'static str, String)>;

/// As much of deSEC as the bridge uses: sets of TXT records of one domain, by token.
#[derive(Clone, Default)]
struct Desec {
    sets: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    says: Arc<Mutex<Says>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Desec {
    async fn start() -> (Self, String) {
        let desec = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let serving = desec.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desec = serving.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let (mut request, mut length, mut token) = (String::new(), 0_usize, false);
                    if stream.read_line(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.unwrap();
                        let line = line.trim().to_ascii_lowercase();
                        if line.is_empty() {
                            break;
                        }
                        if let Some(value) = line.strip_prefix("content-length: ") {
                            length = value.parse().unwrap();
                        }
                        token |= line == "authorization: token verysecret";
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    let (status, head, body) = desec.answer(request.trim(), token, &body);
                    let answer = format!(
                        "HTTP/1.1 {status} x\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        (desec, api)
    }

    fn answer(&self, request: &str, token: bool, body: &[u8]) -> (u16, &'static str, String) {
        self.seen.lock().unwrap().push(request.to_owned());
        if let Some(says) = self.says.lock().unwrap().clone() {
            return says;
        }
        if !token {
            return (401, "", json!({ "detail": "Invalid token." }).to_string());
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let path = path.strip_prefix("/api/v1/").unwrap();
        let mut sets = self.sets.lock().unwrap();
        match (method, path.strip_prefix(&format!("domains/{DOMAIN}/rrsets/"))) {
            ("GET", None) => {
                let owned = path.strip_prefix("domains/?owns_qname=").unwrap().ends_with(DOMAIN);
                let domain = json!({ "name": DOMAIN, "minimum_ttl": 3600, "published": null });
                (200, "", if owned { json!([domain]) } else { json!([]) }.to_string())
            }
            ("GET", Some(set)) => match sets.get(set.strip_suffix("/TXT/").unwrap()) {
                Some(records) => (200, "", set_of(set.strip_suffix("/TXT/").unwrap(), records).to_string()),
                None => (404, "", json!({ "detail": "Not found." }).to_string()),
            },
            ("PATCH", Some("")) => {
                let changes: Vec<Value> = serde_json::from_slice(body).unwrap();
                for change in &changes {
                    assert_eq!((&change["type"], change["ttl"].as_u64()), (&json!("TXT"), Some(3600)));
                    let subname = change["subname"].as_str().unwrap().to_owned();
                    let records: Vec<String> = serde_json::from_value(change["records"].clone()).unwrap();
                    match records.is_empty() {
                        true => sets.remove(&subname),
                        false => sets.insert(subname, records),
                    };
                }
                (200, "", json!(changes).to_string())
            }
            _ => (405, "", String::new()),
        }
    }
}

fn set_of(subname: &str, records: &[String]) -> Value {
    json!({ "subname": subname, "type": "TXT", "ttl": 3600, "records": records, "name": "…", "touched": "…" })
}

/// A name server that answers from the sets, as deSEC's do.
async fn served(desec: &Desec) -> Fake {
    let sets = Arc::clone(&desec.sets);
    Fake::start(move |seen| {
        let name = seen.name().to_lowercase().to_ascii();
        let subname = name.strip_suffix(&format!(".{DOMAIN}.")).unwrap_or_default();
        let sets = sets.lock().unwrap();
        let Some(records) = sets.get(subname) else {
            return fitting(seen, &seen.code(ResponseCode::NXDomain));
        };
        let texts: Vec<String> =
            records.iter().map(|record| record.split("\" \"").collect::<String>()).collect();
        fitting(seen, &seen.texts(&texts.iter().map(|text| text.trim_matches('"')).collect::<Vec<_>>()))
    })
    .await
}

async fn bridge(api: &str, resolver: &str, token: &str) -> (tempfile::TempDir, SharedBridge) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, token).unwrap();
    let options = [
        ("zone", ZONE.to_owned()),
        ("provider", "desec".to_owned()),
        ("api", api.to_owned()),
        ("token-file", file.to_str().unwrap().to_owned()),
        ("resolver", resolver.to_owned()),
    ];
    let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
    (dir, bridge)
}

#[tokio::test]
async fn records_come_and_go_at_desec() {
    let (desec, api) = Desec::start().await;
    let names = served(&desec).await;
    let (_dir, bridge) = bridge(&api, &names.at, "verysecret\n").await;
    let first = bridge.publish(&meeting(1, &[1; 960])).await.unwrap();
    assert_eq!(bridge.fetch_keys([slot(1)]).await.unwrap(), [meeting(1, &[1; 960])]);
    let second = bridge.publish(&meeting(1, &[2; 376])).await.unwrap();
    assert_eq!(
        bridge.fetch_keys([slot(1)]).await.unwrap(),
        [meeting(1, &[2; 376])],
        "a later one replaces it"
    );
    bridge.retract(&[first]).await.unwrap();
    assert_eq!(
        bridge.fetch_keys([slot(1)]).await.unwrap(),
        [meeting(1, &[2; 376])],
        "that one is gone already"
    );

    let others = "\"v=spf1 -all\"".to_owned();
    desec.sets.lock().unwrap().insert("_wayside.ada.box".to_owned(), vec![others.clone()]);
    let card = bridge.publish(&pointer("ada", b"card")).await.unwrap();
    assert_eq!(bridge.fetch_keys([pointer("ada", b"").key]).await.unwrap(), [pointer("ada", b"card")]);
    bridge.retract(&[second, card.clone(), card]).await.unwrap();
    let left: Vec<_> = desec.sets.lock().unwrap().clone().into_iter().collect();
    assert_eq!(
        left,
        [
            ("*._wayside.box".to_owned(), vec!["\"wayside\"".to_owned()]),
            ("_wayside.ada.box".to_owned(), vec![others])
        ]
    );
    let writes = desec.seen.lock().unwrap().iter().filter(|request| request.starts_with("PATCH")).count();
    assert_eq!(writes, 5, "each change is one request: deSEC counts them");
}

#[tokio::test]
async fn what_desec_says_is_understood() {
    let (desec, api) = Desec::start().await;
    let names = served(&desec).await;
    let (_dir, wrong) = bridge(&api, &names.at, "another").await;
    for error in [wrong.publish_one(&meeting(1, b"x")).await.unwrap_err(), wrong.probe().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("token"), "{error}");
    }
    let (_dir, bridge) = bridge(&api, &names.at, "verysecret").await;
    let large = "x".repeat(300 * 1024);
    for (status, head, body, kind) in [
        (429, "retry-after: 77\r\n", "", ErrorKind::RateLimited),
        (403, "", "", ErrorKind::Denied),
        (400, "", "[{\"records\":[\"Record content malformed\"]}]", ErrorKind::Refused),
        (500, "", "", ErrorKind::Unreachable),
        (200, "", "no json", ErrorKind::Garbled),
        (200, "", large.as_str(), ErrorKind::Garbled),
        (302, "location: http://127.0.0.1:1/\r\n", "", ErrorKind::Refused),
    ] {
        *desec.says.lock().unwrap() = Some((status, head, body.to_owned()));
        let error = bridge.publish_one(&meeting(1, b"x")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        if status == 429 {
            assert_eq!(error.retry(), Retry::After(Duration::from_secs(77)));
        }
        assert!(!format!("{error:?} {bridge:?}").contains("verysecret"));
    }
}

/// A hook that keeps what it was told.
#[cfg(unix)]
async fn hooked(script: &str) -> (tempfile::TempDir, SharedBridge) {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("hook");
    std::fs::write(&program, format!("#!/bin/sh\n{}", script.replace("DIR", dir.path().to_str().unwrap())))
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let options = [("zone", ZONE.to_owned()), ("hook", program.to_str().unwrap().to_owned())];
    let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
    (dir, bridge)
}

#[cfg(unix)]
#[tokio::test]
async fn a_hook_is_told_what_to_write() {
    let (dir, bridge) = hooked("cat >>DIR/told\n").await;
    let record: Record = meeting(1, &[7; 376]);
    let receipt = bridge.publish(&record).await.unwrap();
    bridge.retract(&[receipt]).await.unwrap();
    let told = std::fs::read_to_string(dir.path().join("told")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (name, text) = (name_of(ZONE, &record.key), text_of(&record));
    let wildcard = format!("*._wayside.{ZONE}");
    let replaced = json!([
        { "name": name, "ttl": 1, "text": text },
        { "name": wildcard, "ttl": 1, "text": "wayside" },
    ]);
    assert_eq!(told[0], json!({ "zone": ZONE, "replace": replaced, "remove": [] }));
    assert_eq!(told[1], json!({ "zone": ZONE, "replace": [], "remove": [{ "name": name, "text": text }] }));
}

#[cfg(unix)]
#[tokio::test]
async fn a_hook_that_fails_says_why() {
    for (script, why) in [
        ("echo first >&2; echo 'no such zone' >&2; exit 3", "no such zone"),
        ("exit 1", "no reason"),
        ("kill -9 $$", "no reason"),
        ("yes >&2; exit 1", "y"),
    ] {
        let (_dir, bridge) = hooked(script).await;
        let error = bridge.publish_one(&meeting(1, b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.message().contains(why), "{error}");
    }
    let gone = [("zone", ZONE.to_owned()), ("hook", "/nowhere/hook".to_owned())];
    let error =
        open(&gone, FAST, &TestClock::new()).await.unwrap().publish_one(&meeting(1, b"x")).await.unwrap_err();
    assert!(error.message().contains("/nowhere/hook"), "{error}");
}
