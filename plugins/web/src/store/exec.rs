//! A command that puts a file where it is served (rsync, sftp, a script).
//!
//! It is run as given, without a shell, with `{}` in its arguments replaced by the file's name, or the name appended; the contents are its input. What was
//! put there is kept in the bridge's own folder as well, since a command that puts tells nothing of what is there.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Dir, Files, Over, Probed, Read, Store};
use crate::error::WebError;
use crate::validator::Validator;

/// Stands for the file's name.
const NAME: &str = "{}";
/// The most of what a command complains of, in bytes.
const MOST_SAID: usize = 4096;

/// A command, and a copy of what it put.
pub(crate) struct Exec {
    pub(crate) words: Vec<String>,
    pub(crate) copies: Dir,
    pub(crate) patience: Duration,
    /// How the space is read, for files of others: the roll.
    pub(crate) served: std::sync::Arc<dyn Files>,
}

impl Exec {
    async fn run(&self, file: &str, contents: &Bytes) -> Result<(), WebError> {
        let Some((program, arguments)) = self.words.split_first() else { return Err(WebError::Lost) };
        let mut command = Command::new(program);
        let mut named = false;
        for argument in arguments {
            named |= argument.contains(NAME);
            command.arg(argument.replace(NAME, file));
        }
        if !named {
            command.arg(file);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let cannot =
            |error: std::io::Error| WebError::Program { program: program.clone(), reason: error.to_string() };
        let mut child = command.spawn().map_err(cannot)?;
        let input = child.stdin.take();
        let feed = async {
            if let Some(mut input) = input {
                // One that does not read all of it tells by how it ends.
                let _ = input.write_all(contents).await;
            }
        };
        let failed = |reason: String| WebError::ProgramFailed { program: program.clone(), reason };
        let both = async { futures::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(self.patience, both)
            .await
            .map_err(|_| failed(format!("it had not ended after {} s", self.patience.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = output.stderr.get(..MOST_SAID.min(output.stderr.len())).unwrap_or_default();
        Err(failed(format!("{}: {}", output.status, crate::said::said(&String::from_utf8_lossy(said)))))
    }
}

#[async_trait]
impl Files for Exec {
    async fn get(&self, file: &str, known: Option<&Validator>, most: usize) -> Result<Read, WebError> {
        match file == crate::parcel::ROLL {
            true => self.served.get(file, known, most).await,
            false => self.copies.get(file, None, most).await,
        }
    }
}

#[async_trait]
impl Store for Exec {
    async fn put(&self, file: &str, contents: Bytes, _over: Over) -> Result<(), WebError> {
        self.run(file, &contents).await?;
        self.copies.put(file, contents, Over::Anything).await
    }

    /// A command puts files: an empty one stands for none.
    async fn delete(&self, file: &str) -> Result<(), WebError> {
        self.run(file, &Bytes::new()).await?;
        self.copies.delete(file).await
    }

    /// What a command does cannot be tried without doing it.
    async fn probe(&self) -> Result<Probed, WebError> {
        Ok(Probed::default())
    }
}
