//! Which records of a space were handed out already.

use std::collections::BTreeMap;

use wayside_bridge::file::{self, Found};
use wayside_bridge::{Batch, Entropy, Fetch, Numbered, Question, Record, Timestamp};

/// The most records in a batch, whatever was asked for.
const MOST_RECORDS: usize = 1024;
/// The most records of a space that are kept account of.
pub(crate) const MOST_KNOWN: usize = 50_000;

/// The records that are in a space, numbered as they were found.
#[derive(Debug)]
pub(crate) struct Index {
    numbered: Numbered,
    last: u64,
    numbers: BTreeMap<file::Check, u64>,
    records: BTreeMap<u64, Found>,
    /// Pieces in it that hold no record.
    junk: u64,
}

impl Index {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self {
            numbered: Numbered::new(entropy),
            last: 0,
            numbers: BTreeMap::new(),
            records: BTreeMap::new(),
            junk: 0,
        }
    }

    /// Takes in all that is there now.
    pub(crate) fn update(&mut self, there: Vec<Found>, junk: u64) {
        let before = std::mem::take(&mut self.numbers);
        let mut records = BTreeMap::new();
        for found in there.into_iter().take(MOST_KNOWN) {
            let last = &mut self.last;
            let number = before.get(&found.check).copied();
            let number = *self.numbers.entry(found.check).or_insert_with(|| {
                number.unwrap_or_else(|| {
                    *last += 1;
                    *last
                })
            });
            records.insert(number, found);
        }
        (self.records, self.junk) = (records, junk);
    }

    /// The next page.
    pub(crate) fn page(&self, request: &Fetch, now: Timestamp) -> Batch {
        let question = Question::from(&request.keys);
        let after = self.numbered.number(request.cursor.as_ref(), question, self.last);
        let most = request.limit.clamp(1, MOST_RECORDS);
        let wanted = |found: &Found| {
            request.keys.contains(&found.record.key) && !file::over(found.record.not_after, now)
        };
        let mut rest = self.records.range(after.saturating_add(1)..).filter(|(_, found)| wanted(found));
        let page: Vec<(u64, Record)> =
            rest.by_ref().take(most).map(|(number, found)| (*number, found.record.clone())).collect();
        let more = rest.next().is_some();
        let position = match (more, page.last()) {
            (true, Some((number, _))) => *number,
            _ => self.last,
        };
        let records = page.into_iter().map(|(_, record)| record).collect();
        Batch::new(records, self.numbered.cursor(position, question)).with_more(more).with_skipped(if more {
            0
        } else {
            self.junk
        })
    }
}
