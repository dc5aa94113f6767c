//! A program that writes into the zone, for providers that are not known here.
//!
//! It is run without a shell and without arguments, and reads one line of JSON:
//!
//! ```json
//! {"zone":"ada.example","replace":[{"name":"….ada.example","ttl":10,"text":"wm…"}],"remove":[{"name":"…","text":"wm…"}]}
//! ```
//!
//! *replace*: of all TXT records under that name, this one is left. *remove*: this one goes, and no other; where it is not there, nothing happens. A
//! text is longer than 255 characters: it is one record of several strings. Status 0 is: all of it is done.

use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join, select};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use wayside_bridge::{Clock, Record};

use crate::error::DnsError;
use crate::reader::shown;
use crate::text;
use crate::zone::Zone;

/// How long it may take: providers' APIs are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of what it says is read.
const MOST_SAID: u64 = 4096;

/// A program, and the zone that it writes into.
pub(crate) struct Hook {
    program: PathBuf,
    zone: Zone,
    ttl: u64,
    clock: Arc<dyn Clock>,
    /// One at a time: it may read, change and write.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Serialize)]
struct Task<'a> {
    zone: &'a str,
    replace: Vec<Line>,
    remove: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    text: String,
}

impl Hook {
    pub(crate) fn new(program: PathBuf, zone: Zone, ttl: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { program, zone, ttl: ttl.as_secs(), clock, turn: tokio::sync::Mutex::new(()) }
    }

    pub(crate) async fn publish(&self, record: &Record) -> Result<(), DnsError> {
        let text = text::encode(record).ok_or(DnsError::TooLate { class: record.class })?;
        let line = |name: &hickory_proto::rr::Name, text: String| Line {
            name: plain(name),
            ttl: Some(self.ttl),
            text,
        };
        let placeholder = String::from_utf8_lossy(text::PLACEHOLDER).into_owned();
        let wildcard = line(&self.zone.wildcard()?, placeholder);
        let replace = vec![line(&self.zone.name_of(&record.key)?, text), wildcard];
        self.run(Task { zone: self.zone.as_str(), replace, remove: Vec::new() }).await
    }

    pub(crate) async fn remove(&self, records: &[Record]) -> Result<(), DnsError> {
        let line = |record: &Record| {
            let name = plain(&self.zone.name_of(&record.key).ok()?);
            Some(Line { name, ttl: None, text: text::encode(record)? })
        };
        let remove = records.iter().filter_map(line).collect();
        self.run(Task { zone: self.zone.as_str(), replace: Vec::new(), remove }).await
    }

    async fn run(&self, task: Task<'_>) -> Result<(), DnsError> {
        let failed = |said: &str| DnsError::Hook {
            program: self.program.display().to_string(),
            said: shown(said.lines().next_back().unwrap_or("it gives no reason")),
        };
        let mut input = serde_json::to_vec(&task).map_err(|error| failed(&error.to_string()))?;
        input.push(b'\n');
        let _turn = self.turn.lock().await;
        let mut child = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let work = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // One that does not want it all says by its status whether that was well.
                    let _ = stdin.write_all(&input).await;
                }
            };
            let listen = async {
                let mut said = Vec::new();
                if let Some(stderr) = stderr {
                    let _ = stderr.take(MOST_SAID).read_to_end(&mut said).await;
                }
                said
            };
            let ((), said) = join(feed, listen).await;
            (child.wait().await, said)
        };
        match select(pin!(work), self.clock.sleep(PATIENCE)).await {
            Either::Left(((Ok(status), _), _)) if status.success() => Ok(()),
            Either::Left(((Ok(_), said), _)) => Err(failed(String::from_utf8_lossy(&said).trim())),
            Either::Left(((Err(error), _), _)) => Err(failed(&error.to_string())),
            Either::Right(_) => Err(failed("it took longer than a minute")),
        }
    }
}

/// A name as people write it.
fn plain(name: &hickory_proto::rr::Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
