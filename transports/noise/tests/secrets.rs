//! Secrets stay out of logs, at every level and of every crate beneath.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use common::{Agreed, linked};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_even_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // The test's runtime has one thread, which this sets.
    let guard = tracing::subscriber::set_default(subscriber);
    let (client, server, dialled, accepted) = linked().await;
    tracing::info!(?client, ?server, ?dialled, ?accepted, expected = ?Agreed::default().of_client(), "seen");
    let mut stream = dialled.open("test/secrets").await.unwrap();
    stream.send.write_all(b"a confidential remark").await.unwrap();
    stream.send.finish();
    let (_, mut theirs) = accepted.accept().await.unwrap();
    let mut said = String::new();
    theirs.recv.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "a confidential remark");
    let exported = *dialled.exporter(b"test").as_bytes();
    drop(guard);

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).to_lowercase();
    assert!(log.contains("got initial packet") && log.contains("seen"), "the log is at trace");
    assert!(!log.contains("confidential"));
    for secret in [[1; 32], [2; 32], [3; 32], [4; 32], exported] {
        let some = &secret[..8];
        let hex = data_encoding::HEXLOWER.encode(some);
        let list = format!("{some:?}").replace(['[', ']'], "");
        assert!(!log.contains(&hex) && !log.contains(&list), "{secret:?}");
    }
}
