//! Which of the records under a name is meant, where anybody may have left some.

use std::collections::BTreeMap;

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::pointer::{Pointer, PointerError, PointerName};

/// A pointer that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pointer: Pointer,
    /// Why it does not hold.
    pub(crate) fault: Option<PointerError>,
    /// How many records did not hold.
    pub(crate) skipped: u64,
}

/// Why none was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Nothing lies there, or nothing of the account that was asked for.
    Nothing,
    /// What lies there is no pointer.
    Unreadable(PointerError),
    /// Several accounts have left one: the newest of each.
    Several(Vec<Pointer>),
}

/// The newest pointer that holds, of the account that is asked for or the only one that there is. Where none holds, the newest that does not.
pub(crate) fn choose<B: AsRef<[u8]>>(
    records: &[B],
    now: UnixMillis,
    name: Option<&PointerName>,
    account: Option<AccountId>,
) -> Result<Found, Choice> {
    let (mut good, mut bad) = (BTreeMap::new(), BTreeMap::new());
    let (mut unreadable, mut skipped) = (None, 0);
    for record in records {
        match Pointer::read(record.as_ref()) {
            Ok(pointer) if account.is_some_and(|account| account != pointer.account()) => {}
            Ok(pointer) => match pointer.check(now, name, None) {
                Ok(()) => keep_newest(&mut good, pointer, None),
                Err(fault) => {
                    skipped += 1;
                    keep_newest(&mut bad, pointer, Some(fault));
                }
            },
            Err(error) => {
                skipped += 1;
                unreadable.get_or_insert(error);
            }
        }
    }
    let mut found = if good.is_empty() { bad } else { good };
    if found.len() > 1 {
        return Err(Choice::Several(found.into_values().map(|(pointer, _)| pointer).collect()));
    }
    match (found.pop_first(), unreadable) {
        (Some((_, (pointer, fault))), _) => Ok(Found { pointer, fault, skipped }),
        (None, Some(error)) if account.is_none() => Err(Choice::Unreadable(error)),
        (None, _) => Err(Choice::Nothing),
    }
}

type Newest = BTreeMap<AccountId, (Pointer, Option<PointerError>)>;

fn keep_newest(newest: &mut Newest, pointer: Pointer, fault: Option<PointerError>) {
    let account = pointer.account();
    if newest.get(&account).is_none_or(|(known, _)| known.seq() < pointer.seq()) {
        newest.insert(account, (pointer, fault));
    }
}
