//! The password or token, which nobody but the mail servers gets to see.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use wayside_bridge::BridgeOptions;

use crate::error::{EmailError, said};

/// The longest password or token, in bytes: access tokens of large providers have some 2,000.
const LONGEST: u64 = 16 * 1024;
/// How long a command may take that asks a person to unlock something.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the secret comes from. It is asked for each time that somebody logs in, so that a new token is used at once.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a command prints.
    Command(String),
}

/// Who logs in, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    source: Source,
    /// Whether the secret is an access token (XOAUTH2), no password.
    pub(crate) token: bool,
}

impl Login {
    /// What the options say; nothing is read or run.
    pub(crate) fn of(options: &BridgeOptions, address: &str) -> Result<Self, EmailError> {
        let wrong = |text: &str| EmailError::Configuration(text.to_owned());
        let user = options.value("user").unwrap_or(address).to_owned();
        if user.is_empty() || user.len() > 256 || user.contains(char::is_control) {
            return Err(wrong("--user is to be the name to log in with, in one line"));
        }
        let file = options.value("password-file").map(|path| (Source::File(PathBuf::from(path)), false));
        let command = |name| options.value(name).map(|command| Source::Command(command.to_owned()));
        let given: Vec<(Source, bool)> = file
            .into_iter()
            .chain(command("password-command").map(|source| (source, false)))
            .chain(command("token-command").map(|source| (source, true)))
            .collect();
        match <[_; 1]>::try_from(given) {
            Ok([(source, token)]) => Ok(Self { user, source, token }),
            Err(_) => Err(wrong("give one of --password-command, --password-file and --token-command")),
        }
    }

    /// The secret. Blocks.
    pub(crate) fn secret(&self) -> Result<SecretString, EmailError> {
        let text = match &self.source {
            Source::File(path) => read_file(path)?,
            Source::Command(command) => printed(command, LONGEST)
                .map_err(|reason| EmailError::NoPassword(format!("the command for it {reason}")))?,
        };
        let line = text.lines().next().unwrap_or_default().trim_end_matches('\r');
        if line.is_empty() || line.contains(char::is_control) {
            return Err(EmailError::NoPassword("its first line is empty, or no text".to_owned()));
        }
        Ok(SecretString::from(line.to_owned()))
    }

    /// What a person should know of it.
    pub(crate) fn note(&self) -> Option<String> {
        match &self.source {
            Source::File(path) if is_exposed(path) => {
                Some("others on this machine may read the password's file: chmod 600 it".to_owned())
            }
            Source::File(_) | Source::Command(_) => None,
        }
    }
}

fn read_file(path: &Path) -> Result<String, EmailError> {
    let wrong =
        |reason: String| EmailError::NoPassword(format!("--password-file {}: {reason}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}

/// What a command of the user's own prints, which goes through a shell as in `git` and `mutt`; or what is wrong with it. Blocks.
pub(crate) fn printed(command: &str, longest: u64) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let printed = child.stdout.take();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = printed.map(|printed| printed.take(longest).read_to_string(&mut text));
        // Nobody listens any more once the patience is over.
        let _ = sender.send(read.map(|read| read.map(|_| text)));
    });
    let answer = receiver.recv_timeout(PATIENCE);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("is lost: {error}"))?;
    let text = match answer {
        Ok(Some(Ok(text))) => text,
        Ok(Some(Err(_))) => return Err("prints what is no text".to_owned()),
        Ok(None) | Err(_) => return Err(format!("took longer than {} s", PATIENCE.as_secs())),
    };
    if !status.success() {
        return Err(format!("failed ({}); run it by hand to see why", said(&status.to_string())));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
