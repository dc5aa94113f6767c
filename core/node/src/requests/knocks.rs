//! Knocks: who came by a pointer of ours and would like to become a friend.

use wayside_proto::engine::{CommandError, Knock, KnockId};

use super::{Requests, asked};
use crate::api::types::{ApiError, ErrorCode, RequestKind, RequestState, RequestView};
use crate::api::words;
use crate::times;

impl Requests {
    /// Who knocks, the earliest first.
    pub(super) async fn knocks(&self) -> Result<Vec<RequestView>, ApiError> {
        let knocks = self.driver.look(|engine, _| engine.waiting_knocks().collect::<Vec<_>>()).await?;
        Ok(knocks.iter().map(|knock| view(knock, RequestState::Asked, None)).collect())
    }

    /// Lets somebody in who knocked.
    pub(super) async fn accept_knock(
        &self,
        id: KnockId,
        alias: Option<String>,
    ) -> Result<RequestView, ApiError> {
        let knock = self.knock(id).await?;
        let account = knock.account;
        let known = self.driver.look(move |engine, _| engine.friend(&account).is_some()).await?;
        let accepted = self.driver.change(move |engine, now| engine.accept_knock(now, &id, alias)).await?;
        let account = accepted.map_err(|error| self.not_answered(&error))?;
        if !known {
            self.pointers.met_by_card(account).await?;
        }
        let name = self.driver.name_of(&account).await;
        // Strangers choose their names, and people copy commands.
        let word = shlex::try_quote(&name).unwrap_or_default();
        let hint = format!(
            "{name} is your friend now: where it matters who that is, compare with `wayside friend verify {word}`"
        );
        Ok(view(&knock, RequestState::Meeting, Some(hint)))
    }

    /// Refuses a knock: nobody is told.
    pub(super) async fn refuse_knock(&self, id: KnockId) -> Result<RequestView, ApiError> {
        let knock = self.knock(id).await?;
        let refused = self.driver.change(move |engine, now| engine.refuse_knock(now, &id)).await?;
        refused.map_err(|error| self.not_answered(&error))?;
        Ok(view(&knock, RequestState::Refused, None))
    }

    async fn knock(&self, id: KnockId) -> Result<Knock, ApiError> {
        let knock = self.driver.look(move |engine, _| engine.waiting_knocks().find(|knock| knock.id == id));
        knock.await?.ok_or_else(asked::unknown)
    }

    fn not_answered(&self, error: &CommandError) -> ApiError {
        match words::command(error, &self.registry) {
            // It was answered or has expired meanwhile.
            error if error.code == ErrorCode::NotFound => asked::unknown(),
            error => error,
        }
    }
}

/// Who knocks, and by what: on nobody's word.
pub(crate) fn says(knock: &Knock) -> String {
    format!(
        "somebody who calls themselves {} came by your card `{}`, and would like to become your friend",
        knock.name, knock.pointer
    )
}

/// 16 hexadecimal digits.
pub(crate) fn id_of(id: &KnockId) -> String {
    data_encoding::HEXLOWER.encode(&id.0)
}

fn view(knock: &Knock, state: RequestState, hint: Option<String>) -> RequestView {
    RequestView {
        id: id_of(&knock.id),
        text: says(knock),
        state,
        hint,
        received: times::time(knock.came),
        expires: times::time(knock.expires),
        what: RequestKind::Knock {
            name: knock.name.clone(),
            account: knock.account.to_string(),
            pointer: knock.pointer.to_string(),
            over: knock.bridge.0.clone(),
        },
    }
}
