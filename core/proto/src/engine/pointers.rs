//! Pointers of ours, and what comes of knocks.

use std::time::Duration;

use super::config::CommandError;
use super::io::BridgeName;
use super::{ContactId, Engine};
use crate::crypto::keys::AccountId;
use crate::pointer::{Pointer, PointerName};
use crate::time::{Now, UnixMillis};

/// What a pointer is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerOptions {
    /// Under which name.
    pub name: PointerName,
    /// Where knocks are looked for, the preferred first, at most three; empty: up to three of the bridges that are up.
    pub bridges: Vec<BridgeName>,
    /// For how long: a minute to [`Pointer::LONGEST`], cut to that.
    pub lifetime: Duration,
}

/// Names a knock that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KnockId(pub [u8; 8]);

/// Somebody knocked by a pointer of ours and wants to become a friend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// How it is named.
    pub id: KnockId,
    /// Who: proven by the handshake.
    pub account: AccountId,
    /// What they call themselves: anything.
    pub name: String,
    /// By which pointer.
    pub pointer: PointerName,
    /// Over which bridge it came first.
    pub bridge: BridgeName,
    /// When.
    pub came: UnixMillis,
    /// When it is forgotten.
    pub expires: UnixMillis,
}

impl Engine {
    /// Makes a pointer, or one that takes the place of what we have under this name: by either, while it lasts, the same door is knocked at. It is good once
    /// the outputs have been carried out.
    pub fn make_pointer(&mut self, now: Now, options: &PointerOptions) -> Result<Pointer, CommandError> {
        self.begin(now);
        let made = self.make_or_renew_pointer(options);
        self.finish();
        made
    }

    /// Our pointers that hold.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.open_pointers()
    }

    /// Nobody is let in by a pointer any more; whoever knocks hears nothing, and whose knock waits is forgotten. Those who were let in and have not come yet
    /// are answered for a day longer.
    pub fn withdraw_pointer(&mut self, now: Now, name: &PointerName) -> Result<(), CommandError> {
        self.begin(now);
        let done = self.end_pointer(name);
        self.finish();
        done
    }

    /// Knocks at somebody's: [`contact`](Engine::contact) tells how far it has got. Only the pointer's account is believed. The same one again, or a newer
    /// copy of it, is the same contact while nobody has answered.
    pub fn knock_by_pointer(
        &mut self,
        now: Now,
        pointer: &Pointer,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        self.begin(now);
        let knocked = self.follow_pointer(pointer, alias);
        self.finish();
        knocked
    }

    /// Knocks that wait for an answer, the earliest first.
    pub fn waiting_knocks(&self) -> impl Iterator<Item = Knock> {
        self.requests_shown().into_iter()
    }

    /// Lets somebody in who knocked: they are a friend from now on, and told so.
    pub fn accept_knock(
        &mut self,
        now: Now,
        id: &KnockId,
        alias: Option<String>,
    ) -> Result<AccountId, CommandError> {
        self.begin(now);
        let accepted = self.accept_request(id, alias);
        self.finish();
        accepted
    }

    /// Refuses a knock: nobody is told, and the same account is not heard again by this pointer.
    pub fn refuse_knock(&mut self, now: Now, id: &KnockId) -> Result<(), CommandError> {
        self.begin(now);
        let refused = self.refuse_request(id);
        self.finish();
        refused
    }
}
