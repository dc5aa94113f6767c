//! The password stays where it belongs. Alone in its file: it listens to everything that this process logs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::fake::{Answer, Fake};
use common::*;
use wayside_bridge::ErrorKind;

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
async fn the_password_is_in_no_log() {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let _guard = tracing::subscriber::set_default(
        subscriber.with_writer(move || sink.clone()).with_ansi(false).finish(),
    );
    let proof = data_encoding::BASE64.encode(b"ada:verysecret");
    let expected = format!("Basic {proof}");
    let fake = Fake::start(move |request| match request.headers.get("authorization") {
        Some(found) if *found == expected => Answer::new(401, b""),
        _ => Answer::new(500, b"the password did not arrive"),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let options = [
        ("write", format!("dav+{}/space/", fake.url)),
        ("user", "ada".to_owned()),
        ("password-file", password_file(dir.path(), "verysecret")),
    ];
    let bridge = open(&options, FAST, &TestClock::new(), None).await.unwrap();
    let failures = [
        bridge.fetch(all()).await.unwrap_err(),
        bridge.publish(&meeting(1, b"x")).await.unwrap_err(),
        bridge.probe().await.unwrap_err(),
    ];
    assert!(failures.iter().all(|error| error.kind() == ErrorKind::Denied), "{failures:?}");
    let said = format!("{bridge:?} {failures:?} {:?} {:?}", bridge.info(), bridge.capability());
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a web server answered"), "the log was looked at: {logged}");
    for secret in ["verysecret", proof.as_str()] {
        assert!(!said.contains(secret) && !logged.contains(secret));
    }
}
