//! What is done to friends, and when bridges come and go.

use super::book::StoredFriend;
use super::config::CommandError;
use super::io::{BridgeName, BridgeProfile, Event};
use super::publications::Purpose;
use super::{Engine, places, store};
use crate::crypto::keys::AccountId;
use crate::identity::{Card, CardError};
use crate::time::Now;

impl Engine {
    pub(super) fn bridge_up(&mut self, bridge: BridgeName, profile: BridgeProfile) {
        if self.bridges.get(&bridge).is_some_and(|known| known.profile == profile) {
            return;
        }
        let again = !self.bridges.contains_key(&bridge);
        let place = self.place_of(&profile);
        let present = profile.present;
        self.bridges.insert(bridge.clone(), places::Bridge { profile, place });
        self.watch_bridge(&bridge);
        self.rewatch_openings();
        self.rewatch_codes();
        if again {
            self.publications_resume(&bridge);
        }
        self.join_all_again();
        self.resume_meetings();
        self.hurry_wants();
        self.hurry_knocks(&bridge);
        self.extend_offers(&bridge);
        if present {
            self.hail_all();
        }
        self.run_publications();
    }

    pub(super) fn bridge_down(&mut self, bridge: &BridgeName) {
        let gone = self.bridges.remove(bridge);
        self.watch.forget_bridge(bridge);
        // Without a space of our own a join in somebody's could not be answered: it is not read until there is one.
        if gone.is_some_and(|gone| gone.profile.one_writer) {
            self.rewatch_openings();
        }
    }

    /// A friend's card came over its link.
    pub(super) fn card_came(&mut self, account: AccountId, bytes: &[u8]) {
        self.link_used(account);
        let merged = match Card::from_bytes(bytes) {
            Ok(card) if card.account() == account => self.merge_card(&card),
            Ok(_) => Err(CardError::OtherAccount),
            Err(error) => Err(error),
        };
        match merged {
            Ok(true) => self.out.event(Event::FriendChanged { account }),
            Ok(false) => {}
            Err(error) => {
                self.out.event(Event::Suspicious {
                    account: Some(account),
                    what: format!("a card came: {error}"),
                });
            }
        }
    }

    pub(super) fn change_friend(
        &mut self,
        now: Now,
        account: &AccountId,
        change: impl FnOnce(&mut StoredFriend),
    ) -> Result<(), CommandError> {
        self.begin(now);
        let friend = self.book.friend_mut(account).ok_or(CommandError::Unknown("friend"))?;
        change(&mut friend.stored);
        self.keep_friend(account);
        self.finish();
        Ok(())
    }

    pub(super) fn block_friend(&mut self, account: &AccountId) -> Result<(), CommandError> {
        let friend = self.book.friend_mut(account).ok_or(CommandError::Unknown("friend"))?;
        friend.stored.blocked = true;
        self.keep_friend(account);
        self.part(account, "blocked");
        Ok(())
    }

    pub(super) fn unblock_friend(&mut self, account: &AccountId) -> Result<(), CommandError> {
        let friend = self.book.friend_mut(account).ok_or(CommandError::Unknown("friend"))?;
        friend.stored.blocked = false;
        self.keep_friend(account);
        self.rewatch_friend(account);
        Ok(())
    }

    pub(super) fn remove_friend(&mut self, account: &AccountId) -> Result<(), CommandError> {
        if self.book.friend(account).is_none() {
            return Err(CommandError::Unknown("friend"));
        }
        self.part(account, "removed");
        self.drop_meetings(account, |_| true);
        self.book.remove(account);
        self.out.delete(store::friend(account));
        self.rewatch_friend(account);
        self.log.forget(account);
        Ok(())
    }

    /// Ends everything that is under way with an account.
    fn part(&mut self, account: &AccountId, reason: &'static str) {
        self.end_want(account);
        self.cut(account, reason);
        self.forget_deferred(account);
        self.shut_out(account);
        let account = *account;
        self.done(|purpose| purpose.account() == Some(account));
        self.done(|purpose| matches!(purpose, Purpose::Mail(to, _) if *to == account));
        self.rewatch_friend(&account);
    }
}
