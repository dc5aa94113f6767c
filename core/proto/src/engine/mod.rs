//! The meeting engine: pure, fed with inputs, drained of outputs.
//!
//! After every call that takes `&mut self`, [`Engine::poll_output`] is called until it returns `None`, and what it returned is done in that order;
//! then the driver sleeps until [`Engine::poll_timeout`] or the next input. Same seed, same calls: same outputs.

mod book;
mod config;
mod explain;
mod io;
mod step;

use std::collections::BTreeSet;
use std::time::Duration;

pub use book::{Friend, Grant};
pub use config::{CommandError, Config, FindError, Identity, InviteOptions, RestoreError};
pub use explain::Step;
pub use io::*;

use crate::crypto::keys::{AccountId, DevicePublic};
use crate::identity::Card;
use crate::invite::Invite;
use crate::message::Refusal;
use crate::time::{Now, UnixMillis};

/// Names an invite that we accepted: its inviter's one-time key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub [u8; 32]);

/// How far an accepted invite has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactState {
    /// The inviter has not answered yet.
    Pending,
    /// We are friends.
    Done(AccountId),
    /// The inviter said no.
    Refused(Refusal),
    /// It ended without a word.
    Expired,
}

/// An invite of ours, as far as it has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteState {
    /// The invite itself: shown again, it still works.
    pub invite: Invite,
    /// Who used it.
    pub used_by: Vec<AccountId>,
}

/// The engine. See the module's documentation for how it is driven.
#[derive(Debug)]
pub struct Engine {
    out: step::Outbox,
    book: book::Book,
    log: explain::Log,
    identity: Identity,
    config: Config,
}

impl Engine {
    /// An engine that goes on where it was: `stored` is everything that was ever persisted and not deleted; unknown areas are ignored.
    ///
    /// `seed` must be fresh from the system at every start: with the old one, ephemeral keys would be drawn twice. After this the driver says
    /// which bridges are up and what our candidates are. Records are looked for from the beginning at every start (no stored cursor), since what
    /// the engine had in memory only is gone; and so they are for every slot that is newly watched.
    pub fn restore(
        identity: Identity,
        config: Config,
        stored: impl IntoIterator<Item = (String, Vec<u8>)>,
        seed: [u8; 32],
        now: Now,
    ) -> Result<Self, RestoreError> {
        let _ = (stored, seed, now);
        Ok(Self {
            out: step::Outbox::default(),
            book: book::Book::default(),
            log: explain::Log::default(),
            identity,
            config,
        })
    }

    /// Something happened outside.
    pub fn handle(&mut self, now: Now, input: Input) {
        let _ = (now, input);
        self.out.flush();
    }

