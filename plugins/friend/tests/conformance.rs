//! The suite that every bridge passes, on several friends of one board over pipes.

mod common;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use wayside_bridge::{
    BridgeError, Clock, Entropy, Key, Record, RingTarget, SeededEntropy, SharedBridge, Slot, Timestamp,
};
use wayside_bridge_friend::wire::{Id, Note};
use wayside_bridge_friend::{Limits, Owner};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::common::Rita;

mod over_pipes {
    wayside_conformance::conformance_tests!(super::Boards);
}

struct Boards;

#[async_trait]
impl Harness for Boards {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        Ok(Box::new(Friends { rita: Rita::new(Limits::default()), entropy: SeededEntropy::new(7) }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// Friends of a Rita's.
struct Friends {
    rita: Rita,
    entropy: SeededEntropy,
}

/// Fewer than one friend may leave: those who mean harm are many.
const FOR_EACH: usize = 400;

fn member(who: usize) -> u8 {
    u8::try_from(who).unwrap_or(u8::MAX)
}

fn note(record: &Record) -> Supply<Note> {
    let Key::Slot(slot) = record.key else {
        return Missing::not_applicable("a friend holds no records under public names");
    };
    Ok(Note { slot: slot.into(), not_after: record.not_after.as_secs(), bytes: record.bytes.clone() })
}

#[async_trait]
impl Namespace for Friends {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        Ok(self.rita.bridge(member(who)).await)
    }

    fn now(&self) -> Timestamp {
        self.rita.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.rita.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Ok(self.rita.bridge_of(200, watch::channel(false).1).await?)
    }

    async fn throttle(&self, on: bool) -> Supply {
        let limits = Limits::default();
        let burst = if on { 0 } else { limits.burst };
        self.rita.host.board().limit(Limits { burst, ..limits });
        Ok(())
    }

    /// By others of her friends. What is no record is one to her: she does not look inside.
    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        for (number, entry) in entries.iter().enumerate() {
            let note = match entry {
                Planted::Record(record) => note(record)?,
                Planted::Junk(junk) => {
                    let mut slot = [0; 16];
                    self.entropy.fill(&mut slot);
                    Note { slot: Id(slot), not_after: u64::MAX, bytes: junk.clone() }
                }
                _ => return Missing::not_applicable("the suite plants what this harness does not know"),
            };
            let owner = Owner([member(100 + number / FOR_EACH); 32]);
            // What is longer than a record is refused.
            let left = self.rita.host.board().leave(self.rita.host.now(), owner, note);
            self.rita.host.wake(&left.map(|left| left.wake).unwrap_or_default());
        }
        Ok(())
    }

    /// As a Rita would who means harm.
    async fn tamper(&self, who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let (now, owner, note) = (self.rita.host.now(), Owner([member(who); 32]), note(record)?);
        let failed = |_| Missing::Failed(BridgeError::unsupported("the board refuses what it holds"));
        let mut board = self.rita.host.board();
        // The same once more is the same.
        let there = board.leave(now, owner, note.clone()).map_err(failed)?;
        board.retract(owner, &[there.receipt]);
        assert!(
            board.look(now, &[Slot(note.slot.0)].into(), None, 1).is_ok_and(|found| found.records.is_empty())
        );
        board.leave(now, owner, Note { bytes: bytes.clone(), ..note }).map_err(failed)?;
        Ok(())
    }

    async fn bell(&self, _who: usize) -> Supply<RingTarget> {
        Missing::not_applicable("a board does not ring")
    }

    async fn rung(&self, _who: usize) -> Supply<bool> {
        Missing::not_applicable("a board does not ring")
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.rita.host.board().len())
    }
}
