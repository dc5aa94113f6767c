//! How a repository at GitHub is configured.

use std::path::Path;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::api::ApiUrl;
use crate::bridge::GitHubBridge;
use crate::pace::Pace;
use crate::repo::{self, Repo, Spot};

/// The `github` kind: `bridge add github --repo OWNER/NAME --token-file FILE`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GitHubKind {
    pace: Pace,
}

impl GitHubKind {
    /// Bridges that go at this pace, where github.com's does not suit the server.
    #[must_use]
    pub const fn at_pace(pace: Pace) -> Self {
        Self { pace }
    }
}

#[async_trait]
impl BridgeKind for GitHubKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "a repository at GitHub, by its API: no clone, no git"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn may(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            OptionSpec::new(name, value, help)
        }
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::new("repo", "OWNER/NAME", "the repository; both of you can read it").required(),
            OptionSpec::new(
                "token-file",
                "FILE",
                "a file with a token of yours and nothing else; without one the bridge only reads",
            )
            .path(),
            may(
                "api",
                "URL",
                "the API of a GitHub Enterprise server, like https://github.example.org/api/v3",
            ),
            may("branch", "NAME", "leave records in this branch, which nobody else uses (wayside)"),
            may("issue", "N", "leave records as comments of this issue instead"),
        ];
        OPTIONS
    }

    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        let text = source.strip_prefix("github:")?;
        let repo = Repo::parse(text).ok_or_else(|| wrong("this is not like github:owner/repository"));
        Some(repo.map(|repo| BridgeOptions::from_iter([("repo", repo.to_string())])))
    }

    fn usage(&self, address: &str) -> String {
        repo::usage(address)
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&["repo", "api", "branch", "issue"])
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let repo = Repo::parse(options.required("repo")?)
            .ok_or_else(|| wrong("--repo is to be OWNER/NAME, as in github.com/OWNER/NAME"))?;
        let api = match options.value("api") {
            Some(url) => ApiUrl::parse(url).map_err(|reason| wrong(&format!("--api: {reason}")))?,
            None => ApiUrl::github(),
        };
        let spot = match (options.value("branch"), options.value("issue")) {
            (Some(_), Some(_)) => return Err(wrong("give a --branch or an --issue, not both")),
            (_, Some(number)) => {
                Spot::issue(number).ok_or_else(|| wrong("--issue is to be the number of an issue"))?
            }
            (name, None) => Spot::branch(name.unwrap_or(repo::BRANCH)).ok_or_else(|| {
                wrong("--branch is to be 1 to 64 of `a-z A-Z 0-9 - _ . /`, as git names branches")
            })?,
        };
        let token_file = options.value("token-file").map(Path::new);
        Ok(Opened::bridge(GitHubBridge::open((api, repo, spot), token_file, self.pace, context)?))
    }
}

fn wrong(message: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message.to_owned())
}
