//! The recipient's side: each item once and in order, whatever way and however often it comes.

use super::item::{News, Ordered, Receipt};
use super::{MailError, Read, Tables};
use crate::crypto::keys::{AccountId, DeviceId};

/// What one sender may make wait here before its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items.
    pub held: u64,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// These are in order now, to be shown in the same transaction: it may be none, where it waits for its turn.
    Taken(Vec<Ordered>),
    /// It was here before, or its turn is over.
    Known,
    /// There is no room for it before its turn; it is to come again.
    Full,
    /// Its numbers are not ones that anybody has reason to use.
    Absurd,
}

/// Takes an item in.
pub fn take<T: Tables>(
    tables: &mut T,
    from: &AccountId,
    device: &DeviceId,
    item: Ordered,
    limits: &Limits,
) -> Result<Arrival, MailError<T::Error>> {
    let _ = (tables, from, device, item, limits);
    unimplemented!()
}

/// Takes in what a sender's device says of its floor and its news' number; what is in order now. `None`: these news are older than what was known.
pub fn news<T: Tables>(
    tables: &mut T,
    from: &AccountId,
    device: &DeviceId,
    news: &News,
) -> Result<Option<Vec<Ordered>>, MailError<T::Error>> {
    let _ = (tables, from, device, news);
    unimplemented!()
}

/// What is to be told to a sender: one receipt for each of its devices.
pub fn receipts<R: Read>(tables: &R, from: &AccountId) -> Result<Vec<Receipt>, MailError<R::Error>> {
    let _ = (tables, from);
    unimplemented!()
}

/// Senders who have not been told yet of the last that came from them.
pub fn owed<R: Read>(tables: &R, most: usize) -> Result<Vec<AccountId>, MailError<R::Error>> {
    let _ = (tables, most);
    unimplemented!()
}

/// A sender was told this: it has it, or somebody keeps it for it.
pub fn told<T: Tables>(
    tables: &mut T,
    from: &AccountId,
    receipt: &Receipt,
) -> Result<(), MailError<T::Error>> {
    let _ = (tables, from, receipt);
    unimplemented!()
}
