//! Asking: transactions of RFC 8489, section 6, over UDP, any number of servers and sockets at a time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::answer::{self, Answer, Failure, canonical};
use crate::request::Request;
use crate::wire::{Message, TransactionId};

/// The most transactions under way at a time: a socket each for guessing ports, and what else there is to ask.
pub const MOST_TRANSACTIONS: usize = 512;

/// One of the caller's sockets, under any name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket(pub u64);

/// How often a request is sent, and how long an answer is waited for (RFC 8489, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The wait before the second request, doubled before each further one. 500 ms in the RFC.
    pub rto: Duration,
    /// How often it is sent (Rc): 7 in the RFC.
    pub sends: u32,
    /// How many times `rto` an answer to the last one is waited for (Rm): 16 in the RFC.
    pub last: u32,
    /// The end of it all since the first request, however many are left. None in the RFC.
    pub at_most: Option<Duration>,
}

impl Default for Patience {
    /// The RFC's: requests after 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and the end after 39.5 s.
    fn default() -> Self {
        Self { rto: Duration::from_millis(500), sends: 7, last: 16, at_most: None }
    }
}

impl Patience {
    /// The RFC's, with an earlier end.
    pub fn within(total: Duration) -> Self {
        Self { at_most: Some(total), ..Self::default() }
    }
}

/// One transaction to run.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The socket that sends the request.
    pub via: Socket,
    /// Where to.
    pub server: SocketAddr,
    /// The socket at which the answer is expected: another one with RESPONSE-PORT.
    pub answer_via: Socket,
    /// Where the answer comes from: another address with CHANGE-REQUEST.
    pub answer_from: SocketAddr,
    /// What is asked.
    pub request: Request,
    /// How long.
    pub patience: Patience,
}

impl Ask {
    /// Answered where it is sent, by whom it is sent to, with the RFC's patience.
    pub fn new(via: Socket, server: SocketAddr, request: Request) -> Self {
        Self { via, server, answer_via: via, answer_from: server, request, patience: Patience::default() }
    }
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// From this socket.
    pub via: Socket,
    /// To this address.
    pub to: SocketAddr,
    /// These bytes. There may be a token in them.
    pub datagram: Vec<u8>,
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transmit {{ via: {:?}, to: {}, {} bytes }}", self.via, self.to, self.datagram.len())
    }
}

/// Why a transaction was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// [`MOST_TRANSACTIONS`] are under way. Try again when one has ended.
    #[error("too many transactions at a time")]
    Full,
    /// The id is that of one under way: a fault of the caller's randomness.
    #[error("the transaction id is in use")]
    IdInUse,
}

/// Transactions under way.
///
/// After [`start`](Self::start), [`received`](Self::received) and [`handle_timeout`](Self::handle_timeout), drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_outcome`](Self::poll_outcome), then ask [`poll_timeout`](Self::poll_timeout) when to call
/// `handle_timeout` next.
#[derive(Debug, Default)]
pub struct Client {
    under_way: BTreeMap<TransactionId, Transaction>,
    transmits: VecDeque<Transmit>,
    outcomes: VecDeque<(TransactionId, Result<Answer, Failure>)>,
}

impl Client {
    /// Begins a transaction under an id that is new and random: whoever guesses it can answer in the server's place, if they forge its address too.
    ///
    /// # Errors
    /// Where too many are under way, or one has this id.
    pub fn start(&mut self, now: Duration, id: TransactionId, ask: Ask) -> Result<(), StartError> {
        if self.under_way.contains_key(&id) {
            return Err(StartError::IdInUse);
        }
        if self.under_way.len() >= MOST_TRANSACTIONS {
            return Err(StartError::Full);
        }
        let transaction = self.under_way.entry(id).or_insert(Transaction {
            datagram: ask.request.encode(id),
            began: now,
            sent: 0,
            due: now,
            ask,
        });
        self.transmits.extend(transaction.advance(now));
        Ok(())
    }

    /// Forgets a transaction, whose outcome nobody will hear of.
    pub fn cancel(&mut self, id: TransactionId) {
        self.under_way.remove(&id);
    }

    /// A datagram came in at a socket. Whether it was the answer to one of ours; if not, it is somebody else's, and nothing has changed.
    ///
    /// An answer counts where id, sender and socket are those that were expected; another than that may come from anybody.
    pub fn received(&mut self, via: Socket, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(message) = Message::read(datagram) else { return false };
        let Some(transaction) = self.under_way.get(&message.id) else { return false };
        let ask = &transaction.ask;
        if via != ask.answer_via || canonical(from) != canonical(ask.answer_from) {
            return false;
        }
        let Some(outcome) = answer::read(&message, ask.server.ip()) else { return false };
        self.under_way.remove(&message.id);
        self.outcomes.push_back((message.id, outcome));
        true
    }

    /// Time has passed: sends again what is due, gives up what has waited long enough.
    pub fn handle_timeout(&mut self, now: Duration) {
        let due: Vec<_> =
            self.under_way.iter().filter(|(_, each)| each.due <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(transaction) = self.under_way.get_mut(&id) else { continue };
            match transaction.advance(now) {
                Some(transmit) => self.transmits.push_back(transmit),
                None => {
                    let sent = transaction.sent;
                    self.under_way.remove(&id);
                    self.outcomes.push_back((id, Err(Failure::TimedOut { sent })));
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; `None` while nothing is under way.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.under_way.values().map(|transaction| transaction.due).min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next transaction that has ended.
    pub fn poll_outcome(&mut self) -> Option<(TransactionId, Result<Answer, Failure>)> {
        self.outcomes.pop_front()
    }
}

struct Transaction {
    ask: Ask,
    datagram: Vec<u8>,
    began: Duration,
    sent: u32,
    due: Duration,
}

impl Transaction {
    /// The next request, or `None` where it is over. Where time has leapt, it is sent once, and the next one comes in its own time after that.
    fn advance(&mut self, now: Duration) -> Option<Transmit> {
        let Patience { rto, sends, last, at_most } = self.ask.patience;
        let end = at_most.map(|total| self.began.saturating_add(total));
        if self.sent >= sends.max(1) || (self.sent > 0 && end.is_some_and(|end| end <= now)) {
            return None;
        }
        self.sent += 1;
        let wait = if self.sent >= sends {
            rto.saturating_mul(last)
        } else {
            rto.saturating_mul(1 << (self.sent - 1).min(20))
        };
        self.due = now.saturating_add(wait);
        if let Some(end) = end {
            self.due = self.due.min(end.max(now));
        }
        Some(Transmit { via: self.ask.via, to: self.ask.server, datagram: self.datagram.clone() })
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("ask", &self.ask)
            .field("sent", &self.sent)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
