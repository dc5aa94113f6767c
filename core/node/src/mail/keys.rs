//! `HOME/mail.keys`: the seeds of the weeks' prekeys, and the key that this machine locks its own outbox with.
//!
//! ```text
//! file = 32 × slot
//! slot = version 1 ‖ kind 1 ‖ 0 ‖ 0 ‖ week 4 ‖ begins 8 ‖ seed 32 ‖ SHA-256 of all before 32 ‖ zeros, 128 bytes in all
//! ```
//!
//! A seed is destroyed by overwriting its slot **in place**: the store would leave it in pages that are free, and a file that is replaced leaves its old blocks on the disk.
//! A slot lies within one sector. One that was torn does not verify and is as if it was never made: nothing of a seed is published before it is on disk.
//!
//! What "in place" is, is up to what is below: a file system that copies on write (btrfs, ZFS, a snapshot of any) and an SSD's own bookkeeping put the new bytes elsewhere and keep the
//! old ones until they need the room. There only encryption of the whole disk makes what is destroyed unreadable to whoever takes the disk apart.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use wayside_bridge::Entropy;
use wayside_proto::crypto::{Secret, sha256};
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::prekeys::{MOST, Prekeys, Week};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::SystemEntropy;
use crate::home::{HomeError, exposed, private_file, sync_dir};

/// Bytes of a slot.
const SLOT: usize = 128;
/// Slots: all weeks that there are at a time, as many again for those that take their places, and the lock.
const SLOTS: usize = 32;
const _: () = assert!(SLOTS > 2 * MOST);
/// Bytes of a slot before its checksum.
const BODY: usize = 48;
const VERSION: u8 = 1;

type Bytes = Zeroizing<[u8; SLOT]>;

/// What a slot holds.
#[derive(Clone)]
enum Kept {
    Week(Week),
    Lock(Secret),
}

/// The file, with all that it holds.
struct KeyFile {
    file: File,
    slots: Vec<Option<Kept>>,
}

/// The keys that there are.
pub(crate) struct Keys {
    file: KeyFile,
    prekeys: Prekeys,
    lock: Secret,
    /// Weeks whose seeds are over and not destroyed yet, since the disk did not take it.
    over: Vec<u32>,
}

