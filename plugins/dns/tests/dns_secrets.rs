//! The key stays where it belongs. Alone in its file: it listens to everything that this process logs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::fake::{Fake, one};
use common::*;
use hickory_proto::op::ResponseCode;
use wayside_bridge::{BridgeExt, ErrorKind};

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Neither what is shown nor the log of what we are built on, down to the finest level.
#[tokio::test]
async fn the_key_is_in_no_log() {
    const SECRET: &str = "dmVyeXNlY3JldHZlcnlzZWNyZXR2ZXJ5c2VjcmV0";
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let _guard = tracing::subscriber::set_default(
        subscriber.with_writer(move || sink.clone()).with_ansi(false).finish(),
    );
    let fake = Fake::start(|seen| one(&seen.code(ResponseCode::Refused))).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("key \"ada\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};")).unwrap();
    let options = [
        ("zone", "ada.example".to_owned()),
        ("server", fake.at.clone()),
        ("tsig-file", file.to_str().unwrap().to_owned()),
    ];
    let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
    let failures = [
        bridge.publish_one(&meeting(1, b"x")).await.unwrap_err(),
        bridge.fetch(just(&slot(1))).await.unwrap_err(),
        bridge.probe().await.unwrap_err(),
    ];
    assert!(failures.iter().all(|error| error.kind() == ErrorKind::Denied), "{failures:?}");
    let said = format!("{bridge:?} {failures:?} {:?} {:?}", bridge.info(), bridge.capability());
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("signing message"), "the log was looked at: {logged}");
    for text in [said, logged] {
        assert!(!text.contains("verysecret") && !text.contains(SECRET));
        // As bytes in a list.
        assert!(!text.contains("118, 101, 114, 121, 115"));
    }
    for seen in fake.seen() {
        assert!(!String::from_utf8_lossy(&seen.raw).contains("verysecret"));
    }
}
