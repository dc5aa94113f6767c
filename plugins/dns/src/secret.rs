//! Files with a secret in them.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::DnsError;

/// A secret as it was in its file.
pub(crate) struct Secret {
    pub(crate) text: Zeroizing<String>,
    /// Whether others on this machine may read the file.
    pub(crate) exposed: bool,
}

/// What is wrong with the file that an option names.
pub(crate) fn wrong(option: &str, path: &Path, what: &str) -> DnsError {
    DnsError::Configuration(format!("--{option} {}: {what}", path.display()))
}

/// Reads the file that an option names, which has so many bytes at most.
pub(crate) fn read(option: &str, path: &Path, longest: u64) -> Result<Secret, DnsError> {
    let metadata = std::fs::metadata(path).map_err(|error| wrong(option, path, &error.to_string()))?;
    if !metadata.is_file() || metadata.len() > longest {
        return Err(wrong(option, path, "this is no file with that and nothing else in it"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(option, path, &error.to_string()))?;
    Ok(Secret { text: Zeroizing::new(text), exposed: is_exposed(&metadata) })
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
