//! The token of a provider, which nobody else gets to see.

use std::path::Path;

use secrecy::SecretString;

use crate::error::DnsError;
use crate::key::is_exposed;

/// The longest token, in bytes.
const LONGEST: usize = 1024;

/// A token as it was in its file. Its `Debug` does not show it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    /// Whether others on this machine may read the file.
    pub(crate) exposed: bool,
}

impl Token {
    /// Reads the file; white space around the token does not matter.
    pub(crate) fn read(path: &Path) -> Result<Self, DnsError> {
        let wrong = |what: &str| DnsError::Configuration(format!("--token-file {}: {what}", path.display()));
        let metadata = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
        if !metadata.is_file() || metadata.len() > LONGEST as u64 {
            return Err(wrong("this is no file with a token and nothing else in it"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("there is to be a token in it and nothing else"));
        }
        Ok(Self { secret: SecretString::from(token.to_owned()), exposed: is_exposed(&metadata) })
    }
}
