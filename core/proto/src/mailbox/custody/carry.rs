//! What friends have us carry to hosts of theirs.

use super::STEP;
use super::deposit::sized;
use super::ledger::{Ledger, Of};
use super::rows::{self, Borne, Over};
use super::{ByHost, Limits, room};
use crate::codec;
use crate::crypto::keys::AccountId;
use crate::crypto::sha256;
use crate::mailbox::wire::{Answer, Carry, HostEntry};
use crate::mailbox::{Age, MailError, Read, Table, Tables};

impl<T: Tables> Ledger<'_, T> {
    /// As [`take_to_carry`](super::take_to_carry), one of several in a transaction.
    pub fn take_to_carry(
        &mut self,
        now: Age,
        limits: &Limits,
        by: &AccountId,
        carry: &Carry,
    ) -> Result<Answer, MailError<T::Error>> {
        let HostEntry { name, points, .. } = &carry.host;
        let host_is_sized = name.len() <= 64 && points.len() <= HostEntry::MOST_POINTS;
        if !host_is_sized || !sized(&carry.put) || sha256(&[&carry.put.blob]) != carry.put.hash.0 {
            return Ok(Answer::Malformed);
        }
        if let Some(number) = self.asked_for(by, carry)? {
            if self.borne(number)?.ends > now {
                return Ok(Answer::Stored);
            }
            self.carried_over(number)?;
        }
        let bytes = taken_by(carry);
        if let Err(retry) = self.has_room(now, limits, by, Of::Carried, bytes)? {
            return Ok(Answer::Full(retry));
        }
        let number = self.arrives()?;
        let ends = now.after(u64::from(carry.put.lifetime.min(limits.lifetime)));
        let borne = Borne { by: *by, ends, carry: carry.clone() };
        let tables = &mut *self.tables;
        rows::write(tables, Table::CustodyCarried, &rows::borne(number), &borne)?;
        let asked_for = rows::asked_for(by, carry);
        tables.put(Table::CustodyCarried, &asked_for, &number.to_be_bytes()).map_err(MailError::Store)?;
        rows::write(tables, Table::CustodyExpiry, &rows::ending(ends, number), &Over::Carried)?;
        self.came(by, Of::Carried, bytes)?;
        Ok(Answer::Stored)
    }

    /// As [`carried_over`](super::carried_over), one of several in a transaction.
    pub fn carried_over(&mut self, number: u64) -> Result<(), MailError<T::Error>> {
        let key = rows::borne(number);
        let Some(borne) = rows::read::<_, Borne>(self.tables, Table::CustodyCarried, &key, BORNE)? else {
            return Ok(());
        };
        rows::remove(self.tables, Table::CustodyCarried, &key)?;
        rows::remove(self.tables, Table::CustodyCarried, &rows::asked_for(&borne.by, &borne.carry))?;
        rows::remove(self.tables, Table::CustodyExpiry, &rows::ending(borne.ends, number))?;
        self.went(&borne.by, Of::Carried, taken_by(&borne.carry))
    }

    fn asked_for(&self, by: &AccountId, carry: &Carry) -> Result<Option<u64>, MailError<T::Error>> {
        let found = self.tables.get(Table::CustodyCarried, &rows::asked_for(by, carry));
        found.map_err(MailError::Store)?.map(|number| rows::arrival(&number)).transpose()
    }

    fn borne(&self, number: u64) -> Result<Borne, MailError<T::Error>> {
        let found = rows::read(self.tables, Table::CustodyCarried, &rows::borne(number), BORNE)?;
        found.ok_or(MailError::Damaged("a carried number without what it is of"))
    }
}

const BORNE: &str = "what is carried";

/// It takes room with all that says where it goes.
fn taken_by(carry: &Carry) -> u64 {
    room(codec::encode(carry).len())
}

pub(super) fn carried<R: Read>(
    tables: &R,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Carry)>, MailError<R::Error>> {
    let found = tables.scan(Table::CustodyCarried, &rows::borne(from), &[1], most);
    let found = found.map_err(MailError::Store)?;
    found
        .iter()
        .map(|(key, value)| {
            let borne: Borne = rows::parse(BORNE, value)?;
            Ok((rows::arrival(key)?, borne.carry))
        })
        .collect()
}

pub(super) fn carried_by_host<R: Read>(tables: &R) -> Result<ByHost, MailError<R::Error>> {
    let (mut hosts, mut from) = (ByHost::new(), vec![1]);
    loop {
        let found = tables.scan(Table::CustodyCarried, &from, &[2], STEP).map_err(MailError::Store)?;
        let Some((last, _)) = found.last() else { break };
        from = [&last[..], &[0]].concat();
        for (key, number) in &found {
            hosts.entry(rows::guest(key)?).or_default().push(rows::arrival(number)?);
        }
    }
    hosts.values_mut().for_each(|numbers| numbers.sort_unstable());
    Ok(hosts)
}
