//! Writing by the zone's primary server, and what goes on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::TXT;
use wayside_bridge::{Key, Record, Timestamp};

use crate::error::DnsError;
use crate::server::{Connection, Server};
use crate::text::{self, Held};
use crate::update::{Outcome, Update};
use crate::zone::Zone;

/// How often a replacement is tried where others replace the same at that moment.
const TRIES: u32 = 12;
/// The most expired records that are remembered until something is written.
const MOST_STALE: usize = 256;
/// The most of them that go with one update.
const STALE_AT_ONCE: usize = 32;

/// A zone's primary server, and what is known of the zone.
pub(crate) struct Primary {
    pub(crate) server: Server,
    zone: Zone,
    /// In seconds.
    ttl: u32,
    /// Where the zone begins, once the server said so.
    apex: Mutex<Option<Name>>,
    wildcard: Mutex<Wildcard>,
    /// What was seen there past its end.
    stale: Mutex<BTreeMap<Key, BTreeSet<Vec<u8>>>>,
    /// Replacements of our own wait for each other.
    turn: tokio::sync::Mutex<()>,
}

/// Whether every name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    Unknown,
    There,
    /// The key may not write it.
    Refused,
}

impl Primary {
    pub(crate) fn new(server: Server, zone: Zone, ttl: Duration) -> Self {
        Self {
            server,
            zone,
            ttl: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
            apex: Mutex::default(),
            wildcard: Mutex::new(Wildcard::Unknown),
            stale: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Leaves a record beside those that are there, or in place of those of ours.
    pub(crate) async fn publish(&self, record: &Record, replaces: bool) -> Result<(), DnsError> {
        let name = self.zone.name_of(&record.key)?;
        let text = text::encode(record).ok_or(DnsError::TooLate { class: record.class })?;
        let txt = text::txt(text.as_bytes());
        let mut connection = self.server.connect().await?;
        if !replaces {
            let mut update = self.with_stale();
            update.add(&name, &txt);
            return match self.apply(&mut connection, update).await? {
                true => Ok(()),
                false => Err(DnsError::Contended { what: self.zone.to_string() }),
            };
        }
        let _turn = self.turn.lock().await;
        for turn in 0..TRIES {
            let there = connection.texts(&name).await?;
            // What the wildcard says is not there itself.
            let there: Vec<TXT> =
                there.into_iter().filter(|txt| text::of_txt(txt) != text::PLACEHOLDER).collect();
            let mut update = self.with_stale();
            update.only_if(&name, &there);
            let ours = |txt: &&TXT| matches!(text::decode(&record.key, &text::of_txt(txt)), Held::Record(_));
            there
                .iter()
                .filter(ours)
                .filter(|other| **other != txt)
                .for_each(|other| update.remove(&name, other));
            update.add(&name, &txt);
            if self.apply(&mut connection, update).await? {
                return Ok(());
            }
            self.server.step_aside(turn).await;
        }
        Err(DnsError::Contended { what: name.to_ascii() })
    }

    /// Takes records away, and nothing else.
    pub(crate) async fn remove(&self, records: &[Record]) -> Result<(), DnsError> {
        let mut connection = self.server.connect().await?;
        let mut update = self.with_stale();
        for record in records {
            let (Ok(name), Some(text)) = (self.zone.name_of(&record.key), text::encode(record)) else {
                continue;
            };
            update.remove(&name, &text::txt(text.as_bytes()));
            if update.is_full() {
                self.apply(&mut connection, std::mem::replace(&mut update, Update::new(self.ttl))).await?;
            }
        }
        self.apply(&mut connection, update).await.map(drop)
    }

    /// Whether the server takes updates of ours: one that changes nothing.
    pub(crate) async fn probe(&self) -> Result<Option<Timestamp>, DnsError> {
        let mut connection = self.server.connect().await?;
        let apex = self.apex(&mut connection).await?;
        let answer = connection.exchange(Update::new(self.ttl).message(&apex)).await?;
        match Outcome::from(answer.message.response_code) {
            Outcome::Written | Outcome::Changed => Ok(answer.time),
            Outcome::Not(code) => Err(self.refusal(code)),
        }
    }

    /// Remembers what is past its end: anybody may clean up.
    pub(crate) fn saw_stale(&self, key: &Key, text: Vec<u8>) {
        let mut stale = lock(&self.stale);
        let count: usize = stale.values().map(BTreeSet::len).sum();
        if count < MOST_STALE {
            stale.entry(key.clone()).or_default().insert(text);
        }
    }

    /// An update that takes some of it away.
    fn with_stale(&self) -> Update {
        let mut update = Update::new(self.ttl);
        let mut stale = lock(&self.stale);
        for _ in 0..STALE_AT_ONCE {
            let Some(mut of_key) = stale.first_entry() else { break };
            let text = of_key.get_mut().pop_first();
            if let (Some(text), Ok(name)) = (text, self.zone.name_of(of_key.key())) {
                update.remove(&name, &text::txt(&text));
            }
            if of_key.get().is_empty() {
                of_key.remove();
            }
        }
        update
    }

    /// Has it written; `false` where what was to hold before does not.
    async fn apply(&self, connection: &mut Connection<'_>, update: Update) -> Result<bool, DnsError> {
        let apex = self.apex(connection).await?;
        let unknown = *lock(&self.wildcard) == Wildcard::Unknown;
        if unknown {
            let mut with_wildcard = update.clone();
            with_wildcard.add(&self.zone.wildcard()?, &text::txt(text::PLACEHOLDER));
            let outcome = self.outcome(connection, &with_wildcard, &apex).await?;
            if outcome != Outcome::Not(ResponseCode::Refused) {
                if outcome == Outcome::Written {
                    *lock(&self.wildcard) = Wildcard::There;
                }
                return self.written(outcome);
            }
        }
        let outcome = self.outcome(connection, &update, &apex).await?;
        if unknown && outcome == Outcome::Written {
            *lock(&self.wildcard) = Wildcard::Refused;
        }
        self.written(outcome)
    }

    async fn outcome(
        &self,
        connection: &mut Connection<'_>,
        update: &Update,
        apex: &Name,
    ) -> Result<Outcome, DnsError> {
        let answer = connection.exchange(update.message(apex)).await?;
        Ok(answer.message.response_code.into())
    }

    fn written(&self, outcome: Outcome) -> Result<bool, DnsError> {
        match outcome {
            Outcome::Written => Ok(true),
            Outcome::Changed => Ok(false),
            Outcome::Not(code) => Err(self.refusal(code)),
        }
    }

    async fn apex(&self, connection: &mut Connection<'_>) -> Result<Name, DnsError> {
        if let Some(apex) = lock(&self.apex).clone() {
            return Ok(apex);
        }
        let apex = connection.apex(&self.zone.name()?).await?;
        *lock(&self.apex) = Some(apex.clone());
        Ok(apex)
    }

    fn refusal(&self, code: ResponseCode) -> DnsError {
        let server = self.server.name();
        match code {
            ResponseCode::Refused => {
                DnsError::Refused { server, key: self.server.key_name(), what: self.zone.to_string() }
            }
            ResponseCode::NotAuth | ResponseCode::NotZone => {
                DnsError::NotAuthoritative { server, zone: self.zone.to_string() }
            }
            ResponseCode::NotImp => DnsError::NoUpdates { server },
            ResponseCode::ServFail => DnsError::NotWritten { server },
            _ => DnsError::Garbled { whom: server, what: "an error that updates do not give" },
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
