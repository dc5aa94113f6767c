//! Strangers who knocked by a pointer of ours, and wait for our person's word.
//!
//! Anybody can make accounts and knock. So what waits is bounded and nothing that waits gives way to what comes later; a new stranger is heard as often as a
//! person could bear; nobody is told that they wait, were refused, or were not heard.

mod rate;

use std::collections::BTreeMap;
use std::time::Duration;

use minicbor::{Decode, Encode};
use rand_core::RngCore;

use super::super::book::name_ok;
use super::super::config::CommandError;
use super::super::io::Event;
use super::super::pointers::{Knock, KnockId};
use super::super::watch::Arrival;
use super::super::{Engine, store};
use super::inviter::Reply;
use super::opening::{Came, Opening};
use super::{KNOCKED_FOR, is_recent, monotonic};
use crate::crypto::keys::AccountId;
use crate::crypto::sha256;
use crate::meet::slot::SlotId;
use crate::message::Join;
use crate::time::{Epoch, UnixMillis};

use rate::Rate;

/// Who waits, by account: one knock each.
#[derive(Debug, Default)]
pub(in crate::engine) struct Requests {
    waiting: BTreeMap<AccountId, Request>,
    /// How often strangers are heard.
    strangers: Rate,
    /// How often friends are who knock anew.
    pub(super) friends: Rate,
}

/// A knock that waits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(in crate::engine) struct Request {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; 8],
    /// The pointer that it came by.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) opening: [u8; 32],
    #[n(2)]
    account: AccountId,
    #[n(3)]
    name: String,
    /// Message 1 as it came: read again when it is accepted, with an ephemeral key of that moment.
    #[cbor(n(4), with = "minicbor::bytes")]
    message: Vec<u8>,
    /// SHA-256 of it.
    #[cbor(n(5), with = "minicbor::bytes")]
    hash: [u8; 32],
    #[n(6)]
    sent: UnixMillis,
    #[n(7)]
    came: UnixMillis,
    #[n(8)]
    expires: UnixMillis,
    /// Where it lies, the first place first.
    #[n(9)]
    at: Vec<Came>,
}

/// Strangers who wait at once, by all pointers.
const MOST_WAITING: usize = 64;
/// Places at which one knock is remembered to lie: those of a pointer and of its copies before.
const MOST_PLACES: usize = 6;

impl Request {
    fn shown(&self, by: &Opening) -> Option<Knock> {
        Some(Knock {
            id: KnockId(self.id),
            account: self.account,
            name: self.name.clone(),
            pointer: by.pointer()?.pointer.name().clone(),
            bridge: self.at.first()?.bridge.clone(),
            came: self.came,
            expires: self.expires,
        })
    }

    fn came_again(&mut self, came: Came) -> bool {
        let Some(slot) = came.slots.last() else { return false };
        let room = self.at.len() < MOST_PLACES;
        match self.at.iter_mut().find(|at| (&at.bridge, at.tag) == (&came.bridge, came.tag)) {
            Some(at) if at.slots.contains(slot) => return false,
            Some(at) => at.slots.add(slot),
            None if room => self.at.push(came),
            None => return false,
        }
        true
    }
}

impl Engine {
    /// Whether a message is one of those that wait, come again: where is remembered, and nothing else.
    pub(super) fn is_asked_about(&mut self, to: &[u8; 32], arrival: &Arrival, slot: SlotId) -> bool {
        let mut waiting = self.requests.waiting.values_mut();
        let Some(request) = waiting.find(|request| request.hash == *to) else { return false };
        if request.came_again(Came::at(arrival, slot)) {
            let account = request.account;
            self.keep_request(&account);
        }
        true
    }

