//! Records of the mailbox's ends in the tables: CBOR under keys whose order is that of what they stand for.

use minicbor::{Decode, Encode};

use super::{MailError, Read, Table, Tables};
use crate::codec;
use crate::crypto::keys::{AccountId, DeviceId};

/// How many entries are looked at in one go.
pub(super) const PAGE: usize = 256;

/// A record, `None` where there is none.
pub(super) fn load<R: Read, V: for<'b> Decode<'b, ()>>(
    tables: &R,
    table: Table,
    key: &[u8],
) -> Result<Option<V>, MailError<R::Error>> {
    let Some(value) = tables.get(table, key).map_err(MailError::Store)? else { return Ok(None) };
    read(&value).map(Some)
}

/// A record of what was found under a key.
pub(super) fn read<V: for<'b> Decode<'b, ()>, E>(value: &[u8]) -> Result<V, MailError<E>> {
    codec::decode("mail", value, usize::MAX)
        .map_err(|_| MailError::Damaged("a record of the mail cannot be read"))
}

/// Writes a record.
pub(super) fn save<T: Tables, V: Encode<()>>(
    tables: &mut T,
    table: Table,
    key: &[u8],
    value: &V,
) -> Result<(), MailError<T::Error>> {
    tables.put(table, key, &codec::encode(value)).map_err(MailError::Store)
}

/// Writes an entry of which nothing is to be known but that it is there.
pub(super) fn mark<T: Tables>(tables: &mut T, table: Table, key: &[u8]) -> Result<(), MailError<T::Error>> {
    tables.put(table, key, &[]).map_err(MailError::Store)
}

/// Takes an entry out; whether it was there.
pub(super) fn remove<T: Tables>(
    tables: &mut T,
    table: Table,
    key: &[u8],
) -> Result<bool, MailError<T::Error>> {
    tables.remove(table, key).map_err(MailError::Store)
}

/// Entries with `from ≤ key < to`, at most so many.
pub(super) fn scan<R: Read>(
    tables: &R,
    table: Table,
    from: &[u8],
    to: &[u8],
    most: usize,
) -> Result<Vec<super::tables::Entry>, MailError<R::Error>> {
    tables.scan(table, from, to, most).map_err(MailError::Store)
}

/// Recipient ‖ seq.
pub(super) fn item_key(to: &AccountId, seq: u64) -> Vec<u8> {
    [to.0.as_slice(), &seq.to_be_bytes()].concat()
}

/// Sender ‖ device.
pub(super) fn device_key(from: &AccountId, device: &DeviceId) -> Vec<u8> {
    [from.0.as_slice(), &device.0].concat()
}

/// Sender ‖ device ‖ seq.
pub(super) fn held_key(from: &AccountId, device: &DeviceId, seq: u64) -> Vec<u8> {
    [from.0.as_slice(), &device.0, &seq.to_be_bytes()].concat()
}

/// Behind all keys of an account.
pub(super) fn behind_account(account: &AccountId) -> Vec<u8> {
    [account.0.as_slice(), &[0xff; 64]].concat()
}

/// The account that a key begins with, and what follows it.
pub(super) fn account_of<E>(key: &[u8]) -> Result<(AccountId, &[u8]), MailError<E>> {
    let (account, rest) =
        key.split_first_chunk().ok_or(MailError::Damaged("a key of the mail is too short"))?;
    Ok((AccountId(*account), rest))
}

/// The number that a key ends with.
pub(super) fn seq_of<E>(key: &[u8]) -> Result<u64, MailError<E>> {
    let (_, seq) = key.split_last_chunk().ok_or(MailError::Damaged("a key of the mail is too short"))?;
    Ok(u64::from_be_bytes(*seq))
}
