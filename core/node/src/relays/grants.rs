//! What we hand out: tokens for friends whom we let, and which of them count.
//!
//! A token's serial number is the time at which it was issued, or one more than the last one: so nothing has to be written for each. When a friend is let no longer the
//! moment is written down, and tokens with lower numbers count no more, also where it is let again later. A friend that is let keeps its tokens over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use wayside_noise::Link;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::{Engine, Friend, Grant};
use wayside_proto::place::Candidates;
use wayside_proto::token::{Proof, Purpose, Token, TokenError, Verified};
use wayside_relay::Reason;

use super::gate::Change;
use super::offers::Offer;
use super::{Relays, lock};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::links::Peer;
use crate::store::{Standing, Standings};

/// What of a token's time is left when another one is given, over a link that is up anyway: a friend who is away for three weeks comes back to one that holds.
const RENEW: Duration = Duration::from_secs(20 * 86_400);
/// How often it is looked whether the gate's keys are old.
const LOOK: Duration = Duration::from_secs(3600);
/// After the disk took nothing.
const AGAIN: Duration = Duration::from_secs(5);

/// All that a token may be for.
const PURPOSES: [Purpose; 2] = [Purpose::Relay, Purpose::Meet];

/// What was handed out.
pub(super) struct Grants {
    standing: Standings,
    /// The last serial number, so that none is given twice.
    last: u64,
    /// What each friend's device was given last.
    given: BTreeMap<(AccountId, DeviceId, u8), (Token, u64)>,
}

impl Grants {
    pub(super) fn new(standing: Standings, now: UnixMillis) -> Self {
        let revoked = standing.values().map(|it| it.revoked_before).max().unwrap_or_default();
        Self { standing, last: revoked.max(now.0), given: BTreeMap::new() }
    }

    fn revoked_before(&self, account: AccountId, purpose: Purpose) -> u64 {
        self.standing.get(&(account, number(purpose))).map_or(0, |it| it.revoked_before)
    }

    fn next(&mut self, now: UnixMillis) -> u64 {
        self.last = self.last.saturating_add(1).max(now.0);
        self.last
    }
}

/// Who showed a token, and what came of it.
#[derive(Clone, Debug)]
pub(crate) enum Judged {
    /// It counts.
    Good {
        /// Whose it is: the friend to whom it was given, and who answers for what is done with it, also where it was handed on.
        account: AccountId,
        /// What it says; [`Verified::last`] is the Ed25519 key of whoever shows it.
        token: Verified,
    },
    /// It does not.
    Bad(Reason),
}

impl Relays {
    /// What a friend's device is offered now.
    pub(super) async fn offer_for(&self, driver: &Driver, peer: &Peer, candidates: Candidates) -> Offer {
        let mut offer = Offer::default();
        for purpose in PURPOSES {
            let token = self.token_for(driver, peer, purpose).await;
            match purpose {
                Purpose::Relay => offer.relay = token,
                Purpose::Meet => offer.meet = token,
            }
        }
        if offer.relay.is_some() || offer.meet.is_some() {
            offer.gate = lock(&self.0.gates).told();
            offer.candidates = candidates;
        }
        offer
    }

    async fn token_for(&self, driver: &Driver, peer: &Peer, purpose: Purpose) -> Option<Vec<u8>> {
        let (account, device) = (peer.account, peer.device);
        let subject = driver.look(move |engine, now| {
            let friend = engine.friend(&account).filter(|friend| is_let(friend, purpose))?;
            let entry = friend.card().roster().devices.iter().find(|entry| entry.keys.id() == device)?;
            Some((entry.keys.sign, engine.time(now)))
        });
        let (subject, now) = subject.await.ok().flatten()?;
        // Before it goes out it is on disk that one may have.
        self.opened(driver, account, purpose).await?;
        let hands = self.limits().hand_on;
        let mut grants = lock(&self.0.grants);
        let key = (account, device, number(purpose));
        let revoked_before = grants.revoked_before(account, purpose);
        let given = grants.given.get(&key).filter(|(token, serial)| {
            let lasts = token.expires() > now.after(RENEW) && token.expires() <= now.after(Token::LIFETIME);
            lasts && *serial >= revoked_before && token.hands() == hands.min(Token::MOST_HANDS)
        });
        if let Some((token, _)) = given {
            return Some(token.to_bytes());
        }
        let serial = grants.next(now).max(revoked_before);
        let token =
            Token::issue(&self.0.device, purpose, subject, serial, now, now.after(Token::LIFETIME), hands);
        let bytes = token.to_bytes();
        grants.given.insert(key, (token, serial));
        Some(bytes)
    }

