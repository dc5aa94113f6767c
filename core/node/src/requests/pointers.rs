//! Pointers: ours published, listed, withdrawn; others' fetched, and knocked by.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use wayside_bridge::BridgeError;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{CommandError, ContactId};
use wayside_proto::place::Locator;
use wayside_proto::pointer::{Pointer, PointerName};

use super::Requests;
use super::contacts::READY;
use crate::api::types::{
    ApiError, BridgeView, ErrorCode, FetchPointer, FoundPointer, PlacePointers, PlacedPointer, PointView,
    PointerView, PublishPointer, SourceView, WithdrawnPointer,
};
use crate::api::words;
use crate::pointers::{self, Choice, Found, PublishError, Source, SourceError, Wanted};
use crate::times;

/// What has come of a card.
pub(super) enum Knocked {
    /// Its owner is asked.
    At(ContactId),
    /// Its owner is a friend already.
    Friend(AccountId),
}

/// The most accounts that are named where several left a pointer under one name.
const MOST_NAMED: usize = 8;

impl Requests {
    /// Makes a pointer, or one in the place of another, and publishes it.
    pub(crate) async fn publish_pointer(&self, request: PublishPointer) -> Result<PointerView, ApiError> {
        let name = pointer_name(&request.name)?;
        self.bridges_tried(READY).await;
        let wanted = Wanted {
            name: name.clone(),
            points: request.bridges,
            place: request.place,
            file: request.file,
            lifetime: Duration::from_secs(request.lifetime_secs),
        };
        self.pointers.publish(wanted).await.map_err(|error| match error {
            PublishError::Command(error) => words::command(&error, &self.registry),
            PublishError::Api(error) => error,
        })?;
        let made = self.pointers().await?.into_iter().find(|view| view.name == name.as_str());
        made.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the pointer was withdrawn just now"))
    }

    /// Our pointers, by name.
    pub(crate) async fn pointers(&self) -> Result<Vec<PointerView>, ApiError> {
        let (pointers, knocks) = self
            .driver
            .look(|engine, _| {
                let mut knocks = BTreeMap::<PointerName, u64>::new();
                for knock in engine.waiting_knocks() {
                    *knocks.entry(knock.pointer).or_default() += 1;
                }
                (engine.pointers().cloned().collect::<Vec<_>>(), knocks)
            })
            .await?;
        let names = self.pointers.names();
        let view = |pointer: &Pointer| {
            let stored = names.get(pointer.name());
            let placed = stored.and_then(|stored| stored.placed.as_ref());
            PointerView {
                name: pointer.name().to_string(),
                card: pointer.to_string(),
                points: pointer.points().iter().map(ToString::to_string).collect(),
                expires: times::time(pointer.expires()),
                place: placed.map(|placed| placed.bridge.clone()),
                published: placed.is_some_and(|placed| placed.receipt.is_some()),
                file_expires: stored.and_then(|stored| stored.file_until).map(times::time),
                knocks: knocks.get(pointer.name()).copied().unwrap_or_default(),
            }
        };
        let mut views: Vec<PointerView> = pointers.iter().map(view).collect();
        views.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(views)
    }

    /// Withdraws a pointer: nobody is let in by it from now on.
    pub(crate) async fn withdraw_pointer(&self, name: &str) -> Result<WithdrawnPointer, ApiError> {
        let name = pointer_name(name)?;
        self.bridges_tried(READY).await;
        let left_at = self.pointers.withdraw(&name).await?.into_iter().collect();
        Ok(WithdrawnPointer { withdrawn: name.to_string(), left_at })
    }

