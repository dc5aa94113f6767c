//! Our own records on the network, and when they are announced again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::instance::Instance;

/// How long after its publication a record is announced again: multicast is lost now and then (RFC 6762, section 8.3).
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

#[derive(Debug, Default)]
pub(crate) struct Own {
    records: BTreeMap<Instance, Entry>,
}

#[derive(Debug)]
struct Entry {
    encoded: (Instance, Vec<Vec<u8>>),
    /// When it is announced again, the next first.
    again: Vec<Duration>,
}

impl Own {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn contains(&self, instance: &Instance) -> bool {
        self.records.contains_key(instance)
    }

    /// One more, that is announced now by whoever calls.
    pub(crate) fn add(&mut self, encoded: (Instance, Vec<Vec<u8>>), now: Duration) {
        let again = AGAIN.iter().map(|after| now.saturating_add(*after)).collect();
        self.records.insert(encoded.0, Entry { encoded, again });
    }

    /// One less. Whether it was there.
    pub(crate) fn remove(&mut self, instance: &Instance) -> bool {
        self.records.remove(instance).is_some()
    }

    /// All of them are announced now: there is another network.
    pub(crate) fn announce_all(&mut self, now: Duration) {
        for entry in self.records.values_mut() {
            entry.again = [now].into_iter().chain(AGAIN.iter().map(|after| now + *after)).collect();
        }
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Instance> {
        self.records.keys()
    }

    /// These, as they are announced.
    pub(crate) fn encoded<'a>(
        &'a self,
        instances: impl IntoIterator<Item = &'a Instance>,
    ) -> impl Iterator<Item = &'a (Instance, Vec<Vec<u8>>)> {
        instances.into_iter().filter_map(|instance| Some(&self.records.get(instance)?.encoded))
    }

    /// Which are to be announced again by now.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Instance> {
        let mut due = Vec::new();
        for (instance, entry) in &mut self.records {
            let before = entry.again.len();
            entry.again.retain(|at| *at > now);
            if entry.again.len() < before {
                due.push(*instance);
            }
        }
        due
    }

    /// When the next one is.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.records.values().filter_map(|entry| entry.again.first().copied()).min()
    }
}
