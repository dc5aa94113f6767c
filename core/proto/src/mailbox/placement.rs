//! Which copy goes where: at least so many, at hosts that the recipient's card names, and with couriers of our own where it names too few.

use super::wire::BlobHash;
use super::{Age, MailError, Read, Tables};
use crate::crypto::keys::AccountId;

/// Where a copy may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keeper {
    /// A host of the recipient's, by its guest key.
    Host([u8; 32]),
    /// A friend of ours who carries it to one.
    Courier(AccountId),
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Copies.
    pub copies: usize,
    /// After how many seconds without a receipt a copy at a host that was not there any more counts no longer: another one is made elsewhere.
    pub doubt: u64,
}

/// How a copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Copy {
    /// It is kept there, since then.
    #[n(0)]
    Stored(#[n(0)] Age),
    /// There was no room; not to be tried before then.
    #[n(1)]
    Full(#[n(0)] Age),
    /// It is not taken there.
    #[n(2)]
    Denied(#[n(0)] Age),
}

/// What is known of a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub keeper: Keeper,
    /// When it was there last, as far as is known.
    pub seen: Option<Age>,
}

/// A copy to make, as soon as its keeper is there. Several keepers may be named for one item: whoever is there first gets it, until there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which item.
    pub seq: u64,
    /// Of its blob.
    pub hash: BlobHash,
    /// With whom.
    pub keeper: Keeper,
}

/// Copies that are wanted of what waits for a recipient after a number, the oldest item first, at most `most` of them.
pub fn due<R: Read>(
    tables: &R,
    now: Age,
    policy: &Policy,
    to: &AccountId,
    keepers: &[Known],
    after: u64,
    most: usize,
) -> Result<Vec<Due>, MailError<R::Error>> {
    let _ = (tables, now, policy, to, keepers, after, most);
    unimplemented!()
}

/// What became of a copy. Of an item that is gone already nothing is kept.
pub fn placed<T: Tables>(
    tables: &mut T,
    to: &AccountId,
    seq: u64,
    keeper: &Keeper,
    copy: Copy,
) -> Result<(), MailError<T::Error>> {
    let _ = (tables, to, seq, keeper, copy);
    unimplemented!()
}