    /// Time has passed; harmless at any moment, needed from [`Engine::poll_timeout`] on.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
        self.out.flush();
    }

    /// What is to be done next, in this order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// The monotonic time at which [`Engine::handle_timeout`] is due; `None`: not before the next input.
    pub fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// Makes an invite. It is good once the outputs have been carried out.
    pub fn invite(&mut self, now: Now, options: InviteOptions) -> Result<Invite, CommandError> {
        let _ = (now, options);
        Err(CommandError::NoBridge { wanted: Vec::new() })
    }

    /// Our invites that are not over yet.
    pub fn invites(&self) -> impl Iterator<Item = InviteState> {
        std::iter::empty()
    }

    /// Ends an invite now. Whoever comes with it from now on is told that it has expired.
    pub fn withdraw(&mut self, now: Now, key: &[u8; 32]) -> Result<(), CommandError> {
        let _ = (now, key);
        Err(CommandError::Unknown("invite"))
    }

    /// Accepts an invite; the same one again is the same contact. On success the new friend is wanted until the first link.
    pub fn accept(
        &mut self,
        now: Now,
        invite: &Invite,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        let _ = (now, invite, alias);
        Err(CommandError::Expired)
    }

    /// How far an accepted invite has got; `None` for one that is unknown or long over.
    pub fn contact(&self, id: &ContactId) -> Option<ContactState> {
        let _ = id;
        None
    }

    /// All accepted invites that are remembered.
    pub fn contacts(&self) -> impl Iterator<Item = (ContactId, ContactState)> {
        std::iter::empty()
    }

    /// Somebody wants this friend linked: offers are made until it is, or until the monotonic time `until`, or [`Engine::unwant`]. While it stays
    /// wanted, a lost link is made again. Not persisted. Nothing happens for somebody who is no friend or is blocked.
    pub fn want(&mut self, now: Now, account: &AccountId, until: Option<Duration>) {
        let _ = (now, account, until);
    }

    /// Nobody wants this friend any more: offers are taken back. A link that is up stays up.
    pub fn unwant(&mut self, now: Now, account: &AccountId) {
        let _ = (now, account);
    }

    /// Whether somebody wants this friend.
    pub fn wanted(&self, account: &AccountId) -> bool {
        let _ = account;
        false
    }

    /// All friends, by account.
    pub fn friends(&self) -> impl Iterator<Item = &Friend> {
        self.book.iter()
    }

    /// One friend.
    pub fn friend(&self, account: &AccountId) -> Option<&Friend> {
        self.book.friend(account)
    }

    /// Whom a person means: a friend's name (in other letters too, where that is clear) or an account.
    pub fn find(&self, text: &str) -> Result<AccountId, FindError> {
        self.book.find(text)
    }

    /// Calls a friend something else; `None`: by its card's name again.
    pub fn rename(
        &mut self,
        now: Now,
        account: &AccountId,
        alias: Option<String>,
    ) -> Result<(), CommandError> {
        let _ = now;
        self.book.rename(account, alias)
    }

    /// Wants nothing to do with a friend any more: its link is closed, nothing is watched or answered for it.
    pub fn block(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        let _ = (now, account);
        Err(CommandError::Unknown("friend"))
    }

    /// Takes [`Engine::block`] back.
    pub fn unblock(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        let _ = (now, account);
        Err(CommandError::Unknown("friend"))
    }

    /// Forgets a friend and destroys the secrets shared with it.
    pub fn remove(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        let _ = (now, account);
        Err(CommandError::Unknown("friend"))
    }

    /// Allows a friend something, or no longer.
    pub fn allow(
        &mut self,
        now: Now,
        account: &AccountId,
        grant: Grant,
        allowed: bool,
    ) -> Result<(), CommandError> {
        let _ = (now, account, grant, allowed);
        Err(CommandError::Unknown("friend"))
    }

    /// What a friend allows us, as it said over the live link.
    pub fn set_granted(
        &mut self,
        now: Now,
        account: &AccountId,
        granted: BTreeSet<Grant>,
    ) -> Result<(), CommandError> {
        let _ = (now, account, granted);
        Err(CommandError::Unknown("friend"))
    }

    /// Our card as it is now, for friends to have over the link: the roster renewed when less than ten days are left, the status with the places of
    /// the bridges that have ever been up and were not removed.
    pub fn own_card(&mut self, now: Now) -> Card {
        unreachable!("{now:?}")
    }

    /// The last meeting with a friend, in plain words, the earliest step first.
    pub fn explain(&self, account: &AccountId) -> Vec<Step> {
        self.log.of(account)
    }

    /// A session that is expected, dialled or up.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        let _ = id;
        None
    }

    /// All sessions that are expected, dialled or up.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        std::iter::empty()
    }

    /// The time as we estimate it: the services' clocks where they tell it, else our own.
    pub fn time(&self, now: Now) -> UnixMillis {
        now.wall
    }

    /// Who we are.
    pub fn account(&self) -> AccountId {
        self.identity.account.id()
    }

    /// This device.
    pub fn device(&self) -> DevicePublic {
        self.identity.device.public()
    }
}
