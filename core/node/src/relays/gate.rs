//! The guest gate: keys by which friends come in without a meeting, nameless until they show a token.
//!
//! All friends whom we let have the same keys, so that there is one gate for all of them. They are made anew every month; those before hold for another month, as
//! long as a token does, for friends who were away.

use std::collections::BTreeMap;
use std::time::Duration;

use minicbor::{Decode, Encode};
use wayside_noise::{Expectation, SessionId, StaticKey, Whom};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::Secret;

use crate::guests::entrance::{Entrances, nameless};
use crate::store::{SecretBytes, Store, StoreError};

/// How long one set of keys is handed out.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// One gate's keys.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Keys {
    /// X25519, for guests alone: by it nobody can tell which device they are with.
    #[n(0)]
    host: Secret,
    #[n(1)]
    gate: Secret,
    #[n(2)]
    psk: Secret,
    #[n(3)]
    made: UnixMillis,
}

/// What a friend is told of a gate: what it takes to come in, until it does no longer.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct GateKeys {
    /// The host's public X25519 key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) host: [u8; 32],
    /// What a first packet is recognised by.
    #[n(1)]
    pub(crate) gate: Secret,
    /// What opens it.
    #[n(2)]
    pub(crate) psk: Secret,
    /// Until when.
    #[n(3)]
    pub(crate) until: UnixMillis,
}

impl std::fmt::Debug for GateKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateKeys").field("until", &self.until).finish_non_exhaustive()
    }
}

impl GateKeys {
    /// How to dial there, once: each link has a session of its own.
    pub(crate) fn dialled(&self, session: [u8; 16]) -> Expectation {
        nameless(SessionId(session), Whom::Host(self.host), &self.gate, &self.psk)
    }
}

/// The gates of now and of a month ago, by number.
#[derive(Default)]
pub(super) struct Gates {
    keys: BTreeMap<u64, Keys>,
    /// Those at which the endpoint lets in.
    open: Vec<u64>,
}

/// What is to be done at the endpoint.
#[derive(Debug)]
pub(super) enum Change {
    Expect(Expectation),
    Forget(SessionId),
}

impl Gates {
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let keys = store.guest_gates()?.into_iter().filter_map(|(number, bytes)| {
            // What cannot be read is made anew.
            Some((number, minicbor::decode(&bytes).ok()?))
        });
        Ok(Self { keys: keys.collect(), open: Vec::new() })
    }

    /// Makes new keys where the last ones are a month old, or there are none. What is to be kept, then: the number, the keys, and from which number on.
    pub(super) fn rotate(
        &mut self,
        now: UnixMillis,
        mut draw: impl FnMut() -> Secret,
    ) -> Option<(u64, SecretBytes, u64)> {
        let last = self.keys.last_key_value().map(|(number, keys)| (*number, keys.made));
        // A clock that was ahead when they were made must not keep them for ever.
        let is_due = last.is_none_or(|(_, made)| now >= made.after(MONTH) || made > now.after(MONTH));
        if !is_due {
            return None;
        }
        let number = last.map_or(0, |(number, _)| number.saturating_add(1));
        let keys = Keys { host: draw(), gate: draw(), psk: draw(), made: now };
        let bytes = minicbor::to_vec(&keys).unwrap_or_default();
        self.keys.insert(number, keys);
        let from = number.saturating_sub(1);
        self.keys.retain(|number, _| *number >= from);
        Some((number, bytes.into(), from))
    }

    /// What friends are told of the present one.
    pub(super) fn told(&self) -> Option<GateKeys> {
        let keys = self.keys.last_key_value()?.1;
        Some(GateKeys {
            host: StaticKey::from_bytes(*keys.host.expose()).public(),
            gate: keys.gate.clone(),
            psk: keys.psk.clone(),
            until: keys.made.after(2 * MONTH),
        })
    }

    /// Lets guests in at all gates that there are, or at none.
    pub(super) fn open(&mut self, open: bool) -> Vec<Change> {
        let wanted: Vec<u64> = if open { self.keys.keys().copied().collect() } else { Vec::new() };
        let gone = self.open.iter().filter(|number| !wanted.contains(number));
        let mut changes: Vec<_> = gone.map(|number| Change::Forget(ENTRANCES.session(*number))).collect();
        for number in wanted.iter().filter(|number| !self.open.contains(number)) {
            let Some(keys) = self.keys.get(number) else { continue };
            let whom = Whom::Guests(StaticKey::from_bytes(*keys.host.expose()));
            let session = ENTRANCES.session(*number);
            changes.push(Change::Expect(nameless(session, whom, &keys.gate, &keys.psk)));
        }
        self.open = wanted;
        changes
    }
}

/// What names the links that came in by a gate.
const ENTRANCES: Entrances = Entrances(*b"guests 1");

/// Whether a link came in by a guest gate.
pub(crate) fn is_guests(session: SessionId) -> bool {
    ENTRANCES.are_of(session)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::guests::entrance::draw;

    fn names(changes: &[Change]) -> Vec<(bool, SessionId)> {
        let name = |change: &Change| match change {
            Change::Expect(expectation) => (true, expectation.session),
            Change::Forget(session) => (false, *session),
        };
        changes.iter().map(name).collect()
    }

    #[test]
    fn keys_hold_for_two_months_and_are_told_for_one() {
        let (mut gates, mut draw) = (Gates::default(), draw());
        let day = |days: u64| UnixMillis(1_800_000_000_000 + days * 86_400_000);
        assert!(gates.told().is_none());
        assert!(gates.rotate(day(0), &mut draw).is_some());
        let first = gates.told().unwrap();
        assert_eq!(first.until, day(60));
        assert!(gates.rotate(day(29), &mut draw).is_none());
        assert_eq!(names(&gates.open(true)), [(true, ENTRANCES.session(0))]);
        let (number, _, from) = gates.rotate(day(30), &mut draw).unwrap();
        assert_eq!((number, from), (1, 0));
        assert_ne!(gates.told().unwrap(), first);
        assert_eq!(names(&gates.open(true)), [(true, ENTRANCES.session(1))]);
        assert!(is_guests(ENTRANCES.session(1)) && !is_guests(SessionId([7; 16])));
        gates.rotate(day(60), &mut draw).unwrap();
        // Who was told of the first one cannot come in any more.
        assert_eq!(names(&gates.open(true)), [(false, ENTRANCES.session(0)), (true, ENTRANCES.session(2))]);
        assert!(gates.open(true).is_empty());
        assert_eq!(names(&gates.open(false)), [(false, ENTRANCES.session(1)), (false, ENTRANCES.session(2))]);
    }

    #[test]
    fn a_clock_that_was_far_ahead_keeps_no_keys_for_ever() {
        let (mut gates, mut draw) = (Gates::default(), draw());
        gates.rotate(UnixMillis(4_000_000_000_000), &mut draw).unwrap();
        assert!(gates.rotate(UnixMillis(1_800_000_000_000), &mut draw).is_some());
        assert!(gates.rotate(UnixMillis(1_800_000_000_001), &mut draw).is_none());
    }

    #[test]
    fn they_do_not_show_in_a_log() {
        let mut gates = Gates::default();
        gates.rotate(UnixMillis(7), draw()).unwrap();
        assert_eq!(format!("{:?}", gates.told().unwrap()), "GateKeys { until: UnixMillis(5184000007), .. }");
    }
}
