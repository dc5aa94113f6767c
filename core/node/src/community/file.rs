//! The file that makes a community's room and bot known to its members.
//!
//! ```toml
//! [community]
//! title = "Bee keepers"
//! bot = "@introducer:example.org"
//! [bridge]
//! kind = "matrix"
//! room = "#bees:example.org"
//! ```
//!
//! It holds what its kind of bridge hands on ([`BridgeKind::shared`](wayside_bridge::BridgeKind::shared)) and nothing else: no account, no secret, no path. Anybody may have written it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml_edit::{DocumentMut, Table, value};
use wayside_bridge::{BridgeKind, BridgeOptions, Registry};
use wayside_proto::introducer::Person;
use wayside_proto::place::is_deceptive;

/// A community's bridge and bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunityFile {
    title: String,
    bot: Person,
    kind: String,
    options: BridgeOptions,
}

/// Why there is no such file, or what is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommunityFileError {
    /// It is longer than [`CommunityFile::MAX`].
    #[error("it is too long to be a community's file")]
    TooLong,
    /// It is not TOML of that form.
    #[error("it is no community's file: {0}")]
    Malformed(String),
    /// Its title is none.
    #[error("its title is empty, longer than 200 bytes, or holds characters that are not seen")]
    Title,
    /// Its bot is nobody.
    #[error("its bot `{0}` is nobody: write who it is, as its room names it")]
    Bot(String),
    /// There is no such kind of bridge.
    #[error("it is of the kind `{0}`, and this wayside has no such bridge")]
    Kind(String),
    /// It names an option that the kind does not know, or does not hand on: an account, a secret, a path.
    #[error("it sets `{option}`, which is not for others to say of a {kind} bridge")]
    Option {
        /// The kind.
        kind: String,
        /// The option.
        option: String,
    },
    /// An option's value is none.
    #[error("its `{0}` is empty, too long, or holds characters that are not seen")]
    Value(String),
    /// Nothing of such a bridge could be handed on.
    #[error("a {0} bridge has nothing that would be of use to others: tell them how to add one of their own")]
    NothingShared(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    community: Community,
    bridge: Bridge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Community {
    title: String,
    bot: String,
}

#[derive(Deserialize)]
struct Bridge {
    kind: String,
    #[serde(flatten)]
    options: BTreeMap<String, String>,
}

impl CommunityFile {
    /// The longest, in bytes.
    pub const MAX: usize = 8192;
    /// The longest title, in bytes.
    pub const MAX_TITLE: usize = 200;

    /// Of a bridge with these options, what others may know.
    pub fn new(
        title: &str,
        bot: Person,
        kind: &dyn BridgeKind,
        options: &BridgeOptions,
    ) -> Result<Self, CommunityFileError> {
        let shared = kind.shared(options);
        if shared.iter().next().is_none() {
            return Err(CommunityFileError::NothingShared(kind.kind().to_owned()));
        }
        let file = Self { title: title.to_owned(), bot, kind: kind.kind().to_owned(), options: shared };
        file.checked(kind)
    }

    /// Reads what anybody may have written.
    pub fn parse(text: &str, registry: &Registry) -> Result<Self, CommunityFileError> {
        if text.len() > Self::MAX {
            return Err(CommunityFileError::TooLong);
        }
        let malformed =
            |error: toml_edit::de::Error| CommunityFileError::Malformed(one_line(error.message()));
        let Whole { community, bridge } = toml_edit::de::from_str(text).map_err(malformed)?;
        let bot =
            Person::new(&community.bot).ok_or_else(|| CommunityFileError::Bot(one_line(&community.bot)))?;
        let kind =
            registry.kind(&bridge.kind).ok_or_else(|| CommunityFileError::Kind(one_line(&bridge.kind)))?;
        let options = bridge.options.into_iter().collect();
        Self { title: community.title, bot, kind: bridge.kind, options }.checked(kind)
    }

    fn checked(self, kind: &dyn BridgeKind) -> Result<Self, CommunityFileError> {
        if !is_seen(&self.title, Self::MAX_TITLE) {
            return Err(CommunityFileError::Title);
        }
        let shared = kind.shared(&self.options);
        for (name, text) in self.options.iter() {
            let known = kind.options().iter().any(|spec| spec.name == name && !spec.path);
            if !known || shared.value(name) != Some(text) {
                let (kind, option) = (self.kind, one_line(name));
                return Err(CommunityFileError::Option { kind, option });
            }
            if !is_seen(text, MOST_VALUE) {
                return Err(CommunityFileError::Value(one_line(name)));
            }
        }
        Ok(self)
    }

    /// What the community calls itself.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its bot, as the room names it.
    pub fn bot(&self) -> &Person {
        &self.bot
    }

    /// The kind of bridge.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The options that are the same for everybody.
    pub fn options(&self) -> &BridgeOptions {
        &self.options
    }
}

impl fmt::Display for CommunityFile {
    /// The file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut community, mut bridge) = (Table::new(), Table::new());
        community.insert("title", value(&self.title));
        community.insert("bot", value(self.bot.as_str()));
        bridge.insert("kind", value(&self.kind));
        for (name, text) in self.options.iter() {
            bridge.insert(name, value(text));
        }
        community.decor_mut().set_prefix(HEAD);
        bridge.decor_mut().set_prefix("");
        let mut document = DocumentMut::new();
        document.insert("community", community.into());
        document.insert("bridge", bridge.into());
        write!(f, "{document}")
    }
}

const HEAD: &str =
    "# A community's bridge and bot, for `wayside bridge add --from FILE`. Holds no secrets.\n";
/// The longest value of an option, in bytes: what a URL may be.
const MOST_VALUE: usize = 2048;

/// Whether all of a text is seen, on one line.
fn is_seen(text: &str, most: usize) -> bool {
    text.len() <= most && !text.trim().is_empty() && !text.contains(is_deceptive)
}

/// What a stranger wrote, as a word in a sentence.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
