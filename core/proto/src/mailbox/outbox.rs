//! The sender's side: messages that were accepted, sealed, until their recipient says that it has them or they are over.

use super::item::{Content, FileRef, MessageId, Ordered, Receipt};
use super::wire::BlobHash;
use super::{Age, MailError, Read, Tables};
use crate::crypto::keys::AccountId;
use crate::time::UnixMillis;

/// What an item is kept as: a blob, or, where nothing is known yet to seal it to, bytes under a key of this machine's.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Sealed {
    /// For its recipient.
    #[n(0)]
    Blob(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// For ourselves, until the recipient's keys are known.
    #[n(1)]
    Locked(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// Makes blobs of items; what it has to be has to do with keys, and is the caller's.
pub trait Sealer {
    /// Seals an item for its recipient, or for ourselves.
    fn seal(&mut self, item: &Ordered) -> Sealed;
    /// Opens what was sealed for ourselves, to be sealed anew; `None` where that cannot be.
    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered>;
}

/// A message to accept.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its name, from the asker: asked for twice it is sent once.
    pub id: MessageId,
    /// To whom.
    pub to: AccountId,
    /// What it says.
    pub text: String,
    /// What is attached, with its bytes in parts of at most [`CHUNK`](super::item::CHUNK).
    pub files: Vec<(FileRef, Vec<Vec<u8>>)>,
    /// When, by our clock.
    pub sent: UnixMillis,
    /// After how many seconds it is given up.
    pub lifetime: u64,
}

/// What became of a message that was to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is here, once the transaction is on disk.
    Now,
    /// It was accepted under this id before; how it stands.
    Before(State),
    /// Too many wait for this recipient already.
    Full,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum State {
    /// Here alone.
    #[n(0)]
    Queued,
    /// At least one copy of every part of it is with somebody who keeps it.
    #[n(1)]
    Held,
    /// Its recipient has it on disk.
    #[n(2)]
    Delivered,
    /// Given up.
    #[n(3)]
    Expired,
}

/// An item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub seq: u64,
    /// Which message it is of.
    pub message: MessageId,
    /// As it is kept.
    pub sealed: Sealed,
    /// Of the blob.
    pub hash: BlobHash,
    /// When it was accepted.
    pub born: Age,
    /// When it is over.
    pub ends: Age,
}

/// Accepts a message: all of its items, or nothing.
pub fn accept<T: Tables>(
    tables: &mut T,
    now: Age,
    message: Outgoing,
    most: u64,
    sealer: &mut impl Sealer,
) -> Result<Accepted, MailError<T::Error>> {
    let _ = (tables, now, message, most, sealer, std::marker::PhantomData::<Content>);
    unimplemented!()
}

/// Seals what waits locked, at most so many; how many there were.
pub fn seal_waiting<T: Tables>(
    tables: &mut T,
    to: &AccountId,
    most: usize,
    sealer: &mut impl Sealer,
) -> Result<usize, MailError<T::Error>> {
    let _ = (tables, to, most, sealer);
    unimplemented!()
}

/// Items for a recipient after a number, in order, that it has not said to have.
pub fn waiting<R: Read>(
    tables: &R,
    to: &AccountId,
    after: u64,
    most: usize,
) -> Result<Vec<Waiting>, MailError<R::Error>> {
    let _ = (tables, to, after, most);
    unimplemented!()
}

/// The recipient says what it has. Returns the messages that are delivered by it. A receipt that claims more than was ever sent changes nothing beyond what was sent.
pub fn receipt<T: Tables>(
    tables: &mut T,
    now: Age,
    from: &AccountId,
    receipt: &Receipt,
) -> Result<Vec<MessageId>, MailError<T::Error>> {
    let _ = (tables, now, from, receipt);
    unimplemented!()
}

/// Gives up what is over, with all parts of the same message; the messages, by recipient.
pub fn expire<T: Tables>(
    tables: &mut T,
    now: Age,
) -> Result<Vec<(AccountId, MessageId)>, MailError<T::Error>> {
    let _ = (tables, now);
    unimplemented!()
}

/// The lowest number to this recipient that is not over: what news tell of it.
pub fn floor<R: Read>(tables: &R, to: &AccountId) -> Result<u64, MailError<R::Error>> {
    let _ = (tables, to);
    unimplemented!()
}

/// How a message stands, and with whom its copies are (guest keys of hosts that have all of its parts).
pub fn state<R: Read>(
    tables: &R,
    id: &MessageId,
) -> Result<Option<(AccountId, State, Vec<[u8; 32]>)>, MailError<R::Error>> {
    let _ = (tables, id);
    unimplemented!()
}

/// Takes out everything for recipients that `keep` does not want; the messages given up.
pub fn keep_only<T: Tables>(
    tables: &mut T,
    keep: &mut dyn FnMut(&AccountId) -> bool,
) -> Result<Vec<MessageId>, MailError<T::Error>> {
    let _ = (tables, keep);
    unimplemented!()
}

/// How much waits for whom: messages, and when the oldest was accepted.
pub fn queues<R: Read>(tables: &R) -> Result<Vec<(AccountId, Queue)>, MailError<R::Error>> {
    let _ = tables;
    unimplemented!()
}

/// How much waits for somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Messages that are here alone.
    pub queued: u64,
    /// Messages with a copy somewhere.
    pub held: u64,
    /// When the oldest was accepted, by our clock.
    pub oldest: Option<UnixMillis>,
}
