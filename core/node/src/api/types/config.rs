//! What can be configured, and what is.

use serde::{Deserialize, Serialize};

/// An option of `config.toml`: an element of `GET /v1/config`. Values are written as they stand in the file (TOML).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOption {
    /// Its name, the section before it: `network.listen`.
    pub key: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// What it is where nothing is set; `null`: nothing.
    pub default: Option<String>,
    /// What it is; `null`: nothing.
    pub value: Option<String>,
    /// Where that comes from.
    pub from: ConfigSource,
}

/// Where an option's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigSource {
    /// Nothing is set.
    Default,
    /// It stands in `config.toml`.
    File,
}