    /// Writes down that a friend may have tokens, unless it stands there.
    async fn opened(&self, driver: &Driver, account: AccountId, purpose: Purpose) -> Option<()> {
        let key = (account, number(purpose));
        let before = lock(&self.0.grants).standing.get(&key).copied().unwrap_or_default();
        if before.is_open {
            return Some(());
        }
        let standing = Standing { is_open: true, ..before };
        driver.store().run(move |store| store.keep_relay_grant(key, standing)).await.ok()?;
        lock(&self.0.grants).standing.insert(key, standing);
        Some(())
    }

    /// Whether a token counts that somebody shows on this link.
    pub(super) async fn judge(
        &self,
        driver: &Driver,
        link: &Link,
        purpose: Purpose,
        token: &[u8],
        proof: &Proof,
    ) -> Judged {
        let Ok(token) = Token::from_bytes(token) else { return Judged::Bad(Reason::BadToken) };
        let us = self.0.device.public();
        let now = driver.look(|engine, now| engine.time(now)).await.unwrap_or(UnixMillis(u64::MAX));
        let verified = match token.verify(&us, purpose, now) {
            Ok(verified) => verified,
            Err(TokenError::Expired) => return Judged::Bad(Reason::Expired),
            Err(_) => return Judged::Bad(Reason::BadToken),
        };
        if !proof.verify(&verified.last, link.export(Proof::LABEL).as_bytes()) {
            return Judged::Bad(Reason::BadToken);
        }
        match self.whose(driver, purpose, verified).await {
            Ok(account) => Judged::Good { account, token: verified },
            Err(reason) => Judged::Bad(reason),
        }
    }

    /// Whose a token is that verified, if it still counts: its owner may have taken it back at any time.
    pub(super) async fn whose(
        &self,
        driver: &Driver,
        purpose: Purpose,
        token: Verified,
    ) -> Result<AccountId, Reason> {
        // What its owner lets be handed on may have become less since.
        if token.first != token.last && self.limits().hand_on == 0 {
            return Err(Reason::NotAllowed);
        }
        let found = driver.look(move |engine, now| holder(engine, &token.first, purpose, engine.time(now)));
        let (account, refused) = found.await.ok().flatten().ok_or(Reason::NotAllowed)?;
        let revoked_before = lock(&self.0.grants).revoked_before(account, purpose);
        let revoked = (token.serial < revoked_before).then_some(Reason::Revoked);
        match refused.or(revoked) {
            Some(reason) => Err(reason),
            None => Ok(account),
        }
    }

