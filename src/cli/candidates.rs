//! What a shell is told may be typed where a friend, a bridge or a code is wanted.
//!
//! A node that is up is asked for friends; none is started for a tab key. What cannot be found out is not offered.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use wayside::Home;
use wayside::api::ApiClient;
use wayside::api::types::FriendView;
use wayside::code::Code;

use super::places;

/// Whoever waits for a tab key does not wait longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Friends by name.
pub(super) fn friends() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let friends = names_of_friends().unwrap_or_default();
        friends.into_iter().filter_map(candidate).collect()
    })
}

/// The home's bridges by name.
pub(super) fn bridges() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let bridges = home().and_then(|home| home.bridges().ok()).unwrap_or_default();
        bridges.into_iter().filter_map(|bridge| candidate(bridge.name)).collect()
    })
}

/// Codes, a word at a time.
pub(super) fn codes() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = typed.to_str().map(Code::completions).unwrap_or_default();
        words.into_iter().map(CompletionCandidate::new).collect()
    })
}

fn names_of_friends() -> Option<Vec<String>> {
    let socket = home()?.socket();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = async {
        let client = ApiClient::connect(&socket).await?;
        client.get::<Vec<FriendView>>("/v1/friends").await.ok()
    };
    let friends = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await.ok() })??;
    Some(friends.into_iter().map(|friend| friend.name).collect())
}

/// The home that the line that is being typed is about.
fn home() -> Option<Home> {
    let path = named_home(std::env::args_os())
        .or_else(|| std::env::var_os("WAYSIDE_HOME").map(PathBuf::from))
        .filter(|path| !path.as_os_str().is_empty())
        .or_else(places::default_home)?;
    Home::open(&path).ok()
}

/// What was typed after `--home`.
fn named_home(line: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut line = line.skip_while(|word| !word.to_str().is_some_and(|word| word.starts_with("--home")));
    match line.next()?.to_str()?.strip_prefix("--home")?.strip_prefix('=') {
        Some(path) => Some(PathBuf::from(path)),
        None => line.next().map(PathBuf::from),
    }
}

/// A name that a shell takes as it stands. Bash puts candidates on the line unquoted, and friends choose what they are called: one with a space would be
/// two words, and one with `$(…)` a command.
fn candidate(name: String) -> Option<CompletionCandidate> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
    let fits = name.starts_with(char::is_alphanumeric) && name.chars().all(is_plain);
    fits.then(|| CompletionCandidate::new(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_more_than_a_word_is_not_offered() {
        for name in ["Ada", "Jürg", "ada-2", "李"] {
            assert!(candidate(name.to_owned()).is_some(), "{name}");
        }
        for name in
            ["", "Ada Lovelace", "$(touch x)", "`id`", "a;b", "*", "--yes", "~", "a'b", "a\\b", "a!b", "a\nb"]
        {
            assert!(candidate(name.to_owned()).is_none(), "{name}");
        }
    }

    #[test]
    fn the_home_is_the_one_on_the_line() {
        let home = |line: &str| named_home(line.split(' ').map(OsString::from));
        assert_eq!(home("wayside -- wayside --home /a send "), Some("/a".into()));
        assert_eq!(home("wayside -- wayside send --home=/b "), Some("/b".into()));
        assert_eq!(home("wayside -- wayside send Ada"), None);
        assert_eq!(home("wayside -- wayside --home"), None);
    }
}
