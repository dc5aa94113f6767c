//! Where a home is when nobody says.

use std::env;
use std::path::PathBuf;

/// The platform's place for a user's data, and in it `wayside`.
pub(super) fn default_home() -> Option<PathBuf> {
    data_folder().map(|folder| folder.join("wayside"))
}

#[cfg(not(any(target_os = "macos", windows)))]
fn data_folder() -> Option<PathBuf> {
    // A relative path in it is to be ignored: XDG Base Directory Specification.
    let xdg = absolute("XDG_DATA_HOME");
    xdg.or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
}

#[cfg(target_os = "macos")]
fn data_folder() -> Option<PathBuf> {
    absolute("HOME").map(|home| home.join("Library/Application Support"))
}

#[cfg(windows)]
fn data_folder() -> Option<PathBuf> {
    absolute("LOCALAPPDATA")
}

fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
