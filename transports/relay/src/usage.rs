//! How much a relay has forwarded in this calendar month, for whom, and how long the month still lasts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::Owner;

const DAY: u64 = 24 * 3600;
/// 1 January 2025. A machine without a clock of its own begins at 1970, and knows the time a little later: what was counted has to survive that.
const PLAUSIBLE: u64 = 1_735_689_600;

/// A calendar month in UTC, as months since January 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub u32);

impl Month {
    /// The month of a Unix time in seconds.
    pub fn of(unix: u64) -> Self {
        // Counted in years that begin in March, so that the odd day is the last one, and in eras of 400 years (Hinnant, "chrono-Compatible
        // Low-Level Date Algorithms", civil_from_days). 719,468 days are from 1 March of the year 0 to 1970.
        let days = unix / DAY + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let march = (5 * day + 2) / 153;
        let months = (era * 400 + year) * 12 + march + 2;
        Self(u32::try_from(months - 1970 * 12).unwrap_or(u32::MAX))
    }

    /// When it begins, as a Unix time in seconds.
    pub fn begins(self) -> u64 {
        let months = u64::from(self.0) + 1970 * 12 - 2;
        let (years, march) = (months / 12, months % 12);
        let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * march + 2) / 5;
        (days - 719_468) * DAY
    }

    /// How long it is from then to the next month.
    pub fn left(unix: u64) -> Duration {
        let next = Self(Self::of(unix).0.saturating_add(1));
        Duration::from_secs(next.begins().saturating_sub(unix))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", 1970 + self.0 / 12, self.0 % 12 + 1)
    }
}

/// What was forwarded in one month, in bytes: to be stored now and then, and handed back after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Which month.
    pub month: Month,
    /// For all friends together, those that are none any more among them.
    pub total: u64,
    /// For each friend.
    pub friends: BTreeMap<Owner, u64>,
}

impl Usage {
    /// Begins anew where the month is another one, the one before among them: a clock that was a year ahead must not have the last word.
    pub(crate) fn roll(&mut self, unix: u64) {
        if unix < PLAUSIBLE || (self.month.begins()..self.month.begins() + 28 * DAY).contains(&unix) {
            return;
        }
        let month = Month::of(unix);
        if month != self.month {
            *self = Self { month, ..Self::default() };
        }
    }

    pub(crate) fn add(&mut self, owner: Owner, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.total = self.total.saturating_add(bytes);
        let own = self.friends.entry(owner).or_default();
        *own = own.saturating_add(bytes);
    }

    /// What was forwarded for this friend.
    pub fn of(&self, owner: &Owner) -> u64 {
        self.friends.get(owner).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        for (unix, shown) in [
            (0, "1970-01"),
            (951_782_399, "2000-02"), // 28 February, the last second
            (951_868_799, "2000-02"), // 29 February
            (951_868_800, "2000-03"),
            (1_735_689_599, "2024-12"),
            (1_735_689_600, "2025-01"),
            (1_795_651_200, "2026-11"),
            (4_107_542_399, "2100-02"), // no leap year
            (4_107_542_400, "2100-03"),
        ] {
            assert_eq!(Month::of(unix).to_string(), shown, "{unix}");
        }
    }

    #[test]
    fn each_day_of_four_centuries_is_in_the_month_it_belongs_to() {
        let mut month = Month(0);
        for day in 0..400 * 366 {
            let unix = day * DAY;
            if unix == Month(month.0 + 1).begins() {
                month = Month(month.0 + 1);
            }
            assert_eq!(Month::of(unix), month);
            assert_eq!(Month::of(unix + DAY - 1), month);
            let left = Month::left(unix + 5);
            assert_eq!(Month::of(unix + 5 + left.as_secs()), Month(month.0 + 1));
            assert!(left <= Duration::from_secs(31 * DAY));
        }
        assert!(month.0 > 400 * 12);
    }

    #[test]
    fn another_month_begins_anew_and_a_clock_that_is_not_set_does_not() {
        let november = 1_795_651_200;
        let mut usage = Usage::default();
        usage.roll(november);
        usage.add(Owner([1; 32]), 500);
        usage.roll(november + 29 * DAY - 26 * DAY);
        assert_eq!((usage.total, usage.of(&Owner([1; 32]))), (500, 500));
        usage.roll(1_000);
        assert_eq!(usage.total, 500, "1970 is before the clock was set");
        usage.roll(november + 31 * DAY);
        assert_eq!((usage.total, usage.friends.len()), (0, 0));
        usage.add(Owner([1; 32]), 7);
        usage.roll(4_107_542_400);
        usage.add(Owner([1; 32]), 9);
        usage.roll(november);
        assert_eq!(usage.total, 0, "a clock that was far ahead does not hold the count for ever");
    }
}
