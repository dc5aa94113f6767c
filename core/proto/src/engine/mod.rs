//! The meeting engine: pure, fed with inputs, drained of outputs.
//!
//! After every call that takes `&mut self`, [`Engine::poll_output`] is called until it returns `None`, and what it returned is done in that order;
//! then the driver sleeps until [`Engine::poll_timeout`] or the next input. Same seed, same calls: same outputs.

mod book;
mod card;
mod carried;
mod clock;
mod codes;
mod commands;
mod config;
mod contact;
mod doors;
mod explain;
mod farewell;
mod index;
mod introduced;
mod io;
mod mail;
mod meeting;
mod places;
mod pointers;
mod publications;
mod relays;
mod restore;
mod sessions;
mod step;
mod store;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;

pub use book::{Friend, Grant};
pub use codes::{CodeOptions, FollowState, OwnCodeState, SpokenCode};
pub use config::{CommandError, Config, FindError, Identity, InviteOptions, ReplyFault, RestoreError};
pub use contact::ReplyState;
pub use explain::{Step, StepKind};
pub use introduced::IntroducedError;
pub use io::*;
pub use mail::{MOST_MAIL, MailRoots};
pub use pointers::{Knock, KnockId, PointerOptions};

use crate::code::Code;
use crate::crypto::keys::{AccountId, DeviceId, DevicePublic};
use crate::identity::Card;
use crate::invite::Invite;
use crate::mailbox::wire::{HostEntry, HostPoint, MailboxCard};
use crate::message::Refusal;
use crate::place::PlaceTag;
use crate::reach::{Reach, Reflectors};
use crate::reply::Reply;
use crate::time::{Epoch, Now, UnixMillis};

/// Names an invite that we accepted, by its inviter's one-time key, or a pointer that we knocked by, by the prologue of its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub [u8; 32]);

/// How far an accepted invite, or a knock by a pointer, has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactState {
    /// Nobody has answered yet.
    Pending,
    /// We are friends.
    Done(AccountId),
    /// The inviter said no.
    Refused(Refusal),
    /// It ended without a word.
    Expired,
    /// It led to somebody else than was expected: nothing came of it.
    Another,
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
    identity: Identity,
    me: AccountId,
    device_id: DeviceId,
    config: Config,
    rng: ChaCha20Rng,
    now: Now,
    clock: clock::Clock,
    out: step::Outbox,
    log: explain::Log,
    bridges: BTreeMap<BridgeName, places::Bridge>,
    places: BTreeMap<PlaceTag, places::Place>,
    card: Option<card::StoredCard>,
    mail: mail::Mail,
    /// What our status says of our mail.
    mailbox: Option<MailboxCard>,
    reach: Reach,
    reflectors: Reflectors,
    /// Which relays can be used; `None` before anybody has said.
    relays: Option<Vec<DeviceId>>,
    book: book::Book,
    openings: BTreeMap<[u8; 32], contact::Opening>,
    requests: contact::Requests,
    codes: codes::Codes,
    elsewhere: Vec<contact::Elsewhere>,
    contacts: BTreeMap<[u8; 32], contact::StoredContact>,
    meetings: BTreeMap<(AccountId, DeviceId), meeting::Meeting>,
    deferred: Vec<meeting::Deferred>,
    wants: BTreeMap<AccountId, meeting::Want>,
    hails: meeting::Hails,
    doors: doors::Doors,
    knocks: doors::Knocks,
    sessions: BTreeMap<SessionId, sessions::Live>,
    publications: publications::Publications,
    watch: watch::Watch,
    rotate_at: Option<Duration>,
}

/// How often a bridge that watches few keys is shown others.
const ROTATE: Duration = Duration::from_secs(30);

impl Engine {
    /// An engine that goes on where it was: `stored` is everything that was ever persisted and not deleted; unknown areas are ignored.
    ///
    /// `seed` must be fresh from the system at every start: with the old one, ephemeral keys would be drawn twice. After this the driver says
    /// which bridges are up and how we are reached. Records are looked for from the beginning at every start (no stored cursor), since what
    /// the engine had in memory only is gone; and so they are for every slot that is newly watched.
    pub fn restore(
        identity: Identity,
        config: Config,
        stored: impl IntoIterator<Item = (String, Vec<u8>)>,
        seed: [u8; 32],
        now: Now,
    ) -> Result<Self, RestoreError> {
        restore::restore(identity, config, stored, seed, now)
    }

