//! The password or token, which nobody but the homeserver gets to see.

use std::fmt;
use std::path::Path;

use crate::error::MatrixError;
use crate::options::{Login, read_at_most};

/// The longest password or token, in bytes.
const LONGEST: u64 = 4096;

/// A password or token as it was in its file. Its `Debug` does not show it.
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads the file; the end of its line does not matter.
    pub(crate) fn read(login: &Login) -> Result<Self, MatrixError> {
        let (option, path) = login.file();
        let wrong = |what: &str| MatrixError::Configuration(format!("--{option} {}: {what}", path.display()));
        let bytes = read_at_most(path, LONGEST).map_err(|reason| wrong(&reason))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not text"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(wrong("there is to be one line in it, the password or token, and nothing else"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Login {
    /// Which option names the file, and the file.
    pub(crate) fn file(&self) -> (&'static str, &Path) {
        match self {
            Self::Password(path) => ("password-file", path),
            Self::Token(path) => ("token-file", path),
        }
    }

    /// Whether others on this machine may read the file.
    pub(crate) fn exposed(&self) -> bool {
        std::fs::metadata(self.file().1).is_ok_and(|about| is_exposed(&about))
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
