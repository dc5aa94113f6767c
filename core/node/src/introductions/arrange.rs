//! What follows once both have consented, without asking anybody again: an invite is made or accepted, by a bridge that both have.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::{
    BridgeName, CommandError, ContactState, Friend, Grant, IntroducedError, InviteOptions,
};
use wayside_proto::introduction::{LIFETIME, Places, RequestId, Standing, Stranger};
use wayside_proto::invite::Invite;
use wayside_proto::place::Locator;

use super::Introductions;
use crate::api::types::{AddBridge, ApiError, BridgeView, NodeEvent};
use crate::boards;
use crate::driver::{Driver, Want};
use crate::requests::Requests;

/// How often it is looked at where nothing says that something has changed: what has expired goes, and bridges may have come up.
const LOOK: Duration = Duration::from_secs(60);
/// How long to wait where the disk takes nothing.
const AGAIN: Duration = Duration::from_secs(5);

impl Introductions {
    /// Keeps introductions going for as long as the node runs.
    pub(crate) async fn keep(self, requests: Requests) {
        let (mut changes, mut events) = (self.changes(), self.0.driver.events());
        let mut friends = self.0.driver.friends_changed();
        let mut ready = self.0.driver.ready();
        let mut wanted = BTreeMap::new();
        loop {
            changes.borrow_and_update();
            friends.borrow_and_update();
            ready.borrow_and_update();
            if let Err(error) = self.run(&requests, &mut wanted).await {
                tracing::debug!(%error, "introductions wait");
                tokio::time::sleep(AGAIN).await;
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = friends.changed() => {}
                _ = ready.changed() => {}
                () = something(&mut events) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn run(&self, requests: &Requests, wanted: &mut BTreeMap<AccountId, Want>) -> Result<(), ApiError> {
        self.tidy().await?;
        self.lodge(requests).await?;
        self.invite().await?;
        self.accept().await?;
        self.follow_up().await?;
        self.want(wanted).await
    }

    /// Forgets what is over, and ends what has come to a friendship.
    async fn tidy(&self) -> Result<(), ApiError> {
        let driver = &self.0.driver;
        let friends = driver.look(|engine, now| {
            let friends = engine.friends().map(|friend| (friend.account(), friend.blocked()));
            let hosted = engine.friends().filter(|friend| friend.allows(Grant::Meet)).map(Friend::account);
            (engine.time(now), friends.collect::<BTreeMap<_, _>>(), hosted.collect())
        });
        let (now, friends, hosted) = friends.await?;
        // What is not up yet is not gone.
        let places = if *driver.ready().borrow() { Some(places(&driver.bridges().await?)) } else { None };
        let befriended: Vec<_> = {
            let books = self.look().await;
            let met = books.introduced.iter().filter(|(_, it)| friends.contains_key(&it.account()));
            met.map(|(id, it)| (id, it.account(), it.alias().map(str::to_owned))).collect()
        };
        for (_, account, alias) in befriended.clone() {
            if let Some(alias) = alias {
                // Taken by somebody else: then it keeps the name that it has.
                let _ = driver.change(move |engine, now| engine.rename(now, &account, Some(alias))).await?;
            }
        }
        let moved = self.change(move |books| {
            let heard = |account: &AccountId| friends.get(account) == Some(&false);
            books.introducer.expire(now);
            books.introducer.keep_those_of(heard);
            books.introduced.expire(now);
            books.introduced.keep_those_of(heard);
            for (id, ..) in &befriended {
                books.introduced.end(id);
            }
            let hosts = books.introducer.set_hosted(hosted);
            places.is_some_and(|places| books.introduced.set_places(places)) || hosts
        });
        if moved.await? {
            self.0.changed.send_replace(());
        }
        Ok(())
    }

    /// Where two who consented have no place in common, and their friend lets both meet at its own, a bridge there is added. Without a link with the friend
    /// that is tried later.
    async fn lodge(&self, requests: &Requests) -> Result<(), ApiError> {
        let driver = &self.0.driver;
        let apart: Vec<Stranger> = {
            let books = self.look().await;
            let apart = |it: &Stranger| books.introduced.standing(it) == Standing::Apart && it.hosted();
            books.introduced.iter().map(|(_, it)| it).filter(|it| apart(it)).cloned().collect()
        };
        for stranger in apart {
            let by = stranger.by();
            let place = Locator::new(boards::KIND, &by.to_string()).map(|place| place.to_string());
            let there = |bridge: &BridgeView| {
                let option = bridge.locators.iter().any(|locator| Some(locator) == place.as_ref());
                bridge.kind == boards::KIND && option
            };
            let granted = driver
                .look(move |engine, _| engine.friend(&by).is_some_and(|friend| friend.granted(Grant::Meet)));
            let linked = driver.links().of(&by).is_some();
            if !granted.await? || !linked || driver.bridges().await?.iter().any(there) {
                continue;
            }
            let options = [(boards::FRIEND.to_owned(), by.to_string())].into();
            let bridge = AddBridge { kind: boards::KIND.to_owned(), options, ..AddBridge::default() };
            match requests.add_bridge(bridge).await {
                Ok(bridge) => {
                    let (name, host) = (&stranger.card().roster().name, driver.name_of(&by).await);
                    let what = format!(
                        "the bridge `{}` was added: you meet {name} at {host}'s, since you have no other bridge in common",
                        bridge.name
                    );
                    driver.tell(NodeEvent::Warning { what });
                }
                Err(error) => tracing::debug!(%error, "no bridge to a friend who introduces could be added"),
            }
        }
        Ok(())
    }

    /// Makes the invites that are ours to make.
    async fn invite(&self) -> Result<(), ApiError> {
        let waiting: Vec<(RequestId, Stranger)> =
            self.look().await.introduced.to_invite().map(|(id, it)| (id, it.clone())).collect();
        for (id, stranger) in waiting {
            let Some((device, theirs)) = stranger.theirs() else { continue };
            let common = common(&self.0.driver.bridges().await?, theirs);
            if let Some(sealed) = seal(&self.0.driver, &stranger, device, common).await? {
                let own = self.0.driver.look(|engine, _| engine.device().id()).await?;
                self.change(move |books| books.introduced.invited(&id, own, sealed)).await?;
            }
        }
        Ok(())
    }

    /// Accepts the invites that came.
    async fn accept(&self) -> Result<(), ApiError> {
        let came: Vec<(RequestId, Stranger, DeviceId, Vec<u8>)> = {
            let books = self.look().await;
            let came = books.introduced.to_accept();
            came.map(|(id, it, device, sealed)| (id, it.clone(), device, sealed.to_vec())).collect()
        };
        for (id, stranger, device, sealed) in came {
            let driver = &self.0.driver;
            let accepted = driver.change(move |engine, now| {
                let introduction = stranger.introduction();
                let from = (stranger.card(), &device);
                let mut accept = |alias| engine.accept_introduced(now, &introduction, from, &sealed, alias);
                match accept(stranger.alias().map(str::to_owned)) {
                    Err(IntroducedError::Command(CommandError::Name(_))) => accept(None),
                    other => other,
                }
            });
            match accepted.await? {
                Ok(contact) => self.change(move |books| books.introduced.accepted(&id, contact.0)).await?,
                Err(IntroducedError::Command(CommandError::NoBridge { .. } | CommandError::TooMany(_))) => {
                    // Until there is a bridge again, or room.
                }
                Err(error) => {
                    let what = format!("an invite that a friend passed on was dropped: {error}");
                    driver.tell(NodeEvent::Warning { what });
                    self.change(move |books| books.introduced.discard(&id)).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends those whose invite came to nothing.
    async fn follow_up(&self) -> Result<(), ApiError> {
        let contacts: Vec<_> = {
            let books = self.look().await;
            books.introduced.iter().filter_map(|(id, it)| Some((id, it.contact()?))).collect()
        };
        for (id, contact) in contacts {
            let state = self
                .0
                .driver
                .look(move |engine, _| engine.contact(&wayside_proto::engine::ContactId(contact)));
            match state.await? {
                Some(ContactState::Pending | ContactState::Done(_)) => {}
                None | Some(ContactState::Refused(_) | ContactState::Expired | ContactState::Another) => {
                    self.change(move |books| books.introduced.end(&id)).await?;
                }
            }
        }
        Ok(())
    }

    /// Wants those to whom something is to be said.
    async fn want(&self, wanted: &mut BTreeMap<AccountId, Want>) -> Result<(), ApiError> {
        let now = self.time().await?;
        let listeners: Vec<AccountId> = {
            let books = self.look().await;
            let ends = books.introducer.iter().flat_map(|it| it.ends().each_ref().map(|end| end.account()));
            let guests = ends.filter(|account| books.introducer.due(now, account).next().is_some());
            let by = books.introduced.iter().map(|(_, it)| it.by());
            let introducers = by.filter(|account| books.introduced.due(now, account).next().is_some());
            guests.chain(introducers).collect()
        };
        wanted.retain(|account, _| listeners.contains(account));
        for account in listeners {
            wanted.entry(account).or_insert_with(|| self.0.driver.want(account));
        }
        Ok(())
    }
}

/// Waits for something that may let an introduction come further.
async fn something(events: &mut Receiver<NodeEvent>) {
    loop {
        match events.recv().await {
            Ok(
                NodeEvent::FriendAdded { .. } | NodeEvent::BridgeUp { .. } | NodeEvent::InviteRefused { .. },
            )
            | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// The places that bridges reach.
fn places(bridges: &[BridgeView]) -> Places {
    let locators = bridges.iter().flat_map(|bridge| &bridge.locators);
    Places::new(locators.filter_map(|locator| Locator::parse(locator)))
}

/// The bridges that reach any of these places.
fn common(bridges: &[BridgeView], places: &Places) -> Vec<BridgeName> {
    let reaches = |bridge: &&BridgeView| {
        let mut locators = bridge.locators.iter().filter_map(|locator| Locator::parse(locator));
        locators.any(|locator| places.contains(&locator))
    };
    bridges.iter().filter(reaches).map(|bridge| BridgeName(bridge.name.clone())).collect()
}

/// An invite over those of these bridges that can carry it, sealed; none where none can.
async fn seal(
    driver: &Driver,
    stranger: &Stranger,
    device: DeviceId,
    mut bridges: Vec<BridgeName>,
) -> Result<Option<Vec<u8>>, ApiError> {
    while !bridges.is_empty() {
        let some = bridges.iter().take(Invite::MOST_POINTS).cloned().collect();
        let options = InviteOptions { bridges: some, lifetime: LIFETIME, ..InviteOptions::default() };
        let stranger = stranger.clone();
        let made = driver.change(move |engine, now| {
            engine.invite_introduced(now, &stranger.introduction(), (stranger.card(), &device), options)
        });
        match made.await? {
            Ok(sealed) => return Ok(Some(sealed)),
            // One that is not up, or carries no invites.
            Err(CommandError::Bridge(name)) => bridges.retain(|bridge| *bridge != name),
            Err(error) => {
                tracing::debug!(%error, "no invite could be made for somebody who was introduced");
                return Ok(None);
            }
        }
    }
    Ok(None)
}
