//! The token, which nobody but GitHub gets to see.

use std::path::Path;

use secrecy::SecretString;

use crate::error::GitHubError;

/// The longest token, in bytes. Fine-grained ones have 93.
const LONGEST: usize = 1024;

/// A token as it was in its file. Its `Debug` does not show it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// What goes into requests.
    pub(crate) secret: SecretString,
    /// Whether others on this machine may read the file.
    pub(crate) exposed: bool,
}

impl Token {
    /// Reads the file; white space around the token does not matter.
    pub(crate) fn read(path: &Path) -> Result<Self, GitHubError> {
        let wrong =
            |what: &str| GitHubError::Configuration(format!("--token-file {}: {what}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
        if !size.is_file() || size.len() > LONGEST as u64 + 64 {
            return Err(wrong("this is no file with a token and nothing else in it"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
        let token = text.trim();
        if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong(
                "there is to be a token in it and nothing else; make one at GitHub under Settings, Developer settings",
            ));
        }
        Ok(Self { secret: SecretString::from(token.to_owned()), exposed: is_exposed(&size) })
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
