//! One after the other, and not too soon: a friend may open many streams, and what it says over all of them is looked at as if there were one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;

/// When the next word of each friend is looked at, at the earliest.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<AccountId, Instant>>);

impl Turns {
    /// Waits for a friend's turn; its next one is so much later.
    pub(crate) async fn turn(&self, account: AccountId, pause: Duration) {
        let now = Instant::now();
        let turn = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            next.retain(|_, at| *at > now);
            let turn = next.get(&account).copied().unwrap_or(now);
            next.insert(account, turn + pause);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_friend_has_one_turn_at_a_time() {
        let (turns, began, pause) = (Turns::default(), Instant::now(), Duration::from_secs(1));
        let [ann, bob] = [1, 2].map(|byte| AccountId([byte; 32]));
        tokio::join!(
            turns.turn(ann, pause),
            turns.turn(ann, pause),
            turns.turn(ann, pause),
            turns.turn(bob, pause)
        );
        assert_eq!(began.elapsed().as_secs(), 2);
        turns.turn(bob, pause).await;
        assert_eq!(began.elapsed().as_secs(), 2, "nobody waits for another one");
    }
}
