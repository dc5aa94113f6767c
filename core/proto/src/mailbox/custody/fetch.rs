//! What an owner does with its mail.

use super::STEP;
use super::ledger::Ledger;
use super::rows::{self, Kept};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::mailbox::wire::Listed;
use crate::mailbox::{Age, MailError, Read, Table, Tables};

pub(super) fn list<R: Read>(
    tables: &R,
    owner: &AccountId,
    device: &DeviceId,
    after: u64,
    most: usize,
) -> Result<Vec<Listed>, MailError<R::Error>> {
    let mut listed = Vec::new();
    let mut from = after;
    while listed.len() < most {
        let Some(next) = from.checked_add(1) else { break };
        let step = STEP.min(most - listed.len());
        let found = tables
            .scan(Table::CustodyByOwner, &rows::owned(owner, next), &rows::end(&owner.0), step)
            .map_err(MailError::Store)?;
        for (key, value) in &found {
            from = rows::arrival(key)?;
            let Kept { queue, hash, size, having, .. } = rows::parse("what lies in custody", value)?;
            if !having.contains(device) {
                listed.push(Listed { arrival: from, queue, hash, size });
            }
        }
        if found.len() < step {
            break;
        }
    }
    Ok(listed)
}

pub(super) fn get<R: Read>(
    tables: &R,
    owner: &AccountId,
    arrival: u64,
) -> Result<Option<Vec<u8>>, MailError<R::Error>> {
    if rows::kept(tables, owner, arrival)?.is_none() {
        return Ok(None);
    }
    let blob = tables.get(Table::CustodyBlobs, &arrival.to_be_bytes()).map_err(MailError::Store)?;
    blob.map(Some).ok_or(MailError::Damaged("what lies in custody without its blob"))
}

impl<T: Tables> Ledger<'_, T> {
    /// As [`acknowledge`](super::acknowledge), one of several in a transaction.
    pub fn acknowledge(
        &mut self,
        now: Age,
        owner: &AccountId,
        device: &DeviceId,
        arrivals: &[u64],
    ) -> Result<u64, MailError<T::Error>> {
        let devices = self.account(owner)?.devices.clone();
        if !devices.contains(device) {
            return Ok(0);
        }
        let mut went = 0;
        for arrival in arrivals {
            let Some(mut kept) = rows::kept(self.tables, owner, *arrival)? else { continue };
            if kept.having.contains(device) {
                continue;
            }
            kept.having.retain(|having| devices.contains(having));
            kept.having.push(*device);
            if devices.iter().all(|device| kept.having.contains(device)) {
                self.fetched(now, owner, *arrival, &kept)?;
                went += 1;
            } else {
                let owned = rows::owned(owner, *arrival);
                rows::write(self.tables, Table::CustodyByOwner, &owned, &kept)?;
            }
        }
        Ok(went)
    }
}
