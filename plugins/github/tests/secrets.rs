//! The token stays where it belongs. Alone in its file: it listens to everything that this process logs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::fake::{Answer, Fake};
use common::*;
use wayside_bridge::{ErrorKind, Fetch, Keys, Place};

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

/// Neither our own log nor that of what we are built on, down to the finest level.
#[tokio::test]
async fn the_token_is_in_no_log() {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let _guard = tracing::subscriber::set_default(
        subscriber.with_writer(move || sink.clone()).with_ansi(false).finish(),
    );
    let fake = Fake::start(|request| match request.header("authorization") {
        Some("Bearer ghp_verysecret") => Answer::says(401, "Bad credentials"),
        _ => Answer::says(500, "the token did not arrive"),
    })
    .await;
    let (_dir, path) = token_file("ghp_verysecret");
    let options = [("repo", "ada/box".to_owned()), ("api", fake.api.clone()), ("token-file", path)];
    let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
    let failures = [
        bridge.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap_err(),
        bridge.publish(&meeting(1, b"x")).await.unwrap_err(),
        bridge.probe().await.unwrap_err(),
    ];
    assert!(failures.iter().all(|error| error.kind() == ErrorKind::Denied));
    let said = format!("{bridge:?} {failures:?} {:?} {:?}", bridge.info(), bridge.capability());
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("GitHub answered"), "the log was looked at: {logged}");
    assert!(!said.contains("verysecret") && !logged.contains("verysecret"));
}