    /// What lies at a bridge of ours under public names.
    pub(crate) async fn pointers_at(&self, bridge: &str) -> Result<PlacePointers, ApiError> {
        self.bridges_tried(READY).await;
        let listed = pointers::all_names(&self.driver, bridge).await?;
        let (now, me) = self.now_and_me().await?;
        let mut by_name = BTreeMap::<PointerName, Vec<Bytes>>::new();
        for (name, bytes) in listed.records {
            by_name.entry(name).or_default().push(bytes);
        }
        let mut pointers = Vec::new();
        for (name, records) in by_name {
            let of = |pointer: &Pointer, fault: Option<String>| PlacedPointer {
                name: name.to_string(),
                account: Some(pointer.account().to_string()),
                expires: Some(times::time(pointer.expires())),
                fault,
                own: pointer.account() == me,
            };
            let unreadable = |fault: String| PlacedPointer {
                name: name.to_string(),
                account: None,
                expires: None,
                fault: Some(fault),
                own: false,
            };
            match pointers::choose(&records, now, Some(&name), None) {
                Ok(Found { pointer, fault, .. }) => {
                    pointers.push(of(&pointer, fault.map(|fault| fault.to_string())));
                }
                Err(Choice::Several(several)) => pointers.extend(several.iter().map(|it| of(it, None))),
                Err(Choice::Unreadable(error)) => pointers.push(unreadable(error.to_string())),
                Err(Choice::Nothing) => {}
            }
        }
        let more = listed.more || pointers.len() > PlacePointers::MOST;
        pointers.truncate(PlacePointers::MOST);
        Ok(PlacePointers { pointers, more })
    }

    /// Fetches somebody's pointer.
    pub(crate) async fn fetch_pointer(&self, request: FetchPointer) -> Result<FoundPointer, ApiError> {
        let source = self.source(&request.source).await?;
        let account = match &request.account {
            None => None,
            Some(text) => Some(AccountId::parse(text).ok_or_else(|| {
                ApiError::new(ErrorCode::Usage, "an account is 52 characters of a-z and 2-7: copy all of it")
            })?),
        };
        let (records, name) = match source {
            Source::Card(text) => (vec![Bytes::from(text)], None),
            Source::Bridge { bridge, name } => {
                self.bridges_tried(READY).await;
                let open = pointers::bridge(&self.driver, &bridge).await?;
                let records = pointers::records_of(&open, &name).await;
                (records.map_err(|error| of_service(&bridge, &error))?, Some(name))
            }
            Source::Service { at, .. } if !request.contact => {
                let message = format!(
                    "{at} is none of your bridges, and is contacted only where you say so (`contact`)"
                );
                return Err(ApiError::new(ErrorCode::Usage, message));
            }
            Source::Service { kind, options, at, name } => {
                let clock = *self.driver.clock();
                let records = pointers::fetch_from(&self.registry, clock, &kind, &options, &name).await;
                (records.map_err(|error| of_service(&at, &error))?, Some(name))
            }
        };
        let (now, _) = self.now_and_me().await?;
        match pointers::choose(&records, now, name.as_ref(), account) {
            Ok(found) => self.found(found).await,
            Err(choice) => Err(not_found(&choice, name.as_ref())),
        }
    }

    /// What a card says, or where one would be fetched from. Contacts nothing.
    pub(super) async fn look_at_source(
        &self,
        text: &str,
    ) -> Result<(Option<FoundPointer>, Option<SourceView>), ApiError> {
        let source = self.source(text).await?;
        let view =
            |name: PointerName, bridge, contacts| SourceView { name: name.to_string(), bridge, contacts };
        match source {
            Source::Card(source) => {
                let card = FetchPointer { source, contact: false, account: None };
                Ok((Some(Box::pin(self.fetch_pointer(card)).await?), None))
            }
            Source::Bridge { bridge, name } => Ok((None, Some(view(name, Some(bridge), None)))),
            Source::Service { at, name, .. } => Ok((None, Some(view(name, None, Some(at))))),
        }
    }

