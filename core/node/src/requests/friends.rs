//! Friends: listed, changed, pinged, explained.

use std::collections::BTreeSet;

use wayside_proto::Now;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{CommandError, Engine, Friend, Grant, Step};
use wayside_proto::identity::comparison;

use super::Requests;
use crate::api::types::{
    ApiError, ChangeFriend, Comparison, ErrorCode, Explanation, FriendView, LinkState, StepView, Transport,
};
use crate::api::words;
use crate::driver::Driver;
use crate::links::LiveLink;
use crate::links::card::{GRANTS, grant};
use crate::mail;
use crate::times;

impl Requests {
    /// All friends, by name.
    pub(crate) async fn friends(&self) -> Result<Vec<FriendView>, ApiError> {
        let (driver, by_card) = (self.driver.clone(), self.pointers.by_card());
        let views = self.driver.look(move |engine, _| {
            engine.friends().map(|friend| view(&driver, engine, friend, &by_card)).collect::<Vec<_>>()
        });
        let mut views = views.await?;
        views.sort_by_cached_key(|view| (view.name.to_lowercase(), view.account.clone()));
        Ok(views)
    }

    /// One friend.
    pub(crate) async fn friend(&self, friend: String) -> Result<FriendView, ApiError> {
        let account = self.find(friend).await?;
        self.view_of(account).await
    }

    /// Changes what a friend is called, may do, is given.
    pub(crate) async fn change_friend(
        &self,
        friend: String,
        request: ChangeFriend,
    ) -> Result<FriendView, ApiError> {
        let account = self.find(friend).await?;
        let grants =
            |words: &[String]| words.iter().map(|word| known_grant(word)).collect::<Result<Vec<_>, _>>();
        let (allow, deny) = (grants(&request.allow)?, grants(&request.deny)?);
        let unblocked = request.blocked == Some(false);
        let changed = self
            .driver
            .change(move |engine, now| apply(engine, now, &account, request, &allow, &deny))
            .await?;
        changed.map_err(|error| words::command(&error, &self.registry))?;
        if unblocked {
            // Who was wanted meanwhile is wanted still.
            self.driver.friend_is_back(account).await;
        }
        self.driver.grants_may_have_changed();
        self.driver.friends_have_changed().await;
        self.view_of(account).await
    }

    /// Removes a friend, and what waits for it.
    pub(crate) async fn remove_friend(&self, friend: String) -> Result<(), ApiError> {
        let account = self.find(friend).await?;
        let driver = &self.driver;
        let removed = driver.change(move |engine, now| engine.remove(now, &account)).await?;
        removed.map_err(|error| words::command(&error, &self.registry))?;
        let friends = driver.look(|engine, _| engine.friends().map(Friend::account).collect()).await?;
        let now = driver.clock().wall();
        let given_up = driver.store().run(move |store| {
            store.keep_steps_of(&friends)?;
            store.keep_mail_of(&friends, now)
        });
        mail::settle_given_up(driver, given_up.await?);
        driver.mail().forget(&account);
        self.pointers.forget(account).await?;
        driver.want_recipients().await?;
        driver.friends_have_changed().await;
        Ok(())
    }

    /// What is compared with a friend, by another way, to know that nobody sits in between.
    pub(crate) async fn comparison(&self, friend: String) -> Result<Comparison, ApiError> {
        let account = self.find(friend).await?;
        let me = self.driver.look(|engine, _| engine.account()).await?;
        let view = self.view_of(account).await?;
        let comparison = comparison(&me, &account).to_string();
        Ok(Comparison { friend: view.name, account: view.account, comparison, verified: view.verified })
    }

    /// Why the path to a friend is what it is.
    pub(crate) async fn explain(&self, friend: String) -> Result<Explanation, ApiError> {
        let account = self.find(friend).await?;
        let view = self.view_of(account).await?;
        let steps = self.driver.look(move |engine, _| engine.explain(&account)).await?;
        let steps = self.driver.store().run(move |store| store.steps(&account, steps)).await?;
        let because = because(&view, self.driver.links().of(&account).as_ref(), steps.is_empty());
        let shown = |step: Step| StepView {
            at: times::time(step.at),
            ms: u64::try_from(step.mono.as_millis()).unwrap_or(u64::MAX),
            kind: step.kind.word().to_owned(),
            what: step.what,
        };
        let steps = steps.into_iter().map(shown).collect();
        Ok(Explanation { friend: view.name, path: view.path, relay: view.relay, because, steps })
    }

