//! Secrets stay out of logs, at every level and of every crate beneath.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Agreed, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside_noise::{Expectation, Kem, StaticKey, Whom};

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

/// What a server expects and a client dials, of every kind.
fn expectations() -> [(Expectation, Expectation); 3] {
    let plain = Agreed::default();
    let hybrid = Agreed { kem: Kem::MlKem768, ..Agreed::default() };
    let host = StaticKey::from_bytes([6; 32]);
    [
        (plain.of_client(), plain.of_server()),
        (Expectation { whom: Whom::Anyone, ..hybrid.of_client() }, hybrid.of_server()),
        (
            Expectation { whom: Whom::Guests(host.clone()), ..plain.of_client() },
            Expectation { whom: Whom::Host(host.public()), ..plain.of_server() },
        ),
    ]
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
    let mut exported = Vec::new();
    for (of_client, of_server) in expectations() {
        let agreed = Agreed::default();
        let (client, server) = agreed.endpoints().await;
        server.expect(of_client.clone());
        let to = server.local_addresses();
        // A refused try is logged too.
        let other = Expectation { psk: [5; 32].into(), ..of_server.clone() };
        let _ = client.connect(other, &to, Duration::from_millis(300)).await;
        let (dialled, accepted) =
            tokio::join!(client.connect(of_server.clone(), &to, PATIENCE), server.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        tracing::info!(?client, ?server, ?dialled, ?accepted, ?of_client, ?of_server, "seen");
        dialled.update_keys();
        let mut stream = dialled.open("test/secrets").await.unwrap();
        stream.send.write_all(b"a confidential remark").await.unwrap();
        stream.send.finish();
        let (_, mut theirs) = accepted.accept().await.unwrap();
        let mut said = String::new();
        theirs.recv.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "a confidential remark");
        exported.push(*dialled.exporter(b"test").as_bytes());
    }
    drop(guard);

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).to_lowercase();
    assert!(log.contains("got initial packet") && log.contains("seen"), "the log is at trace");
    assert!(!log.contains("confidential"));
    for secret in [[1; 32], [2; 32], [3; 32], [4; 32], [5; 32], [6; 32]].into_iter().chain(exported) {
        let some = &secret[..8];
        let hex = data_encoding::HEXLOWER.encode(some);
        let list = format!("{some:?}").replace(['[', ']'], "");
        assert!(!log.contains(&hex) && !log.contains(&list), "{secret:?}");
    }
}