    /// Something happened outside.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.begin(now);
        self.take(input);
        self.finish();
    }

    /// Time has passed; harmless at any moment, needed from [`Engine::poll_timeout`] on.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin(now);
        self.run_sessions();
        self.run_contacts();
        self.run_codes();
        self.run_publications();
        if self.rotate_at.is_some_and(|at| at <= self.now.mono) {
            self.rotate();
        }
        self.finish();
    }

    /// What is to be done next, in this order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// The monotonic time at which [`Engine::handle_timeout`] is due; `None`: not before the next input.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let sessions = self.sessions.values().filter(|live| live.up.is_none()).map(|live| live.deadline);
        let wants = self.wants.values().filter_map(meeting::Want::next);
        let deferred = self.deferred.iter().map(|deferred| deferred.due);
        let up = |bridge: &BridgeName| self.bridges.contains_key(bridge);
        let tomorrow = self.epoch().plus(1).begin().since(self.time_now());
        sessions
            .chain(self.next_update())
            .chain(wants)
            .chain(deferred)
            .chain(self.hails.next())
            .chain(self.publications.next_due(&up))
            .chain(self.next_opening_due())
            .chain(self.next_request_due())
            .chain(self.next_join_due())
            .chain(self.next_code_due())
            .chain(self.next_left_offer())
            .chain(self.next_door_due())
            .chain(self.next_knock_due())
            .chain(self.rotate_at)
            .chain([self.now.mono.saturating_add(tomorrow)])
            .min()
    }

    /// Makes an invite. It is good once the outputs have been carried out.
    pub fn invite(&mut self, now: Now, options: InviteOptions) -> Result<Invite, CommandError> {
        self.begin(now);
        let made = self.make_invite(&options);
        self.finish();
        made
    }

    /// Our invites that are not over yet.
    pub fn invites(&self) -> impl Iterator<Item = InviteState> {
        self.open_invites()
    }

    /// Ends an invite now. Whoever comes with it from now on is told that it has expired.
    pub fn withdraw(&mut self, now: Now, key: &[u8; 32]) -> Result<(), CommandError> {
        self.begin(now);
        let done = self.withdraw_invite(key);
        self.finish();
        done
    }

    /// Makes a code that a person says to another: until it ends, or this node does, whoever says it here first in the same place is invited.
    pub fn speak(&mut self, now: Now, options: &CodeOptions) -> Result<SpokenCode, CommandError> {
        self.begin(now);
        let spoken = self.call_code(options);
        self.finish();
        spoken
    }

    /// How far a code of ours has got; `None` where it has ended.
    pub fn spoken(&self, id: &[u8; 32]) -> Option<OwnCodeState> {
        self.own_code_state(id)
    }

    /// Ends a code of ours. Whether there was one.
    pub fn unspeak(&mut self, now: Now, id: &[u8; 32]) -> bool {
        self.begin(now);
        let known = self.withdraw_code(id);
        self.finish();
        known
    }

    /// Looks for whoever said this code to us, by these bridges or by all, for an hour: on success they are friends as by an invite. The same code again is the same.
    pub fn hear(
        &mut self,
        now: Now,
        code: &Code,
        bridges: Vec<BridgeName>,
        alias: Option<String>,
    ) -> Result<(), CommandError> {
        self.begin(now);
        let followed = self.follow_code(code, bridges, alias);
        self.finish();
        followed
    }

    /// How far a code that was said to us has got; `None` where it is not looked for.
    pub fn heard(&self, code: &Code) -> Option<FollowState> {
        self.follow_state(code)
    }

    /// The code is not looked for any more.
    pub fn unhear(&mut self, now: Now, code: &Code) {
        self.begin(now);
        self.unfollow_code(code);
        self.finish();
    }

    /// Accepts an invite; the same one again is the same contact. On success the new friend is wanted until the first link.
    pub fn accept(
        &mut self,
        now: Now,
        invite: &Invite,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        self.begin(now);
        let accepted = self.accept_invite(invite, alias, None);
        self.finish();
        accepted
    }

    /// The line to be sent back to the inviter, where it alone writes in the invite's places; `None` where nothing need be sent, or it is over.
    pub fn reply(&self, id: &ContactId) -> Option<Reply> {
        self.reply_of_contact(&id.0)
    }

    /// Whose places it is that an invite leads to: the bridges that would read them, where the inviter alone writes there and nothing else of it is reached.
    pub fn reads_for(&self, invite: &Invite) -> Vec<BridgeName> {
        self.readers_for(invite)
    }

    /// Whether the join of an accepted invite lies where it is to lie, or need not lie anywhere.
    pub fn is_joined(&self, id: &ContactId) -> bool {
        self.join_lies(&id.0)
    }

    /// Somebody accepted an invite of ours in whose places we alone write, and sent this back: its join is looked for, and answered as any. The same one again is
    /// harmless. A space that it names is read from now on, which whoever runs that sees.
    pub fn complete(&mut self, now: Now, reply: &Reply) -> Result<ReplyState, CommandError> {
        self.begin(now);
        let done = self.complete_reply(reply);
        self.finish();
        done
    }

    /// What came of a reply that was completed.
    pub fn reply_state(&self, reply: &Reply) -> Option<ReplyState> {
        self.reply_shown(reply)
    }

    /// How far an accepted invite, or a knock by a pointer, has got; `None` for one that is unknown or long over.
    pub fn contact(&self, id: &ContactId) -> Option<ContactState> {
        self.contact_state(&id.0)
    }

    /// All accepted invites and knocks by pointers that are remembered.
    pub fn contacts(&self) -> impl Iterator<Item = (ContactId, ContactState)> {
        self.contact_states()
    }

    /// Somebody wants this friend linked: offers are made until it is, or until the monotonic time `until`, or [`Engine::unwant`]. While it stays
    /// wanted, a lost link is made again. Not persisted. Nothing happens for somebody who is no friend or is blocked.
    pub fn want(&mut self, now: Now, account: &AccountId, until: Option<Duration>) {
        self.begin(now);
        self.add_want(account, until, false);
        self.finish();
    }

    /// Nobody wants this friend any more: offers are taken back. A link that is up stays up.
    pub fn unwant(&mut self, now: Now, account: &AccountId) {
        self.begin(now);
        self.end_want(account);
        self.finish();
    }

    /// Whether somebody wants this friend.
    pub fn wanted(&self, account: &AccountId) -> bool {
        self.wants.contains_key(account)
    }

    /// These are our doors from now on, and no others: a thousand at most, further ones are left out. Not persisted. Guests knock in places that several write in;
    /// where records are looked up by key, their slots are watched as far as the bridge's bound goes, a part at a time beyond it.
    pub fn set_doors(&mut self, now: Now, doors: Vec<Door>) {
        self.begin(now);
        self.have_doors(doors);
        self.finish();
    }

    /// Where guests may knock, two places at most: of those that several write in and that are up or were lately, those that list first.
    pub fn door_points(&self) -> Vec<HostPoint> {
        self.points_of_doors()
    }

    /// Knocks at a host's door, in every place of its that a bridge reaches, until somebody links ([`Input::LinkUp`]) or [`Engine::unknock`]. The same door again:
    /// where it is may be known better now. Not persisted. A thousand at once at most.
    pub fn knock(&mut self, now: Now, host: &HostEntry) {
        self.begin(now);
        self.add_knock(host);
        self.finish();
    }

    /// Nobody wants in at this door any more: what lies for it is taken back, and it is dialled no more.
    pub fn unknock(&mut self, now: Now, guest: &[u8; 32]) {
        self.begin(now);
        self.end_knock(guest);
        self.finish();
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
        self.begin(now);
        let done = self.book.rename(account, alias);
        self.keep_friend(account);
        self.finish();
        done
    }

    /// Wants nothing to do with a friend any more: its link is closed, nothing is watched or answered for it.
    pub fn block(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        self.begin(now);
        let done = self.block_friend(account);
        self.finish();
        done
    }

    /// Takes [`Engine::block`] back.
    pub fn unblock(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        self.begin(now);
        let done = self.unblock_friend(account);
        self.finish();
        done
    }

    /// Forgets a friend and destroys the secrets shared with it.
    pub fn remove(&mut self, now: Now, account: &AccountId) -> Result<(), CommandError> {
        self.begin(now);
        let done = self.remove_friend(account);
        self.finish();
        done
    }

    /// Allows a friend something, or no longer.
    pub fn allow(
        &mut self,
        now: Now,
        account: &AccountId,
        grant: Grant,
        allowed: bool,
    ) -> Result<(), CommandError> {
        self.change_friend(now, account, |friend| {
            if allowed {
                friend.allows.insert(grant)
            } else {
                friend.allows.remove(&grant)
            };
        })
    }

    /// What a friend allows us, as it said over the live link.
    pub fn set_granted(
        &mut self,
        now: Now,
        account: &AccountId,
        granted: BTreeSet<Grant>,
    ) -> Result<(), CommandError> {
        let changed = self.book.friend(account).is_some_and(|friend| friend.stored.granted != granted);
        self.change_friend(now, account, |friend| friend.granted = granted)?;
        if changed {
            self.out.event(Event::FriendChanged { account: *account });
            self.out.flush();
        }
        Ok(())
    }

    /// Our person compared a friend's account with the friend, or takes that back. It stays when the friend's card changes, and goes with the friend.
    pub fn set_verified(
        &mut self,
        now: Now,
        account: &AccountId,
        verified: bool,
    ) -> Result<(), CommandError> {
        self.change_friend(now, account, |friend| friend.verified = verified)
    }

    /// Our card as it is now, for friends to have over the link: the roster renewed when less than ten days are left, the status with the places of
    /// the bridges that have ever been up and were not removed.
    #[expect(
        clippy::expect_used,
        reason = "the parts were signed with our own keys, within the limits, just now or checked when read"
    )]
    pub fn own_card(&mut self, now: Now) -> Card {
        self.begin(now);
        let card = self.full_card();
        self.finish();
        card.expect("our own signatures verify")
    }

    /// What our status says of our mail from now on. To be said at every start, before the card is shown to anybody.
    pub fn set_mailbox(&mut self, now: Now, mailbox: Option<MailboxCard>) {
        self.begin(now);
        self.mailbox = mailbox;
        self.finish();
    }

    /// The last meeting with a friend, in plain words, the earliest step first.
    pub fn explain(&self, account: &AccountId) -> Vec<Step> {
        self.log.of(account)
    }

    /// A session that is expected, dialled or up.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id).and_then(sessions::Live::shown)
    }

    /// All sessions that are expected, dialled or up.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter_map(sessions::Live::shown)
    }

    /// The time as we estimate it: the services' clocks where they tell it, else our own.
    pub fn time(&self, now: Now) -> UnixMillis {
        self.clock.time(now)
    }

    /// Who we are.
    pub fn account(&self) -> AccountId {
        self.me
    }

    /// This device.
    pub fn device(&self) -> DevicePublic {
        self.identity.device.public()
    }

    fn begin(&mut self, now: Now) {
        // The monotonic clock is that; a driver's slip must not turn it back.
        self.now = Now { wall: now.wall, mono: self.now.mono.max(now.mono) };
    }

    /// What every call ends with: the day may have changed, somebody may be wanted, bridges are told what to watch; then all of it goes out.
    fn finish(&mut self) {
        if self.watch.epoch != Some(self.epoch()) {
            self.rewatch_epoch();
        }
        self.run_wants();
        self.run_hails();
        self.run_deferred();
        self.run_doors();
        self.run_knocks();
        self.answer_anew();
        self.update_peers();
        self.tell_watches();
        let cut = self.watches_are_cut();
        self.rotate_at = match self.rotate_at {
            Some(at) if cut && at > self.now.mono => Some(at),
            _ => cut.then(|| self.now.mono.saturating_add(ROTATE)),
        };
        self.out.flush();
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::BridgeUp { bridge, profile } => self.bridge_up(bridge, profile),
            Input::BridgeDown { bridge } => self.bridge_down(&bridge),
            Input::Records { bridge, space, records } => self.found(&bridge, &space, records),
            Input::Published { id, receipt } => self.published(id, receipt),
            Input::PublishFailed { id, why } => self.publish_failed(id, &why),
            Input::Retracted { ids } => self.retracted(&ids),
            Input::RetractFailed { ids } => self.retract_failed(&ids),
            Input::ServiceTime { bridge, time } => {
                if let Some(wrong) = self.clock.service(self.now, bridge, time) {
                    self.out.event(wrong);
                }
            }
            Input::Reach(reach) => {
                let before = std::mem::replace(&mut self.reach, reach.bounded());
                self.knock_anew();
                if self.reach.moved_from(&before) {
                    self.hail_all();
                }
            }
            Input::Relays(relays) => self.set_relays(relays),
            Input::Reflectors(reflectors) => self.reflectors = Reflectors::new(reflectors),
            Input::Measured { session } => self.measured(session),
            Input::LinkUp { session } => self.link_up(session),
            Input::LinkDown { session } => self.link_down(session),
            Input::DialFailed { session, why } => self.dial_failed(session, &why),
            Input::Card { account, bytes } => self.card_came(account, &bytes),
        }
    }

    fn time_now(&self) -> UnixMillis {
        self.clock.time(self.now)
    }

    fn epoch(&self) -> Epoch {
        Epoch::of(self.time_now())
    }
}