    /// A stranger knocked: our person is asked, unless there are too many already.
    pub(super) fn ask(&mut self, opening: &[u8; 32], join: &Join, came: Came, message: &[u8]) {
        let (account, time) = (join.card.0.account(), self.time_now());
        let before = self.requests.waiting.get(&account);
        let news = match before {
            Some(before) => join.sent > before.sent,
            None => self.requests.waiting.len() < MOST_WAITING,
        };
        let (id, first) = match before {
            Some(before) => (before.id, before.came),
            None => (self.rng.next_u64().to_be_bytes(), time),
        };
        if !news || !self.requests.strangers.take(self.now.mono) {
            return;
        }
        if !self.requests.waiting.contains_key(&account) {
            self.out.event(Event::Knocked { id: KnockId(id) });
        }
        let request = Request {
            id,
            opening: *opening,
            account,
            name: join.card.0.roster().name.clone(),
            message: message.to_vec(),
            hash: sha256(&[message]),
            sent: join.sent,
            came: first,
            // Whoever knocked has given up by then.
            expires: time.after(KNOCKED_FOR).min(join.sent.after(KNOCKED_FOR).after(Epoch::LENGTH)),
            at: vec![came],
        };
        self.requests.waiting.insert(account, request);
        self.keep_request(&account);
    }

    pub(in crate::engine) fn requests_shown(&self) -> Vec<Knock> {
        let waiting = self.requests.waiting.values();
        let mut shown: Vec<_> =
            waiting.filter_map(|request| request.shown(self.openings.get(&request.opening)?)).collect();
        shown.sort_by_key(|knock| (knock.came, knock.id));
        shown
    }

    pub(in crate::engine) fn accept_request(
        &mut self,
        id: &KnockId,
        alias: Option<String>,
    ) -> Result<AccountId, CommandError> {
        let request = self.request(id)?;
        if let Some(alias) = alias.as_ref().filter(|alias| !name_ok(alias)) {
            return Err(CommandError::Name(alias.clone()));
        }
        let unknown = CommandError::Unknown("request");
        let opening = self.openings.get(&request.opening).cloned().ok_or(unknown.clone())?;
        // Its card was in force when it came. If it is not any more it still says which devices are the account's, and a newer one comes over the link.
        let read = self.read_join(&opening, &request.message).ok_or(unknown.clone())?;
        let up = |came: &&Came| self.bridges.contains_key(&came.bridge);
        let first = request.at.iter().find(up).or(request.at.first()).ok_or(unknown)?.clone();
        let to = request.hash;
        let reply = Reply { opening: request.opening, to, came: first.clone() };
        self.welcome(&reply, read, &opening, alias)?;
        let wait = self.patience_elsewhere(std::slice::from_ref(&first.bridge));
        for other in request.at.iter().filter(|other| **other != first) {
            self.welcome_later(&request.opening, to, other, wait);
        }
        Ok(request.account)
    }

    pub(in crate::engine) fn refuse_request(&mut self, id: &KnockId) -> Result<(), CommandError> {
        let request = self.request(id)?;
        if let Some(own) = self.openings.get_mut(&request.opening).and_then(Opening::pointer_mut) {
            own.refuse(request.account);
        }
        self.keep_opening(&request.opening);
        self.drop_requests(|other| other.account == request.account);
        Ok(())
    }

    fn request(&self, id: &KnockId) -> Result<Request, CommandError> {
        let found = self.requests.waiting.values().find(|request| request.id == id.0);
        found.cloned().ok_or(CommandError::Unknown("request"))
    }

    pub(super) fn drop_requests(&mut self, which: impl Fn(&Request) -> bool) {
        let out = &mut self.out;
        self.requests.waiting.retain(|_, request| {
            let goes = which(request);
            if goes {
                out.delete(store::request(&request.id));
            }
            !goes
        });
    }

    /// Somebody is a friend now, by whatever way: if it knocked as well, its next repetition is answered.
    pub(super) fn request_settled(&mut self, account: &AccountId) {
        self.drop_requests(|request| request.account == *account);
    }

    pub(super) fn run_requests(&mut self) {
        let time = self.time_now();
        self.drop_requests(|request| request.expires < time || !is_recent(request.sent, time));
    }

    pub(in crate::engine) fn next_request_due(&self) -> Option<Duration> {
        let ends = self.requests.waiting.values().map(|request| request.expires).min()?;
        Some(monotonic(self, ends.after(Duration::from_secs(1))))
    }

    fn keep_request(&mut self, account: &AccountId) {
        if let Some(request) = self.requests.waiting.get(account) {
            self.out.put(store::request(&request.id), store::encode(request));
        }
    }

    pub(in crate::engine) fn restore_request(&mut self, request: Request) {
        self.requests.waiting.insert(request.account, request);
    }
}
