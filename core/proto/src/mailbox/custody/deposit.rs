//! Taking in what is left for an owner.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::ledger::{Ledger, Of};
use super::rows::{self, Kept, Over, Trace};
use super::{Limits, room};
use crate::crypto::keys::AccountId;
use crate::crypto::{Secret, sha256};
use crate::mailbox::wire::{Answer, BlobHash, MAX_BLOB, MAX_LIFETIME, Put, QueueId};
use crate::mailbox::{Age, MailError, Table, Tables};

impl<T: Tables> Ledger<'_, T> {
    /// As [`deposit`](super::deposit), one of several in a transaction.
    pub fn deposit(
        &mut self,
        now: Age,
        limits: &Limits,
        owner: &AccountId,
        put: &Put,
    ) -> Result<Answer, MailError<T::Error>> {
        let registered = self.registered(&put.queue)?.filter(|registered| registered.owner == *owner);
        if let Err(answer) = check(registered.map(|registered| registered.key).as_ref(), put) {
            return Ok(answer);
        }
        if self.was_here(now, owner, put)? {
            return Ok(Answer::Stored);
        }
        let of = Of::Queue(&put.queue);
        if let Err(retry) = self.has_room(now, limits, owner, of, room(put.blob.len()))? {
            return Ok(Answer::Full(retry));
        }
        self.keep(now, limits, owner, put)?;
        Ok(Answer::Stored)
    }

    /// Whether it lies here, or was fetched and deleted. What is over by now, and only not cleared away yet, is cleared away.
    fn was_here(&mut self, now: Age, owner: &AccountId, put: &Put) -> Result<bool, MailError<T::Error>> {
        match rows::trace(self.tables, &put.queue, &put.hash)? {
            None => Ok(false),
            Some(Trace::Live(arrival)) => {
                let kept = rows::kept(self.tables, owner, arrival)?;
                let kept = kept.ok_or(MailError::Damaged("a hash in custody without what it is of"))?;
                if kept.ends > now {
                    return Ok(true);
                }
                self.delete(owner, arrival, &kept)?;
                Ok(false)
            }
            Some(Trace::Gone(until, _)) if until > now => Ok(true),
            Some(Trace::Gone(until, arrival)) => {
                self.forget(owner, &put.queue, &put.hash, until, arrival)?;
                Ok(false)
            }
        }
    }

    fn keep(
        &mut self,
        now: Age,
        limits: &Limits,
        owner: &AccountId,
        put: &Put,
    ) -> Result<(), MailError<T::Error>> {
        let arrival = self.arrives()?;
        let ends = now.after(u64::from(put.lifetime.min(limits.lifetime)));
        let kept = Kept {
            queue: put.queue,
            hash: put.hash,
            size: u32::try_from(put.blob.len()).unwrap_or(u32::MAX),
            ends,
            having: Vec::new(),
        };
        let tables = &mut *self.tables;
        tables.put(Table::CustodyBlobs, &arrival.to_be_bytes(), &put.blob).map_err(MailError::Store)?;
        rows::write(tables, Table::CustodyByOwner, &rows::owned(owner, arrival), &kept)?;
        let hashed = rows::hashed(&put.queue, &put.hash);
        rows::write(tables, Table::CustodyByHash, &hashed, &Trace::Live(arrival))?;
        let over = Over::Mail(put.queue, put.hash);
        rows::write(tables, Table::CustodyExpiry, &rows::ending(ends, arrival), &over)?;
        self.came(owner, Of::Queue(&put.queue), room(put.blob.len()))
    }
}

/// Whether something may be left in a queue, by the queue's key where there is such a queue, and what is said where it may not: in this order, blob and lifetime are of lengths that may be (else
/// [`Answer::Malformed`]), the mac is good (else [`Answer::Denied`]), and the hash is the blob's (else `Malformed`).
pub fn check(key: Option<&Secret>, put: &Put) -> Result<(), Answer> {
    if !sized(put) {
        return Err(Answer::Malformed);
    }
    if !key.is_some_and(|key| verifies(key, put)) {
        return Err(Answer::Denied);
    }
    if sha256(&[&put.blob]) != put.hash.0 {
        return Err(Answer::Malformed);
    }
    Ok(())
}

/// Whether lengths and lifetime are such that it may be kept at all.
pub(super) fn sized(put: &Put) -> bool {
    (1..=MAX_BLOB).contains(&put.blob.len()) && (1..=MAX_LIFETIME).contains(&put.lifetime)
}

/// The mac that a [`Put`] carries: HMAC-SHA256 under the queue's key over queue ‖ hash ‖ lifetime, a u32 big-endian.
pub fn mac(key: &Secret, queue: &QueueId, hash: &BlobHash, lifetime: u32) -> [u8; 32] {
    keyed(key, queue, hash, lifetime).map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

/// Whether it carries the mac of the queue's key, in a time that does not depend on what it carries.
fn verifies(key: &Secret, put: &Put) -> bool {
    keyed(key, &put.queue, &put.hash, put.lifetime).is_some_and(|mac| mac.verify_slice(&put.mac).is_ok())
}

/// `None` never comes: HMAC takes keys of any length.
fn keyed(key: &Secret, queue: &QueueId, hash: &BlobHash, lifetime: u32) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    mac.update(&queue.0);
    mac.update(&hash.0);
    mac.update(&lifetime.to_be_bytes());
    Some(mac)
}
