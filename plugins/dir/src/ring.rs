//! Ringing: an empty file under the name of whoever is rung.
//!
//! Its content says nothing and is never read; that it is there is the ring, and that it is another file than before is
//! another ring. It is replaced by renaming, as records are, so that it need not belong to whoever rings.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wayside_bridge::{Key, Monotonic};

use crate::error::DirError;
use crate::folder::Folder;
use crate::name::{self, Entry, RINGS};
use crate::place::Place;
use crate::write::{SWEEP_EVERY, Temporary, WRITER_DIED};

/// A ring so soon after another of the same bell is the same ring.
pub(crate) const ONCE_IN: Duration = Duration::from_secs(60);

/// How many bells are kept in mind; with more, the one rung longest ago may be rung twice in a minute.
const MOST_BELLS: usize = 256;

/// After this nobody will hear it: a node that is up once a month fetches what is there without being rung.
const RING_IS_OVER: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// What somebody is called in `rings/`: as public names are, so that every file system carries it and none is led elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RingName(String);

impl RingName {
    /// This name, or `None` where it breaks the rule of public names ([`Key::name`]).
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Key::name(name).map(|_| Self(name.to_owned()))
    }

    /// The name of the file.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Rings, and remembers for a minute whom.
#[derive(Debug, Default)]
pub(crate) struct Ringer {
    rung: Mutex<BTreeMap<RingName, Monotonic>>,
    swept: Mutex<Option<Monotonic>>,
}

impl Ringer {
    /// Leaves a ring, unless we left one less than a minute ago.
    pub(crate) fn ring(&self, place: &Place, name: &RingName) -> Result<(), DirError> {
        let now = place.context().clock.monotonic();
        if self.rang_lately(name, now) {
            return Ok(());
        }
        let rings = place.settle()?.make_folder(RINGS).map_err(|error| in_the_way(place, error))?;
        let temporary = Temporary::create(&rings, name::temporary(place.context().entropy.as_ref()))
            .map_err(|error| place.below(error))?;
        self.sweep(&rings, &temporary, now);
        match temporary.rename(name.as_str()) {
            Ok(()) => {}
            // Another's, in a folder with the sticky bit: it rings already.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && lies(&rings, name) => {}
            Err(error) => return Err(in_the_way(place, error)),
        }
        self.remember(name, now);
        Ok(())
    }

    fn rang_lately(&self, name: &RingName, now: Monotonic) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.get(name).is_some_and(|before| now.since(*before) < ONCE_IN)
    }

    fn remember(&self, name: &RingName, now: Monotonic) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.retain(|_, before| now.since(*before) < ONCE_IN);
        if rung.len() >= MOST_BELLS
            && let Some(oldest) = rung.iter().min_by_key(|(_, when)| **when).map(|(name, _)| name.clone())
        {
            rung.remove(&oldest);
        }
        rung.insert(name.clone(), now);
    }

    /// Removes what dead writers left, and rings that nobody hears any more, now and then.
    fn sweep(&self, rings: &Folder, fresh: &Temporary<'_>, now: Monotonic) {
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|before| now.since(before) < SWEEP_EVERY) {
                return;
            }
            *swept = Some(now);
        }
        let Ok(fresh) = rings.stamp(&fresh.name) else { return };
        let listed = rings.each_name(|name| {
            let Some(name) = name else { return ControlFlow::Continue(()) };
            let longest = match Entry::of(name) {
                Entry::Temporary => WRITER_DIED,
                _ if RingName::parse(name).is_some() => RING_IS_OVER,
                _ => return ControlFlow::Continue(()),
            };
            let is_over = |stamp: crate::folder::Stamp| {
                stamp.regular && fresh.written.saturating_sub(stamp.written) > longest
            };
            if rings.stamp(name).is_ok_and(is_over) {
                crate::expiry::remove(rings, name);
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            tracing::debug!(%error, "a folder of rings could not be swept");
        }
    }
}

fn lies(rings: &Folder, name: &RingName) -> bool {
    rings.stamp(name.as_str()).is_ok_and(|stamp| stamp.regular)
}

/// Somebody made something else of the folder of rings, or of a ring.
fn in_the_way(place: &Place, error: io::Error) -> DirError {
    match error.kind() {
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::AlreadyExists => DirError::InTheWay(place.records_path().join(RINGS)),
        _ => place.below(error),
    }
}
