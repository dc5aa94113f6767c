//! The name and password, which nobody but the configured server gets to see.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use wayside_bridge::BridgeContext;

use crate::error::WebError;

/// The longest name and the longest password, in bytes.
const LONGEST: usize = 1024;
/// The file of a password that was made up.
const MADE_UP: &str = "drop-password";
/// How long one is, in hexadecimal digits.
const MADE_UP_LEN: usize = 32;

/// Who we are to a server.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl Login {
    /// Reads the password's file, which is its owner's alone.
    pub(crate) fn read(user: &str, path: &Path) -> Result<Self, WebError> {
        let wrong =
            |what: &str| WebError::Configuration(format!("--password-file {}: {what}", path.display()));
        if user.is_empty() || user.len() > LONGEST || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(WebError::Configuration("--user is to be a name, without `:`".to_owned()));
        }
        let about = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
        if !about.is_file() || about.len() > LONGEST as u64 {
            return Err(wrong("this is no file with a password and nothing else in it"));
        }
        if is_exposed(&about) {
            return Err(wrong("others on this machine may read it: chmod 600 it"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.contains(char::is_control) {
            return Err(wrong("there is to be a password on one line in it, and nothing else"));
        }
        Ok(Self { user: user.to_owned(), password: SecretString::from(password.to_owned()) })
    }

    /// One that nobody gave us, for a drop that takes anybody's: it is made up once, and kept in the bridge's own folder.
    pub(crate) fn made_up(context: &BridgeContext) -> Result<Self, WebError> {
        let fresh = || {
            let mut secret = [0; 16];
            context.entropy.fill(&mut secret);
            HEXLOWER.encode(&secret)
        };
        let password = match context.state_dir.as_deref() {
            None => fresh(),
            Some(folder) => kept(folder, fresh).map_err(|error| WebError::Folder {
                path: folder.join(MADE_UP).display().to_string(),
                reason: error.to_string(),
            })?,
        };
        Ok(Self { user: "wayside".to_owned(), password: SecretString::from(password) })
    }

    /// What proves it (RFC 7617).
    pub(crate) fn header(&self) -> Result<HeaderValue, WebError> {
        let pair = format!("{}:{}", self.user, self.password.expose_secret());
        let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.as_bytes())))
            .map_err(|_| WebError::Configuration("--user and the password fit into no header".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The password in the folder; where none is kept yet, a fresh one, which then is.
fn kept(folder: &Path, fresh: impl FnOnce() -> String) -> std::io::Result<String> {
    let path = folder.join(MADE_UP);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.len() == MADE_UP_LEN => return Ok(text),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let password = fresh();
    let new = folder.join(format!("{MADE_UP}.new"));
    let _ = std::fs::remove_file(&new);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&new)?;
    file.write_all(password.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    Ok(password)
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn is_exposed(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
const fn is_exposed(_: &std::fs::Metadata) -> bool {
    false
}
