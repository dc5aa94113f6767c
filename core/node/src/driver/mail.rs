//! Mail over bridges: what the engine leaves and finds there for the ends of mail.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, MailRoots};
use wayside_proto::mailbox::wire::{Bell, BlobHash};

use super::Driver;
use crate::api::types::ApiError;
use crate::bridges::BridgeHandle;

/// How much may wait to be taken in, in blobs of 16 KiB at most. What is beyond it comes again after the next start, or by another way: its sender keeps it.
const MOST_WAITING: usize = 1024;

/// What came over bridges, in order, until the task that takes it in has it.
#[derive(Debug, Default)]
pub(super) struct Coming(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    blobs: Vec<(AccountId, Vec<u8>)>,
    /// Whether somebody takes them in.
    taken: bool,
}

impl Coming {
    /// One more; whether somebody is needed to take it in.
    fn push(&self, account: AccountId, blob: Vec<u8>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.blobs.len() >= MOST_WAITING {
            tracing::debug!(%account, "mail over a bridge is left for later: too much comes at once");
            return false;
        }
        state.blobs.push((account, blob));
        !std::mem::replace(&mut state.taken, true)
    }

    /// All there is, by friend; when nothing is, whoever asked is done.
    fn take(&self) -> BTreeMap<AccountId, Vec<Vec<u8>>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blobs = BTreeMap::<_, Vec<_>>::new();
        for (account, blob) in std::mem::take(&mut state.blobs) {
            blobs.entry(account).or_default().push(blob);
        }
        state.taken = !blobs.is_empty();
        blobs
    }
}

impl Driver {
    /// Leaves a blob for a friend at places that both share and where our user lets mail lie. Whether it lies somewhere now, or will as soon as the service has it; it is on our
    /// disk in any case. Asked again it adds nothing.
    pub(crate) async fn leave_mail(
        &self,
        to: &AccountId,
        hash: BlobHash,
        blob: Vec<u8>,
        lifetime: Duration,
    ) -> bool {
        let to = *to;
        let leave = self.change(move |engine, now| engine.leave_mail(now, &to, hash.0, &blob, lifetime));
        leave.await.unwrap_or(false)
    }

    /// Takes these back from wherever they lie: they came, or are not to come any more.
    pub(crate) async fn take_back_mail(&self, hashes: Vec<BlobHash>) {
        if hashes.is_empty() {
            return;
        }
        let take_back = self.change(move |engine, now| {
            for hash in &hashes {
                engine.take_back_mail(now, &hash.0);
            }
        });
        if let Err(error) = take_back.await {
            tracing::debug!(error = error.message, "mail over bridges stays until its days are over");
        }
    }

    /// What mail with friends over bridges goes under from now on: of those with whom both ways are known.
    pub(crate) async fn set_mail_roots(&self, roots: BTreeMap<AccountId, MailRoots>) -> Result<(), ApiError> {
        self.change(move |engine, now| engine.set_mail_roots(now, roots)).await
    }

    /// How friends who keep mail for us may ring: the first bridge, by name, that works and whose user hung a bell there.
    pub(crate) async fn own_bell(&self) -> Option<Bell> {
        let bell =
            |bridges: &BTreeMap<BridgeName, BridgeHandle>| bridges.values().find_map(BridgeHandle::bell);
        self.look_at(move |actor| bell(&actor.bridges)).await.ok().flatten()
    }

    /// The engine found mail. It is taken in beside everything else, and acknowledged by nothing but the receipt that its sender gets.
    pub(super) fn mail_came(&self, account: AccountId, blob: Vec<u8>) {
        if !self.0.mail_coming.push(account, blob) {
            return;
        }
        let driver = self.clone();
        self.spawn(async move {
            loop {
                let coming = driver.0.mail_coming.take();
                if coming.is_empty() {
                    return;
                }
                for (account, blobs) in coming {
                    if let Err(error) = crate::mail::came(&driver, account, blobs).await {
                        tracing::warn!(%error, "mail over a bridge could not be taken in: it comes again after the next start");
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_bounded_and_taken_by_one() {
        let (coming, ann, bob) = (Coming::default(), AccountId([1; 32]), AccountId([2; 32]));
        assert!(coming.push(ann, vec![1]));
        assert!(!coming.push(bob, vec![2]), "somebody takes it in already");
        assert!(!coming.push(ann, vec![3]));
        assert_eq!(coming.take(), [(ann, vec![vec![1], vec![3]]), (bob, vec![vec![2]])].into());
        assert!(!coming.push(ann, vec![4]), "it has not seen the end yet");
        assert_eq!(coming.take().len(), 1);
        assert!(coming.take().is_empty());
        assert!(coming.push(ann, vec![5]), "it is done");
        for _ in 0..2 * MOST_WAITING {
            coming.push(ann, vec![6]);
        }
        assert_eq!(coming.take()[&ann].len(), MOST_WAITING);
    }
}
