//! Writing into a folder of files: one parcel of our own, and our name on the roll.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use wayside_bridge::file::{self, Found};
use wayside_bridge::{BridgeContext, Clock, Key, Spawner};

use crate::error::WebError;
use crate::me::Me;
use crate::parcel::{self, MOST_WRITERS, Parcel, ROLL, Roll, Sizes, WriterId};
use crate::queue::{Change, Changes, Writer};
use crate::store::{Over, Read, Store};
use crate::ticket::Ticket;
use crate::validator::Validator;
use crate::view::card_file;

/// How often somebody else may come first.
const TRIES: usize = 6;
/// When to look whether our name is still on the roll: a server that compares nothing lets two who come at once undo each other.
const LOOK_AGAIN: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(10)];
/// A writer who left nothing for so long is not looked for any more.
const GONE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Writes into a folder.
pub(crate) struct Folder {
    store: Arc<dyn Store>,
    me: Me,
    clock: Arc<dyn Clock>,
    spawner: Arc<dyn Spawner>,
    ourselves: Weak<Self>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parcels: BTreeMap<WriterId, Known>,
    /// Whether our name is on the roll, as far as we know.
    listed: bool,
}

/// A parcel as we read or wrote it last.
#[derive(Default)]
struct Known {
    parcel: Parcel,
    validator: Option<Validator>,
    sizes: Sizes,
}

impl Folder {
    pub(crate) fn new(store: Arc<dyn Store>, me: Me, context: &BridgeContext) -> Arc<Self> {
        let (clock, spawner) = (Arc::clone(&context.clock), Arc::clone(&context.spawner));
        Arc::new_cyclic(|ourselves| Self {
            store,
            me,
            clock,
            spawner,
            ourselves: Weak::clone(ourselves),
            state: Mutex::default(),
        })
    }

    /// Takes in who is on the roll; where we are missing, we put ourselves there again.
    pub(crate) async fn saw(&self, roll: &Roll) -> Result<(), WebError> {
        let mut state = self.state.lock().await;
        if !state.listed || roll.0.contains(&self.me.id) {
            return Ok(());
        }
        self.join(&mut state).await
    }

    /// Changes a parcel, over what is there.
    async fn rewrite(&self, state: &mut State, id: WriterId, changes: &Changes) -> Result<(), WebError> {
        let known = state.parcels.entry(id).or_default();
        let file = id.parcel();
        for _ in 0..TRIES {
            let over = match self.store.get(&file, known.validator.as_ref(), parcel::MOST).await? {
                Read::Same => known.validator.clone().map_or(Over::Anything, Over::This),
                Read::Absent => {
                    (known.parcel, known.validator) = (Parcel::default(), None);
                    Over::Nothing
                }
                Read::Fresh(bytes, validator) => {
                    known.sizes.used(bytes.len());
                    known.parcel = Parcel::read(&bytes);
                    known.validator.clone_from(&validator);
                    validator.map_or(Over::Anything, Over::This)
                }
            };
            let records = self.changed(&known.parcel, id, changes);
            if records == known.parcel.records {
                return Ok(());
            }
            let parcel = Parcel { records, junk: 0 };
            let bytes = parcel.write(&mut known.sizes);
            let (len, max) = (bytes.len(), parcel::MOST);
            if len > max {
                return Err(WebError::SpaceFull { len, max });
            }
            // Whatever comes of it, it is to be read anew before it is written over.
            known.validator = None;
            match self.store.put(&file, bytes, over).await {
                Err(WebError::Changed) => {}
                done => return done,
            }
        }
        Err(WebError::Contended)
    }

    /// What is to be in a parcel: without what has expired, whoever asked for it.
    fn changed(&self, parcel: &Parcel, id: WriterId, changes: &Changes) -> Vec<Found> {
        let now = self.clock.now();
        let stays = |found: &&Found| {
            !matches!(changes.get(&found.check), Some(Change::Take(_)))
                && !file::over(found.record.not_after, now)
        };
        let mut records: Vec<Found> = parcel.records.iter().filter(stays).cloned().collect();
        if id == self.me.id {
            for (check, change) in changes {
                if let Change::Put(record) = change
                    && records.iter().all(|found| found.check != *check)
                {
                    records.push(Found { record: record.clone(), check: *check });
                }
            }
        }
        records
    }

