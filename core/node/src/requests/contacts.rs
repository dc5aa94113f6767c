//! Invites: made, looked at, accepted; and cards, by which one knocks.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, ContactId, ContactState, InviteOptions, ReplyState};
use wayside_proto::greeting::Greeting;
use wayside_proto::invite::Invite;
use wayside_proto::place::Locator;
use wayside_proto::reply::{Joined, Reply};

use super::pointers::Knocked;
use super::{Requests, deadline};
use crate::api::types::{
    Accept, AcceptState, Accepted, ApiError, BridgeView, Complete, ErrorCode, InvitePreview, InviteView,
    NewInvite, NodeEvent,
};
use crate::api::words;
use crate::driver::Driver;
use crate::times;

/// How long bridges may take to be tried before it is said that none works.
pub(super) const READY: Duration = Duration::from_secs(30);
/// How long accepting goes on for the link to come up, once both are friends: the inviter learns by it that the answer arrived.
const LINK: Duration = Duration::from_secs(5);
/// How often the state of an accepted invite is looked at where no event says that it changed.
const LOOK: Duration = Duration::from_millis(500);

impl Requests {
    /// Makes an invite.
    pub(crate) async fn invite(&self, request: NewInvite) -> Result<InviteView, ApiError> {
        self.bridges_tried(READY).await;
        let options = InviteOptions {
            bridges: request.bridges.into_iter().map(BridgeName).collect(),
            uses: request.uses,
            lifetime: Duration::from_secs(request.expires_in_secs),
            only: None,
        };
        let made = self.driver.change(move |engine, now| engine.invite(now, options)).await?;
        let invite = made.map_err(|error| words::command(&error, &self.registry))?;
        Ok(InviteView {
            invite: invite.to_string(),
            expires: times::time(invite.expires),
            replies: invite.own.len() == invite.points.len(),
        })
    }

    /// What an invite or a card says, before anything is done with it.
    pub(crate) async fn preview(&self, invite: &str) -> Result<InvitePreview, ApiError> {
        self.bridges_tried(READY).await;
        if Greeting::is_one(invite) {
            return self.preview_file(invite).await;
        }
        if !is_invite(invite) {
            let (pointer, source) = self.look_at_source(invite).await?;
            let points = pointer.iter().flat_map(|pointer| &pointer.points);
            let places = points.clone().map(|point| point.place.clone()).collect();
            let bridges = points.flat_map(|point| point.bridges.clone()).collect::<BTreeSet<_>>();
            let expires = pointer.as_ref().map(|pointer| pointer.expires);
            return Ok(InvitePreview {
                places,
                bridges: bridges.into_iter().collect(),
                replies: false,
                expires,
                pointer,
                source,
                from: None,
            });
        }
        let invite = parse(invite)?;
        let places: Vec<String> = invite.points.iter().map(ToString::to_string).collect();
        let (expires, asked) = (Some(times::time(invite.expires)), invite.clone());
        let read = self.driver.change(move |engine, _| engine.reads_for(&asked)).await?;
        if !read.is_empty() {
            let bridges = read.into_iter().map(|bridge| bridge.0).collect();
            return Ok(InvitePreview {
                places,
                bridges,
                replies: true,
                expires,
                pointer: None,
                source: None,
                from: None,
            });
        }
        let reaches = |bridge: &BridgeView| bridge.locators.iter().any(|locator| places.contains(locator));
        let bridges =
            self.driver.bridges().await?.into_iter().filter(reaches).map(|bridge| bridge.name).collect();
        Ok(InvitePreview {
            places,
            bridges,
            replies: false,
            expires,
            pointer: None,
            source: None,
            from: None,
        })
    }

    /// Accepts an invite, or knocks by a card, and waits for the other side's answer.
    pub(crate) async fn accept_invite(&self, request: Accept) -> Result<Accepted, ApiError> {
        if Greeting::is_one(&request.invite) {
            return self.accept_file(request).await;
        }
        let deadline = deadline(request.wait_ms);
        let events = self.driver.events();
        let alias = request.name;
        let invited = is_invite(&request.invite);
        let mut accepted_before = false;
        let id = if invited {
            let invite = parse(&request.invite)?;
            self.bridges_tried(READY).await;
            let id = ContactId(invite.key);
            let spaces =
                if invite.own.len() == invite.points.len() { invite.points.clone() } else { Vec::new() };
            accepted_before = self.driver.change(move |engine, _| engine.contact(&id)).await?
                == Some(ContactState::Pending);
            let accepted = self.driver.change(move |engine, now| engine.accept(now, &invite, alias)).await?;
            accepted.map_err(|error| words::command_of_reader(&error, &spaces, &self.registry))?
        } else {
            match self.knock_by_card(&request.invite, alias).await? {
                Knocked::At(id) => id,
                Knocked::Friend(account) => {
                    let friend = Some(self.driver.name_of(&account).await);
                    let account = Some(account.to_string());
                    return Ok(Accepted { state: AcceptState::Done, friend, account, reply: None });
                }
            }
        };
        self.answered(id, invited, accepted_before, events, deadline).await
    }

