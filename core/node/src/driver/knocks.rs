//! Somebody knocks by a pointer of ours: told, unless too many do.

use std::time::Duration;

use tokio::time::Instant;
use wayside_proto::engine::KnockId;

use super::Actor;
use crate::api::types::NodeEvent;
use crate::requests::{knock_id, says_knock};

/// Knocks that are told one by one in [`AWHILE`]: anybody may knock, as often as there are accounts to make.
const MOST: u32 = 8;
/// For how long these are counted.
const AWHILE: Duration = Duration::from_secs(600);

/// How many knocks were told lately.
#[derive(Debug, Default)]
pub(super) struct Told {
    since: Option<Instant>,
    count: u32,
}

impl Actor {
    pub(super) fn knocked(&mut self, id: KnockId) {
        let Some(knock) = self.parts.engine.waiting_knocks().find(|knock| knock.id == id) else { return };
        let driver = &self.parts.driver;
        if driver.admitted().knocks(&knock.pointer, &knock.account) {
            // Our person has said yes already: it is let in, and nobody is asked.
            return;
        }
        let text = says_knock(&knock);
        match self.knocks_told.next() {
            Tell::It => {
                tracing::info!(account = %knock.account, pointer = %knock.pointer, "somebody knocks");
                driver.tell(NodeEvent::Request { id: knock_id(&id), kind: "knock".into(), text });
            }
            Tell::ThatThereAreMore => {
                let what = "many knock by your cards: those that come now are not told one by one, and `wayside requests` shows them";
                driver.tell(NodeEvent::Warning { what: what.to_owned() });
            }
            Tell::Nothing => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    It,
    ThatThereAreMore,
    Nothing,
}

impl Told {
    fn next(&mut self) -> Tell {
        if self.since.is_none_or(|since| since.elapsed() > AWHILE) {
            *self = Self { since: Some(Instant::now()), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        match self.count {
            0..=MOST => Tell::It,
            count if count == MOST + 1 => Tell::ThatThereAreMore,
            _ => Tell::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_knocks_is_told_once() {
        let mut told = Told::default();
        let first: Vec<Tell> = (0..100).map(|_| told.next()).collect();
        assert!(first[..8].iter().all(|tell| *tell == Tell::It));
        assert_eq!(first[8], Tell::ThatThereAreMore);
        assert!(first[9..].iter().all(|tell| *tell == Tell::Nothing));
        tokio::time::advance(AWHILE + Duration::from_secs(1)).await;
        assert_eq!(told.next(), Tell::It);
    }
}