    /// Puts our name on the roll, and looks whether it stayed.
    async fn join(&self, state: &mut State) -> Result<(), WebError> {
        let mut wrote = false;
        for _ in 0..TRIES {
            let (mut roll, over) = self.roll().await?;
            if roll.0.contains(&self.me.id) {
                state.listed = true;
                if wrote {
                    self.look_again();
                }
                return Ok(());
            }
            if roll.0.len() >= MOST_WRITERS / 2 {
                self.strike_the_gone(&mut roll).await?;
            }
            if roll.0.len() >= MOST_WRITERS {
                return Err(WebError::ManyWriters(MOST_WRITERS));
            }
            roll.0.insert(self.me.id);
            wrote = true;
            match self.store.put(ROLL, roll.write(), over).await {
                Ok(()) | Err(WebError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(WebError::Contended)
    }

    async fn roll(&self) -> Result<(Roll, Over), WebError> {
        Ok(match self.store.get(ROLL, None, parcel::MOST_OF_ROLL).await? {
            Read::Fresh(bytes, validator) => {
                (Roll::read(&bytes), validator.map_or(Over::Anything, Over::This))
            }
            Read::Same | Read::Absent => (Roll::default(), Over::Nothing),
        })
    }

    fn look_again(&self) {
        let (ourselves, clock) = (Weak::clone(&self.ourselves), Arc::clone(&self.clock));
        self.spawner.spawn(Box::pin(async move {
            for wait in LOOK_AGAIN {
                clock.sleep(wait).await;
                let Some(ourselves) = ourselves.upgrade() else { return };
                let Ok((roll, _)) = ourselves.roll().await else { continue };
                if let Err(error) = ourselves.saw(&roll).await {
                    tracing::debug!(%error, "our name could not be put on the roll again");
                }
            }
        }));
    }

    /// Strikes those off the roll who have had nothing there for long.
    async fn strike_the_gone(&self, roll: &mut Roll) -> Result<(), WebError> {
        let now = self.clock.now();
        for id in roll.0.clone() {
            let gone = match self.store.get(&id.parcel(), None, parcel::MOST).await? {
                Read::Absent => true,
                Read::Same => false,
                Read::Fresh(bytes, validator) => {
                    let empty = Parcel::read(&bytes)
                        .records
                        .iter()
                        .all(|found| file::over(found.record.not_after, now));
                    let written = validator.and_then(|validator| validator.written());
                    empty && written.is_some_and(|written| written.saturating_add(GONE) < now)
                }
            };
            if gone {
                self.store.delete(&id.parcel()).await?;
                roll.0.remove(&id);
            }
        }
        Ok(())
    }

    /// A name for this time only leaves nothing behind.
    async fn leave(&self, state: &mut State) -> Result<(), WebError> {
        let empty = state.parcels.get(&self.me.id).is_some_and(|known| known.parcel.records.is_empty());
        if self.me.is_kept() || !state.listed || !empty {
            return Ok(());
        }
        let (mut roll, over) = self.roll().await?;
        if roll.0.remove(&self.me.id) {
            self.store.put(ROLL, roll.write(), over).await?;
        }
        state.listed = false;
        state.parcels.remove(&self.me.id);
        self.store.delete(&self.me.id.parcel()).await
    }

    /// Keeps the files of public names in step.
    async fn cards(&self, changes: &Changes) -> Result<(), WebError> {
        for (check, change) in changes {
            match change {
                Change::Put(record) => {
                    let (Key::Name(name), Some((contents, _))) = (&record.key, file::encode(record)) else {
                        continue;
                    };
                    self.store.put(&card_file(name), contents.into(), Over::Anything).await?;
                }
                Change::Take(Ticket { name: Some(name), .. }) => {
                    let there = self
                        .store
                        .get(&card_file(name), None, file::max_file(wayside_bridge::Class::Pointer))
                        .await?;
                    if let Read::Fresh(bytes, _) = there
                        && file::decode(&bytes).is_some_and(|found| found.check == *check)
                    {
                        self.store.delete(&card_file(name)).await?;
                    }
                }
                Change::Take(_) => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Writer for Folder {
    async fn write(&self, changes: &Changes) -> Result<(), WebError> {
        let mut state = self.state.lock().await;
        let puts = changes.values().any(|change| matches!(change, Change::Put(_)));
        let mut parcels: Vec<WriterId> = puts.then_some(self.me.id).into_iter().collect();
        parcels.extend(changes.values().filter_map(|change| match change {
            Change::Take(ticket) => Some(ticket.writer),
            Change::Put(_) => None,
        }));
        parcels.sort();
        parcels.dedup();
        for id in parcels {
            self.rewrite(&mut state, id, changes).await?;
            if let Some(known) = state.parcels.get_mut(&id) {
                known.parcel.records = self.changed(&known.parcel, id, changes);
            }
        }
        self.cards(changes).await?;
        if puts && !state.listed {
            self.join(&mut state).await?;
        }
        self.leave(&mut state).await
    }

    fn ticket(&self, found: &Found) -> Ticket {
        let name = match &found.record.key {
            Key::Name(name) => Some(name.clone()),
            Key::Slot(_) => None,
        };
        Ticket { writer: self.me.id, check: found.check, name }
    }
}
