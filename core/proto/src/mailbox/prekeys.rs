//! The recipient's keys of the week: eight published ahead, each destroyed some time after its week.
//!
//! One seed a week gives the week's X25519 key and the psk of every pair; with the seed both are gone, for all pairs at once.
//!
//! All of it goes by [`Age`], so that a clock that jumps moves it by a week at most, for which [`RETENTION`] has room.

use super::Age;
use super::wire::{Access, Key, WeekPsk};
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::{Secret, derive};
use crate::time::UnixMillis;

/// How long a prekey is the one to seal to, in seconds.
pub const WEEK: u64 = 7 * 86_400;
/// How many are published: the present one and those after it.
pub const PUBLISHED: usize = 8;
/// How long after its week a seed is kept, in seconds: as long as anything sealed to it may be kept; a week because a sender counts from when a card was signed, which may be
/// late in its first week; and a week for a clock that jumps.
pub const RETENTION: u64 = super::wire::MAX_LIFETIME as u64 + 2 * WEEK;
/// The most seeds that there are at a time: those published, and as many as ended within [`RETENTION`].
pub const MOST: usize = PUBLISHED + RETENTION.div_ceil(WEEK) as usize;

/// One week's seed.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Week {
    /// Counts up by one a week.
    #[n(0)]
    pub id: u32,
    /// What everything of this week is derived from.
    #[n(1)]
    pub seed: Secret,
    /// When its week begins, by this device's age.
    #[n(2)]
    pub begins: Age,
}

impl Week {
    /// When its seed is over.
    const fn over(&self) -> Age {
        self.begins.after(WEEK + RETENTION)
    }

    fn key(&self) -> NoiseKey {
        NoiseKey::from_secret(derive(self.seed.expose(), "prekey", &[]))
    }

    fn psk(&self, friend: &AccountId) -> Secret {
        derive(self.seed.expose(), "mail psk", &[&friend.0])
    }
}

/// All seeds that there are, in the order of their numbers, each with its key.
#[derive(Clone, Debug, Default)]
pub struct Prekeys(Vec<(Week, NoiseKey)>);

/// What changed: these are to be destroyed so that nothing of them is left, and these to be kept, in this order, before anything of them is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Numbers of seeds that are over.
    pub destroy: Vec<u32>,
    /// New ones.
    pub keep: Vec<Week>,
}

impl Prekeys {
    /// With what was kept, in whatever order. Of two with one number the first is taken.
    pub fn new(mut weeks: Vec<Week>) -> Self {
        weeks.sort_by_key(|week| week.id);
        weeks.dedup_by_key(|week| week.id);
        Self(weeks.into_iter().map(with_key).collect())
    }

    /// Those that there are, in the order of their numbers.
    pub fn weeks(&self) -> impl Iterator<Item = &Week> {
        self.0.iter().map(|(week, _)| week)
    }

    /// Draws what is missing of the eight, and ends what is over. To be called at the start, and after [`Prekeys::due`]; in between nothing comes of it.
    ///
    /// A week begins where the one before ended. Those that would have passed while nobody called this are left out: nobody was told of them, so
    /// nothing can be sealed to them; the next number goes to the week that it is now. The very first number is drawn: a device that lost its seeds does not come
    /// back with other keys under the old numbers, which senders would take for the old ones'.
    pub fn rotate(&mut self, now: Age, mut draw: impl FnMut() -> Secret) -> Rotation {
        let mut rotation = Rotation::default();
        for _ in 0..PUBLISHED {
            if self.ahead(now) >= PUBLISHED {
                break;
            }
            let (id, begins) = match self.0.last() {
                None => (first_id(&draw()), now),
                Some((last, _)) => {
                    let Some(id) = last.id.checked_add(1) else { break };
                    // Whole weeks since it began: at least one, or there is a gap before the present one.
                    let weeks = (now.since(last.begins) / WEEK).max(1);
                    (id, last.begins.after(weeks.saturating_mul(WEEK)))
                }
            };
            let week = Week { id, seed: draw(), begins };
            rotation.keep.push(week.clone());
            self.0.push(with_key(week));
        }
        self.0.retain(|(week, _)| {
            let over = week.over() <= now;
            if over {
                rotation.destroy.push(week.id);
            }
            !over
        });
        rotation
    }

