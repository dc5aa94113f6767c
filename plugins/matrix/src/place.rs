//! The room as we have it: one for all handles of one folder, since the keys of a device can be used by one program at a time.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use matrix_sdk::ruma::{OwnedRoomId, RoomAliasId, RoomId};
use matrix_sdk::{Room, RoomState};
use tokio::sync::{Notify, OwnedMutexGuard, watch};
use wayside_bridge::{BridgeContext, Locator};

use crate::account::Account;
use crate::chat::Chat;
use crate::error::{MatrixError, said};
use crate::folder::Folder;
use crate::log::Log;
use crate::options::Settings;
use crate::pending::Pending;
use crate::sdk;
use crate::sync;

/// How often in a row a room may have been upgraded.
const MOST_UPGRADES: usize = 8;

/// A room, and what was found in it.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) account: Account,
    pub(crate) context: BridgeContext,
    pub(crate) log: Mutex<Log>,
    /// Whether the room was looked through since this began; held by whoever looks.
    pub(crate) looked: tokio::sync::Mutex<bool>,
    pub(crate) pending: Pending,
    pub(crate) chat: Chat,
    /// Wakes those who watch.
    pub(crate) news: watch::Sender<Option<MatrixError>>,
    /// Wakes who waits until the homeserver is tried again.
    pub(crate) retry: Arc<Notify>,
    room: Mutex<OwnedRoomId>,
    /// Dropped with this, which ends the task that listens.
    _alive: watch::Sender<()>,
}

/// The places that are open in this process, by folder.
static OPEN: Mutex<Option<HashMap<PathBuf, Arc<Slot>>>> = Mutex::new(None);

/// One folder's place.
#[derive(Default)]
struct Slot {
    current: tokio::sync::Mutex<Weak<Place>>,
    /// Held until the last place has let go of the folder.
    used: Arc<tokio::sync::Mutex<()>>,
}

impl Place {
    /// Opens the room, or joins in with who has it open in this process.
    pub(crate) async fn open(settings: Settings, context: BridgeContext) -> Result<Arc<Self>, MatrixError> {
        let Some(path) = context.state_dir.clone() else {
            return Self::begin(settings, None, context, None).await;
        };
        let slot = {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            let open = open.get_or_insert_default();
            open.retain(|other, slot| *other == path || Arc::strong_count(slot) > 1 || is_held(slot));
            Arc::clone(open.entry(path.clone()).or_default())
        };
        let mut current = slot.current.lock().await;
        if let Some(place) = current.upgrade().filter(|place| place.settings == settings) {
            place.retry.notify_one();
            return Ok(place);
        }
        let used = Arc::clone(&slot.used).lock_owned().await;
        let folder = Folder::take(&path)?;
        let place = Self::begin(settings, Some(folder), context, Some(used)).await?;
        *current = Arc::downgrade(&place);
        Ok(place)
    }

    async fn begin(
        settings: Settings,
        folder: Option<Folder>,
        context: BridgeContext,
        used: Option<OwnedMutexGuard<()>>,
    ) -> Result<Arc<Self>, MatrixError> {
        let account = Account::open(&settings, folder, &context).await?;
        let room = match enter(&settings, &account).await {
            Ok(room) => room,
            Err(error) => {
                sync::leave(&account.client, account.passing).await;
                return Err(error);
            }
        };
        let (alive, closing) = watch::channel(());
        let place = Arc::new(Self {
            chat: Chat::new(account.kept.as_ref().map(|(folder, _)| folder.clone())),
            log: Mutex::new(Log::new(context.entropy.as_ref())),
            looked: tokio::sync::Mutex::new(false),
            pending: Pending::default(),
            news: watch::Sender::new(None),
            retry: Arc::new(Notify::new()),
            room: Mutex::new(room),
            _alive: alive,
            settings,
            account,
            context,
        });
        let listening = sync::listen(Arc::downgrade(&place), place.account.client.clone(), closing, used);
        place.context.spawner.spawn(Box::pin(listening));
        Ok(place)
    }

