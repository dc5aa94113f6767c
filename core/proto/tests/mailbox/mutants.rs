//! What could be wrong: each is put in on purpose, and has to be found.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Hosts say Stored and keep nothing.
    HostForgets,
    /// Hosts say Stored before it is on disk.
    AnswersEarly,
    /// The recipient shows what it knows already.
    ShowsTwice,
    /// The recipient shows what comes before its turn.
    ShowsAtOnce,
    /// The recipient tells a sender or a host that it has something before that is on disk.
    ReceiptEarly,
    /// The sender takes a host's word for delivery.
    TrustsHosts,
    /// The sender gives up as soon as it is over at the hosts.
    NoGrace,
    /// Age is what the wall clock says.
    TrustsTheClock,
    /// Seeds are destroyed when their week is over.
    DestroysSeeds,
    /// Seeds are never destroyed.
    KeepsSeeds,
    /// Hosts keep whatever comes.
    NoQuota,
    /// Whoever comes first at a host may fill it.
    NoShares,
    /// Recipients do not say at hosts what they have.
    NeverAcknowledges,
    /// Recipients owe receipts and do not send them.
    NoReceipts,
    /// One copy and no other.
    OneCopy,
}
