//! A proxy on loopback that counts what goes through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How much went through.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests that began.
    pub requests: AtomicUsize,
    /// Logins among them.
    pub logins: AtomicUsize,
    /// Long polls among them.
    pub polls: AtomicUsize,
}

impl Counts {
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    pub fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    /// A request's first line stands at the beginning of what a client writes at once.
    fn count(&self, bytes: &[u8]) {
        let methods: [&[u8]; 4] = [b"GET ", b"PUT ", b"POST ", b"DELETE "];
        if !methods.iter().any(|method| bytes.starts_with(method)) {
            return;
        }
        let line = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\r').next().unwrap_or_default())
            .into_owned();
        self.requests.fetch_add(1, Ordering::SeqCst);
        if line.starts_with("POST ") && line.contains("/login") {
            self.logins.fetch_add(1, Ordering::SeqCst);
        }
        if line.contains("/sync") {
            self.polls.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Begins to pass on to a server on loopback; its address, and what is counted.
pub async fn before(url: &str) -> (String, Arc<Counts>) {
    let target = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Arc::new(Counts::default());
    let counted = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (counts, target) = (Arc::clone(&counted), target.clone());
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(target).await else { return };
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    counts.count(&buffer[..read]);
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("http://{address}"), counts)
}