    /// The room's id now.
    pub(crate) fn room_id(&self) -> OwnedRoomId {
        self.room.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The room now, as the library has it.
    pub(crate) fn room(&self) -> Result<Room, MatrixError> {
        let room = self.account.client.get_room(&self.room_id());
        room.ok_or_else(|| MatrixError::NoRoom { room: self.called() })
    }

    /// What people call the room.
    pub(crate) fn called(&self) -> String {
        self.settings.room.to_string()
    }

    /// The names of the place, the id first: an alias may come to mean another room.
    pub(crate) fn locators(&self) -> Vec<Locator> {
        let id = self.room_id();
        let alias = RoomAliasId::parse(self.settings.room.as_str()).ok();
        let names = std::iter::once(id.to_string()).chain(alias.map(|alias| alias.to_string()));
        names.filter_map(|name| Locator::new(crate::KIND, &name)).collect()
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All who watch look again.
    pub(crate) fn wake(&self) {
        self.news.send_modify(|_| {});
    }

    /// What stands in the way, or no longer does.
    pub(crate) fn health(&self, health: Option<MatrixError>) {
        self.news.send_if_modified(|current| {
            let changed = *current != health;
            *current = health;
            changed
        });
    }

    /// What a refusal comes from, where we heard that we are not in the room any more.
    pub(crate) fn explained(&self, error: MatrixError) -> MatrixError {
        let is_refusal = matches!(error, MatrixError::Forbidden { .. } | MatrixError::Removed { .. });
        let known = self.news.borrow().clone().filter(|known| {
            matches!(
                known,
                MatrixError::Removed { .. } | MatrixError::Banned { .. } | MatrixError::Upgraded { .. }
            )
        });
        known.filter(|_| is_refusal).unwrap_or(error)
    }

    /// The room goes on under another id.
    pub(crate) async fn follow(&self, successor: &str) -> Result<(), MatrixError> {
        let room = move_on(&self.settings, &self.account, successor).await?;
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
        *self.looked.lock().await = false;
        // Ours are left anew where they are found.
        self.log().forget_all_of(self.account.own.as_str());
        self.wake();
        Ok(())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("account", &self.account)
            .field("room", &self.room_id())
            .finish_non_exhaustive()
    }
}

fn is_held(slot: &Slot) -> bool {
    slot.used.try_lock().is_err()
        || slot.current.try_lock().map_or(true, |current| current.strong_count() > 0)
}

/// Finds the room, and joins it where we never were in it.
async fn enter(settings: &Settings, account: &Account) -> Result<OwnedRoomId, MatrixError> {
    let client = &account.client;
    let called = settings.room.to_string();
    let known = account.kept.as_ref().and_then(|(_, session)| session.room.clone());
    let known = known.filter(|(name, _)| *name == called).and_then(|(_, id)| RoomId::parse(id).ok());
    let mut room = match (RoomId::parse(&called), RoomAliasId::parse(&called)) {
        (_, Ok(alias)) => match account.read(client.resolve_room_alias(&alias).await, &called) {
            Ok(answer) => answer.room_id,
            // Its server may be away, or the alias be gone, while the room is still there.
            Err(error) => known.clone().ok_or(error)?,
        },
        (Ok(id), Err(_)) => known.clone().unwrap_or(id),
        (Err(_), Err(_)) => return Err(MatrixError::NoRoom { room: called }),
    };
    let began = sdk::sync_once(client, sync::settings(&[room.clone()], std::time::Duration::ZERO)).await;
    account.done(began, &called)?;
    let state = client.get_room(&room).map(|room| room.state());
    let was_in_it = known.as_ref() == Some(&room);
    match state {
        Some(RoomState::Joined) => {}
        Some(RoomState::Banned) => return Err(MatrixError::Banned { room: called, said: said("") }),
        Some(RoomState::Left) if was_in_it => {
            return Err(MatrixError::Removed { room: called, said: said("") });
        }
        _ => {
            let joined = sdk::join(client, &settings.room, &[]).await;
            let joined = account.done(joined, &called).map_err(|error| match error {
                MatrixError::Forbidden { room, said } => MatrixError::NotInvited { room, said },
                other => other,
            })?;
            room = joined.room_id().to_owned();
        }
    }
    keep(account, &called, &room)?;
    for _ in 0..MOST_UPGRADES {
        let Some(successor) = client.get_room(&room).and_then(|room| room.successor_room()) else { break };
        room = move_on(settings, account, successor.room_id.as_str()).await?;
    }
    Ok(room)
}

/// Joins the room in which this one goes on.
async fn move_on(
    settings: &Settings,
    account: &Account,
    successor: &str,
) -> Result<OwnedRoomId, MatrixError> {
    let called = settings.room.to_string();
    let id = RoomId::parse(successor)
        .map_err(|_| MatrixError::Garbled("a room's successor is none".to_owned()))?;
    let via: Vec<_> = id.server_name().map(ToOwned::to_owned).into_iter().collect();
    let joined = sdk::join(&account.client, (&*id).into(), &via).await;
    let joined = account.done(joined, &called).map_err(|error| match error {
        MatrixError::Forbidden { room, said } => MatrixError::Upgraded { room, said },
        MatrixError::NoRoom { room } => MatrixError::Upgraded { room, said: "we cannot find it".to_owned() },
        other => other,
    })?;
    keep(account, &called, joined.room_id())?;
    Ok(joined.room_id().to_owned())
}

fn keep(account: &Account, called: &str, room: &RoomId) -> Result<(), MatrixError> {
    let Some((folder, session)) = &account.kept else { return Ok(()) };
    let mut session = session.clone();
    session.room = Some((called.to_owned(), room.to_string()));
    folder.keep_session(&session)
}
