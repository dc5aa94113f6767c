//! Who may ask what. At the home's socket whoever asks is its owner, or shows a token and may what that says; over TCP everybody shows one.

mod grant;
mod origin;
mod scopes;
mod tokens;
#[cfg(test)]
mod tokens_tests;

pub(crate) use grant::Grant;
pub(crate) use origin::{Pages, guard};
pub(crate) use tokens::Tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::types::{ApiError, ErrorCode};
use crate::clock::NodeClock;

/// How long whoever shows a wrong token waits for the answer.
const WAIT: Duration = Duration::from_secs(1);
/// How many may wait so at a time; who is one too many is told at once.
const WAITING: usize = 16;

/// Lets in whoever may ask.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    tokens: Tokens,
    clock: NodeClock,
    /// Whether whoever shows no token is the owner.
    owner_needs_none: bool,
    waiting: Arc<Semaphore>,
}

impl Access {
    /// By these tokens.
    pub(crate) fn new(tokens: Tokens, clock: NodeClock) -> Self {
        Self { tokens, clock, owner_needs_none: false, waiting: Arc::new(Semaphore::new(WAITING)) }
    }

    /// The same where only the owner comes in anyway.
    pub(crate) fn of_owner(&self) -> Self {
        Self { owner_needs_none: true, ..self.clone() }
    }

    async fn grant(&self, headers: &HeaderMap) -> Result<Grant, ApiError> {
        let from_page = headers.contains_key(ORIGIN);
        if !headers.contains_key(AUTHORIZATION) {
            return match (self.owner_needs_none, from_page) {
                (true, false) => Ok(Grant::owner()),
                // Something hands the socket on to browsers: no page is the owner.
                _ => Err(unauthorized("this takes a token, which `wayside token add` makes")),
            };
        }
        let token = origin::one(headers, &AUTHORIZATION).and_then(bearer);
        let Some(grant) = token.and_then(|token| self.tokens.find(token, self.clock.wall())) else {
            return Err(self.wrong().await);
        };
        if from_page && grant.is_admin_token() {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "a token of the scope `admin` is not for web pages: make one that may less",
            ));
        }
        Ok(grant)
    }

    /// What whoever shows a wrong token is told, slowly. A right one is let in meanwhile.
    async fn wrong(&self) -> ApiError {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return ApiError::new(
                ErrorCode::TooMany,
                "too many wrong tokens were shown: wait some seconds, and look where they come from",
            );
        };
        tokio::time::sleep(WAIT).await;
        unauthorized("this token is wrong, revoked or has ended: `wayside token list` shows which there are")
    }
}

/// Passes on what whoever asks may ask.
pub(crate) async fn allow(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let grant = match access.grant(request.headers()).await {
        Ok(grant) => grant,
        Err(error) if error.code == ErrorCode::Unauthorized => {
            let challenge = HeaderValue::from_static("Bearer realm=\"wayside\"");
            return ([(WWW_AUTHENTICATE, challenge)], error).into_response();
        }
        Err(error) => return error.into_response(),
    };
    // Where there is no route nothing is asked.
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        let needed = scopes::needed(request.method(), path.as_str()).unwrap_or(super::types::Scope::Admin);
        if let Err(error) = grant.check(needed) {
            return error.into_response();
        }
    }
    request.extensions_mut().insert(grant);
    next.run(request).await
}

/// What stands behind `Bearer` (RFC 6750, section 2.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

fn unauthorized(sentence: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, sentence)
}