impl Keys {
    /// Reads the file, or makes it; the prekeys are as they were.
    ///
    /// # Errors
    /// Others can read it, or the disk refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, HomeError> {
        let io = |error| HomeError::io(path, error);
        let mut file = KeyFile::open(path).map_err(io)?;
        if exposed(&file.file).map_err(io)? {
            return Err(HomeError::Exposed(path.to_owned()));
        }
        let lock = match file.lock() {
            Some(lock) => lock,
            None => {
                let lock = drawn();
                file.keep(&[Kept::Lock(lock.clone())]).map_err(io)?;
                lock
            }
        };
        let prekeys = Prekeys::new(file.weeks());
        Ok(Self { file, prekeys, lock, over: Vec::new() })
    }

    /// Draws what is missing and destroys what is over. What is new is on disk when this returns, or is not there; what could not be destroyed is tried again the next time.
    pub(crate) fn rotate(&mut self, now: Age) -> io::Result<()> {
        let mut prekeys = self.prekeys.clone();
        let rotation = prekeys.rotate(now, drawn);
        let weeks: Vec<Kept> = rotation.keep.into_iter().map(Kept::Week).collect();
        self.file.keep(&weeks)?;
        self.prekeys = prekeys;
        self.over.extend(rotation.destroy);
        self.file.destroy(&self.over)?;
        self.over.clear();
        Ok(())
    }

    /// The prekeys that there are.
    pub(crate) const fn prekeys(&self) -> &Prekeys {
        &self.prekeys
    }

    /// What items wait under until there is something to seal them to.
    pub(crate) const fn lock(&self) -> &Secret {
        &self.lock
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

fn drawn() -> Secret {
    Secret::new(SystemEntropy::draw())
}

impl KeyFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = private_file(path)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SLOTS * SLOT));
        let most = u64::try_from(SLOTS * SLOT).unwrap_or(u64::MAX);
        (&mut file).take(most).read_to_end(&mut bytes)?;
        if bytes.len() < SLOTS * SLOT {
            // Blocks of its own, so that what is written later is written over these.
            let missing = vec![0; SLOTS * SLOT - bytes.len()];
            file.write_all(&missing)?;
            file.sync_all()?;
            sync_dir(path.parent().unwrap_or(Path::new(".")))?;
            bytes.extend_from_slice(&missing);
        }
        let slots = bytes.chunks_exact(SLOT).map(read).collect();
        let mut keys = Self { file, slots };
        // What was being destroyed, or made, when it ended.
        let torn = bytes.chunks_exact(SLOT).map(|slot| slot.iter().any(|byte| *byte != 0));
        let torn: Vec<usize> = torn
            .enumerate()
            .filter(|(at, written)| *written && keys.slots.get(*at).is_some_and(Option::is_none))
            .map(|(at, _)| at)
            .collect();
        keys.blank(&torn)?;
        Ok(keys)
    }

    fn weeks(&self) -> Vec<Week> {
        let week = |kept: &Kept| match kept {
            Kept::Week(week) => Some(week.clone()),
            Kept::Lock(_) => None,
        };
        self.slots.iter().flatten().filter_map(week).collect()
    }

    fn lock(&self) -> Option<Secret> {
        self.slots.iter().flatten().find_map(|kept| match kept {
            Kept::Lock(lock) => Some(lock.clone()),
            Kept::Week(_) => None,
        })
    }

    /// Puts these into slots that are free, on disk when this returns.
    fn keep(&mut self, new: &[Kept]) -> io::Result<()> {
        let free = self.slots.iter().enumerate().filter(|(_, kept)| kept.is_none()).map(|(at, _)| at);
        let free: Vec<usize> = free.take(new.len()).collect();
        if free.len() < new.len() {
            return Err(io::Error::other("there is no room for another key"));
        }
        if new.is_empty() {
            return Ok(());
        }
        for (at, kept) in free.iter().zip(new) {
            write(&mut self.file, *at, &bytes(kept))?;
        }
        self.file.sync_data()?;
        for (at, kept) in free.into_iter().zip(new) {
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = Some(kept.clone());
            }
        }
        Ok(())
    }

    /// Overwrites the seeds of these weeks, and looks whether they are gone.
    fn destroy(&mut self, ids: &[u32]) -> io::Result<()> {
        let over = |kept: &Option<Kept>| matches!(kept, Some(Kept::Week(week)) if ids.contains(&week.id));
        let over = self.slots.iter().enumerate().filter(|(_, kept)| over(kept)).map(|(at, _)| at);
        let over: Vec<usize> = over.collect();
        self.blank(&over)
    }

    fn blank(&mut self, slots: &[usize]) -> io::Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut noise = vec![[0; SLOT]; slots.len()];
        for (at, noise) in slots.iter().zip(&mut noise) {
            SystemEntropy.fill(noise);
            write(&mut self.file, *at, noise)?;
        }
        self.file.sync_all()?;
        for (at, noise) in slots.iter().zip(&noise) {
            let mut there = [0; SLOT];
            self.file.seek(SeekFrom::Start(offset(*at)))?;
            self.file.read_exact(&mut there)?;
            let is_gone = there == *noise;
            there.zeroize();
            if !is_gone {
                return Err(io::Error::other("a key that was overwritten is still there"));
            }
        }
        // Zeros say that there is nothing to be overwritten once more.
        for at in slots {
            write(&mut self.file, *at, &[0; SLOT])?;
            if let Some(slot) = self.slots.get_mut(*at) {
                *slot = None;
            }
        }
        self.file.sync_data()
    }
}

fn offset(slot: usize) -> u64 {
    u64::try_from(slot.saturating_mul(SLOT)).unwrap_or(u64::MAX)
}

fn write(file: &mut File, slot: usize, bytes: &[u8; SLOT]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset(slot)))?;
    file.write_all(bytes)
}

/// What a slot holds; `None` where it is free, or torn.
fn read(slot: &[u8]) -> Option<Kept> {
    let (body, rest) = slot.split_first_chunk::<BODY>()?;
    if rest.get(..32)? != sha256(&[body]) {
        return None;
    }
    let seed = Secret::new(body.last_chunk::<32>().copied()?);
    let [version, kind, _, _, a, b, c, d, begins @ ..] = body.first_chunk::<16>()?;
    match (*version, *kind) {
        (VERSION, 1) => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            Some(Kept::Week(Week { id, seed, begins: Age(u64::from_be_bytes(*begins)) }))
        }
        (VERSION, 2) => Some(Kept::Lock(seed)),
        _ => None,
    }
}

fn bytes(kept: &Kept) -> Bytes {
    let (kind, id, begins, seed) = match kept {
        Kept::Week(week) => (1, week.id, week.begins.0, &week.seed),
        Kept::Lock(lock) => (2, 0, 0, lock),
    };
    let mut slot = Zeroizing::new([0; SLOT]);
    let (id, begins) = (id.to_be_bytes(), begins.to_be_bytes());
    let body = Zeroizing::new([&[VERSION, kind, 0, 0][..], &id, &begins, seed.expose()].concat());
    let whole = [&body[..], &sha256(&[&body])].concat();
    for (to, from) in slot.iter_mut().zip(Zeroizing::new(whole).iter()) {
        *to = *from;
    }
    slot
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
