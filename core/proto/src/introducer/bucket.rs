//! How much somebody may ask for in a time.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::time::UnixMillis;

/// A bucket that leaks (GCRA, ITU-T I.371): when it would be empty, were nothing added. A full burst is allowed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Bucket(#[n(0)] UnixMillis);

impl Bucket {
    /// Adds one, where no more than `most` in `time` are added. Where the clock was set back it is empty: nobody waits for a time that was wrong.
    pub(super) fn take(&mut self, now: UnixMillis, most: u32, time: Duration) -> bool {
        let Some(share) = time.checked_div(most) else { return false };
        let empty = if self.0 > now.after(time) { now } else { self.0.max(now) };
        let then = empty.after(share);
        let fits = then <= now.after(time);
        if fits {
            self.0 = then;
        }
        fits
    }

    /// Whether one more would fit.
    pub(super) fn has_room(mut self, now: UnixMillis, most: u32, time: Duration) -> bool {
        self.take(now, most, time)
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(self, now: UnixMillis) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Bucket;
    use crate::time::UnixMillis;

    #[test]
    fn a_burst_and_then_as_much_as_leaks() {
        let day = Duration::from_secs(86_400);
        let (mut bucket, start) = (Bucket::default(), UnixMillis::from_secs(1_000_000));
        let taken = (0..20).filter(|_| bucket.take(start, 6, day)).count();
        assert_eq!(taken, 6);
        let later = start.after(day / 6);
        assert!(bucket.has_room(later, 6, day));
        assert!(bucket.take(later, 6, day) && !bucket.take(later, 6, day));
        assert!(bucket.is_empty(later.after(day)) && !bucket.is_empty(later));
        // Set back by a month.
        let back = UnixMillis(0);
        assert!(bucket.take(back, 6, day));
        assert!(!Bucket::default().take(start, 0, day));
    }
}