    /// What comes of an invite that was accepted, or of a knock, until then.
    pub(super) async fn answered(
        &self,
        id: ContactId,
        invited: bool,
        accepted_before: bool,
        mut events: Receiver<NodeEvent>,
        deadline: Instant,
    ) -> Result<Accepted, ApiError> {
        loop {
            if let Some(accepted) = outcome(&self.driver, id, invited).await? {
                wait_for_link(&self.driver, &accepted, deadline).await;
                return Ok(accepted);
            }
            let (reply, lies) =
                self.driver.change(move |engine, _| (engine.reply(&id), engine.is_joined(&id))).await?;
            let pending = Accepted {
                state: AcceptState::Pending,
                friend: None,
                account: None,
                reply: reply.as_ref().map(ToString::to_string),
            };
            // Nobody answers before the line was sent: that is told first, as soon as there is something to be found.
            if reply.is_some() && lies && !accepted_before {
                return Ok(pending);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return Ok(pending),
                _ = events.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Takes the line that somebody sent back who accepted an invite of ours, and waits for them.
    pub(crate) async fn complete(&self, request: Complete) -> Result<Accepted, ApiError> {
        let deadline = deadline(request.wait_ms);
        let mut events = self.driver.events();
        let reply: Reply = request.reply.parse().map_err(|error: wayside_proto::reply::ReplyError| {
            ApiError::new(ErrorCode::Invite, error.to_string())
        })?;
        self.bridges_tried(READY).await;
        let taken = reply.clone();
        let completed = self.driver.change(move |engine, now| engine.complete(now, &taken)).await?;
        let space: Vec<Locator> = match reply.joined() {
            Joined::Space(space) => vec![space.clone()],
            Joined::Message(_) | Joined::Carried(_) => Vec::new(),
        };
        let mut state =
            completed.map_err(|error| words::command_of_reader(&error, &space, &self.registry))?;
        loop {
            match state {
                ReplyState::Done(account) => {
                    let accepted = friends_with(&self.driver, account).await;
                    wait_for_link(&self.driver, &accepted, deadline).await;
                    return Ok(accepted);
                }
                ReplyState::Refused(why) => {
                    return Err(ApiError::new(ErrorCode::Invite, words::join_refused(why)));
                }
                ReplyState::Waiting => {}
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {
                    return Ok(Accepted { state: AcceptState::Pending, friend: None, account: None, reply: None });
                }
                _ = events.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            let looked_for = reply.clone();
            let now = self.driver.change(move |engine, _| engine.reply_state(&looked_for)).await?;
            let ended = "the invite has ended, and nobody was found where the reply leads: make a new one";
            state = now.ok_or_else(|| ApiError::new(ErrorCode::Invite, ended))?;
        }
    }
}

async fn friends_with(driver: &Driver, account: AccountId) -> Accepted {
    let friend = Some(driver.name_of(&account).await);
    Accepted { state: AcceptState::Done, friend, account: Some(account.to_string()), reply: None }
}

/// How an accepted invite or a knock ended, if it has.
pub(super) async fn outcome(
    driver: &Driver,
    id: ContactId,
    invited: bool,
) -> Result<Option<Accepted>, ApiError> {
    let state = driver
        .change(move |engine, _| match engine.contact(&id) {
            Some(ContactState::Done(account)) => {
                let name = engine.friend(&account).map(|friend| friend.name().to_owned());
                Ok(Some((account, name)))
            }
            other => Err(other),
        })
        .await?;
    let no = |message: &str| Err(ApiError::new(ErrorCode::Invite, message));
    match state {
        Ok(Some((account, name))) => {
            let accepted = Accepted {
                state: AcceptState::Done,
                friend: name,
                account: Some(account.to_string()),
                reply: None,
            };
            Ok(Some(accepted))
        }
        Err(Some(ContactState::Refused(why))) => no(words::refusal(why)),
        Err(Some(ContactState::Expired) | None) if invited => {
            no("the invite has expired and nobody answered: ask for a new one")
        }
        Err(Some(ContactState::Expired) | None) => {
            no("nobody has agreed, and the card or the knock has ended: fetch the card anew and knock again")
        }
        Err(Some(ContactState::Another)) => no(words::ANOTHER),
        _ => Ok(None),
    }
}

pub(super) async fn wait_for_link(driver: &Driver, accepted: &Accepted, deadline: Instant) {
    let until = deadline.min(Instant::now() + LINK);
    let account = accepted.account.as_deref().and_then(wayside_proto::crypto::keys::AccountId::parse);
    let Some(account) = account else { return };
    let mut changes = driver.links_changed();
    while driver.links().of(&account).is_none() {
        if tokio::time::timeout_at(until, changes.changed()).await.is_err() {
            return; // they are friends all the same, and meet when somebody wants it
        }
    }
}

/// Whether it is meant to be an invite. What else there is has another beginning.
fn is_invite(text: &str) -> bool {
    let begins = text.trim_start().get(..Invite::SCHEME.len());
    // Out of a QR code it comes in upper case.
    begins.is_some_and(|begins| begins.eq_ignore_ascii_case(Invite::SCHEME))
}

fn parse(text: &str) -> Result<Invite, ApiError> {
    text.parse().map_err(|error: wayside_proto::invite::InviteError| {
        ApiError::new(ErrorCode::Invite, error.to_string())
    })
}