    /// Knocks by a card that is at hand; whose owner is a friend already is not knocked at again.
    pub(super) async fn knock_by_card(&self, text: &str, alias: Option<String>) -> Result<Knocked, ApiError> {
        let Source::Card(text) = self.source(text).await? else {
            let message = "fetch the card first, and accept what it says: nothing is contacted by itself";
            return Err(ApiError::new(ErrorCode::Usage, message));
        };
        let pointer = Pointer::read(text.as_bytes())
            .map_err(|error| words::command(&CommandError::Pointer(error), &self.registry))?;
        self.bridges_tried(READY).await;
        let account = pointer.account();
        let knocked = self.driver.change(move |engine, now| engine.knock_by_pointer(now, &pointer, alias));
        match knocked.await? {
            Ok(id) => {
                self.pointers.met_by_card(account).await?;
                Ok(Knocked::At(id))
            }
            Err(CommandError::AlreadyFriend(_)) => Ok(Knocked::Friend(account)),
            Err(error) => Err(words::command(&error, &self.registry)),
        }
    }

    async fn source(&self, text: &str) -> Result<Source, ApiError> {
        let bridges = self.driver.bridges().await?;
        let names: Vec<String> = bridges.into_iter().map(|bridge| bridge.name).collect();
        Source::parse(text, &names, &self.registry).map_err(|error| {
            let code = match error {
                SourceError::NoSource => ErrorCode::Invite,
                SourceError::Name | SourceError::Unknown(_) | SourceError::Refused(_) => ErrorCode::Usage,
            };
            ApiError::new(code, error.to_string())
        })
    }

    async fn found(&self, found: Found) -> Result<FoundPointer, ApiError> {
        let Found { pointer, fault, skipped } = found;
        self.bridges_tried(super::GLANCE).await;
        let bridges = self.driver.bridges().await?;
        let account = pointer.account();
        let (friend, me) = self
            .driver
            .look(move |engine, _| {
                (engine.friend(&account).map(|friend| friend.name().to_owned()), engine.account())
            })
            .await?;
        Ok(FoundPointer {
            name: pointer.name().to_string(),
            account: account.to_string(),
            card: pointer.to_string(),
            points: pointer.points().iter().map(|point| self.point(point, &bridges)).collect(),
            expires: times::time(pointer.expires()),
            fault: fault.map(|fault| fault.to_string()),
            friend,
            own: account == me,
            skipped,
        })
    }

    fn point(&self, point: &Locator, bridges: &[BridgeView]) -> PointView {
        let place = point.to_string();
        let reach = bridges.iter().filter(|bridge| bridge.locators.contains(&place));
        let bridges: Vec<String> = reach.map(|bridge| bridge.name.clone()).collect();
        let add = if bridges.is_empty() { words::add_command(point, &self.registry) } else { None };
        PointView { place, bridges, add }
    }

    async fn now_and_me(&self) -> Result<(UnixMillis, AccountId), ApiError> {
        self.driver.look(|engine, now| (engine.time(now), engine.account())).await
    }
}

fn pointer_name(name: &str) -> Result<PointerName, ApiError> {
    PointerName::new(name).ok_or_else(|| {
        let message = "a pointer's name has 1 to 64 of a-z, 0-9, - _ . and does not begin with . or -";
        ApiError::new(ErrorCode::Usage, message)
    })
}

fn of_service(at: &str, error: &BridgeError) -> ApiError {
    ApiError::new(ErrorCode::Bridge, format!("{at}: {}", error.message()))
}

fn not_found(choice: &Choice, name: Option<&PointerName>) -> ApiError {
    let under = name.map(|name| format!(" under the name {name}")).unwrap_or_default();
    match choice {
        Choice::Nothing => ApiError::new(
            ErrorCode::NotFound,
            format!("there is no card{under} there: compare the name with its owner"),
        ),
        Choice::Unreadable(error) => {
            ApiError::new(ErrorCode::Invite, format!("what lies there{under} is of no use: {error}"))
        }
        Choice::Several(several) => {
            let named = several.iter().take(MOST_NAMED);
            let named: Vec<String> =
                named.map(|it| format!("{} (until {})", it.account(), times::time(it.expires()))).collect();
            let more = several.len().saturating_sub(MOST_NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let message = format!(
                "{} accounts have left a card{under}: ask its owner which account is theirs and choose it (`--account`): {}{more}",
                several.len(),
                named.join(", ")
            );
            ApiError::new(ErrorCode::Usage, message)
        }
    }
}
