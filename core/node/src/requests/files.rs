//! Invite files: made, looked at, and accepted, over a bridge or by a reply.

use std::time::Duration;

use wayside_proto::engine::{BridgeName, CommandError, ContactId, ContactState, Engine, InviteOptions};
use wayside_proto::greeting::{Greeting, GreetingError};
use wayside_proto::place::Locator;

use super::contacts::{READY, outcome};
use super::{Requests, deadline};
use crate::api::types::{
    Accept, AcceptState, Accepted, ApiError, BridgeView, ErrorCode, FileMaker, InvitePreview, InviteView,
    NewInvite,
};
use crate::api::words;
use crate::times;

impl Requests {
    /// Makes an invite that goes in a file. No bridge is needed: then whoever accepts it gives a reply back.
    pub(crate) async fn invite_file(&self, request: NewInvite) -> Result<InviteView, ApiError> {
        self.bridges_tried(READY).await;
        let options = InviteOptions {
            bridges: request.bridges.into_iter().map(BridgeName).collect(),
            uses: request.uses,
            lifetime: Duration::from_secs(request.expires_in_secs),
            only: None,
        };
        let made = self.driver.change(move |engine, now| engine.greet(now, &options)).await?;
        let greeting = made.map_err(|error| words::command(&error, &self.registry))?;
        let invite = greeting.invite();
        Ok(InviteView {
            invite: greeting.to_string(),
            expires: times::time(invite.expires),
            replies: invite.own.len() == invite.points.len(),
        })
    }

    /// What a file says, before anything is done with it.
    pub(super) async fn preview_file(&self, text: &str) -> Result<InvitePreview, ApiError> {
        let greeting = read(text)?;
        let invite = greeting.invite();
        let places: Vec<String> = invite.points.iter().map(ToString::to_string).collect();
        let (expires, card) = (Some(times::time(invite.expires)), greeting.card());
        let from = Some(FileMaker { name: card.roster().name.clone(), account: card.account().to_string() });
        let asked = greeting.clone();
        let reaches = self.driver.change(move |engine, _| engine.reaches(&asked)).await?;
        let leads = |bridge: &BridgeView| bridge.locators.iter().any(|locator| places.contains(locator));
        let bridges = if reaches {
            let all = self.driver.bridges().await?.into_iter();
            all.filter(leads).map(|bridge| bridge.name).collect()
        } else {
            Vec::new()
        };
        Ok(InvitePreview { places, bridges, replies: !reaches, expires, pointer: None, source: None, from })
    }

    /// Accepts a file's invite over a bridge where one reaches a place of it, and otherwise by a reply.
    pub(super) async fn accept_file(&self, request: Accept) -> Result<Accepted, ApiError> {
        let greeting = read(&request.invite)?;
        self.bridges_tried(READY).await;
        let asked = greeting.clone();
        let id = ContactId(greeting.invite().key);
        // Once there is a reply it is what its maker waits for.
        let by_bridge = move |engine: &mut Engine, _| engine.reaches(&asked) && engine.carried(&id).is_none();
        if !self.driver.change(by_bridge).await? {
            return self.carry(greeting, request.name).await;
        }
        let (deadline, events) = (deadline(request.wait_ms), self.driver.events());
        let before = self.driver.change(move |engine, _| engine.contact(&id)).await?;
        let alias = request.name;
        let accepted =
            self.driver.change(move |engine, now| engine.accept_greeting(now, &greeting, alias)).await?;
        accepted.map_err(|error| words::command(&error, &self.registry))?;
        self.answered(id, true, before == Some(ContactState::Pending), events, deadline).await
    }

    /// Accepts a file's invite by a reply, whatever bridges there are.
    pub(crate) async fn accept_by_reply(&self, request: Accept) -> Result<Accepted, ApiError> {
        let greeting = read(&request.invite)?;
        self.bridges_tried(READY).await;
        self.carry(greeting, request.name).await
    }

    async fn carry(&self, greeting: Greeting, alias: Option<String>) -> Result<Accepted, ApiError> {
        let account = greeting.card().account();
        let places: Vec<Locator> = greeting.invite().points.clone();
        let carried = self
            .driver
            .change(move |engine, now| {
                let id = engine.carry(now, &greeting, alias)?;
                Ok::<_, CommandError>((id, engine.carried(&id)))
            })
            .await?;
        let (id, reply) =
            carried.map_err(|error| words::command_of_reader(&error, &places, &self.registry))?;
        if let Some(reply) = reply {
            let friend = Some(self.driver.name_of(&account).await);
            return Ok(Accepted {
                state: AcceptState::Done,
                friend,
                account: Some(account.to_string()),
                reply: Some(reply.to_string()),
            });
        }
        // It was accepted over a bridge before.
        let ended = outcome(&self.driver, id, true).await?;
        Ok(ended.unwrap_or(Accepted {
            state: AcceptState::Pending,
            friend: None,
            account: None,
            reply: None,
        }))
    }
}

fn read(text: &str) -> Result<Greeting, ApiError> {
    text.parse().map_err(|error: GreetingError| ApiError::new(ErrorCode::Invite, error.to_string()))
}
