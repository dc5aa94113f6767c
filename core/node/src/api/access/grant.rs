//! What whoever asks may.

use std::collections::BTreeSet;
use std::future::pending;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::types::{ApiError, ErrorCode, Scope};

/// What whoever asks may: every request carries one.
#[derive(Clone, Debug)]
pub(crate) struct Grant(Option<Token>);

#[derive(Clone, Debug)]
struct Token {
    scopes: BTreeSet<Scope>,
    revoked: CancellationToken,
    ends: Option<Instant>,
}

impl Grant {
    /// Everything: the home's owner, at the socket.
    pub(super) const fn owner() -> Self {
        Self(None)
    }

    /// What a token says, until it is revoked or ends.
    pub(super) const fn token(
        scopes: BTreeSet<Scope>,
        revoked: CancellationToken,
        ends: Option<Instant>,
    ) -> Self {
        Self(Some(Token { scopes, revoked, ends }))
    }

    /// Whether this may be asked.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        let Some(token) = &self.0 else { return true };
        token.scopes.contains(&scope) || token.scopes.contains(&Scope::Admin)
    }

    /// Whether a token says so, and it may everything.
    pub(super) fn is_admin_token(&self) -> bool {
        self.0.as_ref().is_some_and(|token| token.scopes.contains(&Scope::Admin))
    }

    /// That this may be asked.
    ///
    /// # Errors
    /// `forbidden`, with the scope that it takes.
    pub(crate) fn check(&self, scope: Scope) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::Forbidden,
            format!(
                "this token may not ask that, which takes the scope `{scope}`: make one with `wayside token add`"
            ),
        ))
    }

    /// Until whoever asks may no more: what is being told ends with it.
    pub(crate) async fn over(&self) {
        let Some(Token { revoked, ends, .. }) = &self.0 else { return pending().await };
        let ended = async {
            match ends {
                Some(ends) => tokio::time::sleep_until(*ends).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = revoked.cancelled() => {}
            () = ended => {}
        }
    }
}
