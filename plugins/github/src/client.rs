//! Requests and answers: one host, no redirects, bounded in size and time, within the limits.

use std::fmt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use octocrab::{OctoBody, Octocrab};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wayside_bridge::Clock;

use crate::api::ApiUrl;
use crate::error::{GitHubError, said};
use crate::gate::Gate;
use crate::pace::Pace;
use crate::repo::{Repo, Spot};
use crate::token::Token;
use crate::wire::garbled;

/// The most of an error's answer that is read.
const MOST_OF_AN_ERROR: usize = 64 * 1024;
/// The most of an answer to a write: a tree is told back.
const MOST_OF_A_WRITE: usize = 16 * 1024 * 1024;

/// GitHub, as one bridge may use it.
pub(crate) struct Client {
    crab: Octocrab,
    api: ApiUrl,
    repo: Repo,
    spot: Spot,
    token: Option<Token>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// What may be sent, and when.
    pub(crate) gate: Gate,
}

/// What a conditional read found.
#[derive(Debug)]
pub(crate) enum Read<T> {
    /// Nothing but that it is what this tag was given for.
    Same,
    /// This, with the tag to ask by next time.
    Fresh(T, Option<Etag>),
}

/// What tells one version of an answer from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etag(header::HeaderValue);

impl Client {
    /// For a repository, with the token of a file where there is one. Contacts nothing.
    pub(crate) fn new(
        (api, repo, spot): (ApiUrl, Repo, Spot),
        token_file: Option<&Path>,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Result<Self, GitHubError> {
        let wrong =
            |error: octocrab::Error| GitHubError::Configuration(format!("TLS cannot be set up: {error}"));
        let token = token_file.map(Token::read).transpose()?;
        let mut builder = Octocrab::builder().base_uri(api.as_str()).map_err(wrong)?;
        if let Some(token) = &token {
            builder = builder.personal_token(token.secret.clone());
        }
        let crab = builder.build().map_err(wrong)?;
        let gate = Gate::new(Arc::clone(&clock), pace);
        Ok(Self { crab, api, repo, spot, token, clock, patience: pace.patience, gate })
    }

    pub(crate) const fn api(&self) -> &ApiUrl {
        &self.api
    }

    pub(crate) const fn repo(&self) -> &Repo {
        &self.repo
    }

    pub(crate) const fn spot(&self) -> &Spot {
        &self.spot
    }

    /// The token, where there is one.
    pub(crate) const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// A path below the repository's.
    pub(crate) fn of_repo(&self, path: &str) -> String {
        format!("/repos/{}{path}", self.repo)
    }

    /// Reads at most so many bytes.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<T, GitHubError> {
        self.read_all(path, most).await.map(|(value, _)| value)
    }

