//! First flights of several datagrams, held back until the whole of message 1 is there.
//!
//! Message 1 with a key of ML-KEM does not fit one datagram, and the QUIC state machine must hear of none before all of
//! it has verified. So datagrams wait here. Only who has the gate key can make one wait, or who copies one of a flight that
//! never arrived in whole.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    core::{
        GATE_ID_LEN,
        pieces::{Piece, Pieces, Progress},
    },
    secret::SessionId,
};

/// Flights held for one gate; a further one pushes out the oldest of that gate.
pub(super) const MAX_PER_GATE: usize = 16;
/// Flights held in all; beyond it, no further one is.
pub(super) const MAX_IN_ALL: usize = 128;
/// Datagrams held of one flight. Each must bring something new; two are what a peer sends, and after losses the same bytes
/// may come cut differently.
pub(super) const MAX_DATAGRAMS: usize = 4;
/// The largest datagram held, in bytes. First datagrams have 1200; a path never carries more than Ethernet's 1472 here.
pub(super) const MAX_DATAGRAM: usize = 1472;
/// How long a flight may take. A lost datagram comes again after a third of a second, then two thirds, then four thirds.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

type Key = (SocketAddr, [u8; GATE_ID_LEN]);

/// Flights under way, by where they come from and by their first destination id: a copy from elsewhere is another flight.
#[derive(Default)]
pub(super) struct Held(HashMap<Key, Flight>);

struct Flight {
    session: SessionId,
    since: Instant,
    pieces: Pieces,
    datagrams: Vec<Vec<u8>>,
}

/// What one more datagram came to.
pub(super) enum Flown {
    /// It waits, or was dropped; nothing is whole yet.
    NotYet,
    /// The whole message, and every datagram that carried some of it, in the order of their arrival.
    Whole { message: Vec<u8>, datagrams: Vec<Vec<u8>> },
}

impl Held {
    /// Takes a datagram with these pieces of a message of at most `limit` bytes.
    pub(super) fn add(
        &mut self,
        session: SessionId,
        key: Key,
        limit: usize,
        pieces: &[Piece],
        datagram: &[u8],
    ) -> Flown {
        if datagram.len() > MAX_DATAGRAM || !self.has_room(session, &key) {
            return Flown::NotYet;
        }
        let flight = self.0.entry(key).or_insert_with(|| Flight {
            session,
            since: Instant::now(),
            pieces: Pieces::new(limit),
            datagrams: Vec::new(),
        });
        // Counted, so that all of them are taken.
        let new = pieces.iter().filter(|piece| flight.pieces.add(piece)).count() > 0;
        if new && flight.datagrams.len() < MAX_DATAGRAMS {
            flight.datagrams.push(datagram.to_vec());
        } else if !flight.datagrams.is_empty() {
            return Flown::NotYet;
        }
        let progress = flight.pieces.progress();
        if new && progress == Progress::Incomplete {
            return Flown::NotYet;
        }
        match (self.0.remove(&key), progress) {
            (Some(flight), Progress::Whole(message)) => Flown::Whole { message, datagrams: flight.datagrams },
            _ => Flown::NotYet,
        }
    }

    /// Forgets what is held for a gate.
    pub(super) fn shut(&mut self, session: SessionId) {
        self.0.retain(|_, flight| flight.session != session);
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.0.values_mut().for_each(|flight| flight.since -= by);
    }

    fn has_room(&mut self, session: SessionId, key: &Key) -> bool {
        self.0.retain(|_, flight| flight.since.elapsed() < PATIENCE);
        if self.0.contains_key(key) {
            return true;
        }
        let of_this_gate = || self.0.iter().filter(|(_, flight)| flight.session == session);
        if of_this_gate().count() >= MAX_PER_GATE {
            let oldest = of_this_gate().min_by_key(|(_, flight)| flight.since).map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        self.0.len() < MAX_IN_ALL
    }
}
