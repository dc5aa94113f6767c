//! Spoken codes: said, and heard.

use std::time::Duration;

use tokio::time::Instant;
use wayside_proto::code::{Code, CodeError, FEWEST_WORDS, USUAL_WORDS};
use wayside_proto::engine::{BridgeName, CodeOptions, FollowState, OwnCodeState};

use super::contacts::{self, READY};
use super::{Requests, deadline};
use crate::api::types::{
    AcceptCode, AcceptState, Accepted, ApiError, CodeState, CodeView, ErrorCode, NewCode,
};
use crate::api::words;
use crate::times;

/// How often the state of a code is looked at where no event says that it changed.
const LOOK: Duration = Duration::from_millis(500);

impl Requests {
    /// Makes a code that a person says to another.
    pub(crate) async fn speak(&self, request: NewCode) -> Result<CodeView, ApiError> {
        self.bridges_tried(READY).await;
        let words = match request.words {
            Some(words) => words,
            None if self.are_readers_few(&request.bridges).await? => FEWEST_WORDS,
            None => USUAL_WORDS,
        };
        let options = CodeOptions {
            bridges: request.bridges.into_iter().map(BridgeName).collect(),
            words,
            lifetime: Duration::from_secs(request.expires_in_secs),
        };
        let made = self.driver.change(move |engine, now| engine.speak(now, &options)).await?;
        let spoken = made.map_err(|error| words::command(&error, &self.registry))?;
        Ok(CodeView {
            id: data_encoding::HEXLOWER.encode(&spoken.id),
            code: Some(spoken.code.to_string()),
            expires: Some(times::time(spoken.expires)),
            state: CodeState::Open,
            left: wayside_proto::code::exchange::GUESSES,
            friend: None,
            account: None,
        })
    }

    /// How far a code of ours has got: as soon as that changes, or this time is over.
    pub(crate) async fn code(&self, id: &str, wait_ms: u64) -> Result<CodeView, ApiError> {
        let (key, deadline) = (key_of(id)?, deadline(wait_ms));
        let mut events = self.driver.events();
        let first = self.look_at_code(id, key).await?;
        loop {
            let now = self.look_at_code(id, key).await?;
            if now != first
                || !matches!(now.state, CodeState::Open | CodeState::Answered)
                || Instant::now() >= deadline
            {
                return Ok(now);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {}
                _ = events.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Ends a code of ours.
    pub(crate) async fn end_code(&self, id: &str) -> Result<(), ApiError> {
        let key = key_of(id)?;
        let known = self.driver.change(move |engine, now| engine.unspeak(now, &key)).await?;
        if known { Ok(()) } else { Err(unknown()) }
    }

    /// Looks for whoever said this code to us, becomes friends with them, and waits for that.
    pub(crate) async fn accept_code(&self, request: AcceptCode) -> Result<Accepted, ApiError> {
        let deadline = deadline(request.wait_ms);
        let code: Code = request
            .code
            .parse()
            .map_err(|error: CodeError| ApiError::new(ErrorCode::Invite, error.to_string()))?;
        self.bridges_tried(READY).await;
        let mut events = self.driver.events();
        let (bridges, alias) = (request.bridges.into_iter().map(BridgeName).collect(), request.name);
        let followed = code.clone();
        let heard =
            self.driver.change(move |engine, now| engine.hear(now, &followed, bridges, alias)).await?;
        heard.map_err(|error| words::command(&error, &self.registry))?;
        loop {
            let followed = code.clone();
            let state = self.driver.change(move |engine, _| engine.heard(&followed)).await?;
            if let Some(FollowState::Contact(id)) = state {
                if let Some(accepted) = contacts::outcome(&self.driver, id, true).await? {
                    contacts::wait_for_link(&self.driver, &accepted, deadline).await;
                    return Ok(accepted);
                }
            } else if let Some(error) = state.and_then(|state| self.why_not(state)) {
                let followed = code.clone();
                self.driver.change(move |engine, now| engine.unhear(now, &followed)).await?;
                return Err(error);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {
                    return Ok(Accepted { state: AcceptState::Pending, friend: None, account: None, reply: None });
                }
                _ = events.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn why_not(&self, state: FollowState) -> Option<ApiError> {
        let sentence = match state {
            FollowState::Looking | FollowState::Answered | FollowState::Contact(_) => return None,
            FollowState::Wrong => {
                "the words are not those of the code: ask for it again, and mind that each is typed as it was said"
            }
            FollowState::Burnt => {
                "somebody guessed at this code until it was burnt: make another one, and use it at once"
            }
            FollowState::Interfered => {
                "others use the number of this code, or interfere: make another one, with another number"
            }
            FollowState::Failed(error) => return Some(words::command(&error, &self.registry)),
        };
        Some(ApiError::new(ErrorCode::Invite, sentence))
    }

    async fn look_at_code(&self, id: &str, key: [u8; 32]) -> Result<CodeView, ApiError> {
        let state = self.driver.change(move |engine, _| engine.spoken(&key)).await?.ok_or_else(unknown)?;
        let mut view = CodeView {
            id: id.to_owned(),
            code: None,
            expires: None,
            state: CodeState::Answered,
            left: 0,
            friend: None,
            account: None,
        };
        match state {
            OwnCodeState::Open { left } => (view.state, view.left) = (CodeState::Open, left),
            OwnCodeState::Answered => {}
            OwnCodeState::Burnt => view.state = CodeState::Burnt,
            OwnCodeState::Done(account) => {
                view.state = CodeState::Done;
                view.friend = Some(self.driver.name_of(&account).await);
                view.account = Some(account.to_string());
            }
        }
        Ok(view)
    }

    /// Whether all that a code will lead to is read by few.
    async fn are_readers_few(&self, named: &[String]) -> Result<bool, ApiError> {
        let bridges = self.driver.bridges().await?;
        let mut used = bridges
            .iter()
            .filter(|bridge| named.is_empty() && bridge.healthy || named.contains(&bridge.name));
        let few =
            |kind: &str| self.registry.kind(kind).is_some_and(wayside_bridge::BridgeKind::has_few_readers);
        Ok(used.all(|bridge| few(&bridge.kind)))
    }
}

fn key_of(id: &str) -> Result<[u8; 32], ApiError> {
    let bytes = data_encoding::HEXLOWER.decode(id.as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "there is no such code, or it has ended: `wayside invite --code` makes one",
    )
}