    async fn view_of(&self, account: AccountId) -> Result<FriendView, ApiError> {
        let (driver, by_card) = (self.driver.clone(), self.pointers.by_card());
        let view = self
            .driver
            .look(move |engine, _| {
                engine.friend(&account).map(|friend| view(&driver, engine, friend, &by_card))
            })
            .await?;
        view.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "this friend was removed just now"))
    }
}

fn apply(
    engine: &mut Engine,
    now: Now,
    account: &AccountId,
    change: ChangeFriend,
    allow: &[Grant],
    deny: &[Grant],
) -> Result<(), CommandError> {
    if let Some(name) = change.rename {
        engine.rename(now, account, Some(name))?;
    }
    match change.blocked {
        Some(true) => engine.block(now, account)?,
        Some(false) => engine.unblock(now, account)?,
        None => {}
    }
    for grant in allow {
        engine.allow(now, account, *grant, true)?;
    }
    for grant in deny {
        engine.allow(now, account, *grant, false)?;
    }
    if let Some(same) = change.verified {
        engine.set_verified(now, account, same)?;
    }
    Ok(())
}

fn known_grant(word: &str) -> Result<Grant, ApiError> {
    grant(word).ok_or_else(|| {
        ApiError::new(
            ErrorCode::Usage,
            format!("`{word}` cannot be allowed: it is relay, mailbox, reflect or meet"),
        )
    })
}

fn view(driver: &Driver, engine: &Engine, friend: &Friend, by_card: &BTreeSet<AccountId>) -> FriendView {
    let live = driver.links().of(&friend.account());
    let relay = live.as_ref().and_then(|live| live.relay(driver.relays()));
    let name = |account: AccountId| {
        engine.friend(&account).map_or_else(|| account.to_string(), |friend| friend.name().to_owned())
    };
    let words = |has: &dyn Fn(Grant) -> bool| -> Vec<String> {
        GRANTS.iter().filter(|(grant, _)| has(*grant)).map(|(_, word)| (*word).to_owned()).collect()
    };
    FriendView {
        name: friend.name().to_owned(),
        account: friend.account().to_string(),
        devices: friend.card().roster().devices.iter().map(|device| device.keys.id().to_string()).collect(),
        link: if live.is_some() { LinkState::Up } else { LinkState::Down },
        path: live.as_ref().map(LiveLink::path),
        transport: live.as_ref().and_then(LiveLink::transport),
        remote: live.as_ref().and_then(LiveLink::remote),
        relay: relay.map(name),
        rtt_ms: live.as_ref().and_then(LiveLink::rtt_ms),
        allows: words(&|grant| friend.allows(grant)),
        granted: words(&|grant| friend.granted(grant)),
        mailboxes: mail::mailboxes_of(friend),
        blocked: friend.blocked(),
        verified: friend.verified(),
        by_card: by_card.contains(&friend.account()),
    }
}

fn because(view: &FriendView, live: Option<&LiveLink>, never_met: bool) -> String {
    match (live, view.blocked, never_met) {
        (Some(live), ..) => match (live.remote(), live.transport()) {
            (Some(remote), Some(Transport::Tcp)) => format!(
                "the link is direct, by TCP to {remote}: one of the addresses that were exchanged answered, and none over UDP is better"
            ),
            (Some(remote), _) => {
                format!("the link is direct, to {remote}: one of the addresses that were exchanged answered")
            }
            (None, _) => format!(
                "the link is relayed by {}: no direct way was found so far, and one is looked for on",
                view.relay.as_deref().unwrap_or("a friend")
            ),
        },
        (None, true, _) => "there is no link: this friend is blocked".to_owned(),
        (None, false, true) => "there is no link: nobody has wanted one yet".to_owned(),
        (None, false, false) => {
            "there is no link right now: the steps tell how far the last meeting got".to_owned()
        }
    }
}