    /// When [`Prekeys::rotate`] has something to do next: when the present week ends, or a seed is over. `None` where there are no seeds yet.
    pub fn due(&self, now: Age) -> Option<Age> {
        let ends = self.0.get(self.present(now)).map(|(week, _)| week.begins.after(WEEK));
        ends.into_iter().chain(self.weeks().map(Week::over).min()).min()
    }

    /// The public keys of this week and the next seven, for the card: the number of the first, and the keys.
    pub fn published(&self, now: Age) -> (u32, Vec<[u8; 32]>) {
        let first = self.current(now).next().map_or(0, |(week, _)| week.id);
        (first, self.current(now).map(|(_, key)| key.public()).collect())
    }

    /// The psks of the same weeks for one friend.
    pub fn psks(&self, now: Age, friend: &AccountId) -> Vec<WeekPsk> {
        self.current(now).map(|(week, _)| WeekPsk { id: week.id, psk: week.psk(friend) }).collect()
    }

    /// A week's key and the psk of a friend in it; `None` where it is destroyed or not there yet.
    pub fn open_with(&self, id: u32, friend: &AccountId) -> Option<(NoiseKey, Secret)> {
        let at = self.0.binary_search_by_key(&id, |(week, _)| week.id).ok()?;
        self.0.get(at).map(|(week, key)| (key.clone(), week.psk(friend)))
    }

    /// This week and the next seven, one number after another.
    fn current(&self, now: Age) -> impl Iterator<Item = &(Week, NoiseKey)> {
        self.0.iter().skip(self.present(now)).take(PUBLISHED)
    }

    /// Where the week is that it is now: the last that has begun, or the first where none has.
    fn present(&self, now: Age) -> usize {
        self.0.partition_point(|(week, _)| week.begins <= now).saturating_sub(1)
    }

    /// How many of the eight there are: none where the last is over.
    fn ahead(&self, now: Age) -> usize {
        match self.0.last() {
            Some((last, _)) if last.begins.after(WEEK) > now => self.0.len() - self.present(now),
            _ => 0,
        }
    }
}

impl PartialEq for Prekeys {
    fn eq(&self, other: &Self) -> bool {
        self.weeks().eq(other.weeks())
    }
}

impl Eq for Prekeys {}

fn with_key(week: Week) -> (Week, NoiseKey) {
    let key = week.key();
    (week, key)
}

/// The number that a device begins with: one of 65,536 from 1 on.
fn first_id(drawn: &Secret) -> u32 {
    let [high, low, ..] = *drawn.expose();
    u32::from(u16::from_be_bytes([high, low])) + 1
}

/// What a friend's prekeys are to a sender: which of them to seal to.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Target {
    /// What the friend gave this account.
    #[n(0)]
    pub access: Access,
    /// The keys of its card, from this number on.
    #[n(1)]
    pub first: u32,
    /// The keys.
    #[cbor(n(2))]
    pub keys: Vec<Key>,
    /// When they were read first, by our age.
    #[n(3)]
    pub read: Age,
    /// When they were signed, by the friend's clock.
    #[n(4)]
    pub issued: UnixMillis,
    /// The number of the status that named them: later ones have greater ones, whatever the friend's clock did.
    #[n(5)]
    #[cbor(default)]
    pub seq: u64,
}

impl Target {
    /// Which prekey to seal to now, with its psk: as many weeks after the first as have passed since it was read or signed, whichever is more, and no more than there are.
    /// `None` where none has both a key and a psk.
    ///
    /// A clock that is behind is outvoted by the age, and one that is ahead leads to the last key at most, which the friend holds longest.
    pub fn current(&self, now: Age, wall: UnixMillis) -> Option<(u32, [u8; 32], &Secret)> {
        let passed = now.since(self.read).max(wall.as_secs().saturating_sub(self.issued.as_secs()));
        let wanted = u64::from(self.first).saturating_add(passed / WEEK);
        let both = || {
            self.keys.iter().zip(self.first..=u32::MAX).filter_map(|(key, id)| {
                let week = self.access.weeks.iter().find(|week| week.id == id)?;
                Some((id, key.0, &week.psk))
            })
        };
        // Where card and access are of different weeks, the next that is in both.
        both().find(|(id, ..)| u64::from(*id) >= wanted).or_else(|| both().last())
    }
}

#[cfg(test)]
#[path = "prekeys_tests.rs"]
mod tests;