    /// Reads at most so many bytes, and what the headers say.
    pub(crate) async fn read_all<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
    ) -> Result<(T, HeaderMap), GitHubError> {
        match self.read_unless(path, None, most).await? {
            (Read::Fresh(value, _), headers) => Ok((value, headers)),
            (Read::Same, _) => Err(garbled("\"not modified\" to what had no condition")),
        }
    }

    /// Reads unless it is what this tag was given for.
    pub(crate) async fn read_unless<T: DeserializeOwned>(
        &self,
        path: &str,
        known: Option<&Etag>,
        most: usize,
    ) -> Result<(Read<T>, HeaderMap), GitHubError> {
        let mut request = http::Request::builder().method(Method::GET).uri(path);
        if let Some(Etag(tag)) = known {
            request = request.header(header::IF_NONE_MATCH, tag.clone());
        }
        let (status, headers, body) = self.send(request, None::<&()>, most).await?;
        if status == StatusCode::NOT_MODIFIED {
            return Ok((Read::Same, headers));
        }
        let tag = headers.get(header::ETAG).cloned().map(Etag);
        Ok((Read::Fresh(parse(&body)?, tag), headers))
    }

    /// Writes, in turn.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, GitHubError> {
        parse(&self.change(method, path, Some(body)).await?)
    }

    /// Removes, in turn.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), GitHubError> {
        self.change(Method::DELETE, path, None::<&()>).await.map(drop)
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Bytes, GitHubError> {
        if self.token.is_none() {
            return Err(GitHubError::NoToken { repo: self.repo.to_string() });
        }
        let _turn = self.gate.turn().await;
        let request = http::Request::builder().method(method).uri(path);
        self.send(request, body, MOST_OF_A_WRITE).await.map(|(_, _, body)| body)
    }

    /// Sends it, and answers what is a success or "not modified".
    async fn send(
        &self,
        request: http::request::Builder,
        body: Option<&(impl Serialize + Sync)>,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), GitHubError> {
        self.gate.check()?;
        let request = request.header(header::ACCEPT, "application/vnd.github+json");
        let request = self.crab.build_request(request, body).map_err(|_| GitHubError::Lost)?;
        let exchange = pin!(self.exchange(request, most));
        let (status, headers, body) = match select(exchange, self.clock.sleep(self.patience)).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(_) => return Err(GitHubError::Silent(self.api.host().to_owned())),
        };
        let good = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let message = if good { String::new() } else { message(&body) };
        self.gate.note(status, &headers, &message)?;
        tracing::trace!(%status, "GitHub answered");
        if good { Ok((status, headers, body)) } else { Err(self.refusal(status, &message)) }
    }

    async fn exchange(
        &self,
        request: http::Request<OctoBody>,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), GitHubError> {
        let unreachable = |error: &dyn std::error::Error| GitHubError::Unreachable {
            host: self.api.host().to_owned(),
            reason: said(&innermost(error)),
        };
        let response = self.crab.execute(request).await.map_err(|error| unreachable(&error))?;
        let (head, body) = response.into_parts();
        let most = if head.status.is_success() { most } else { MOST_OF_AN_ERROR };
        match Limited::new(body, most).collect().await {
            Ok(body) => Ok((head.status, head.headers, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(GitHubError::TooLarge { what: "an answer of GitHub's" })
            }
            Err(error) => Err(unreachable(error.as_ref())),
        }
    }

    /// What a status other than success means here.
    fn refusal(&self, status: StatusCode, message: &str) -> GitHubError {
        let (repo, said) = (self.repo.to_string(), said(message));
        let says = |what: &str| message.to_ascii_lowercase().contains(what);
        match status.as_u16() {
            300..=399 => GitHubError::Moved { repo },
            401 => GitHubError::Token { host: self.api.host().to_owned() },
            403 if says("archived") => GitHubError::Archived { repo },
            403 if says("locked") => GitHubError::Locked { repo },
            403 => GitHubError::Forbidden { repo, needed: self.needed(), said },
            404 => {
                let what = match &self.spot {
                    Spot::Branch(_) => repo,
                    Spot::Issue(number) => format!("issue {number} of {repo}"),
                };
                GitHubError::NotFound { what, needed: self.needed() }
            }
            409 if says("empty") => GitHubError::Empty { repo },
            409 => GitHubError::Conflict { said },
            410 => GitHubError::IssueGone { repo },
            413 | 400 | 415 | 422 => GitHubError::Invalid { said },
            500..=599 => GitHubError::Failing { host: self.api.host().to_owned(), status: status.as_u16() },
            _ => garbled("a status that it does not document"),
        }
    }

    /// The permission of a fine-grained token that writing takes.
    pub(crate) const fn needed(&self) -> &'static str {
        match self.spot {
            Spot::Branch(_) => "Contents: read and write",
            Spot::Issue(_) => "Issues: read and write",
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("api", &self.api).field("repo", &self.repo).finish_non_exhaustive()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, GitHubError> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::debug!(%error, "an answer of GitHub's could not be read");
        garbled("it is not of the form that is documented")
    })
}

/// What an error's answer says.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    serde_json::from_slice::<Said>(body).map(|said| said.message).unwrap_or_default()
}

/// The reason below all the wrapping, which is what a person can do something about.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
