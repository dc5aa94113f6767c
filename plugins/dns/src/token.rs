//! The token of a provider, which nobody else gets to see.

use std::path::Path;

use secrecy::SecretString;

use crate::error::DnsError;
use crate::secret;

/// The option that names its file.
const FILE: &str = "token-file";
/// The longest token, in bytes.
const LONGEST: u64 = 1024;

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
        let read = secret::read(FILE, path, LONGEST)?;
        let token = read.text.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(secret::wrong(FILE, path, "there is to be a token in it and nothing else"));
        }
        Ok(Self { secret: SecretString::from(token.to_owned()), exposed: read.exposed })
    }
}
