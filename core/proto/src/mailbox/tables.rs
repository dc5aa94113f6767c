//! What the mailbox keeps, as one transaction of whatever store there is.

/// A table: keys and values are bytes, keys are ordered as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    // Custody, in a host's own file.
    /// Arrival → blob.
    CustodyBlobs,
    /// Owner ‖ arrival → what it is.
    CustodyByOwner,
    /// Queue ‖ hash → where it is, or that it is gone.
    CustodyByHash,
    /// When it ends ‖ arrival → what ends.
    CustodyExpiry,
    /// Queue → whose it is, its key.
    CustodyQueues,
    /// Owner → what lies here for it; owner ‖ queue → what lies in it.
    CustodyOwners,
    /// What a courier carries: number → deposit to make; who asked, where to, hash → number.
    CustodyCarried,
    /// Single values: next arrival, totals.
    CustodyState,
    // Messages on their way, in the node's store.
    /// Recipient ‖ seq → a blob, as it is kept.
    Outbox,
    /// Recipient ‖ seq → what is to be known of an item without its blob.
    OutboxHeads,
    /// Recipient ‖ seq → nothing: what is sealed for ourselves alone yet.
    OutboxLocked,
    /// Message id → recipient ‖ seq, or that it is over: so that asking twice sends once.
    OutboxIds,
    /// Recipient ‖ seq ‖ keeper → how a copy there stands.
    OutboxCopies,
    /// Recipient → the last number, and how much waits.
    OutboxPeers,
    /// When it ends ‖ message id → nothing.
    OutboxEnds,
    /// When it was over ‖ message id → nothing: which id is forgotten next.
    OutboxOver,
    /// Single values: totals.
    OutboxState,
    // Messages that came, in the node's store.
    /// Sender ‖ device → the last in order, what is owed.
    InboxPeers,
    /// Sender ‖ device ‖ seq → an item that came before its turn.
    InboxHeld,
    /// Sender ‖ device → nothing: who is owed a receipt.
    InboxOwed,
    /// Recipient's own news for a sender: sender → what it was told last.
    InboxNews,
}

impl Table {
    /// All there are, in their order.
    pub const ALL: [Self; 21] = [
        Self::CustodyBlobs,
        Self::CustodyByOwner,
        Self::CustodyByHash,
        Self::CustodyExpiry,
        Self::CustodyQueues,
        Self::CustodyOwners,
        Self::CustodyCarried,
        Self::CustodyState,
        Self::Outbox,
        Self::OutboxHeads,
        Self::OutboxLocked,
        Self::OutboxIds,
        Self::OutboxCopies,
        Self::OutboxPeers,
        Self::OutboxEnds,
        Self::OutboxOver,
        Self::OutboxState,
        Self::InboxPeers,
        Self::InboxHeld,
        Self::InboxOwed,
        Self::InboxNews,
    ];

    /// What it is called in a store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustodyBlobs => "custody-blobs",
            Self::CustodyByOwner => "custody-by-owner",
            Self::CustodyByHash => "custody-by-hash",
            Self::CustodyExpiry => "custody-expiry",
            Self::CustodyQueues => "custody-queues",
            Self::CustodyOwners => "custody-owners",
            Self::CustodyCarried => "custody-carried",
            Self::CustodyState => "custody-state",
            Self::Outbox => "mail-outbox",
            Self::OutboxHeads => "mail-outbox-heads",
            Self::OutboxLocked => "mail-outbox-locked",
            Self::OutboxIds => "mail-outbox-ids",
            Self::OutboxCopies => "mail-outbox-copies",
            Self::OutboxPeers => "mail-outbox-peers",
            Self::OutboxEnds => "mail-outbox-ends",
            Self::OutboxOver => "mail-outbox-over",
            Self::OutboxState => "mail-outbox-state",
            Self::InboxPeers => "mail-inbox-peers",
            Self::InboxHeld => "mail-inbox-held",
            Self::InboxOwed => "mail-inbox-owed",
            Self::InboxNews => "mail-inbox-news",
        }
    }
}

/// An entry of a table.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A consistent look at the tables.
pub trait Read {
    /// The store's own errors.
    type Error;

    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Entries with `from ≤ key < to`, in the order of their keys, at most so many.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Entry>, Self::Error>;

    /// The last entry with `from ≤ key < to`.
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, Self::Error>;
}

/// A transaction on the tables: all of it happens or nothing.
pub trait Tables: Read {
    /// Sets the value of a key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Self::Error>;

    /// Takes a key out; whether it was there.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, Self::Error>;
}

/// Tables in memory, for tests and simulations: a clone is a state to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(std::collections::BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Read for Memory {
    type Error = std::convert::Infallible;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Entry>, Self::Error> {
        if from >= to {
            return Ok(Vec::new());
        }
        let found = self.0.range((table, from.to_vec())..(table, to.to_vec())).take(most);
        Ok(found.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, Self::Error> {
        if from >= to {
            return Ok(None);
        }
        let last = self.0.range((table, from.to_vec())..(table, to.to_vec())).next_back();
        Ok(last.map(|((_, key), value)| (key.clone(), value.clone())))
    }
}

impl Tables for Memory {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Self::Error> {
        self.0.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, Self::Error> {
        Ok(self.0.remove(&(table, key.to_vec())).is_some())
    }
}