    /// Keeps what is handed out in step with what friends may, and opens the guest gate while any may do something; until the node ends.
    pub(crate) async fn keep(self, driver: Driver) {
        let (mut grants, mut friends) = (driver.grants_changed(), driver.friends_changed());
        loop {
            grants.borrow_and_update();
            friends.borrow_and_update();
            let pause = if self.settle(&driver).await { LOOK } else { AGAIN };
            tokio::select! {
                changed = grants.changed() => if changed.is_err() { return },
                changed = friends.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes back what friends may no longer, and opens or shuts the gate. `false` where the disk took it not.
    async fn settle(&self, driver: &Driver) -> bool {
        let state = driver.look(|engine, now| {
            let heard = engine.friends().filter(|friend| !friend.blocked());
            let friends = heard.map(Friend::account).collect();
            let allowed = engine.friends().flat_map(|friend| {
                let purposes = PURPOSES.into_iter().filter(|purpose| is_let(friend, *purpose));
                purposes.map(|purpose| (friend.account(), number(purpose)))
            });
            (friends, allowed.collect::<std::collections::BTreeSet<_>>(), engine.time(now))
        });
        // The node is ending otherwise.
        let Ok((friends, allowed, now)) = state.await else { return true };
        self.0.offers.keep_only(driver.store(), &friends, |device| self.leave(device)).await;
        let is_over =
            |(key, standing): &(&(AccountId, u8), &Standing)| standing.is_open && !allowed.contains(key);
        let over: Vec<_> = {
            let grants = lock(&self.0.grants);
            grants.standing.iter().filter(is_over).map(|(key, _)| *key).collect()
        };
        let mut stored = true;
        for key in over {
            stored &= self.revoke(driver, key, now).await;
            if !PURPOSES.into_iter().any(|it| allowed.contains(&(key.0, number(it)))) {
                self.0.guests.turn_out(&key.0, "you may not any more");
            }
        }
        stored & self.tend_gate(driver, !allowed.is_empty(), now).await
    }

    async fn revoke(&self, driver: &Driver, key: (AccountId, u8), now: UnixMillis) -> bool {
        let standing = {
            let mut grants = lock(&self.0.grants);
            // Later ones have greater numbers.
            let standing = Standing { revoked_before: grants.next(now).saturating_add(1), is_open: false };
            grants.last = standing.revoked_before;
            grants.standing.insert(key, standing);
            grants.given.retain(|(account, _, purpose), _| (*account, *purpose) != key);
            standing
        };
        if let Some(serving) = self.0.serving.get().filter(|_| key.1 == number(Purpose::Relay)) {
            serving.revoke(&key.0);
        }
        let stored = driver.store().run(move |store| store.keep_relay_grant(key, standing)).await.is_ok();
        if !stored {
            // Found again the next time.
            let open = Standing { is_open: true, ..standing };
            lock(&self.0.grants).standing.insert(key, open);
        }
        stored
    }

    async fn tend_gate(&self, driver: &Driver, is_wanted: bool, now: UnixMillis) -> bool {
        let draw = || Secret::new(SystemEntropy::draw());
        let fresh = if is_wanted { lock(&self.0.gates).rotate(now, draw) } else { None };
        let mut stored = true;
        if let Some((number, keys, from)) = fresh {
            let keep = driver.store().run(move |store| store.keep_guest_gate(number, &keys, from));
            // Then they are good until the node ends, and made anew after it.
            stored = keep.await.is_ok();
            self.0.gates_changed.send_replace(());
        }
        let Some(endpoint) = self.endpoint() else { return stored };
        for change in lock(&self.0.gates).open(is_wanted) {
            match change {
                Change::Expect(expectation) => endpoint.expect(expectation),
                Change::Forget(session) => endpoint.forget(session),
            }
        }
        stored
    }
}

/// Whether a friend may do this here.
fn is_let(friend: &Friend, purpose: Purpose) -> bool {
    let grant = match purpose {
        Purpose::Relay => Grant::Relay,
        Purpose::Meet => Grant::Meet,
    };
    friend.allows(grant) && !friend.blocked()
}

/// Whose device has this Ed25519 key, and why it may not do this here, if it may not.
fn holder(
    engine: &Engine,
    sign: &[u8; 32],
    purpose: Purpose,
    now: UnixMillis,
) -> Option<(AccountId, Option<Reason>)> {
    engine.friends().find_map(|friend| {
        let roster = friend.card().roster();
        roster.devices.iter().find(|entry| entry.keys.sign == *sign)?;
        let refused = if !is_let(friend, purpose) {
            Some(Reason::Revoked)
        } else if !roster.in_force(now) {
            // It entitles to nothing but handing over a fresh one, over the friend's own link.
            Some(Reason::Expired)
        } else {
            None
        };
        Some((friend.account(), refused))
    })
}

/// Under what number it is kept.
const fn number(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Relay => 0,
        Purpose::Meet => 1,
    }
}
