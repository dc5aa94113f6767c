//! What was left here, kept over a restart.
//!
//! Writers are answered before it is on disk, and once a second everything that has changed goes there at once: so strangers cost one fsync a second, however many
//! they are, and a crash forgets that second.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use minicbor::{Decode, Encode};
use wayside_bridge::{Timestamp, file};

use super::ask::Space;
use super::shelf::{Changed, Kept, Number, Owner};
use super::source::Source;
use crate::store::{RendezvousStore, Store, StoreError};

/// A record as it is kept on disk.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored<'b> {
    #[b(0)]
    space: &'b str,
    #[cbor(n(1), with = "minicbor::bytes")]
    owner: [u8; 16],
    #[n(2)]
    family: u8,
    #[n(3)]
    source: u64,
    #[n(4)]
    put: u64,
    #[cbor(b(5), with = "minicbor::bytes")]
    file: &'b [u8],
}

/// What was opened.
pub(super) struct Opened {
    pub(super) store: Arc<RendezvousStore>,
    /// What owners are made with.
    pub(super) salt: [u8; 32],
    pub(super) kept: Vec<(Number, Kept)>,
}

/// Opens the file. One that is damaged is begun anew: nothing of our own is in it.
pub(super) fn open(path: &Path, fresh: [u8; 32], home: &Arc<Store>) -> Result<Opened, StoreError> {
    let opened = open_once(path, fresh, home);
    let Err(StoreError::Damaged(why)) = opened else { return opened };
    tracing::warn!(path = %path.display(), why, "what strangers left here is damaged: it is begun anew");
    std::fs::remove_file(path).map_err(StoreError::Io)?;
    open_once(path, fresh, home)
}

fn open_once(path: &Path, fresh: [u8; 32], home: &Arc<Store>) -> Result<Opened, StoreError> {
    let store = RendezvousStore::open(path, fresh, Arc::clone(home))?;
    let (salt, entries) = store.all()?;
    let kept = entries.iter().filter_map(|(number, entry)| Some((Number(*number), read(entry)?))).collect();
    Ok(Opened { store, salt, kept })
}

fn read(entry: &[u8]) -> Option<Kept> {
    let stored: Stored<'_> = minicbor::decode(entry).ok()?;
    let file = Bytes::copy_from_slice(stored.file);
    let found = file::decode(&file)?;
    Some(Kept {
        space: Space::of_path(&format!("/{}", stored.space))?,
        owner: Owner(stored.owner),
        source: Source::from_parts(stored.family, stored.source)?,
        put: Timestamp::from_secs(stored.put),
        not_after: found.record.not_after,
        check: found.check,
        file,
    })
}

fn write(kept: &Kept) -> Option<Vec<u8>> {
    let (family, source) = kept.source.to_parts();
    let stored = Stored {
        space: kept.space.as_str(),
        owner: kept.owner.0,
        family,
        source,
        put: kept.put.as_secs(),
        file: &kept.file,
    };
    minicbor::to_vec(stored).ok()
}

/// What is to go to the disk next; no more than the shelf holds, since what comes and goes meanwhile is left out.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    put: BTreeMap<Number, Kept>,
    gone: BTreeSet<Number>,
}

impl Unwritten {
    pub(super) fn add(&mut self, changed: Changed) {
        for number in changed.gone {
            self.put.remove(&number);
            self.gone.insert(number);
        }
        for (number, kept) in changed.put {
            self.gone.remove(&number);
            self.put.insert(number, kept);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.gone.is_empty()
    }

    /// Puts it on disk.
    pub(super) async fn write(&self, store: &Arc<RendezvousStore>) -> Result<(), StoreError> {
        let put = self.put.iter().filter_map(|(number, kept)| Some((number.0, write(kept)?))).collect();
        store.change(put, self.gone.iter().map(|number| number.0).collect()).await
    }

    /// What has changed since this was taken and could not be written.
    pub(super) fn before(mut self, later: Self) -> Self {
        self.add(Changed { put: later.put.into_iter().collect(), gone: later.gone.into_iter().collect() });
        self
    }
}

#[cfg(test)]
mod tests {
    use wayside_bridge::{Class, Key, Record, Slot};

    use super::*;

    fn kept(number: u8) -> Kept {
        let not_after = Timestamp::from_secs(4_000_000_000);
        let record = Record::new(Key::Slot(Slot([number; 16])), Class::Meeting, not_after, vec![number; 50]);
        let (file, check) = file::encode(&record).unwrap();
        Kept {
            space: Space::of_path("/us").unwrap(),
            owner: Owner([number; 16]),
            source: Source::of("2001:db8::1".parse().unwrap()),
            put: Timestamp::from_secs(1_700_000_000),
            not_after,
            check,
            file: file.into(),
        }
    }

    #[test]
    fn entries_read_back_and_nonsense_is_passed_over() {
        let written = write(&kept(1)).unwrap();
        assert_eq!(read(&written), Some(kept(1)));
        for cut in 0..written.len() {
            assert_eq!(read(&written[..cut]), None);
        }
    }

    #[test]
    fn what_comes_and_goes_is_left_out_and_what_was_not_written_comes_first() {
        let mut unwritten = Unwritten::default();
        unwritten.add(Changed { put: vec![(Number(1), kept(1)), (Number(2), kept(2))], gone: vec![] });
        unwritten.add(Changed { put: vec![], gone: vec![Number(1)] });
        assert_eq!(unwritten.put.len(), 1);
        let mut later = Unwritten::default();
        later.add(Changed { put: vec![], gone: vec![Number(2)] });
        let both = unwritten.before(later);
        assert!(both.put.is_empty());
        assert_eq!(both.gone, BTreeSet::from([Number(1), Number(2)]));
    }
}
